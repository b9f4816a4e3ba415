"""The equations of back-propagation as text: Unicode for a terminal, LaTeX for a paper."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

import sympy as sp

from lstm_sym.calculus.explicit import through_gates
from lstm_sym.calculus.text import unicode_added
from lstm_sym.calculus.writer import Writer
from lstm_sym.cell import Cell, Weight
from lstm_sym.cell.text import slug
from lstm_sym.notation import (
    Notation,
    Style,
    at_time,
    in_brackets,
    lag_of,
    scalar,
    unicode_style,
    unicode_timeless,
    with_parameters,
)
from lstm_sym.notation.aligned import Row, align

if TYPE_CHECKING:
    from lstm_sym.calculus.adjoints.backpropagation import Adjoint
    from lstm_sym.calculus.adjoints.deltas import Delta, Equation, ParameterSum, Passed, Product

_SUBSCRIPTS = str.maketrans("0123456789+-tk", "₀₁₂₃₄₅₆₇₈₉₊₋ₜₖ")


class Script(ABC):
    """Writes the equations of one cell; Unicode and LaTeX are its two kinds."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell

    @abstractmethod
    def vector(self, name: str, now: str) -> str:
        """A vector with its time, or a parameter, which has none."""

    @abstractmethod
    def applied(self, weight: Weight, vector: str) -> str:
        """A matrix times a vector."""

    @abstractmethod
    def outer(self, left: str, right: str) -> str:
        """left·rightᵀ."""

    @abstractmethod
    def derivative(self, of: str, wrt: str) -> str:
        """∂of/∂wrt."""

    @abstractmethod
    def style(self, now: str) -> Style:
        """How expressions per unit are written."""

    @abstractmethod
    def delta(self, name: str, now: str) -> str:
        """δ of a vector."""

    @abstractmethod
    def loss(self, now: str) -> str:
        """ℓ at a time."""

    @abstractmethod
    def summed(self, text: str, units: bool) -> str:
        """The sum over the steps, and over the units."""

    @abstractmethod
    def added(self, addends: Sequence[str]) -> str:
        """Addends with their signs between them, or 0."""

    def sides(self, equation: Equation) -> tuple[str, list[str]]:
        """(left-hand side, addends of the right-hand side)."""
        now = "1" if lag_of(equation.name)[1] else "t"
        return equation.left(self, now), equation.addends(self, now)

    def equation(self, equation: Equation) -> str:
        """The whole equation in a line."""
        left, addends = self.sides(equation)
        return f"{left} = {self.added(addends)}"

    def delta_left(self, equation: Delta, now: str) -> str:
        """δ of a vector, or the derivative by an initial state."""
        vector = self.vector(equation.name, now)
        return self.derivative("L", vector) if lag_of(equation.name)[1] else self.delta(equation.name, now)

    def delta_addends(self, equation: Delta, now: str) -> list[str]:
        """The loss's own derivative, and what is passed back."""
        seeds = [self.derivative(self.loss(now), self.vector(equation.name, now))] if equation.seeded else []
        return [*seeds, *(term.written(self, now) for term in equation.terms)]

    def sum_left(self, equation: ParameterSum) -> str:
        """∂L/∂W."""
        return self.derivative("L", self.vector(equation.name, "t"))

    def sum_addends(self, equation: ParameterSum, now: str) -> list[str]:
        """One addend: the sum over time of what every place adds."""
        if not equation.terms:
            return []
        parts = [term.written(self, now) for term in equation.terms]
        body, units = self.added(parts), equation.name in self.cell.constants
        if len(parts) == 1:
            sign, body = (body[0], body[1:]) if body[0] in "-−" else ("", body)
            return [sign + self.summed(body, units)]
        return [self.summed(body if units else in_brackets(body), units)]

    def passed(self, term: Passed, now: str) -> str:
        """Factor times δ, with − in front where it is negative."""
        now = f"{now}+1" if term.later else now
        delta = self.delta(term.source, now)
        if term.factor.weights:
            return self.applied(term.factor.weights[0], delta)
        factor, style = through_gates(self.cell, term.factor.diagonals[0]), self.style(now)
        negative = all(part.could_extract_minus_sign() for part in sp.Add.make_args(factor))
        factor, sign = (-factor, style.minus.strip()) if negative else (factor, "")
        if factor == 1:
            return sign + delta
        text = in_brackets(scalar(factor, style)) if factor.is_Add else scalar(factor, style)
        times = style.scale + " " * style.latex if self.cell.is_constant(factor) else style.times
        return f"{sign}{text}{times}{delta}"

    def product(self, term: Product, now: str) -> str:
        """δ vᵀ, or v δᵀ."""
        delta, vector = self.delta(term.source, now), self.vector(term.vector, now)
        return self.outer(vector, f"({delta})") if term.transposed else self.outer(delta, vector)


