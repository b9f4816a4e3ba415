"""LaTeX of every value, and equation sheets: the mathematics of a cell as numbered, labelled equations."""

from lstm_sym.typeset.documents import document, escaped, latex
from lstm_sym.typeset.sheets import sheet

__all__ = ["document", "escaped", "latex", "sheet"]
