"""Bounds as text: Unicode for a terminal, LaTeX for a paper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import sympy as sp

from lstm_sym.calculus import text
from lstm_sym.calculus.suprema import NormTerm, NormTerms
from lstm_sym.calculus.tables import JacobianTable
from lstm_sym.calculus.values import Jacobian
from lstm_sym.cell import Cell
from lstm_sym.notation import (
    LATEX,
    Style,
    derivation_style,
    latex_timeless,
    scalar,
    unicode_at_time,
    with_parameters,
)

#: The bounds of the blocks of a matrix, row by row.
Entries: TypeAlias = tuple[tuple[NormTerms, ...], ...]

_FRACTIONS = {sp.Rational(1, 2): "½", sp.Rational(1, 4): "¼", sp.Rational(3, 4): "¾", sp.Rational(1, 8): "⅛"}


@dataclass(frozen=True)
class _Marks:
    """What a bound is written with."""

    style: Style
    matrix: str
    vector: str
    constant: str
    times: str

    def number(self, number: sp.Expr) -> str:
        """A coefficient: ¼, or as a scalar expression."""
        rational, rest = number.as_coeff_Mul()
        if rest != 1:
            return self.times.join([self.number(rational)] * (rational != 1) + [scalar(rest, self.style)])
        if number.is_Integer:
            return str(number)
        if self.style.latex:
            return rf"\tfrac{{{number.p}}}{{{number.q}}}"
        return _FRACTIONS.get(number, f"{number.p}/{number.q}")


def _unicode(cell: Cell) -> _Marks:
    style = with_parameters(derivation_style(cell.states), cell.vector_parameters, str)
    return _Marks(style, "‖{}‖", "‖{}‖∞", "|{}|", "·")


def _latex(cell: Cell) -> _Marks:
    style = with_parameters(LATEX, cell.vector_parameters, latex_timeless)
    bars = r"\lVert {} \rVert"
    return _Marks(style, bars, bars + r"_\infty", r"\lvert {} \rvert", r"\, ")


def _term(cell: Cell, term: NormTerm, marks: _Marks) -> str:
    write = latex_timeless if marks.style.latex else str
    factors = []
    for expression, power in term.sups:
        bars = marks.constant if cell.is_constant(expression) else marks.vector
        factor = bars.format(scalar(expression, marks.style))
        factors.append(factor if power == 1 else marks.style.power(factor, power))
    norms = marks.times.join([*factors, *(marks.matrix.format(write(name)) for name in term.weights)])
    if not norms or term.number == 1:
        return norms or marks.number(term.number)
    number = marks.number(term.number)
    return number + (marks.times if len(number) > 1 else "") + norms


def _sums(cell: Cell, entries: Entries, marks: _Marks) -> list[list[str]]:
    """The bounds of the blocks as texts, row by row."""
    return [[" + ".join(_term(cell, t, marks) for t in terms) or "0" for terms in row] for row in entries]


def unicode_bound(cell: Cell, entries: Entries) -> str:
    """The right-hand side: a sum, or the norm of a matrix of sums, a row a line."""
    sums = _sums(cell, entries, _unicode(cell))
    if len(sums) == len(sums[0]) == 1:
        return sums[0][0]
    widths = [max(map(len, column)) for column in zip(*sums, strict=True)]
    rows = ["   ".join(entry.ljust(w) for entry, w in zip(row, widths, strict=True)) for row in sums]
    return "\n".join(f"‖ {row} ‖" for row in rows)


def latex_bound(cell: Cell, entries: Entries) -> str:
    """The right-hand side in LaTeX."""
    sums = _sums(cell, entries, _latex(cell))
    if len(sums) == len(sums[0]) == 1:
        return sums[0][0]
    matrix = " \\\\\n".join(" & ".join(row) for row in sums)
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


def latex_inequality(value: Jacobian | JacobianTable, entries: Entries) -> str:
    r"""\left\lVert \frac{∂c_t}{∂h_{t-1}} \right\rVert \le …."""
    name = text.latex_name(value) if isinstance(value, Jacobian) else text.latex_table_name(value)
    return rf"\left\lVert {name} \right\rVert \le {latex_bound(value.cell, entries)}"


def _solved(cell: Cell, entries: Entries, marks: _Marks) -> str | None:
    """‖W_hh‖ < 1/γ, where a weight's norm is all there is."""
    terms = entries[0][0]
    if len(entries) > 1 or len(entries[0]) > 1 or len(terms) != 1 or len(terms[0].weights) != 1 or terms[0].sups:
        return None
    alone = NormTerm(sp.S.One, (), terms[0].weights)
    return f"{_term(cell, alone, marks)} < {marks.number(1 / terms[0].number)}"


def unicode_condition(cell: Cell, entries: Entries) -> str:
    """The inequality bound < 1, solved for ‖W‖ where that is all there is."""
    return _solved(cell, entries, _unicode(cell)) or f"{unicode_bound(cell, entries)} < 1"


def latex_condition(cell: Cell, entries: Entries) -> str:
    """The inequality in LaTeX."""
    return _solved(cell, entries, _latex(cell)) or f"{latex_bound(cell, entries)} < 1"