class UnicodeScript(Script):
    """δcₜ = oₜ⊙(1−mₜ²)⊙δhₜ + fₜ₊₁⊙δcₜ₊₁."""

    def vector(self, name: str, now: str) -> str:  # noqa: D102
        if name in self.cell.parameters:
            return unicode_timeless(name)
        base, lag = lag_of(name)
        return unicode_timeless(base) + at_time(now, lag).translate(_SUBSCRIPTS)

    def applied(self, weight: Weight, vector: str) -> str:  # noqa: D102
        return f"{unicode_timeless(weight.name)}{'ᵀ' * weight.transposed}·{vector}"

    def outer(self, left: str, right: str) -> str:  # noqa: D102
        return f"{left}·{right}ᵀ"

    def derivative(self, of: str, wrt: str) -> str:  # noqa: D102
        return f"∂{of}/∂{wrt}"

    def style(self, now: str) -> Style:  # noqa: D102
        timed = unicode_style(lambda name: self.vector(name, now))
        return with_parameters(timed, (), numbers=self.cell.constants)

    def delta(self, name: str, now: str) -> str:  # noqa: D102
        return f"δ{self.vector(name, now)}"

    def loss(self, now: str) -> str:  # noqa: D102
        return "ℓ" + now.translate(_SUBSCRIPTS)

    def summed(self, text: str, units: bool) -> str:  # noqa: D102
        return f"Σₜ Σₖ [{text}]ₖ" if units else f"Σₜ {text}"

    def added(self, addends: Sequence[str]) -> str:  # noqa: D102
        return unicode_added(addends)


class LatexScript(Script):
    r"""\delta c_t = o_t \odot (1 - m_t^2) \odot \delta h_t + f_{t+1} \odot \delta c_{t+1}."""

    def __init__(self, cell: Cell, notation: Notation) -> None:
        super().__init__(cell)
        self._writer = Writer(cell, notation).timed

    def vector(self, name: str, now: str) -> str:  # noqa: D102
        writer = self._writer
        return writer.weight(name) if name in self.cell.weights else writer.vector(name, now)

    def applied(self, weight: Weight, vector: str) -> str:  # noqa: D102
        return self._writer.times(self._writer.weight(weight), vector)

    def outer(self, left: str, right: str) -> str:  # noqa: D102
        return self._writer.times(left, self._writer.transposed(right))

    def derivative(self, of: str, wrt: str) -> str:  # noqa: D102
        return self._writer.derivative(of, wrt)

    def style(self, now: str) -> Style:  # noqa: D102
        return self._writer.names.style(now)

    def delta(self, name: str, now: str) -> str:  # noqa: D102
        return rf"\delta {self.vector(name, now)}"

    def loss(self, now: str) -> str:  # noqa: D102
        return rf"\ell_{now}"

    def summed(self, text: str, units: bool) -> str:  # noqa: D102
        return rf"\sum_t \sum_k \bigl[{text}\bigr]_k" if units else rf"\sum_t {text}"

    def added(self, addends: Sequence[str]) -> str:  # noqa: D102
        return self._writer.added(addends)

    def line(self, equation: Equation) -> str:
        """The equation as a line of an ``align``."""
        left, addends = self.sides(equation)
        return f"{left} &= {self.added(addends)}"


def unicode(adjoint: Adjoint) -> str:
    """All equations, one a line."""
    head = f"{adjoint.cell.name}, back-propagation through time: L = Σₜ ℓₜ, δv = ∂L/∂v"
    script = UnicodeScript(adjoint.cell)
    return "\n".join([head, *(f"  {script.equation(equation)}" for equation in adjoint)])


def rows(adjoint: Adjoint, notation: Notation) -> list[Row]:
    """What its label ends in, and the line of an ``align``, of every equation."""
    script = LatexScript(adjoint.cell, notation)
    return [(equation.tag, [script.line(equation)]) for equation in adjoint]


def latex(adjoint: Adjoint, label: str | None, notation: Notation, numbered: bool = True) -> str:
    """All equations in one ``align``, numbered on their last lines and labelled there."""
    prefix = slug(adjoint.cell.name) if label is None else label
    if not re.fullmatch(r"[A-Za-z0-9:._-]*", prefix):
        raise ValueError(f"label = {label!r}: expected letters, digits and : . _ - only.")
    return align(rows(adjoint, notation), prefix, numbered=numbered)
