"""T-step derivatives as recursions over the steps: what a product of Jacobians does, one factor after another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from lstm_sym.calculus.derive import jacobian, within_step
from lstm_sym.calculus.determinants import eliminated, new_on_new
from lstm_sym.calculus.explicit import readable
from lstm_sym.calculus.terms import IDENTITY, Terms
from lstm_sym.calculus.text import unicode_added, unicode_numbered, unicode_term
from lstm_sym.calculus.writer import Writer
from lstm_sym.cell import Cell
from lstm_sym.notation import (
    STANDARD,
    TIMED,
    Notation,
    Style,
    a_notation,
    unicode_timeless,
    with_parameters,
)
from lstm_sym.notation.aligned import Row, align
from lstm_sym.notation.widths import width
from lstm_sym.notation.wrapping import in_terminal

Coefficients = Mapping[tuple[str, str], Terms]


@dataclass(frozen=True, repr=False)
class Recursion:
    """∂s_t/∂wrt_k for every state s, from those one step earlier; it begins at t = k with ``initial``.

    ``before[s, r]`` multiplies ∂r_{t−1}/∂wrt_k; ``within[s, r]`` multiplies ∂r_t/∂wrt_k, r being a new state that s
    reads in the same step (c in h = o⊙tanh(c)). For path "direct" these are the direct terms only.
    """

    cell: Cell
    wrt: str
    path: str
    before: Coefficients
    within: Coefficients
    initial: Mapping[str, Terms]

    def __hash__(self) -> int:
        return hash((self.cell, self.wrt, self.path))

    @property
    def states(self) -> tuple[str, ...]:
        """The states whose derivatives the recursion carries along."""
        return tuple(self.initial)

    def latex(self, equation: bool = True, notation: Notation = STANDARD) -> str:
        r"""An ``align*``: the recursion, and how it begins; always with time indices."""
        return align(self.rows(a_notation(notation)), numbered=False)

    def rows(self, notation: Notation = STANDARD) -> list[Row]:
        """(what its label ends in, the lines of an ``align``) of every equation, for a sheet."""
        writer = Writer(self.cell, notation).timed
        tag = f"{self.wrt}-{self.path}"
        found: list[Row] = []
        for state in self.states:
            lines = [line for addend in self._addends(state) for line in _latex_lines(writer, *addend, self)]
            first, *others = lines or ["0"]
            left = _latex_left(writer, state, "t", self)
            found.append(
                (f"recursion-{state}-{tag}", [f"{left} &= {first.removeprefix('+ ')}", *map(_further, others)])
            )
        starts = [
            f"{_latex_left(writer, state, 'k', self)} = {writer.sum(terms, now='k')}"
            for state, terms in self.initial.items()
        ]
        first, *others = starts
        line = first.replace(" = ", " &= ", 1) + "".join(rf", \qquad {start}" for start in others)
        return [*found, (f"recursion-start-{tag}", [line])]

    def _addends(self, state: str) -> Iterator[tuple[Terms, str, str]]:
        """(coefficient, state, time) of what ∂state_t is the sum of, this step's own first."""
        for other in self.states:
            if terms := self.within.get((state, other)):
                yield terms, other, "t"
        for other in self.states:
            if terms := self.before.get((state, other)):
                yield terms, other, "t-1"

    def _repr_latex_(self) -> str:
        return self.latex()

    def __str__(self) -> str:
        d = "d" if self.path == "total" else "∂"
        mark = "|direct" if self.path == "direct" else ""

        def derivative(state: str, time: str) -> str:
            return f"{d}{unicode_timeless(state)}{time}/{d}{unicode_timeless(self.wrt)}ₖ{mark}"

        lines = []
        for state in self.states:
            addends = [
                _unicode_addend(self.cell, terms, derivative(other, {"t": "ₜ", "t-1": "ₜ₋₁"}[time]))
                for terms, other, time in self._addends(state)
            ]
            lines.append(f"{derivative(state, 'ₜ')} = {unicode_added(addends)}")
        style = _at_start(self.cell)
        for state in self.states:
            effect = unicode_added(
                [unicode_term(self.cell, readable(self.cell, term), style) for term in self.initial[state]]
            )
            lines.append(f"{derivative(state, 'ₖ')} = {effect}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return in_terminal(str(self))


def recursion(cell: Cell, of: str, wrt: str, path: str) -> Recursion:
    """The recursion that ∂of_t/∂wrt_k takes, two states, for a path of ``HORIZON_PATHS``."""
    if path == "direct":
        table = jacobian(cell, "state", "state", path="direct")
        before: Coefficients = {place: block.terms for place, block in table.blocks.items() if block.terms}
        within: Coefficients = {}
    else:
        before, within = eliminated(cell), new_on_new(cell)
    start = within_step(cell, wrt) if path == "total" else {wrt: (IDENTITY,)}
    edges = {*before, *within}
    forward = _closure({state for state in cell.states if start.get(state)}, edges)
    needed = _closure({of}, {(column, row) for row, column in edges}) & forward
    initial = {state: start.get(state, ()) for state in cell.states if state in needed or state == of}
    return Recursion(cell, wrt, path, before, within, initial)


def _closure(found: set[str], edges: set[tuple[str, str]]) -> set[str]:
    """``found`` and every state that depends on them: an edge is (what depends, on what)."""
    while grown := {row for row, column in edges if column in found} - found:
        found = found | grown
    return found


# --- text ---------------------------------------------------------------------------------------------------------


def _latex_left(writer: Writer, state: str, now: str, value: Recursion) -> str:
    fraction = writer.derivative(
        writer.vector(state, now), writer.vector(value.wrt, "k"), total=value.path == "total"
    )
    return rf"\left.{fraction}\right|_{{\mathrm{{direct}}}}" if value.path == "direct" else fraction


#: From this width on, in points, the terms of a coefficient stand in a line each.
_LONG = 230.0


def _latex_lines(writer: Writer, terms: Terms, state: str, now: str, value: Recursion) -> Iterator[str]:
    """A coefficient times a derivative, with its sign; a long sum in brackets takes a line a term."""
    derivative = _latex_left(writer, state, now, value)
    if len(terms) == 1:
        number, rest = terms[0].factored(writer.cell.is_constant)
        matrix = () if rest.diagonals == (1,) else (writer.term(rest),)
        yield _signed(writer.numbered(number, writer.times(*matrix, derivative)))
        return
    whole = rf"\bigl({writer.sum(terms)}\bigr)"
    if width(whole) <= _LONG:
        yield _signed(writer.times(whole, derivative))
        return
    first, *others = [_signed(writer.term(term)) for term in terms]
    opening, closing = (
        (rf"{derivative}\, \bigl(", r"\bigr)") if writer.notation.row else (r"\bigl(", rf"\bigr)\, {derivative}")
    )
    lines = [f"+ {opening}{first.removeprefix('+ ')}", *(rf"\quad {other}" for other in others)]
    yield from (*lines[:-1], lines[-1] + closing)


def _signed(addend: str) -> str:
    return f"- {addend[1:]}" if addend.startswith("-") else f"+ {addend}"


def _further(line: str) -> str:
    return rf"&\quad {line}"


def _unicode_addend(cell: Cell, terms: Terms, derivative: str) -> str:
    style = with_parameters(TIMED, cell.vector_parameters, numbers=cell.constants)
    if len(terms) > 1:
        factors = [unicode_term(cell, readable(cell, term), style) for term in terms]
        return f"({unicode_added(factors)})·{derivative}"
    number, rest = terms[0].factored(cell.is_constant)
    matrix = [] if rest.diagonals == (1,) else [unicode_term(cell, readable(cell, rest), style)]
    return unicode_numbered(cell, number, [*matrix, derivative])


def _at_start(cell: Cell) -> Style:
    """Names at time k."""
    style = replace(TIMED, symbol=lambda name: TIMED.symbol(name).replace("ₜ", "ₖ"))
    return with_parameters(style, cell.vector_parameters, numbers=cell.constants)
