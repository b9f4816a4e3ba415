"""``HessianMatrix``: the Hessian Σ_a δ_a H_a of the scalar δ·of as a formula, a sum of U^T·diag(…⊙δ)·V."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sympy as sp

from lstm_sym.calculus.curvature import text as second_text
from lstm_sym.calculus.terms import Term
from lstm_sym.calculus.text import unicode_added, unicode_numbered, unicode_scalar_style, unicode_term
from lstm_sym.calculus.writer import Writer
from lstm_sym.functions import Array
from lstm_sym.notation import STANDARD, Notation, a_notation, in_brackets, scalar

if TYPE_CHECKING:
    from lstm_sym.calculus.curvature.hessians import Hessian


@dataclass(frozen=True, repr=False)
class HessianMatrix:
    """Σ_a δ_a ∂²of_a/∂wrt∂wrt2, [wrt, wrt2]: what a cotangent δ of ``of`` makes of a ``Hessian``.

    >>> import lstm_sym as ls
    >>> ls.hessian(ls.LSTM, "c", "h", gate="f").matrix
    W_hfᵀ·diag(c⊙f⊙(1−2·f)⊙(1−f)⊙δ)·W_hf
    """

    hessian: Hessian

    def evaluate(self, delta: Any, values: Mapping[str, Any] | None = None, **named: Any) -> Array:
        """The matrix in numbers, (..., wrt, wrt2): ``Hessian.contract``."""
        return self.hessian.contract(delta, values, **named)

    def latex(self, equation: bool = False, notation: Notation = STANDARD) -> str:
        r"""LaTeX of the sum, or of the whole equation \sum_a \delta_a …."""
        writer = Writer(self.hessian.cell, a_notation(notation))
        times = rf" \{notation.product} "

        def product(left: Term, weight: sp.Expr, outer: Term, right: Term) -> str:
            seed = writer.matrix(r"\delta")
            if outer != ONE:
                seed = in_brackets(writer.times(writer.term(outer), seed))
            middle = writer.diagonal_of(_times(weight, writer.scalar(weight), times, seed))
            return writer.times(*_written(left, writer.term), middle, *_written(right, writer.term))

        addends = [writer.numbered(number, product(*parts)) for number, parts in self.products()]
        name = second_text.latex_fraction(self.hessian, notation, index="a")
        return rf"\sum_a \delta_a {name} = " * equation + writer.added(addends)

    def equation(self) -> str:
        """The whole equation in Unicode: Σₐ δₐ ∂²(cₜ)ₐ/∂hₜ₋₁² = …."""
        return f"Σₐ δₐ {second_text.unicode_fraction(self.hessian, index='ₐ')} = {self}"

    def products(self) -> list[tuple[sp.Expr, tuple[Term, sp.Expr, Term, Term]]]:
        """(number, (left^T, weight, outer^T, right)) of every left^T·diag(weight ⊙ (outer^T·δ))·right."""
        found = []
        for term in self.hessian:
            number, rest = second_text.in_front(self.hessian.cell, term.outer)
            outer = Term((*rest.diagonals[:-1], sp.S.One), rest.weights).T
            found += [(number, (left.T, rest.diagonals[-1], outer, right)) for left, right in term.pairs]
        return found

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.latex(equation=True)}$"

    def __str__(self) -> str:
        cell = self.hessian.cell
        style = unicode_scalar_style(cell)

        def write(term: Term) -> str:
            return unicode_term(cell, term)

        def product(left: Term, weight: sp.Expr, outer: Term, right: Term) -> list[str]:
            seed = "δ" if outer == ONE else f"({write(outer)}·δ)"
            middle = f"diag({_times(weight, scalar(weight, style), '⊙', seed)})"
            return [*_written(left, write), middle, *_written(right, write)]

        return unicode_added([unicode_numbered(cell, number, product(*parts)) for number, parts in self.products()])

    __repr__ = __str__


ONE = Term((sp.S.One,))


def _written(term: Term, write: Callable[[Term], str]) -> list[str]:
    return [write(term)] if term != ONE else []


def _times(weight: sp.Expr, text: str, times: str, seed: str) -> str:
    """The weight, unless it is 1, times the cotangent."""
    return seed if weight == 1 else (in_brackets(text) if weight.is_Add else text) + times + seed
