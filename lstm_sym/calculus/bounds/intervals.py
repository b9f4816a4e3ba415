"""Closed intervals with exact ends, and arithmetic on them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import NamedTuple

import sympy as sp


class Range(NamedTuple):
    """The closed interval [low, high] of exact numbers; ends may be infinite."""

    low: sp.Expr
    high: sp.Expr

    @property
    def bounded(self) -> bool:
        """Whether both ends are finite."""
        return not (self.low.is_infinite or self.high.is_infinite)

    @property
    def magnitude(self) -> sp.Expr:
        """The largest absolute value."""
        return largest((abs(self.low), abs(self.high)))

    def contains(self, number: sp.Expr) -> bool:
        """Whether ``number`` is in the interval, its ends included."""
        return not less(number, self.low) and not less(self.high, number)


REALS = Range(-sp.oo, sp.oo)
UNIT = Range(sp.S.Zero, sp.S.One)


def less(a: sp.Expr, b: sp.Expr) -> bool:
    """a < b for exact numbers, infinite ones among them."""
    if a == b:
        return False
    if a.is_infinite or b.is_infinite:
        return bool(a == -sp.oo or b == sp.oo)
    return bool((a - b).evalf(30) < 0)


def largest(numbers: Iterable[sp.Expr]) -> sp.Expr:
    """The greatest of some exact numbers."""
    return reduce(lambda a, b: b if less(a, b) else a, numbers)


def hull(numbers: Iterable[sp.Expr]) -> Range:
    """The smallest interval that holds all ``numbers``."""
    found = list(numbers)
    return Range(-largest(-number for number in found), largest(found))


def union(*ranges: Range) -> Range:
    """The smallest interval that holds all ``ranges``."""
    return hull(end for interval in ranges for end in interval)


def intersection(a: Range, b: Range) -> Range:
    """What two intervals share."""
    return Range(largest((a.low, b.low)), -largest((-a.high, -b.high)))


def _times(a: sp.Expr, b: sp.Expr) -> sp.Expr:
    """The product of two ends; zero times infinity is zero."""
    if a == 0 or b == 0:
        return sp.S.Zero
    if a.is_infinite or b.is_infinite:
        return -sp.oo if less(a, sp.S.Zero) != less(b, sp.S.Zero) else sp.oo
    return a * b


def _plus(ends: Sequence[sp.Expr]) -> sp.Expr:
    return next((end for end in ends if end.is_infinite), None) or sp.Add(*ends)


def times(factors: Iterable[Range]) -> Range:
    """The product of intervals."""
    return reduce(lambda a, b: hull(_times(x, y) for x in a for y in b), factors, Range(sp.S.One, sp.S.One))


def plus(terms: Sequence[Range]) -> Range:
    """The sum of intervals."""
    return Range(_plus([term.low for term in terms]), _plus([term.high for term in terms]))


def power(base: Range, exponent: int) -> Range:
    """A whole power of an interval; what may be divided by zero is unbounded."""
    if exponent < 0:
        if base.contains(sp.S.Zero):
            return Range(sp.S.Zero if not less(base.low, sp.S.Zero) or exponent % 2 == 0 else -sp.oo, sp.oo)
        return power(hull(1 / end for end in base), -exponent)
    ends = hull(end**exponent for end in base)
    return Range(sp.S.Zero, ends.high) if exponent % 2 == 0 and base.contains(sp.S.Zero) else ends
