"""``Jacobian``: one derivative in closed matrix form, as a value that prints, transposes, expands and evaluates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import sympy as sp

from lstm_sym.calculus import explicit, numbers, text
from lstm_sym.calculus.terms import Term, Terms, merged
from lstm_sym.cell import Cell
from lstm_sym.checks import finite, unknown_name
from lstm_sym.checks import size as checked_size
from lstm_sym.functions import Array
from lstm_sym.notation import STANDARD, Notation, a_notation
from lstm_sym.notation.wrapping import in_terminal


@dataclass(frozen=True, repr=False)
class Jacobian:
    """∂of/∂wrt of one step, J[a, b] = ∂of_a/∂wrt_b (numerator layout), for any size.

    ``of`` and ``wrt`` are code names (``c``, ``h_prev``); iterating gives the terms, each a product of
    ``diagonals`` (scalar SymPy expressions per unit) and ``weights``. Slopes are kept as functions of their
    pre-activation, so that numbers stay right under saturation; text shows them through the gate, f⊙(1−f).
    ``limits`` says, in words, where ``ls.limit`` took it.
    """

    cell: Cell
    of: str
    wrt: str
    path: str
    terms: Terms
    transposed: bool = False
    limits: tuple[str, ...] = field(default=(), compare=False)

    @property
    def is_zero(self) -> bool:
        """Whether ``of`` does not depend on ``wrt``: an exact zero."""
        return not self.terms

    @property
    def shape(self) -> tuple[str, str]:
        """The names of the sizes, (rows, columns)."""
        shape = self.cell.sizes[self.of], self.cell.sizes[self.wrt]
        return shape[::-1] if self.transposed else shape

    def __iter__(self) -> Iterator[Term]:
        return iter(self.readable)

    def __len__(self) -> int:
        return len(self.terms)

    @property
    def readable(self) -> Terms:
        """The terms with every slope written through its gate: dsigmoid(a_f) as f·(1 − f)."""
        return tuple(explicit.readable(self.cell, term) for term in self.terms)

    @property
    def T(self) -> Jacobian:
        """The transpose, as back-propagation uses it."""
        terms = merged((term.T for term in self.terms), self.cell.parameters)
        return replace(self, terms=terms, transposed=not self.transposed)

    def subs(self, values: Mapping[sp.Symbol | str, Any] | None = None, **named: Any) -> Jacobian:
        """The Jacobian with vectors replaced by numbers or SymPy expressions: ``J.subs(f=1)``.

        Every unit gets the same value. Text is refused: it is never parsed.

        Raises:
            UnknownNameError: a name that is not a vector of the cell.
            TypeError: a value that is neither a number nor a SymPy expression.
        """
        replacement = {}
        for name, value in by_name(values, named).items():
            if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.number, sp.Expr)):
                raise TypeError(f"{name} = {value!r}: expected a number or a SymPy expression.")
            number = value if isinstance(value, sp.Expr) else finite(name, value).item()
            replacement[explicit.vector(self.cell, name)] = sp.sympify(number)
        terms = merged(
            (term.map(lambda d: d.xreplace(replacement)) for term in self.readable), self.cell.parameters
        )
        return replace(self, terms=terms)

    def evaluate(self, values: Mapping[str, Any] | None = None, **named: Any) -> Array:
        """The matrix in numbers, shape (..., rows, columns).

        ``values`` maps names to arrays: vectors (..., n), weights (rows, columns). Give pre-activations (a_f, …)
        for full accuracy under saturation; without them slopes come from the gates, f(1−f).

        Raises:
            ValueError: a vector or weight of the formula has no value, shapes do not fit, a number is not finite.
        """
        return numbers.evaluate(self, by_name(values, named))

    def to_sympy(self, n: int | sp.Expr, **sizes: int | sp.Expr) -> sp.Matrix | sp.MatrixExpr:
        """The Jacobian as SymPy's own matrices: explicit for an integer ``n``, a matrix expression for a symbol.

        ``n`` is the hidden size; the other sizes (``inputs=``, ``outputs=``) default to it.
        """
        for name, size in {"n": n, **sizes}.items():
            if name != "n" and name not in self.cell.sizes.values():
                raise unknown_name("size", name, dict.fromkeys(self.cell.sizes.values()))
            if not isinstance(size, sp.Expr):
                checked_size(name, size)
        return explicit.to_sympy(self, {size: sizes.get(size, n) for size in self.cell.sizes.values()})

    def latex(self, equation: bool = False, notation: Notation = STANDARD) -> str:
        r"""LaTeX of the right-hand side, or of the whole equation \frac{∂c_t}{∂h_{t-1}} = …."""
        right = text.latex_sum(self, notation=a_notation(notation))
        return f"{text.latex_name(self, notation)} = {right}" if equation else right

    def equation(self) -> str:
        """The whole equation in Unicode: ∂cₜ/∂hₜ₋₁ = …; an exact zero is said as such."""
        return text.unicode_equation(self)

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.latex(equation=True)}$"

    def __str__(self) -> str:
        return text.unicode_sum(self)

    def __repr__(self) -> str:
        return in_terminal(str(self))


def by_name(values: Mapping[Any, Any] | None, named: Mapping[str, Any]) -> dict[str, Any]:
    """One dict by code name, from symbols or names and from keywords."""
    if values is not None and not isinstance(values, Mapping):
        raise TypeError(f"{values!r:.60}: expected a dict by name, or keywords: f=…")
    return {str(getattr(name, "name", name)): value for name, value in {**(values or {}), **named}.items()}
