"""What sweeps compute at one point of a grid, as plain functions: exponents, reach, criticality of a network."""

from lstm_sym.quantities.criticality import crossing_gain, edge_gain, exponent_at_zero, settled_exponent
from lstm_sym.quantities.points import (
    QUANTITIES,
    gradient_reach,
    leading_exponent,
    leading_exponents,
    options_of,
    parameters_of,
    zero_state_exponent,
)

__all__ = [
    "QUANTITIES",
    "crossing_gain",
    "edge_gain",
    "exponent_at_zero",
    "gradient_reach",
    "leading_exponent",
    "leading_exponents",
    "options_of",
    "parameters_of",
    "settled_exponent",
    "zero_state_exponent",
]
