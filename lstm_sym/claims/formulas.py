"""``diag``: formulas written by hand, sums of products of diagonals and weights, without a cell."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from lstm_sym.calculus.terms import Term, Terms, product
from lstm_sym.calculus.text import unicode_added, unicode_weight
from lstm_sym.calculus.values import Jacobian
from lstm_sym.cell import Weight
from lstm_sym.notation import LATEX, TIMED, Style, latex_timeless, scalar


@dataclass(frozen=True, repr=False)
class Formula:
    """A sum of products of diagonals and weights, as ``diag`` begins it; ``@`` and ``*`` are the matrix product.

    >>> import lstm_sym as ls
    >>> s = ls.LSTM.symbols
    >>> ls.diag(s.c_prev * s.f * (1 - s.f)) @ s.W_hf - 2 * (ls.diag(s.i) @ s.W_hi).T
    diag(cₜ₋₁⊙fₜ⊙(1−fₜ))·W_hf − 2·W_hiᵀ·diag(iₜ)

    ``terms`` are those of a ``Jacobian``; the weights get their sizes where the formula meets a cell.
    """

    terms: Terms

    #: NumPy's numbers leave the arithmetic to this class.
    __array_ufunc__ = None

    @property
    def T(self) -> Formula:
        """The transpose."""
        return Formula(tuple(term.T for term in self.terms))

    def __matmul__(self, other: Any) -> Formula:
        right = _factor(other)
        return NotImplemented if right is None else Formula(product(self.terms, right.terms))

    def __rmatmul__(self, other: Any) -> Formula:
        left = _factor(other)
        return NotImplemented if left is None else Formula(product(left.terms, self.terms))

    __mul__, __rmul__ = __matmul__, __rmatmul__

    def __add__(self, other: Any) -> Formula:
        right = formula(other)
        return NotImplemented if right is None else Formula(self.terms + right.terms)

    def __radd__(self, other: Any) -> Formula:
        left = formula(other)
        return NotImplemented if left is None else Formula(left.terms + self.terms)

    def __neg__(self) -> Formula:
        return Formula(tuple(Term((sp.S.NegativeOne,)) @ t for t in self.terms))

    def __sub__(self, other: Any) -> Formula:
        right = formula(other)
        return NotImplemented if right is None else self + -right

    def __rsub__(self, other: Any) -> Formula:
        left = formula(other)
        return NotImplemented if left is None else left + -self

    def latex(self) -> str:
        """LaTeX, every vector with its time."""
        parts = [_written(term, LATEX, r"\operatorname{diag}", r"\, ", _latex_weight) for term in self.terms]
        return " + ".join(parts).replace("+ -", "- ") or "0"

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.latex()}$"

    def __str__(self) -> str:
        return unicode_added([_written(term, TIMED, "diag", "·", unicode_weight) for term in self.terms])

    __repr__ = __str__


def diag(expression: Any) -> Formula:
    """The diagonal matrix of a per-unit expression, the brick that formulas for ``check`` are built of.

    >>> import lstm_sym as ls
    >>> s = ls.RNN.symbols
    >>> ls.diag(1 - s.h**2) @ s.W_hh
    diag(1−hₜ²)·W_hh
    >>> s.W_hh @ ls.diag(1 - s.h**2)        # on the other side: it scales columns, not rows
    W_hh·diag(1−hₜ²)

    ``@`` (or ``*``) is the matrix product with weights, other formulas and numbers; ``+``, ``-`` and ``.T`` are
    what they look like. The transpose of a weight is ``s.W_hh.transpose()``. ``diag(1)`` is the identity.

    Args:
        expression: a SymPy expression in the symbols of a cell's vectors (``s = cell.symbols``): ``s.c`` is the
            new state, ``s.c_prev`` the one that enters the step, ``s.o_prev`` a gate of the step before.

    Raises:
        ValueError: the expression contains a weight matrix.
        TypeError: text (it is never parsed), or anything that is no SymPy expression or number.
    """
    number = _number(expression)
    if number is None and not isinstance(expression, sp.Expr):
        raise TypeError(
            f"diag({expression!r:.60}): expected a SymPy expression in a cell's symbols, such as"
            " s.f * (1 - s.f) with s = cell.symbols." + _no_text(expression)
        )
    scalar_expression: sp.Expr = expression if number is None else number
    if isinstance(scalar_expression, sp.MatrixExpr) or not scalar_expression.is_commutative:
        raise ValueError(
            f"diag({expression}): a diagonal is made of vectors, and this contains a matrix."
            " Multiply the diagonal by it instead: diag(…) @ W, or W @ diag(…)."
        )
    return Formula((Term((scalar_expression,)),) if scalar_expression != 0 else ())


def formula(value: Any) -> Formula | None:
    """``value`` as a sum of terms; None for what cannot be one. A per-unit expression is understood as its diag.

    Raises:
        ValueError: a plain SymPy product of vectors and weights, which has lost the side of its diagonal.
    """
    if isinstance(value, Formula):
        return value
    if isinstance(value, Jacobian):
        return Formula(value.terms)
    if (number := _number(value)) is not None:
        return Formula((Term((number,)),) if number else ())
    if not isinstance(value, sp.Expr) or isinstance(value, sp.MatrixExpr):
        return None
    if value.is_commutative:
        return diag(value)
    for part in sp.Add.make_args(value):
        _refuse_lost_side(part)
    return Formula(tuple(_plain_term(part) for part in sp.Add.make_args(sp.expand(value))))


def _factor(value: Any) -> Formula | None:
    """``value`` as a factor of a matrix product: a bare vector is refused, its diagonal must be written."""
    if isinstance(value, sp.Expr) and value.is_commutative and not value.is_number:
        raise ValueError(
            f"{value} is a vector (or a constant) beside a matrix: write diag({value}) on the side where it stands."
            " diag(v) @ W scales the rows of W, W @ diag(v) its columns."
        )
    return formula(value)


def _plain_term(part: sp.Expr) -> Term:
    """A product of numbers and weights, or the diagonal of a vector."""
    if part.is_commutative:
        return diag(part).terms[0]
    coefficient, matrices = _refuse_lost_side(part)
    term = Term((coefficient,))
    for matrix in matrices:
        for _ in range(_power(matrix)):
            term = term @ Term((sp.S.One, sp.S.One), (_weight(matrix.as_base_exp()[0]),))
    return term


def _refuse_lost_side(part: sp.Expr) -> tuple[sp.Expr, list[sp.Expr]]:
    """(number, matrices) of a plain product; with vectors in it, the side of the diagonal would be a guess."""
    commuting, matrices = part.args_cnc()
    coefficient = sp.Mul(*commuting)
    if matrices and not coefficient.is_number:
        weights = sp.Mul(*matrices)
        raise ValueError(
            f"{part}: SymPy moves vectors past the weight in a plain product, so the side on which the diagonal"
            f" stands is lost. diag(v) @ W scales the rows of W, W @ diag(v) its columns."
            f" Write ls.diag({coefficient}) @ {weights}, or {weights} @ ls.diag({coefficient})."
        )
    return coefficient, matrices


def _power(matrix: sp.Expr) -> int:
    exponent = matrix.as_base_exp()[1]
    if not (exponent.is_Integer and exponent > 0):
        raise ValueError(f"{matrix}: expected a product of weights, and no inverse or other power.")
    return int(exponent)


def _weight(symbol: sp.Expr) -> Weight:
    if isinstance(symbol, sp.transpose) and symbol.args[0].is_Symbol:
        return Weight(symbol.args[0].name, "", "", transposed=True)
    if symbol.is_Symbol:
        return Weight(symbol.name, "", "")
    raise ValueError(f"{symbol}: expected a weight of the cell, such as s.W_hf, or its transpose.")


def _number(value: Any) -> sp.Expr | None:
    """``value`` as an exact number, 0.1 as 1/10; None if it is none."""
    if isinstance(value, (bool, np.bool_)):
        return None
    if isinstance(value, sp.Expr):
        return value if value.is_number and not value.has(sp.Float) else _number_of_floats(value)
    if isinstance(value, (int, np.integer)):
        return sp.Integer(int(value))
    if isinstance(value, (float, np.floating)):
        if not math.isfinite(value):
            raise ValueError(f"{value} in a formula: expected a finite number.")
        return sp.Rational(repr(float(value)))
    return None


def _number_of_floats(value: sp.Expr) -> sp.Expr | None:
    return sp.Rational(repr(float(value))) if value.is_Float else None


def _no_text(value: object) -> str:
    return " Text is never parsed: build the formula from the symbols." if isinstance(value, str) else ""


# --- printing ---------------------------------------------------------------------------------------------------


def _written(term: Term, style: Style, diagonal_of: str, times: str, weight: Callable[[Weight], str]) -> str:
    """The factors in order, numbers in front; ones left out, a lone number multiplies the identity."""
    number, factors = sp.S.One, []
    for place, diagonal in enumerate(term.diagonals):
        scale, inside = diagonal.as_coeff_Mul()
        number *= scale
        if inside != 1:
            factors.append(f"{diagonal_of}({scalar(inside, style)})")
        if place < len(term.weights):
            factors.append(weight(term.weights[place]))
    product = times.join(factors) or "I"
    if abs(number) == 1:
        return product if number == 1 else style.minus.strip() + product
    return scalar(number, style) + times + product


def _latex_weight(weight: Weight) -> str:
    return latex_timeless(weight.name) + r"^{\top}" * weight.transposed
