"""The equations of back-propagation, one by one: what a vector's δ is made of, and a parameter's gradient."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from lstm_sym.calculus.adjoints import text
from lstm_sym.calculus.terms import Term
from lstm_sym.cell import Cell
from lstm_sym.notation import STANDARD, Notation, a_notation, lag_of
from lstm_sym.notation.wrapping import in_terminal


@dataclass(frozen=True)
class Passed:
    """``factor``·δ_source: what a node passes back to a vector that it was computed from.

    ``factor`` is one diagonal, or one weight transposed. ``later``: the node belongs to the step after, and so do
    the vectors in the factor.
    """

    factor: Term
    source: str
    later: bool = False

    def written(self, script: text.Script, now: str) -> str:
        """The addend, at time ``now``."""
        return script.passed(self, now)


@dataclass(frozen=True)
class Product:
    """δ_source·vectorᵀ, or its transpose where the weight stands transposed: an affine node's share in ∂L/∂W."""

    source: str
    vector: str
    transposed: bool = False

    def written(self, script: text.Script, now: str) -> str:
        """The addend, at time ``now``."""
        return script.product(self, now)


class Equation(ABC):
    """∂L/∂name = …, at every time."""

    cell: Cell
    name: str

    @property
    @abstractmethod
    def tag(self) -> str:
        """What its label ends in."""

    @abstractmethod
    def left(self, script: text.Script, now: str) -> str:
        """The left-hand side."""

    @abstractmethod
    def addends(self, script: text.Script, now: str) -> list[str]:
        """The addends of the right-hand side."""

    def latex(self, equation: bool = True, notation: Notation = STANDARD) -> str:
        """The equation in LaTeX, or its right-hand side."""
        script = text.LatexScript(self.cell, a_notation(notation))
        return script.equation(self) if equation else script.added(script.sides(self)[1])

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.latex()}$"

    def __str__(self) -> str:
        return text.UnicodeScript(self.cell).equation(self)

    def __repr__(self) -> str:
        return in_terminal(str(self))


@dataclass(frozen=True, repr=False)
class Delta(Equation):
    """δ of ``name``: the sum of ``terms``, and of ∂ℓ/∂name where ``seeded``."""

    cell: Cell
    name: str
    terms: tuple[Passed, ...]
    seeded: bool

    @property
    def tag(self) -> str:
        """delta-c, or dL-c0 for what reaches the initial state."""
        name, lag = lag_of(self.name)
        return f"dL-{name}0" if lag else f"delta-{name}"

    def left(self, script: text.Script, now: str) -> str:
        """δ of the vector, or the derivative by the initial state."""
        return script.delta_left(self, now)

    def addends(self, script: text.Script, now: str) -> list[str]:
        """The loss's own derivative, and what is passed back."""
        return script.delta_addends(self, now)

    def __iter__(self) -> Iterator[Passed]:
        return iter(self.terms)


@dataclass(frozen=True, repr=False)
class ParameterSum(Equation):
    """∂L/∂parameter: the sum of ``terms`` over all steps; over units as well for a number shared by all of them."""

    cell: Cell
    name: str
    terms: tuple[Product | Passed, ...]

    @property
    def tag(self) -> str:
        """dL-W_hf."""
        return f"dL-{self.name}"

    def left(self, script: text.Script, now: str) -> str:
        """∂L/∂parameter."""
        return script.sum_left(self)

    def addends(self, script: text.Script, now: str) -> list[str]:
        """The sum over time, as the only addend."""
        return script.sum_addends(self, now)

    def __iter__(self) -> Iterator[Product | Passed]:
        return iter(self.terms)
