"""LaTeX of every value, equation sheets, and derivations step by step."""

from lstm_sym.typeset.documents import latex
from lstm_sym.typeset.lecture import Derivation, derivation
from lstm_sym.typeset.pages import document, escaped
from lstm_sym.typeset.sheets import sheet

__all__ = ["Derivation", "derivation", "document", "escaped", "latex", "sheet"]
