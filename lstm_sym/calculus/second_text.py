"""Second derivatives as text: Unicode for a terminal, LaTeX for a paper."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import sympy as sp

from lstm_sym.calculus.bilinear import BilinearTerm
from lstm_sym.calculus.terms import Term
from lstm_sym.calculus.text import latex_term, unicode_term
from lstm_sym.cell import Cell
from lstm_sym.notation import latex_at_time, latex_timeless, unicode_at_time

if TYPE_CHECKING:
    from lstm_sym.calculus.hessians import Hessian, HessianTable

#: How the two changes may be called; the first pair that is not in the cell is taken.
CHANGES = (("u", "v"), ("p", "q"), ("xi", "eta"), ("u_1", "u_2"))


def changes(cell: Cell) -> tuple[str, str]:
    """The names of the changes that the bilinear form is applied to."""
    taken = {*cell.vectors, *cell.parameters}
    return next(pair for pair in CHANGES if not taken & set(pair))


def _taken_out(term: BilinearTerm) -> tuple[bool, int, BilinearTerm]:
    """(whether it is subtracted, the whole number that it is multiplied by, what remains)."""
    number = term.factor.as_coeff_Mul()[0]
    whole = abs(number) if number.is_Integer else sp.S.One
    outer = Term((*term.outer.diagonals[:-1], term.factor / whole * (-1) ** number.is_negative), term.outer.weights)
    return bool(number.is_negative), int(whole), replace(term, outer=outer)


@dataclass(frozen=True)
class _Marks:
    """What a term is written with: how a ``Term`` is, a product, an elementwise product, brackets, a minus."""

    term: Callable[[Term], str]
    dot: str
    times: str
    brackets: tuple[str, str]
    minus: str


def _written(term: BilinearTerm, names: tuple[str, str], marks: _Marks) -> str:
    """outer·[(left·u)⊙(right·v) + (right·u)⊙(left·v)]."""
    products = " + ".join(
        marks.times.join(_side(part, name, marks) for part, name in zip(pair, names, strict=True))
        for pair in term.pairs
    )
    if term.outer.diagonals == (1,):
        return products.join(marks.brackets)
    outer = marks.term(term.outer)
    if not term.outer.weights:
        outer = outer.removesuffix(f"{marks.dot}I")
    return products.join(marks.brackets).join((outer + marks.dot, ""))


def _side(part: Term, name: str, marks: _Marks) -> str:
    return f"({marks.term(part)}{marks.dot}{name})" if part.weights else name


def _pieces(hessian: Hessian, names: tuple[str, str], marks: _Marks) -> list[str]:
    """The terms, each with its sign: the first bare or with a minus, the others behind "+ " or "− "."""
    pieces = []
    for place, (negative, number, term) in enumerate(map(_taken_out, hessian)):
        sign = marks.minus if negative else "+"
        text = _written(term, names, marks)
        text = text if number == 1 else f"{number}{marks.dot}{text}"
        pieces.append(f"{sign} {text}" if place else marks.minus * negative + text)
    return pieces or ["0"]


def unicode_pieces(hessian: Hessian) -> list[str]:
    """The terms of the sum, each with its sign, or 0."""
    marks = _Marks(lambda term: unicode_term(hessian.cell, term), "·", "⊙", ("[", "]"), "−")
    return _pieces(hessian, changes(hessian.cell), marks)


def latex_pieces(hessian: Hessian) -> list[str]:
    """The terms of the sum, each with its sign, or 0."""
    brackets = (r"\bigl[", r"\bigr]")
    marks = _Marks(lambda term: latex_term(hessian.cell, term), r"\, ", r" \odot ", brackets, "-")
    first, second = map(latex_timeless, changes(hessian.cell))
    return _pieces(hessian, (first, second), marks)


def unicode_sum(hessian: Hessian) -> str:
    """The right-hand side."""
    return " ".join(unicode_pieces(hessian))


def latex_sum(hessian: Hessian) -> str:
    """The right-hand side."""
    return " ".join(latex_pieces(hessian))


def unicode_name(hessian: Hessian) -> str:
    """The left-hand side: ∂²cₜ/∂hₜ₋₁²[u, v], or ∂²cₜ/∂hₜ₋₁∂cₜ₋₁[u, v]."""
    of, first, second = (_at_time(hessian, name, unicode_at_time, str) for name in _variables(hessian))
    below = f"∂{first}²" if hessian.wrt == hessian.wrt2 else f"∂{first}∂{second}"
    return f"∂²{of}/{below}[{', '.join(changes(hessian.cell))}]"


def latex_name(hessian: Hessian) -> str:
    r"""The left-hand side: \frac{\partial^2 c_t}{\partial h_{t-1}^2}[u, v]."""
    of, first, second = (_at_time(hessian, name, latex_at_time, latex_timeless) for name in _variables(hessian))
    below = rf"\partial {first}^2" if hessian.wrt == hessian.wrt2 else rf"\partial {first}\, \partial {second}"
    names = ", ".join(map(latex_timeless, changes(hessian.cell)))
    return rf"\frac{{\partial^2 {of}}}{{{below}}}[{names}]"


def _variables(hessian: Hessian) -> tuple[str, str, str]:
    return hessian.of, hessian.wrt, hessian.wrt2


def _at_time(hessian: Hessian, name: str, timed: Callable[[str], str], timeless: Callable[[str], str]) -> str:
    return timeless(name) if name in hessian.cell.vector_parameters else timed(name)


def unicode_equation(hessian: Hessian) -> str:
    """The whole equation; an exact zero is said as such."""
    equation = f"{unicode_name(hessian)} = {unicode_sum(hessian)}"
    return f"{equation}   (exactly)" if hessian.is_zero else equation


def unicode_lines(hessian: Hessian) -> str:
    """The whole equation, one term a line."""
    first, *others = unicode_pieces(hessian)
    name = f"{unicode_name(hessian)} = "
    return "\n".join([name + first, *(" " * (len(name) - 2) + other for other in others)])


def unicode_table(table: HessianTable) -> str:
    """The equations of the distinct blocks, one term a line; those that are zero are only counted."""
    blocks = table.distinct
    lines = [unicode_lines(block) for block in blocks if not block.is_zero]
    if zeros := sum(block.is_zero for block in blocks):
        lines.append(f"{zeros} of {len(blocks)} are exactly 0")
    return "\n".join(lines)


def latex_lines(hessian: Hessian) -> list[str]:
    """The equation in lines for an ``align``: one term a line, the relation sign aligned."""
    first, *others = latex_pieces(hessian)
    return [f"{latex_name(hessian)} &= {first}", *(rf"&\quad {other}" for other in others)]
