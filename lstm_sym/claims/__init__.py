"""Claimed formulas, checked: right, or wrong with a counter-example and the name of the mistake.

>>> import lstm_sym as ls
>>> s = ls.LSTM.symbols
>>> bool(ls.check(ls.LSTM, "f", "h", ls.diag(s.f * (1 - s.f)) @ s.W_hf))
True
"""

from lstm_sym.claims.checking import check
from lstm_sym.claims.formulas import Formula, diag
from lstm_sym.claims.mistakes import Mistake
from lstm_sym.claims.verdicts import CounterExample, TableVerdict, Verdict

__all__ = ["CounterExample", "Formula", "Mistake", "TableVerdict", "Verdict", "check", "diag"]
