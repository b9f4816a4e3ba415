"""Equality of rational functions, decided exactly: sums over a common denominator that is kept in factors.

Nothing is divided and no gcd is taken: a denominator is a product of polynomials that occurred as one, so that the
common denominator of a sum is known by comparing factors. SymPy's ``together`` expands what this keeps apart.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import sympy as sp


@dataclass(frozen=True)
class Quotient:
    """numerator / ∏ factor^power, polynomials of one ring."""

    numerator: Any
    factors: Counter[Any]

    def __mul__(self, other: Quotient) -> Quotient:
        return Quotient(self.numerator * other.numerator, self.factors + other.factors)

    def power(self, exponent: int) -> Quotient:
        """The quotient to an integer power."""
        if exponent < 0:
            above = _expanded(self.factors, self.numerator.ring) ** -exponent
            return Quotient(above, Counter({self.numerator: -exponent}))
        return Quotient(self.numerator**exponent, Counter({f: k * exponent for f, k in self.factors.items()}))


def is_zero(expression: sp.Expr) -> bool:
    """Whether a rational function is identically zero; roots in it count as symbols of their own."""
    roots = {power: sp.Dummy() for power in expression.atoms(sp.Pow) if not power.exp.is_Integer}
    expression = expression.xreplace(roots)
    symbols = sorted(expression.free_symbols, key=str)
    ring = sp.ring(symbols, sp.QQ)[0] if symbols else sp.ring("x", sp.QQ)[0]
    known = {symbol: Quotient(g, Counter()) for symbol, g in zip(symbols, ring.gens, strict=False)}
    return bool(_quotient(expression, ring, known).numerator == 0)


def _quotient(expression: sp.Expr, ring: Any, known: dict[sp.Expr, Quotient]) -> Quotient:
    """``expression`` as a quotient; what occurs in it more than once is made once, and kept in ``known``."""
    if expression not in known:
        known[expression] = _made(expression, ring, known)
    return known[expression]


def _made(expression: sp.Expr, ring: Any, known: dict[sp.Expr, Quotient]) -> Quotient:
    if expression.is_Rational:
        return Quotient(ring.domain_new(sp.QQ(expression.p, expression.q)) * ring.one, Counter())
    if expression.is_Pow and expression.exp.is_Integer:
        return _quotient(expression.base, ring, known).power(int(expression.exp))
    if expression.is_Mul or expression.is_Add:
        parts = [_quotient(part, ring, known) for part in expression.args]
        if expression.is_Add:
            return _sum(parts, ring)
        product = parts[0]
        for part in parts[1:]:
            product = product * part
        return product
    raise TypeError(f"{expression} is not a rational function.")


def _sum(parts: list[Quotient], ring: Any) -> Quotient:
    common: Counter[Any] = Counter()
    for part in parts:
        common |= part.factors
    total = ring.zero
    for part in parts:
        total = total + part.numerator * _expanded(common - part.factors, ring)
    return Quotient(total, common)


def _expanded(factors: Counter[Any], ring: Any) -> Any:
    product = ring.one
    for factor in factors.elements():
        product = product * factor
    return product
