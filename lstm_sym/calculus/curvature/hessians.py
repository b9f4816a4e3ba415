"""``Hessian``: one second derivative of a cell's step, as a value that prints, expands and evaluates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from lstm_sym.calculus.curvature import contractions
from lstm_sym.calculus.curvature import text as second_text
from lstm_sym.calculus.curvature.bilinear import BilinearTerm, BilinearTerms
from lstm_sym.calculus.curvature.matrices import HessianMatrix
from lstm_sym.calculus.explicit import through_gates
from lstm_sym.calculus.values import by_name
from lstm_sym.cell import Cell
from lstm_sym.checks import unknown_name
from lstm_sym.functions import Array, positive
from lstm_sym.notation import STANDARD, Notation, a_notation


def legible(cell: Cell, expression: sp.Expr) -> sp.Expr:
    """``expression`` through the gates, an indicator's two cases side by side, common factors taken out of sums."""
    shown = through_gates(cell, expression)
    for indicator in sorted(shown.atoms(positive), key=sp.default_sort_key):
        yes, no = (shown.xreplace({indicator: value}) for value in (sp.S.One, sp.S.Zero))
        shown = yes if yes == no else indicator * yes + (1 - indicator) * no
    return sp.factor_terms(shown)


@dataclass(frozen=True, repr=False)
class Hessian:
    """∂²of/∂wrt∂wrt2 of one step as a bilinear form, H[u, v] with u a change of ``wrt`` and v one of ``wrt2``.

    ``of``, ``wrt`` and ``wrt2`` are code names (``c``, ``h_prev``). Iterating gives the terms
    outer·[(left·u)⊙(right·v)], slopes written through their gates, f⊙(1−f)⊙(1−2f). ``gate`` names the elementwise
    quantity whose curvature alone is meant, if not that of all.
    """

    cell: Cell
    of: str
    wrt: str
    wrt2: str
    terms: BilinearTerms
    gate: str = ""

    @property
    def is_zero(self) -> bool:
        """Whether the second derivative is exactly zero."""
        return not self.terms

    @property
    def shape(self) -> tuple[str, str, str]:
        """The names of the sizes of H[a, b, c] = ∂²of_a/∂wrt_b∂wrt2_c."""
        return self.cell.sizes[self.of], self.cell.sizes[self.wrt], self.cell.sizes[self.wrt2]

    def __iter__(self) -> Iterator[BilinearTerm]:
        return iter(self.readable)

    def __len__(self) -> int:
        return len(self.terms)

    @property
    def readable(self) -> BilinearTerms:
        """The terms as they are printed, see ``legible``."""
        return tuple(term.map(lambda d: legible(self.cell, d)) for term in self.terms)

    def evaluate(self, values: Mapping[str, Any] | None = None, **named: Any) -> Array:
        """The tensor in numbers, (..., of, wrt, wrt2); ``values`` as for ``Jacobian.evaluate``.

        Raises:
            ValueError: a value is missing, shapes do not fit, a number is not finite, or the tensor would be
                absurdly large: then ``apply`` or ``contract`` it.
        """
        return contractions.tensor(self, by_name(values, named))

    def apply(self, u: Any, v: Any, values: Mapping[str, Any] | None = None, **named: Any) -> Array:
        """H[u, v] in numbers, (..., of), for u (..., wrt) and v (..., wrt2); no tensor is formed."""
        return contractions.applied(self, u, v, by_name(values, named))

    def contract(self, delta: Any, values: Mapping[str, Any] | None = None, **named: Any) -> Array:
        """Σ_a δ_a H_a in numbers, (..., wrt, wrt2): the Hessian matrix of the scalar δ·of; no tensor is formed."""
        return contractions.contracted(self, delta, by_name(values, named))

    @property
    def matrix(self) -> HessianMatrix:
        """Σ_a δ_a H_a as a formula, W_hf^T·diag(…⊙δ)·W_hf + …, whose numbers ``contract`` gives."""
        return HessianMatrix(self)

    def to_sympy(self, n: int, **sizes: int) -> sp.Array:
        """The tensor written out entry by entry, for an integer size ``n``; see ``Jacobian.to_sympy``."""
        return contractions.to_sympy(self, n, sizes)

    def latex(self, equation: bool = False, notation: Notation = STANDARD) -> str:
        r"""LaTeX of the right-hand side, or of the whole equation \frac{∂²c_t}{∂h_{t-1}²}[u, v] = …."""
        right = second_text.latex_sum(self, a_notation(notation))
        return f"{second_text.latex_name(self, notation)} = {right}" if equation else right

    def equation(self) -> str:
        """The whole equation in Unicode: ∂²cₜ/∂hₜ₋₁²[u, v] = …; an exact zero is said as such."""
        return second_text.unicode_equation(self)

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.latex(equation=True)}$"

    def __str__(self) -> str:
        return second_text.unicode_sum(self)

    __repr__ = __str__


@dataclass(frozen=True, repr=False)
class HessianTable:
    """Blocks ∂²row/∂first∂second of stacked states; ``table["c", "h", "c"]`` is one block, a ``Hessian``."""

    cell: Cell
    rows: tuple[str, ...]
    first: tuple[str, ...]
    second: tuple[str, ...]
    blocks: Mapping[tuple[str, str, str], Hessian]

    def __getitem__(self, place: tuple[str, str, str]) -> Hessian:
        if place in self.blocks:
            return self.blocks[place]
        raise unknown_name("block", place, map(str, self.blocks))

    def __iter__(self) -> Iterator[Hessian]:
        return iter(self.blocks.values())

    def __hash__(self) -> int:
        return hash((self.cell, self.rows, self.first, self.second))

    @property
    def distinct(self) -> tuple[Hessian, ...]:
        """The blocks, one of each pair that differ only in the order of differentiation."""
        found: dict[tuple[str, frozenset[str]], Hessian] = {}
        for block in self:
            found.setdefault((block.of, frozenset({block.wrt, block.wrt2})), block)
        return tuple(found.values())

    def evaluate(self, values: Mapping[str, Any] | None = None, **named: Any) -> Array:
        """The whole tensor in numbers, (..., S, S, S) for states, see ``Hessian.evaluate``."""
        given = by_name(values, named)
        parts = {place: block.evaluate(given) for place, block in self.blocks.items()}
        batch = np.broadcast_shapes(*(part.shape[:-3] for part in parts.values()))
        wide = {place: np.broadcast_to(part, (*batch, *part.shape[-3:])) for place, part in parts.items()}
        return np.concatenate([self._row(wide, row) for row in self.rows], axis=-3)

    def _row(self, parts: Mapping[tuple[str, str, str], Array], row: str) -> Array:
        columns = [np.concatenate([parts[row, p, q] for q in self.second], axis=-1) for p in self.first]
        return np.concatenate(columns, axis=-2)

    def latex(self, equation: bool = False, notation: Notation = STANDARD) -> str:
        """The equations (whole, in any case) of the distinct blocks that are not zero, as one ``align*``."""
        shown = [block for block in self.distinct if not block.is_zero] or self.distinct[:1]
        lines = [line for block in shown for line in second_text.latex_lines(block, a_notation(notation))]
        return "\\begin{align*}\n" + " \\\\\n".join(lines) + "\n\\end{align*}"

    def _repr_latex_(self) -> str:
        return "$$" + self.latex().replace("{align*}", "{aligned}") + "$$"

    def __str__(self) -> str:
        return second_text.unicode_table(self)

    __repr__ = __str__
