"""SymPy's printers, taught our functions and the names of a target; what they cannot say they refuse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy as sp
from sympy.printing.c import C99CodePrinter
from sympy.printing.codeprinter import CodePrinter
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.pycode import PythonCodePrinter

from lstm_sym.functions import FORMS

#: Elementary functions by SymPy's names; every target calls them so.
ELEMENTARY = ("exp", "log", "sin", "cos", "tanh")

#: Integers beyond this are not exact as floating-point numbers.
EXACT = 2**53


def number(value: sp.Expr) -> str:
    """A real number as a floating-point literal, or as a quotient of two: never an integer division."""
    if value.is_Rational and not value.is_Integer and 10**12 % value.q and abs(value.p) < EXACT and value.q < EXACT:
        return f"{value.p}.0/{value.q}.0"
    return repr(float(value))


class _Elementwise(CodePrinter):
    """What the printers have in common: ``symbols`` maps names to text, ``used`` collects the functions called."""

    def __init__(self, symbols: Mapping[str, str], used: set[str]) -> None:
        super().__init__()
        self._symbols, self._used = symbols, used

    def of(self, expression: sp.Expr) -> str:
        """``expression`` as text."""
        return str(self.doprint(expression))

    def factor(self, expression: sp.Expr) -> str:
        """``expression`` as a factor of a product: a sum is put in parentheses."""
        return self.parenthesize(expression, PRECEDENCE["Mul"], strict=True)

    def _print(self, expression: Any, **settings: Any) -> str:
        if isinstance(expression, sp.Symbol):
            return self._symbols[expression.name]
        if isinstance(expression, sp.Pow):
            return self._power(expression)
        if isinstance(expression, sp.Function):
            return self._call(expression)
        if isinstance(expression, sp.Number):
            return self._number(expression)
        if isinstance(expression, sp.Basic) and not isinstance(expression, (sp.Add, sp.Mul)):
            raise TypeError(f"{expression} is a {type(expression).__name__}, which generated code has no form for.")
        return str(super()._print(expression, **settings))

    def parenthesize(self, item: sp.Expr, level: int, strict: bool = False) -> str:
        """0.75 needs no parentheses where 1.0/3.0 does; SymPy takes both for quotients."""
        if item.is_Rational and item.is_nonnegative and "/" not in self._number(item):
            return self._number(item)
        return str(super().parenthesize(item, level, strict))

    def _number(self, value: sp.Expr) -> str:
        return number(value)

    def _elementary(self, name: str) -> str:
        return name

    def _call(self, expression: sp.Function) -> str:
        name = type(expression).__name__
        if name not in FORMS and name not in ELEMENTARY:
            raise TypeError(f"generated code has no form for the function {name}.")
        self._used.add(name)
        called = self._elementary(name) if name in ELEMENTARY else name
        return f"{called}({', '.join(self._print(argument) for argument in expression.args)})"

    def _power(self, expression: sp.Pow) -> str:
        base, exponent = expression.args
        if exponent.is_negative:
            return f"1.0/{self._tight(base**-exponent)}"
        if exponent == sp.S.Half:
            return f"{self._elementary('sqrt')}({self._print(base)})"
        return self._positive_power(base, exponent)

    def _positive_power(self, base: sp.Expr, exponent: sp.Expr) -> str:
        raise NotImplementedError

    def _tight(self, expression: sp.Expr) -> str:
        return self.parenthesize(expression, PRECEDENCE["Pow"])


class ArrayPrinter(_Elementwise, PythonCodePrinter):
    """Python over arrays; elementary functions are those of the library ``xp``: np, jnp or torch."""

    def __init__(self, xp: str, symbols: Mapping[str, str], used: set[str]) -> None:
        super().__init__(symbols, used)
        self._xp = xp

    def _elementary(self, name: str) -> str:
        return f"{self._xp}.{name}"

    def _number(self, value: sp.Expr) -> str:
        return str(value) if value.is_Integer and abs(value) < EXACT else number(value)

    def _positive_power(self, base: sp.Expr, exponent: sp.Expr) -> str:
        return f"{self._tight(base)}**{self._tight(exponent)}"


class CPrinter(_Elementwise, C99CodePrinter):
    """C99 over one unit: a symbol is the entry of a vector, every number a double."""

    def _positive_power(self, base: sp.Expr, exponent: sp.Expr) -> str:
        if exponent == 2 and base.is_Symbol:
            return f"({self._print(base)}*{self._print(base)})"
        return f"pow({self._print(base)}, {self._print(exponent)})"
