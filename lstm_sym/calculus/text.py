"""Jacobians as text: Unicode for a terminal, LaTeX for a paper."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lstm_sym.calculus.terms import Term
from lstm_sym.cell import Cell, Weight
from lstm_sym.notation import (
    LATEX,
    derivation_style,
    latex_at_time,
    latex_timeless,
    scalar,
    unicode_at_time,
    with_parameters,
)

if TYPE_CHECKING:
    from lstm_sym.calculus.tables import JacobianTable
    from lstm_sym.calculus.values import Jacobian


def unicode_term(cell: Cell, term: Term) -> str:
    """diag(c⊙f⊙(1−f))·W_hf."""
    style = with_parameters(derivation_style(cell.states), cell.vector_parameters, str)
    factors = [f"diag({scalar(d, style)})" if not d.is_Number else scalar(d, style) for d in term.diagonals]
    return "·".join(_without_ones(term, factors, [w.name + "ᵀ" * w.transposed for w in term.weights], "I"))


def latex_term(cell: Cell, term: Term, now: str = "t") -> str:
    r"""\operatorname{diag}(c_{t-1} \odot f_t \odot (1 - f_t))\, W_{hf}, with ``now`` as the step's time."""
    timed = replace(LATEX, symbol=lambda name: latex_at_time(name, now))
    style = with_parameters(timed, cell.vector_parameters, latex_timeless)
    factors = [
        rf"\operatorname{{diag}}({scalar(d, style)})" if not d.is_Number else scalar(d, style)
        for d in term.diagonals
    ]
    return r"\, ".join(_without_ones(term, factors, [_latex_weight(w) for w in term.weights], "I"))


def _latex_weight(weight: Weight) -> str:
    return latex_timeless(weight.name) + r"^{\top}" * weight.transposed


def _without_ones(term: Term, diagonals: list[str], weights: list[str], identity: str) -> list[str]:
    """The factors in order, diagonals that are one left out; a lone number multiplies the identity."""
    factors = []
    for place, (diagonal, word) in enumerate(zip(term.diagonals, diagonals, strict=True)):
        if diagonal != 1:
            factors.append(word)
        if place < len(weights):
            factors.append(weights[place])
    if not weights and term.diagonals[0].is_Number:
        factors.append(identity)
    return factors


def unicode_sum(jacobian: Jacobian) -> str:
    """The terms joined by +, or 0."""
    return " + ".join(unicode_term(jacobian.cell, term) for term in jacobian) or "0"


def latex_sum(jacobian: Jacobian, now: str = "t") -> str:
    """The terms joined by +, or 0."""
    return " + ".join(latex_term(jacobian.cell, term, now) for term in jacobian) or "0"


def latex_lines(jacobian: Jacobian) -> list[str]:
    """The equation in lines for an ``align``: one term a line, the relation sign aligned."""
    terms = [latex_term(jacobian.cell, term) for term in jacobian] or ["0"]
    return [f"{latex_name(jacobian)} &= {terms[0]}", *(rf"&\quad + {term}" for term in terms[1:])]


def latex_name(jacobian: Jacobian) -> str:
    r"""The left-hand side: \frac{\partial c_t}{\partial h_{t-1}}, with d for a total derivative."""
    d = r"\mathrm{d}" if jacobian.path == "total" else r"\partial"
    fraction = rf"\frac{{{d} {latex_at_time(jacobian.of)}}}{{{d} {_latex_vector(jacobian.cell, jacobian.wrt)}}}"
    if jacobian.path == "direct":
        fraction = rf"\left.{fraction}\right|_{{\mathrm{{direct}}}}"
    return rf"{fraction}^{{\top}}" if jacobian.transposed else fraction


def _latex_vector(cell: Cell, name: str) -> str:
    return latex_timeless(name) if name in cell.vector_parameters else latex_at_time(name)


def _unicode_vector(cell: Cell, name: str) -> str:
    return name if name in cell.vector_parameters else unicode_at_time(name)


def unicode_name(jacobian: Jacobian) -> str:
    """The left-hand side: ∂cₜ/∂hₜ₋₁, with d for a total derivative."""
    d = "d" if jacobian.path == "total" else "∂"
    name = f"{d}{unicode_at_time(jacobian.of)}/{d}{_unicode_vector(jacobian.cell, jacobian.wrt)}"
    name = f"({name})ᵀ" if jacobian.transposed else name
    return f"{name}|direct" if jacobian.path == "direct" else name


def unicode_equation(jacobian: Jacobian) -> str:
    """The whole equation; an exact zero says why."""
    equation = f"{unicode_name(jacobian)} = {unicode_sum(jacobian)}"
    if not jacobian.is_zero:
        return equation
    if jacobian.path == "direct":
        return f"{equation}   (exactly: every path passes a weight matrix)"
    of, wrt = unicode_at_time(jacobian.of), _unicode_vector(jacobian.cell, jacobian.wrt)
    return f"{equation}   (exactly: {of} does not depend on {wrt})"


def unicode_table(table: JacobianTable) -> str:
    """A ruled table, one term a line."""
    rows, columns, blocks = table.rows, table.columns, table.blocks
    cells = {place: _stacked(block) for place, block in blocks.items()}
    widths = [max(len(line) for row in rows for line in cells[row, column]) for column in columns]
    left = max(len(row) for row in rows) + 1
    rule = "─" * (left + 2) + "".join("┼" + "─" * (width + 2) for width in widths)
    lines = [" " * (left + 2) + "".join(f"│ {c:<{w}} " for c, w in zip(columns, widths, strict=True))]
    for row in rows:
        lines.append(rule)
        for depth in range(max(len(cells[row, column]) for column in columns)):
            head = row + "′" * (row in blocks[row, columns[0]].cell.states) if depth == 0 else ""
            texts = [cells[row, c][depth] if depth < len(cells[row, c]) else "" for c in columns]
            lines.append(f" {head:<{left}} " + "".join(f"│ {t:<{w}} " for t, w in zip(texts, widths, strict=True)))
    return "\n".join(line.rstrip() for line in lines)


def _stacked(jacobian: Jacobian) -> list[str]:
    terms = [unicode_term(jacobian.cell, term) for term in jacobian] or ["0"]
    return terms if len(terms) == 1 else [("  " if k == 0 else "+ ") + term for k, term in enumerate(terms)]


def latex_table_name(table: JacobianTable) -> str:
    r"""\frac{\partial(h_t, c_t)}{\partial(h_{t-1}, c_{t-1})}."""
    d = r"\mathrm{d}" if table.path == "total" else r"\partial"
    first = next(iter(table))
    above = dict.fromkeys(block.of for block in table)
    below = dict.fromkeys(block.wrt for block in table)
    names = [", ".join(_latex_vector(first.cell, name) for name in side) for side in (above, below)]
    fraction = rf"\frac{{{d}({names[0]})}}{{{d}({names[1]})}}"
    if table.path == "direct":
        fraction = rf"\left.{fraction}\right|_{{\mathrm{{direct}}}}"
    return rf"{fraction}^{{\top}}" if first.transposed else fraction
