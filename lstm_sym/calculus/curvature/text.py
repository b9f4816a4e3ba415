"""Second derivatives as text: Unicode for a terminal, LaTeX for a paper."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import sympy as sp

from lstm_sym.calculus.curvature.bilinear import BilinearTerm
from lstm_sym.calculus.terms import Term
from lstm_sym.calculus.text import unicode_added, unicode_numbered, unicode_term, unicode_vector
from lstm_sym.calculus.writer import Writer
from lstm_sym.cell import Cell
from lstm_sym.notation import STANDARD, Notation, unicode_timeless
from lstm_sym.notation.widths import TEXT_WIDTH, broken, width

if TYPE_CHECKING:
    from lstm_sym.calculus.curvature.hessians import Hessian, HessianTable

#: How the two changes may be called; the first pair that is not in the cell is taken.
CHANGES = (("u", "v"), ("p", "q"), ("y", "z"), ("k", "l"))


def changes(cell: Cell) -> tuple[str, str]:
    """The names of the changes that the bilinear form is applied to."""
    letters = {name.split("_")[0] for name in (*cell.vectors, *cell.parameters)}
    return next((pair for pair in CHANGES if not letters & set(pair)), CHANGES[0])


def _products(term: BilinearTerm, side: Callable[[Term, str], str], times: str, names: tuple[str, str]) -> str:
    """(left·u)⊙(right·v), + (right·u)⊙(left·v) where both are meant."""
    pairs = [[side(part, name) for part, name in zip(pair, names, strict=True)] for pair in term.pairs]
    return " + ".join(times.join(pair) for pair in pairs)


def in_front(cell: Cell, outer: Term) -> tuple[sp.Expr, Term]:
    """(number, rest): every factor of a diagonal that is the same for all units, and what remains."""
    vectors = [symbol for d in outer.diagonals for symbol in d.free_symbols if not cell.is_constant(symbol)]
    parts = [diagonal.as_independent(*vectors, as_Add=False) for diagonal in outer.diagonals]
    return sp.Mul(*(number for number, _ in parts)), Term(tuple(rest for _, rest in parts), outer.weights)


def unicode_addends(hessian: Hessian) -> list[str]:
    """diag(…)·[(W_hf·u)⊙v] for each term; what is the same for all units stands in front."""
    cell, found = hessian.cell, []

    def side(part: Term, name: str) -> str:
        return f"({unicode_term(cell, part)}·{name})" if part.weights else name

    for term in hessian:
        number, rest = in_front(cell, term.outer)
        outer = [] if rest.diagonals == (1,) else [unicode_term(cell, rest)]
        found.append(unicode_numbered(cell, number, [*outer, f"[{_products(term, side, '⊙', changes(cell))}]"]))
    return found


def latex_addends(hessian: Hessian, notation: Notation = STANDARD) -> list[str]:
    r"""\operatorname{diag}(…)\, \bigl[(W_{hf}\, u) \odot v\bigr] for each term."""
    cell, writer, found = hessian.cell, Writer(hessian.cell, notation), []

    def side(part: Term, name: str) -> str:
        return f"({writer.times(writer.term(part), name)})" if part.weights else name

    for term in hessian:
        number, rest = in_front(cell, term.outer)
        outer = [] if rest.diagonals == (1,) else [writer.term(rest)]
        products = _products(term, side, rf" \{notation.product} ", _latex_changes(writer))
        found.append(writer.numbered(number, writer.times(*outer, rf"\bigl[{products}\bigr]")))
    return found


def _latex_changes(writer: Writer) -> tuple[str, str]:
    first, second = map(writer.matrix, changes(writer.cell))
    return first, second


def unicode_sum(hessian: Hessian) -> str:
    """The right-hand side."""
    return unicode_added(unicode_addends(hessian))


def latex_sum(hessian: Hessian, notation: Notation = STANDARD) -> str:
    """The right-hand side."""
    return Writer(hessian.cell, notation).added(latex_addends(hessian, notation))


def unicode_name(hessian: Hessian) -> str:
    """The left-hand side: ∂²cₜ/∂hₜ₋₁²[u, v], or ∂²cₜ/∂hₜ₋₁∂cₜ₋₁[u, v]."""
    return f"{unicode_fraction(hessian)}[{', '.join(changes(hessian.cell))}]"


def unicode_fraction(hessian: Hessian, index: str = "") -> str:
    """∂²cₜ/∂hₜ₋₁², or of the component ``index`` of what is differentiated."""
    of, first, second = (unicode_vector(hessian.cell, v) for v in (hessian.of, hessian.wrt, hessian.wrt2))
    below = f"∂{first}²" if first == second else f"∂{first}∂{second}"
    part = f"|{unicode_timeless(hessian.gate)}" if hessian.gate else ""
    above = f"({of}){index}" if index else of
    return f"∂²{above}/{below}{part}"


def latex_name(hessian: Hessian, notation: Notation = STANDARD) -> str:
    r"""The left-hand side: \frac{\partial^2 c_t}{\partial h_{t-1}^2}[u, v]."""
    names = ", ".join(_latex_changes(Writer(hessian.cell, notation)))
    return f"{latex_fraction(hessian, notation)}[{names}]"


def latex_fraction(hessian: Hessian, notation: Notation = STANDARD, index: str = "") -> str:
    r"""\frac{\partial^2 c_t}{\partial h_{t-1}^2}, or of the component ``index`` of what is differentiated."""
    writer = Writer(hessian.cell, notation)
    of, first, second = map(writer.vector, (hessian.of, hessian.wrt, hessian.wrt2))
    square = first == second and "^" not in first
    below = rf"\partial {first}^2" if square else rf"\partial {first}\, \partial {second}"
    above = f"({of})_{index}" if index else of
    fraction = rf"\frac{{\partial^2 {above}}}{{{below}}}"
    if hessian.gate:
        return rf"\left.{fraction}\right|_{{{writer.vector(hessian.gate)}}}"
    return fraction


def unicode_equation(hessian: Hessian) -> str:
    """The whole equation; an exact zero is said as such."""
    equation = f"{unicode_name(hessian)} = {unicode_sum(hessian)}"
    return f"{equation}   (exactly)" if hessian.is_zero else equation


def unicode_lines(hessian: Hessian) -> str:
    """The whole equation, one term a line."""
    name = f"{unicode_name(hessian)} = "
    first, *others = _signed(unicode_addends(hessian), "−")
    return "\n".join([name + first, *(" " * (len(name) - 2) + other for other in others)])


def unicode_table(table: HessianTable) -> str:
    """The equations of the distinct blocks, one term a line; those that are zero are only counted."""
    blocks = table.distinct
    lines = [unicode_lines(block) for block in blocks if not block.is_zero]
    if zeros := sum(block.is_zero for block in blocks):
        lines.append(f"{zeros} of {len(blocks)} are exactly 0")
    return "\n".join(lines)


def latex_lines(hessian: Hessian, notation: Notation = STANDARD) -> list[str]:
    """The equation in lines for an ``align``: one term a line, or more where it would not fit on a page."""
    name = latex_name(hessian, notation)
    room = TEXT_WIDTH - width(rf"{name} = \quad") - 15.0
    lines: list[str] = []
    for addend in _signed(latex_addends(hessian, notation), "-"):
        head, *tail = broken(addend, room, room - 20.0)
        lines += [rf"&\quad {head}" if lines else f"{name} &= {head}", *(rf"&\qquad {piece}" for piece in tail)]
    return lines


def _signed(addends: list[str], minus: str) -> list[str]:
    """The addends for a line each: from the second on a sign and a blank in front; 0 if there are none."""
    first, *others = addends or ["0"]
    return [first, *(f"{minus} {text[1:]}" if text.startswith(minus) else f"+ {text}" for text in others)]
