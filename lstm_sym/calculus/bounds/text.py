"""Bounds as text: Unicode for a terminal, LaTeX for a paper."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import sympy as sp

from lstm_sym.calculus import text
from lstm_sym.calculus.bounds.suprema import NormTerm, NormTerms
from lstm_sym.calculus.coefficients import coefficient, latex_fraction, unicode_fraction
from lstm_sym.calculus.tables import JacobianTable
from lstm_sym.calculus.values import Jacobian
from lstm_sym.calculus.writer import Writer
from lstm_sym.cell import Cell
from lstm_sym.notation import STANDARD, Notation, scalar, unicode_at_time, unicode_timeless

#: The bounds of the blocks of a matrix, row by row.
Entries: TypeAlias = tuple[tuple[NormTerms, ...], ...]


@dataclass(frozen=True)
class _Marks:
    """What a bound is written with."""

    cell: Cell
    scalar: Callable[[sp.Expr], str]
    weight: Callable[[str], str]
    matrix: str
    vector: str
    constant: str
    times: str
    power: Callable[[str, int], str]
    fraction: Callable[[sp.Rational], str]

    def number(self, number: sp.Expr) -> str:
        """A coefficient: ¼, 9/10, ¼·tanh(1)."""
        return coefficient(number, self.scalar, self.fraction, self.times)

    def term(self, term: NormTerm) -> str:
        """¼‖c‖∞·‖W_hf‖."""
        factors = []
        for expression, power in term.sups:
            bars = self.constant if self.cell.is_constant(expression) else self.vector
            factor = bars.format(self.scalar(expression))
            factors.append(factor if power == 1 else self.power(factor, power))
        norms = self.times.join([*factors, *(self.matrix.format(self.weight(name)) for name in term.weights)])
        if not norms or term.number == 1:
            return norms or self.number(term.number)
        number = self.number(term.number)
        return number + self.times * (len(number) > 1) + norms


def _unicode(cell: Cell) -> _Marks:
    style = text.unicode_scalar_style(cell)
    return _Marks(
        cell,
        lambda expression: scalar(expression, style),
        unicode_timeless,
        *("‖{}‖", "‖{}‖∞", "|{}|", "·"),
        style.power,
        unicode_fraction,
    )


def _latex(cell: Cell, notation: Notation) -> _Marks:
    writer = Writer(cell, notation)
    bars = r"\lVert {} \rVert"
    return _Marks(
        cell,
        writer.scalar,
        writer.weight,
        *(bars, bars + r"_\infty", r"\lvert {} \rvert", r"\, "),
        lambda base, exponent: f"{base}^{exponent}",
        latex_fraction,
    )


def _sums(entries: Entries, marks: _Marks) -> list[list[str]]:
    """The bounds of the blocks as texts, row by row."""
    return [[" + ".join(marks.term(t) for t in terms) or "0" for terms in row] for row in entries]


def unicode_bound(cell: Cell, entries: Entries) -> str:
    """The right-hand side: a sum, or the norm of a matrix of sums, a row a line."""
    sums = _sums(entries, _unicode(cell))
    if len(sums) == len(sums[0]) == 1:
        return sums[0][0]
    widths = [max(map(len, column)) for column in zip(*sums, strict=True)]
    rows = ["   ".join(entry.ljust(w) for entry, w in zip(row, widths, strict=True)) for row in sums]
    return "\n".join(f"‖ {row} ‖" for row in rows)


def latex_bound(cell: Cell, entries: Entries, notation: Notation = STANDARD) -> str:
    """The right-hand side in LaTeX; in row layout the matrix is the transpose."""
    sums = _sums(entries, _latex(cell, notation))
    if len(sums) == len(sums[0]) == 1:
        return sums[0][0]
    rows = list(zip(*sums, strict=True)) if notation.row else sums
    matrix = " \\\\\n".join(" & ".join(row) for row in rows)
    return "\\left\\lVert \\begin{pmatrix}\n" + matrix + "\n\\end{pmatrix} \\right\\rVert"


def unicode_inequality(value: Jacobian | JacobianTable, entries: Entries) -> str:
    """‖∂cₜ/∂hₜ₋₁‖ ≤ …."""
    name = text.unicode_name(value) if isinstance(value, Jacobian) else _unicode_table_name(value)
    left = f"‖{name}‖ ≤ "
    first, *rest = unicode_bound(value.cell, entries).splitlines()
    return "\n".join([left + first, *(" " * len(left) + line for line in rest)])


def _unicode_table_name(table: JacobianTable) -> str:
    """∂(hₜ, cₜ)/∂(hₜ₋₁, cₜ₋₁)."""
    sides = [dict.fromkeys(block.of for block in table), dict.fromkeys(block.wrt for block in table)]
    above, below = (", ".join(map(unicode_at_time, side)) for side in sides)
    d = "d" if table.path == "total" else "∂"
    return f"{d}({above})/{d}({below})" + "|direct" * (table.path == "direct")


def latex_inequality(value: Jacobian | JacobianTable, entries: Entries, notation: Notation = STANDARD) -> str:
    r"""\left\lVert \frac{∂c_t}{∂h_{t-1}} \right\rVert \le …."""
    if isinstance(value, Jacobian):
        name = text.latex_name(value, notation)
    else:
        name = text.latex_table_name(value, notation)
    return rf"\left\lVert {name} \right\rVert \le {latex_bound(value.cell, entries, notation)}"


def _solved(entries: Entries, marks: _Marks) -> str | None:
    """‖W_hh‖ < 1/γ, where a weight's norm is all there is."""
    terms = entries[0][0]
    if len(entries) > 1 or len(entries[0]) > 1 or len(terms) != 1 or len(terms[0].weights) != 1 or terms[0].sups:
        return None
    alone = NormTerm(sp.S.One, (), terms[0].weights)
    return f"{marks.term(alone)} < {marks.number(1 / terms[0].number)}"


def unicode_condition(cell: Cell, entries: Entries) -> str:
    """The inequality bound < 1, solved for ‖W‖ where that is all there is."""
    return _solved(entries, _unicode(cell)) or f"{unicode_bound(cell, entries)} < 1"


def latex_condition(cell: Cell, entries: Entries, notation: Notation = STANDARD) -> str:
    """The inequality in LaTeX."""
    return _solved(entries, _latex(cell, notation)) or f"{latex_bound(cell, entries, notation)} < 1"
