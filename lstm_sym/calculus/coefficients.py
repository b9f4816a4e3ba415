"""Exact numbers: read from decimals, evaluated, and written as coefficients, ¼ rather than 0.25."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from lstm_sym.functions import Activation, Slope, dsigmoid, dtanh, logsigmoid, maximum, relu, sigmoid, tanh

_FRACTIONS = {"1/2": "½", "1/4": "¼", "3/4": "¾", "1/8": "⅛", "1/3": "⅓", "2/3": "⅔"}


def exact(number: float) -> sp.Expr:
    """The decimal that ``number`` is written as: 1/10 for 0.1."""
    return sp.Rational(repr(float(number)))


def evaluated(expression: sp.Expr) -> sp.Expr:
    """``expression`` with ½ for σ(0), 1 − σ(β) for σ(−β), and the larger of two numbers for their maximum."""
    while found := {a: v for a in expression.atoms(Activation, Slope, maximum, sp.exp) if (v := _value(a)) != a}:
        expression = expression.xreplace(found)
    return expression


def _value(atom: sp.Expr) -> sp.Expr:
    if isinstance(atom, maximum):
        return sp.Max(*atom.args) if atom.is_number else atom
    (argument,) = atom.args
    if isinstance(atom, sp.exp):
        return sigmoid(*argument.args) if isinstance(argument, logsigmoid) else atom
    if isinstance(atom, relu) and argument.is_number:
        return sp.Max(argument, 0)
    if argument == 0:
        return atom.closed_form(sp.S.Zero)
    if not argument.is_Add and argument.could_extract_minus_sign():
        if isinstance(atom, sigmoid):
            return 1 - sigmoid(-argument)
        if isinstance(atom, (dsigmoid, dtanh)):
            return type(atom)(-argument)
        if isinstance(atom, tanh):
            return -tanh(-argument)
    return atom


def unicode_fraction(number: sp.Rational) -> str:
    """¼, or 9/10."""
    return _FRACTIONS.get(str(number), str(number))


def latex_fraction(number: sp.Rational) -> str:
    r"""\tfrac{1}{4}."""
    return rf"\tfrac{{{number.p}}}{{{number.q}}}"


def coefficient(
    number: sp.Expr, scalar: Callable[[sp.Expr], str], fraction: Callable[[sp.Rational], str], times: str
) -> str:
    """A number as a coefficient, ¼ or ¼·tanh(1); sums and quotients as they are."""
    rational, rest = number.as_coeff_Mul()
    if rest != 1 and (number.is_Add or rest.is_Pow):
        return scalar(number)
    if rational.is_negative:
        minus = scalar(sp.S.NegativeOne).removesuffix("1")
        return minus + coefficient(-number, scalar, fraction, times)
    if rest != 1:
        front = [coefficient(rational, scalar, fraction, times)] * (rational != 1)
        return times.join([*front, f"({scalar(rest)})" if rest.is_Add and front else scalar(rest)])
    return str(number) if number.is_Integer else fraction(number)
