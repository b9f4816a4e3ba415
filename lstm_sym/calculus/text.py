"""Jacobians as text: Unicode for a terminal, LaTeX for a paper."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import sympy as sp

from lstm_sym.calculus.terms import Term
from lstm_sym.calculus.writer import Writer
from lstm_sym.cell import Cell, Weight
from lstm_sym.notation import (
    STANDARD,
    Notation,
    Style,
    derivation_style,
    scalar,
    unicode_at_time,
    unicode_timeless,
    with_parameters,
)

if TYPE_CHECKING:
    from lstm_sym.calculus.tables import JacobianTable
    from lstm_sym.calculus.values import Jacobian


def unicode_scalar_style(cell: Cell) -> Style:
    """How a derivation writes expressions per unit of ``cell`` in Unicode."""
    return with_parameters(derivation_style(cell.states), cell.vector_parameters, numbers=cell.constants)


def unicode_term(cell: Cell, term: Term, style: Style | None = None) -> str:
    """diag(c⊙f⊙(1−f))·W_hf; what is the same for all units stands in front, a lone number multiplies I."""
    style = style or unicode_scalar_style(cell)
    number, rest = term.factored(cell.is_constant)
    matrices = []
    for place, diagonal in enumerate(rest.diagonals):
        if diagonal != 1:
            matrices.append(f"diag({scalar(diagonal, style)})")
        if place < len(rest.weights):
            matrices.append(unicode_weight(rest.weights[place]))
    return unicode_numbered(cell, number, matrices)


def unicode_weight(weight: Weight) -> str:
    """W_hf, W_hhᵀ."""
    return unicode_timeless(weight.name) + "ᵀ" * weight.transposed


def unicode_numbered(cell: Cell, number: sp.Expr, matrices: Sequence[str]) -> str:
    """A number that is the same for all units times a product of matrices, the identity where there are none."""
    product = "·".join(matrices) or "I"
    if number in (1, -1):
        return product if number == 1 else f"−{product}"
    factor = scalar(number, unicode_scalar_style(cell))
    return f"({factor})·{product}" if number.is_Add else f"{factor}·{product}"


def unicode_added(addends: Sequence[str]) -> str:
    """Addends joined by +, or by − where one begins with a minus sign; 0 if there are none."""
    text = "".join(f" − {a[1:]}" if a.startswith("−") else f" + {a}" for a in addends)
    return "−" + text[3:] if text.startswith(" −") else text[3:] or "0"


def unicode_sum(jacobian: Jacobian) -> str:
    """The terms joined by +, or 0."""
    return unicode_added([unicode_term(jacobian.cell, term) for term in jacobian])


def latex_term(cell: Cell, term: Term, now: str = "t", notation: Notation = STANDARD) -> str:
    r"""\operatorname{diag}(c_{t-1} \odot f_t \odot (1 - f_t))\, W_{hf}, with ``now`` as the step's time."""
    return Writer(cell, notation).term(term, now)


def latex_sum(jacobian: Jacobian, now: str = "t", notation: Notation = STANDARD) -> str:
    """The terms joined by +, or 0."""
    return Writer(jacobian.cell, notation).sum(jacobian, now)


def latex_lines(jacobian: Jacobian, notation: Notation = STANDARD) -> list[str]:
    """The equation in lines for an ``align``: one term a line, the relation sign aligned."""
    writer = Writer(jacobian.cell, notation)
    terms = [writer.term(term) for term in jacobian] or ["0"]
    return [f"{latex_name(jacobian, notation)} &= {terms[0]}", *map(continued, terms[1:])]


def continued(addend: str) -> str:
    """A further line of an ``align``: + or − and the addend."""
    return rf"&\quad - {addend[1:]}" if addend.startswith("-") else rf"&\quad + {addend}"


def latex_name(jacobian: Jacobian, notation: Notation = STANDARD) -> str:
    r"""The left-hand side: \frac{\partial c_t}{\partial h_{t-1}}, with d for a total derivative."""
    writer = Writer(jacobian.cell, notation)
    fraction = writer.derivative(
        writer.vector(jacobian.of), writer.vector(jacobian.wrt), total=jacobian.path == "total"
    )
    if jacobian.path == "direct":
        fraction = rf"\left.{fraction}\right|_{{\mathrm{{direct}}}}"
    return writer.transposed(fraction) if jacobian.transposed else fraction


