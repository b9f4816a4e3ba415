"""Names and scalar expressions as text, and the notations that a paper may use.

The code name is an identifier, ``c`` now and ``c_prev`` one step earlier (``c_prev2`` two steps). Unicode in a
derivation is short: c is the state that enters the step, c′ the one that leaves it. LaTeX carries the time.
"""

from lstm_sym.notation.choices import STANDARD, Notation, a_notation
from lstm_sym.notation.names import (
    Name,
    at_time,
    is_raised,
    lag_of,
    lagged,
    latex_at_time,
    latex_timeless,
    layer_of,
    name_of,
    unicode_at_time,
    unicode_timeless,
)
from lstm_sym.notation.scalars import (
    LATEX,
    TIMED,
    Style,
    derivation_style,
    in_brackets,
    scalar,
    unicode_style,
    with_parameters,
)

__all__ = [
    "LATEX",
    "STANDARD",
    "TIMED",
    "Name",
    "Notation",
    "Style",
    "a_notation",
    "at_time",
    "derivation_style",
    "in_brackets",
    "is_raised",
    "lag_of",
    "lagged",
    "latex_at_time",
    "latex_timeless",
    "layer_of",
    "name_of",
    "scalar",
    "unicode_at_time",
    "unicode_style",
    "unicode_timeless",
    "with_parameters",
]
