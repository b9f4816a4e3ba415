"""Exact numbers: read from decimals, evaluated, and written as coefficients, ¼ rather than 0.25."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from lstm_sym.functions import Activation, Slope, maximum

_FRACTIONS = {"1/2": "½", "1/4": "¼", "3/4": "¾", "1/8": "⅛", "1/3": "⅓", "2/3": "⅔"}


def exact(number: float) -> sp.Expr:
    """The decimal that ``number`` is written as: 1/10 for 0.1."""
    return sp.Rational(repr(float(number)))


def evaluated(expression: sp.Expr) -> sp.Expr:
    """``expression`` with activations at zero as numbers, ½ for σ(0), and the larger of two numbers chosen."""
    while True:
        found: dict[sp.Expr, sp.Expr] = {}
        for atom in expression.atoms(Activation, Slope, maximum):
            if isinstance(atom, maximum):
                if atom.is_number:
                    found[atom] = sp.Max(*atom.args)
            elif atom.args[0] == 0:
                found[atom] = atom.closed_form(sp.S.Zero)
        if not found:
            return expression
        expression = expression.xreplace(found)


def unicode_fraction(number: sp.Rational) -> str:
    """¼, or 9/10."""
    return _FRACTIONS.get(str(number), str(number))


def latex_fraction(number: sp.Rational) -> str:
    r"""\tfrac{1}{4}."""
    return rf"\tfrac{{{number.p}}}{{{number.q}}}"


def coefficient(
    number: sp.Expr, scalar: Callable[[sp.Expr], str], fraction: Callable[[sp.Rational], str], times: str
) -> str:
    """A positive number as a coefficient, ¼ or ¼·tanh(1)."""
    rational, rest = number.as_coeff_Mul()
    if rest != 1:
        front = [coefficient(rational, scalar, fraction, times)] * (rational != 1)
        return times.join([*front, f"({scalar(rest)})" if rest.is_Add and front else scalar(rest)])
    return str(number) if number.is_Integer else fraction(number)
