"""Bilinear terms: A·[(U·u)⊙(V·v)], what one elementwise layer adds to a second derivative, and sums of them.

A, U and V are ``Term``s. What multiplies both sides per unit stands in one place, the last diagonal of A; U and V
begin with a weight, or are the identity. So terms that agree in everything else can be joined, whichever node of
the cell they come from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import sympy as sp

from lstm_sym.calculus.terms import Term, merged


@dataclass(frozen=True)
class BilinearTerm:
    """outer·[(left·u)⊙(right·v)]; where ``symmetric``, outer·[(left·u)⊙(right·v) + (right·u)⊙(left·v)].

    ``at`` names a vector of the cell that has the size of the elementwise layer in between.
    """

    at: str
    outer: Term
    left: Term
    right: Term
    symmetric: bool = False

    @property
    def factor(self) -> sp.Expr:
        """The per-unit factor of the elementwise product: the last diagonal of ``outer``."""
        return self.outer.diagonals[-1]

    @property
    def pairs(self) -> tuple[tuple[Term, Term], ...]:
        """(what acts on u, what acts on v): one pair, or two where ``symmetric``."""
        pair = (self.left, self.right)
        return (pair, pair[::-1]) if self.symmetric else (pair,)

    def map(self, change: Callable[[sp.Expr], sp.Expr]) -> BilinearTerm:
        """The term with ``change`` applied to every diagonal."""
        outer, left, right = (part.map(change) for part in (self.outer, self.left, self.right))
        return replace(self, outer=outer, left=left, right=right)


BilinearTerms = tuple[BilinearTerm, ...]


def bilinear(at: str, outer: Term, left: Term, right: Term) -> BilinearTerm:
    """The term with all that multiplies per unit gathered in the last diagonal of ``outer``."""
    outer = outer @ Term((left.diagonals[0] * right.diagonals[0],))
    return BilinearTerm(at, outer, _bare(left), _bare(right))


def _bare(term: Term) -> Term:
    return Term((sp.S.One, *term.diagonals[1:]), term.weights)


def symmetrised(terms: Iterable[BilinearTerm], order: Sequence[str] = ()) -> list[BilinearTerm]:
    """The same sum, where exchanging u and v leaves it as it is: of two mirror images one is kept, for both."""
    rank = {name: place for place, name in enumerate(order)}

    def key(part: Term) -> tuple[object, ...]:
        weights = [(rank.get(weight.name, len(rank)), weight.transposed) for weight in part.weights]
        return len(weights), weights, [sp.default_sort_key(d) for d in part.diagonals]

    keyed = [(key(term.left), key(term.right), term) for term in terms]
    return [replace(term, symmetric=left != right) for left, right, term in keyed if left <= right]


def joined(terms: Iterable[BilinearTerm], order: Sequence[str] = ()) -> BilinearTerms:
    """The same sum, terms that differ in a single diagonal joined, zeros left out.

    A bilinear term is linear in each of its diagonals, as a ``Term`` is: it is written as one, and joined as one.
    """
    groups: dict[tuple[int, int, bool], list[BilinearTerm]] = {}
    for term in terms:
        splits = len(term.outer.weights), len(term.left.weights), term.symmetric
        groups.setdefault(splits, []).append(term)
    found = []
    for (outer, left, symmetric), members in groups.items():
        places = {_flat(member).weights: member.at for member in reversed(members)}
        for flat in merged(map(_flat, members), order):
            found.append(_unflat(places[flat.weights], flat, outer, outer + left, symmetric))
    rank = {name: place for place, name in enumerate(order)}

    def key(term: BilinearTerm) -> list[list[int]]:
        parts = (term.outer, term.left, term.right)
        return [[len(part.weights), *(rank.get(w.name, len(rank)) for w in part.weights)] for part in parts]

    return tuple(sorted(found, key=key))


def _flat(term: BilinearTerm) -> Term:
    """All factors in a row: ``outer``, then ``left`` and ``right`` without the ones that they begin with."""
    parts = (term.outer, term.left, term.right)
    diagonals = (*term.outer.diagonals, *term.left.diagonals[1:], *term.right.diagonals[1:])
    return Term(diagonals, tuple(weight for part in parts for weight in part.weights))


def _unflat(at: str, flat: Term, first: int, second: int, symmetric: bool) -> BilinearTerm:
    diagonals, weights = flat.diagonals, flat.weights
    outer = Term(diagonals[: first + 1], weights[:first])
    left = Term((sp.S.One, *diagonals[first + 1 : second + 1]), weights[first:second])
    right = Term((sp.S.One, *diagonals[second + 1 :]), weights[second:])
    return BilinearTerm(at, outer, left, right, symmetric)
