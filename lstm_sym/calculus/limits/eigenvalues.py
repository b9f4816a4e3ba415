"""Eigenvalues of state Jacobians whose diagonals are numbers, in closed form, and the gains where they reach 1."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product as pairs
from typing import Any

import numpy as np
import sympy as sp

from lstm_sym.calculus.bounds.extrema import enclosure
from lstm_sym.calculus.bounds.intervals import Range, largest, less
from lstm_sym.calculus.coefficients import exact
from lstm_sym.calculus.determinants import eliminated, new_on_new
from lstm_sym.calculus.numbers import Coefficients
from lstm_sym.calculus.terms import IDENTITY, Term, Terms, merged, product
from lstm_sym.cell import Cell, Weight
from lstm_sym.functions import Array

Blocks = dict[tuple[str, str], Terms]

#: The letter for the eigenvalues of the weight matrix that is left.
W = sp.Symbol("w", real=True)


@dataclass(frozen=True)
class Eigenvalues:
    """Some of the eigenvalues: ``formulas`` of w, each for all eigenvalues w of the matrix Σ number·word.

    ``words`` is that matrix as (number, weights) pairs, empty where w does not enter; ``formulas`` is empty where
    there is no closed form. ``states`` says from which diagonal block they are.
    """

    cell: Cell
    states: tuple[str, ...]
    formulas: tuple[sp.Expr, ...]
    words: tuple[tuple[sp.Expr, tuple[Weight, ...]], ...] = ()

    @property
    def size(self) -> str:
        """The name of the number of eigenvalues that each formula gives."""
        return self.cell.sizes[self.states[0]]

    def evaluate(self, values: Mapping[str, Array], n: int) -> Array:
        """The eigenvalues in numbers, complex."""
        if not self.formulas:
            raise ValueError(f"the eigenvalues of {', '.join(self.states)} have no closed form.")
        w = np.linalg.eigvals(self._matrix(values)) if self.words else np.zeros(n)
        coefficients = Coefficients("eigenvalues", [Term((formula,)) for formula in self.formulas])
        found = coefficients({W.name: w}, values)
        return np.concatenate([np.broadcast_to(np.asarray(found[f], complex), n) for f in self.formulas])

    def _matrix(self, values: Mapping[str, Array]) -> Array:
        total: Any = 0.0
        for number, weights in self.words:
            factors = [values[w.name].T if w.transposed else values[w.name] for w in weights]
            scale = Coefficients("number", [Term((number,))])(values)[number]
            total = total + scale * (factors[0] if len(factors) == 1 else np.linalg.multi_dot(factors))
        return np.asarray(total)


def closed_eigenvalues(cell: Cell, put_in: Callable[[Terms], Terms]) -> tuple[Eigenvalues, ...]:
    """The eigenvalues of J, block by block: J = (I − N)⁻¹ R has those of R (I − N)⁻¹, which falls into blocks."""
    R, N = (
        {place: put_in(terms) for place, terms in part.items()} for part in (eliminated(cell), new_on_new(cell))
    )
    states = cell.states
    inverse: Blocks = {(s, s): (IDENTITY,) for s in states}
    for _ in states[1:]:
        inverse = _added(cell, {(s, s): (IDENTITY,) for s in states}, _times(cell, N, inverse))
    M = {place: terms for place, terms in _times(cell, R, inverse).items() if terms}
    found = [_of_block(cell, M, group) for group in _strongly_connected(states, M)]
    return tuple(sorted(found, key=lambda part: part.formulas == (0,)))


def _times(cell: Cell, a: Blocks, b: Blocks) -> Blocks:
    found: dict[tuple[str, str], list[Term]] = {}
    for (row, k), (l, column) in pairs(a, b):
        if k == l:
            found.setdefault((row, column), []).extend(product(a[row, k], b[l, column]))
    return {place: _numbers_first(cell, terms) for place, terms in found.items()}


def _added(cell: Cell, a: Blocks, b: Blocks) -> Blocks:
    return {place: _numbers_first(cell, [*a.get(place, ()), *b.get(place, ())]) for place in {**a, **b}}


def _numbers_first(cell: Cell, terms: Sequence[Term]) -> Terms:
    """Numbers commute with matrices: gathered in the first diagonal, equal products added up."""
    found = []
    for term in terms:
        number, rest = term.factored(cell.is_constant)
        found.append(Term((number,)) @ rest)
    return merged(found, cell.parameters)


def _strongly_connected(states: Sequence[str], M: Blocks) -> list[tuple[str, ...]]:
    """The groups of states that act on one another: the diagonal blocks of a triangular order."""
    reach = {s: {s} | {c for r, c in M if r == s} for s in states}
    for k, i in pairs(states, states):
        if k in reach[i]:
            reach[i] |= reach[k]
    groups = dict.fromkeys(tuple(t for t in states if t in reach[s] and s in reach[t]) for s in states)
    return list(groups)


def _of_block(cell: Cell, M: Blocks, group: tuple[str, ...]) -> Eigenvalues:
    entries = {(r, c): M.get((r, c), ()) for r in group for c in group}
    terms = [term for block in entries.values() for term in block]
    if len({cell.sizes[state] for state in group}) > 1 or any(d != 1 for t in terms for d in t.diagonals[1:]):
        return Eigenvalues(cell, group, ())
    if all(term.is_direct for term in terms):
        return Eigenvalues(cell, group, _roots(cell, group, {p: _scalar(t) for p, t in entries.items()}))
    if any(not cell.is_constant(term.diagonals[0]) for term in terms):
        return Eigenvalues(cell, group, ())
    if len(group) == 1:
        return _of_one(cell, group, terms)
    words = {term.weights for term in terms if term.weights}
    if len(words) > 1:
        return Eigenvalues(cell, group, ())
    (word,) = words
    scalars = {p: _scalar(t) for p, t in entries.items()}
    return Eigenvalues(cell, group, _roots(cell, group, scalars), ((sp.S.One, word),))


def _scalar(terms: Terms) -> sp.Expr:
    """The entry with w for the one product of weights in it."""
    return sp.Add(*(term.diagonals[0] * (1 if term.is_direct else W) for term in terms))


def _of_one(cell: Cell, group: tuple[str, ...], terms: Sequence[Term]) -> Eigenvalues:
    """a + b·w with w the eigenvalues of the sum of what has weights, its first number taken out as b."""
    a = sp.Add(*(term.diagonals[0] for term in terms if term.is_direct))
    weighted = [term for term in terms if term.weights]
    b = weighted[0].diagonals[0]
    words = tuple((sp.cancel(term.diagonals[0] / b), term.weights) for term in weighted)
    return Eigenvalues(cell, group, (a + b * W,), words)


def _roots(cell: Cell, group: tuple[str, ...], entries: Mapping[tuple[str, str], sp.Expr]) -> tuple[sp.Expr, ...]:
    """The roots of the characteristic polynomial per eigenvalue w, where each factor is linear or quadratic."""
    if len(group) == 1:
        return (entries[group[0], group[0]],)
    polynomial = sp.Matrix([[entries[r, c] for c in group] for r in group]).charpoly()
    lam, polynomial = polynomial.gen, sp.factor(polynomial.as_expr())
    found: list[sp.Expr] = []
    for factor, power in (factor.as_base_exp() for factor in sp.Mul.make_args(polynomial) if factor.has(lam)):
        if sp.degree(factor, lam) > 2:
            return ()
        found += [root for root in sp.roots(factor, lam, multiple=True) for _ in range(power)]
    return tuple(found)


# --- critical gains ---------------------------------------------------------------------------------------------


def critical_gain(found: Eigenvalues) -> sp.Expr | None:
    """The gain at which the largest of these eigenvalues passes 1, ∞ if none ever does; None: no closed form.

    The weights are real Gaussian with variance gain²/n, and n is large. Then the eigenvalues of one of them fill
    the disc |w| ≤ gain (the circular law; J. Ginibre 1965, T. Tao, V. Vu 2010, arXiv 0807.4898), those of a product
    of k the disc |w| ≤ gain^k, those of a sum of independent ones a disc whose radii add in squares, and those of
    W − Wᵀ and W + Wᵀ an interval of the imaginary or real axis, |w| ≤ 2√2·gain (semicircle law; E. Wigner 1958).
    """
    values = {sp.Symbol(name, real=True): exact(number) for name, number in found.cell.constants.items()}
    formulas = [formula.xreplace(values) for formula in found.formulas]
    if not formulas or any(formula.free_symbols - {W} for formula in formulas):
        return None
    at_rest = largest([abs(formula.xreplace({W: sp.S.Zero})) for formula in formulas])
    if not less(at_rest, sp.S.One):
        return sp.S.Zero
    if not found.words or not any(formula.has(W) for formula in formulas):
        return sp.oo
    words = [(number.xreplace(values), weights) for number, weights in found.words]
    return _of_gains(formulas, words)


def _of_gains(formulas: list[sp.Expr], words: list[tuple[sp.Expr, tuple[Weight, ...]]]) -> sp.Expr | None:
    names = [weight.name for _, weights in words for weight in weights]
    if len(words) == 1 and len(set(names)) == len(names):
        radius = _critical_radius(formulas)
        return None if radius is None else radius ** sp.Rational(1, len(names))
    if any(len(weights) > 1 for _, weights in words):
        return None
    if len(set(names)) == len(names):
        radius = _critical_radius(formulas)
        return None if radius is None else radius / sp.sqrt(sp.Add(*(number**2 for number, _ in words)))
    if len(words) == 2 and len(set(names)) == 1 and words[1][0] in (1, -1) and len(formulas) == 1:
        a, b = formulas[0].xreplace({W: sp.S.Zero}), sp.diff(formulas[0], W)
        radius = (1 - abs(a)) / abs(b) if words[1][0] == 1 else sp.sqrt(1 - a**2) / abs(b)
        return radius / (2 * sp.sqrt(2))
    return None


def _critical_radius(formulas: list[sp.Expr]) -> sp.Expr | None:
    """The least |w| for which an eigenvalue is on the unit circle.

    The characteristic polynomial is p(λ) + w·q(λ), so w = −p(λ)/q(λ); with λ = e^iθ its squared absolute value is a
    function of cos θ, whose least value is found exactly. For λ = a + b·w it is (1 − |a|)/|b|.
    """
    if len(formulas) == 1 and sp.degree(formulas[0], W) == 1:
        a, b = formulas[0].xreplace({W: sp.S.Zero}), sp.diff(formulas[0], W)
        return sp.cancel((1 - abs(a)) / abs(b))
    lam, x = sp.Dummy("lambda"), sp.Dummy("x", real=True)
    polynomial = sp.Poly(sp.expand(sp.Mul(*(lam - formula for formula in formulas))), W)
    if polynomial.degree() != 1 or any(number.free_symbols - {lam} for number in polynomial.coeffs()):
        return None
    above, below = (_on_the_circle(polynomial.coeff_monomial(W**k), lam, x) for k in (0, 1))
    least = enclosure(sp.cancel(above / below), {x: Range(sp.S.NegativeOne, sp.S.One)}).low
    return sp.sqrt(least)


def _on_the_circle(polynomial: sp.Expr, lam: sp.Symbol, x: sp.Symbol) -> sp.Expr:
    """|p(e^iθ)|² as a polynomial in x = cos θ: Σ_j Σ_k p_j p_k cos((j − k)θ)."""
    numbers = sp.Poly(polynomial, lam).all_coeffs()[::-1]
    terms = [a * b * sp.chebyshevt(abs(j - k), x) for (j, a), (k, b) in pairs(enumerate(numbers), repeat=2)]
    return sp.expand(sp.Add(*terms))