def latex_vector(cell: Cell, name: str, notation: Notation = STANDARD) -> str:
    """A vector of the cell with its time, or a parameter, which has none."""
    return Writer(cell, notation).vector(name)


def unicode_vector(cell: Cell, name: str) -> str:
    """A vector of the cell with its time, or a parameter, which has none."""
    return unicode_timeless(name) if name in cell.vector_parameters else unicode_at_time(name)


def unicode_name(jacobian: Jacobian) -> str:
    """The left-hand side: ∂cₜ/∂hₜ₋₁, with d for a total derivative."""
    d = "d" if jacobian.path == "total" else "∂"
    name = f"{d}{unicode_at_time(jacobian.of)}/{d}{unicode_vector(jacobian.cell, jacobian.wrt)}"
    name = f"({name})ᵀ" if jacobian.transposed else name
    return f"{name}|direct" if jacobian.path == "direct" else name


def unicode_equation(jacobian: Jacobian) -> str:
    """The whole equation; an exact zero says why."""
    equation = f"{unicode_name(jacobian)} = {unicode_sum(jacobian)}"
    if jacobian.limits:
        return f"{equation}   ({', '.join(jacobian.limits)})"
    if not jacobian.is_zero:
        return equation
    if jacobian.path == "direct":
        return f"{equation}   (exactly: every path passes a weight matrix)"
    of, wrt = unicode_at_time(jacobian.of), unicode_vector(jacobian.cell, jacobian.wrt)
    return f"{equation}   (exactly: {of} does not depend on {wrt})"


def unicode_table(table: JacobianTable) -> str:
    """A ruled table, one term a line."""
    rows, columns, blocks = table.rows, table.columns, table.blocks
    cells = {place: _stacked(block) for place, block in blocks.items()}
    widths = [max(len(line) for row in rows for line in cells[row, column]) for column in columns]
    left = max(len(row) for row in rows) + 1
    rule = "─" * (left + 2) + "".join("┼" + "─" * (width + 2) for width in widths)
    lines = [
        " " * (left + 2) + "".join(f"│ {unicode_timeless(c):<{w}} " for c, w in zip(columns, widths, strict=True))
    ]
    for row in rows:
        lines.append(rule)
        for depth in range(max(len(cells[row, column]) for column in columns)):
            head = unicode_timeless(row) + "′" * (row in blocks[row, columns[0]].cell.states) if depth == 0 else ""
            texts = [cells[row, c][depth] if depth < len(cells[row, c]) else "" for c in columns]
            lines.append(f" {head:<{left}} " + "".join(f"│ {t:<{w}} " for t, w in zip(texts, widths, strict=True)))
    return "\n".join(line.rstrip() for line in lines)


def _stacked(jacobian: Jacobian) -> list[str]:
    terms = [unicode_term(jacobian.cell, term) for term in jacobian] or ["0"]
    if len(terms) == 1:
        return terms
    first, *others = terms
    signed = [f"− {term[1:]}" if term.startswith("−") else f"+ {term}" for term in others]
    return [first if first.startswith("−") else f"  {first}", *signed]


def latex_table(table: JacobianTable, notation: Notation = STANDARD) -> str:
    """A ``pmatrix`` of the blocks; in row layout the block of row r and column c stands in row c, column r."""
    writer = Writer(next(iter(table)).cell, notation)
    places = [[(r, c) for c in table.columns] for r in table.rows]
    if notation.row:
        places = [list(column) for column in zip(*places, strict=True)]
    rows = [" & ".join(writer.sum(table[place]) for place in row) for row in places]
    return "\\begin{pmatrix}\n" + " \\\\\n".join(rows) + "\n\\end{pmatrix}"


def latex_table_name(table: JacobianTable, notation: Notation = STANDARD) -> str:
    r"""\frac{\partial(h_t, c_t)}{\partial(h_{t-1}, c_{t-1})}."""
    d = r"\mathrm{d}" if table.path == "total" else r"\partial"
    first = next(iter(table))
    writer = Writer(first.cell, notation)
    above = dict.fromkeys(block.of for block in table)
    below = dict.fromkeys(block.wrt for block in table)
    sides = [", ".join(map(writer.vector, side)) for side in (above, below)]
    fraction = rf"\frac{{{d}({sides[0]})}}{{{d}({sides[1]})}}"
    if table.path == "direct":
        fraction = rf"\left.{fraction}\right|_{{\mathrm{{direct}}}}"
    return writer.transposed(fraction) if first.transposed else fraction
