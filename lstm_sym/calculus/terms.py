"""Terms: products of diagonals and weight matrices, d₀·W₁·d₁·W₂·…·d_k, and sums of them.

A diagonal stands for diag(v) and is kept as the scalar per-unit expression of v, so SymPy only ever multiplies,
adds and differentiates scalars, and no size enters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import sympy as sp

from lstm_sym.cell import Weight


@dataclass(frozen=True)
class Term:
    """d₀·W₁·d₁·…·W_k·d_k: ``diagonals`` (k+1 scalar expressions) alternate with ``weights`` (k matrices)."""

    diagonals: tuple[sp.Expr, ...]
    weights: tuple[Weight, ...] = ()

    @property
    def T(self) -> Term:
        """The transpose: the factors reversed, every weight transposed."""
        return Term(self.diagonals[::-1], tuple(weight.T for weight in reversed(self.weights)))

    @property
    def is_zero(self) -> bool:
        """Whether a diagonal is exactly zero."""
        return any(diagonal == 0 for diagonal in self.diagonals)

    @property
    def is_direct(self) -> bool:
        """Whether the term passes through no weight matrix."""
        return not self.weights

    def __matmul__(self, other: Term) -> Term:
        """The matrix product; the diagonals that meet are multiplied."""
        meet = self.diagonals[-1] * other.diagonals[0]
        return Term((*self.diagonals[:-1], meet, *other.diagonals[1:]), self.weights + other.weights)

    def factored(self, is_number: Callable[[sp.Expr], bool]) -> tuple[sp.Expr, Term]:
        """(number, rest): what is one number for all units, and every minus sign, taken out of the diagonals."""
        number, diagonals = sp.S.One, []
        for diagonal in self.diagonals:
            taken = diagonal if is_number(diagonal) else sp.S.NegativeOne if _is_negative(diagonal) else sp.S.One
            number *= taken
            diagonals.append(sp.S.One if taken is diagonal else diagonal / taken)
        return number, Term(tuple(diagonals), self.weights)

    def map(self, change: Callable[[sp.Expr], sp.Expr]) -> Term:
        """The term with ``change`` applied to every diagonal."""
        return Term(tuple(change(diagonal) for diagonal in self.diagonals), self.weights)


def _is_negative(diagonal: sp.Expr) -> bool:
    return bool(diagonal.is_Mul and diagonal.as_coeff_Mul()[0].is_negative)


IDENTITY = Term((sp.S.One,))

Terms = tuple[Term, ...]


def product(left: Iterable[Term], right: Sequence[Term]) -> Terms:
    """Every term of ``left`` times every term of ``right``."""
    return tuple(a @ b for a in left for b in right)


def merged(terms: Iterable[Term], order: Sequence[str] = ()) -> Terms:
    """The same sum with terms of equal skeleton joined, zeros left out.

    Terms join where they differ in one diagonal: d·W·e + d′·W·e = (d + d′)·W·e. Sorted by the number of weights
    and by ``order``, the names of the weights as declared.
    """
    kept: list[Term] = []
    for term in terms:
        if term.is_zero:
            continue
        for place, other in enumerate(kept):
            if (joined := _joined(other, term)) is not None:
                kept[place] = joined
                break
        else:
            kept.append(term)
    rank = {name: place for place, name in enumerate(order)}

    def key(term: Term) -> tuple[int, list[int]]:
        return len(term.weights), [rank.get(weight.name, len(rank)) for weight in term.weights]

    return tuple(sorted((term for term in kept if not term.is_zero), key=key))


def _joined(a: Term, b: Term) -> Term | None:
    if a.weights != b.weights:
        return None
    different = [k for k, (d, e) in enumerate(zip(a.diagonals, b.diagonals, strict=True)) if d != e]
    if len(different) > 1:
        return None
    k = different[0] if different else 0
    diagonals = list(a.diagonals)
    diagonals[k] = diagonals[k] + b.diagonals[k]
    return Term(tuple(diagonals), a.weights)
