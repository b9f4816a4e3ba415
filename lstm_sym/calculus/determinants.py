"""The log-determinant of a cell's state Jacobian, in closed form where its structure gives one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import sympy as sp

from lstm_sym.calculus.derive import accumulate
from lstm_sym.calculus.explicit import through_gates
from lstm_sym.calculus.terms import Term, Terms
from lstm_sym.calculus.text import unicode_scalar_style
from lstm_sym.calculus.writer import Writer
from lstm_sym.cell import Cell, a_cell
from lstm_sym.notation import STANDARD, Notation, a_notation, lagged, scalar, unicode_timeless


@dataclass(frozen=True, repr=False)
class LogDeterminant:
    """log|det ∂state′/∂state| = Σ_units Σ log|d| over ``diagonals`` + Σ log|det W| over ``weights``."""

    cell: Cell
    diagonals: tuple[sp.Expr, ...]
    weights: tuple[str, ...]

    def latex(self, equation: bool = False, notation: Notation = STANDARD) -> str:
        r"""LaTeX: \sum \log \lvert f_t \rvert + \log \lvert \det W_{ho} \rvert, or the whole equation."""
        writer = Writer(self.cell, a_notation(notation))
        parts = [rf"\sum \log \lvert {writer.scalar(d)} \rvert" for d in self.diagonals]
        right = " + ".join(parts + [rf"\log \lvert \det {writer.weight(w)} \rvert" for w in self.weights]) or "0"
        return rf"\log \lvert \det {writer.matrix('J', 't')} \rvert = {right}" if equation else right

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.latex()}$"

    def __str__(self) -> str:
        style = unicode_scalar_style(self.cell)
        parts = [f"Σ log|{scalar(through_gates(self.cell, d), style)}|" for d in self.diagonals]
        return " + ".join(parts + [f"log|det {unicode_timeless(w)}|" for w in self.weights]) or "0"

    __repr__ = __str__


@lru_cache(maxsize=256)
def log_determinant(cell: Cell) -> LogDeterminant | None:
    """log|det| of the full state Jacobian in closed form, or None where the structure gives none.

    A new state that another new state reads (c in h = o⊙tanh(c)) is eliminated by a row operation, which leaves
    the determinant: differentiate each state with the other new states held. What remains must be triangular up
    to the order of its blocks, with single products of square factors as pivots.
    """
    cell = a_cell(cell)
    reduced = eliminated(cell)
    pivots = _triangular_pivots(reduced, cell.states)
    if pivots is None or any(
        len(reduced[pivot]) > 1 or not _square(cell, reduced[pivot][0], pivot) for pivot in pivots
    ):
        return None
    factors = [reduced[pivot][0] for pivot in pivots]
    diagonals = tuple(d for factor in factors for d in factor.diagonals if d != 1)
    return LogDeterminant(cell, diagonals, tuple(weight.name for factor in factors for weight in factor.weights))


def eliminated(cell: Cell) -> dict[tuple[str, str], Terms]:
    """R[r, s] = ∂r/∂s_prev with the other new states held: the state Jacobian is J = (I − N)⁻¹ R."""
    return _held(cell, {column: lagged(column) for column in cell.states})


def new_on_new(cell: Cell) -> dict[tuple[str, str], Terms]:
    """N[r, s] = ∂r/∂s between new states, the others held: for an LSTM, ∂h/∂c = diag(o⊙(1 − m²))."""
    return {
        place: terms for place, terms in _held(cell, {s: s for s in cell.states}).items() if place[0] != place[1]
    }


def _held(cell: Cell, columns: dict[str, str]) -> dict[tuple[str, str], Terms]:
    found: dict[tuple[str, str], Terms] = {}
    for row in cell.states:
        for column, vector in columns.items():
            others = frozenset(cell.states) - {row, vector}
            terms = accumulate(cell, vector, others).get(row, ())
            if terms:
                found[row, column] = terms
    return found


def _triangular_pivots(
    blocks: dict[tuple[str, str], Terms], states: tuple[str, ...]
) -> list[tuple[str, str]] | None:
    """The diagonal blocks of the triangular order, found by taking rows with a single block, one after another."""
    rows, columns, pivots = list(states), list(states), []
    while rows:
        for row in rows:
            present = [column for column in columns if (row, column) in blocks]
            if len(present) == 1:
                pivots.append((row, present[0]))
                rows.remove(row)
                columns.remove(present[0])
                break
        else:
            return None
    return pivots


def _square(cell: Cell, term: Term, pivot: tuple[str, str]) -> bool:
    spaces = {cell.sizes[pivot[0]], cell.sizes[pivot[1]]}
    for weight in term.weights:
        spaces |= {weight.rows, weight.columns}
    return len(spaces) == 1
