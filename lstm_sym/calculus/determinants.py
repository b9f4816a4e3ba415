"""The log-determinant of a cell's state Jacobian, in closed form where its structure gives one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import sympy as sp

from lstm_sym.calculus.derive import accumulate
from lstm_sym.calculus.explicit import through_gates
from lstm_sym.calculus.terms import Term, Terms
from lstm_sym.calculus.text import unicode_scalar_style
from lstm_sym.calculus.writer import Writer
from lstm_sym.cell import Cell, a_cell
from lstm_sym.notation import STANDARD, Notation, a_notation, lagged, scalar, unicode_timeless
from lstm_sym.notation.wrapping import in_terminal

#: Up to how many states every group of them is looked at for lost directions.
SMALL = 10


@dataclass(frozen=True, repr=False)
class LogDeterminant:
    """log|det ∂state′/∂state| = Σ_units Σ log|d| over ``diagonals`` + Σ log|det W| over ``weights``.

    ``spaces`` names the number of units of each diagonal. ``singular`` says why the determinant is 0 whatever the
    numbers, and its logarithm −∞: new states that hang on fewer directions than they have. Else it is empty.
    """

    cell: Cell
    diagonals: tuple[sp.Expr, ...]
    weights: tuple[str, ...]
    spaces: tuple[str, ...] = ()
    singular: str = ""

    @property
    def units(self) -> tuple[tuple[sp.Expr, str], ...]:
        """Each diagonal with the name of its number of units."""
        return tuple(zip(self.diagonals, self.spaces, strict=False))

    def latex(self, equation: bool = False, notation: Notation = STANDARD) -> str:
        r"""LaTeX: \sum \log \lvert f_t \rvert + \log \lvert \det W_{ho} \rvert, or the whole equation."""
        writer = Writer(self.cell, a_notation(notation))
        parts = [rf"\sum \log {_bars(writer.scalar(d))}" for d in self.diagonals]
        parts += [rf"\log \lvert \det {writer.weight(w)} \rvert" for w in self.weights]
        right = r"-\infty" if self.singular else " + ".join(parts) or "0"
        return rf"\log \lvert \det {writer.matrix('J', 't')} \rvert = {right}" if equation else right

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.latex()}$"

    def __str__(self) -> str:
        if self.singular:
            return f"−∞   (exactly: {self.singular})"
        style = unicode_scalar_style(self.cell)
        parts = [f"Σ log|{scalar(through_gates(self.cell, d), style)}|" for d in self.diagonals]
        return " + ".join(parts + [f"log|det {unicode_timeless(w)}|" for w in self.weights]) or "0"

    def __repr__(self) -> str:
        return in_terminal(str(self))


def _bars(text: str) -> str:
    """An absolute value in LaTeX, the bars as high as a fraction."""
    return rf"\Bigl\lvert {text} \Bigr\rvert" if r"\frac" in text else rf"\lvert {text} \rvert"


@lru_cache(maxsize=256)
def log_determinant(cell: Cell) -> LogDeterminant | None:
    """log|det| of the full state Jacobian in closed form, or None where its structure gives none.

    A new state that another new state reads (c in h = o⊙tanh(c)) is eliminated by a row operation, which leaves
    the determinant: differentiate each state with the other new states held. What remains must be triangular up
    to the order of its blocks, with single products of square factors as pivots, but for a part in which all
    blocks are diagonal: that is a small determinant for every unit. For numbers in any case: ``Kernel.logabsdet``.

    >>> import lstm_sym as ls
    >>> ls.log_determinant(ls.LSTM)
    Σ log|m⊙o⊙(1−o)| + Σ log|f| + log|det W_ho|
    >>> ls.log_determinant(ls.MinGRU)
    Σ log|1−z|
    >>> print(ls.log_determinant(ls.GRU))
    None
    """
    cell = a_cell(cell)
    reduced = eliminated(cell)
    if lost := _lost(cell, reduced):
        return LogDeterminant(cell, (), (), (), lost)
    pivots, rows, columns = _peeled(reduced, cell.states)
    if any(len(reduced[pivot]) > 1 or not _square(cell, reduced[pivot][0], pivot) for pivot in pivots):
        return None
    core = _unit_determinant(cell, reduced, rows, columns)
    if core is None:
        return None
    found = [(d, cell.sizes[row]) for row, column in pivots for d in reduced[row, column][0].diagonals]
    found += [(core, cell.sizes[row]) for row in rows[:1]]
    kept = [(diagonal, space) for diagonal, space in found if diagonal != 1]
    weights = tuple(weight.name for pivot in pivots for weight in reduced[pivot][0].weights)
    return LogDeterminant(cell, tuple(d for d, _ in kept), weights, tuple(space for _, space in kept))


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


def _lost(cell: Cell, blocks: dict[tuple[str, str], Terms]) -> str:
    """The fewest new states that together hang on fewer directions than they have, in words; none: empty.

    Sizes are names: n of a hidden state against n of another, not against a projection's.
    """
    columns = {row: {c for r, c in blocks if r == row} for row in cell.states}
    most = len(cell.states) if len(cell.states) <= SMALL else 1
    for count in range(1, most + 1):
        for rows in combinations(cell.states, count):
            read = [c for c in cell.states if any(c in columns[row] for row in rows)]
            if Counter(cell.sizes[c] for c in read) < Counter(cell.sizes[r] for r in rows):
                new = ", ".join(unicode_timeless(row) + "′" for row in rows)
                old = " and ".join(["the other new states", *map(unicode_timeless, read)])
                return f"{new} hang{'s' * (count == 1)} on {old} alone"
    return ""


def _peeled(
    blocks: dict[tuple[str, str], Terms], states: tuple[str, ...]
) -> tuple[list[tuple[str, str]], list[str], list[str]]:
    """The diagonal blocks of the triangular order, and the rows and columns that remain.

    One after another, a row with a single block or a column with a single block is taken out.
    """
    rows, columns = list(states), list(states)
    pivots: list[tuple[str, str]] = []
    while True:
        present = [(row, column) for row in rows for column in columns if (row, column) in blocks]
        in_row, in_column = Counter(row for row, _ in present), Counter(column for _, column in present)
        alone = [place for place in present if in_row[place[0]] == 1 or in_column[place[1]] == 1]
        if not alone:
            return pivots, rows, columns
        pivots.append(alone[0])
        rows.remove(alone[0][0])
        columns.remove(alone[0][1])


def _unit_determinant(
    cell: Cell, blocks: dict[tuple[str, str], Terms], rows: list[str], columns: list[str]
) -> sp.Expr | None:
    """The determinant per unit of what remains, 1 if nothing does; None where it has weights in it."""
    terms = {(r, c): blocks.get((r, c), ()) for r in rows for c in columns}
    if any(not term.is_direct for block in terms.values() for term in block):
        return None
    if len({cell.sizes[state] for state in (*rows, *columns)}) > 1:
        return None
    entries = [[sp.Add(*(term.diagonals[0] for term in terms[r, c])) for c in columns] for r in rows]
    return sp.factor(sp.Matrix(entries).det(method="berkowitz")) if rows else sp.S.One


def _square(cell: Cell, term: Term, pivot: tuple[str, str]) -> bool:
    spaces = {cell.sizes[pivot[0]], cell.sizes[pivot[1]]}
    for weight in term.weights:
        spaces |= {weight.rows, weight.columns}
    return len(spaces) == 1
