"""Derivatives by parameters as text: Kronecker products and vector-Jacobian products, in Unicode and in LaTeX."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import sympy as sp

from lstm_sym.calculus.explicit import readable, through_gates
from lstm_sym.calculus.terms import IDENTITY, Term
from lstm_sym.calculus.text import unicode_added, unicode_scalar_style, unicode_sum, unicode_term
from lstm_sym.calculus.values import Jacobian
from lstm_sym.calculus.writer import Writer
from lstm_sym.cell import Cell
from lstm_sym.checks import unknown_name
from lstm_sym.notation import Notation, in_brackets, scalar, unicode_at_time, unicode_timeless

if TYPE_CHECKING:
    from lstm_sym.calculus.weights.immediate import Immediate

    Written: TypeAlias = Immediate | Jacobian

FORMS = ("kronecker", "gradient")


def a_form(form: str) -> str:
    """``form`` if it is one of the two."""
    if form not in FORMS:
        raise unknown_name("form", form, FORMS)
    return form


class Script(ABC):
    """Writes derivatives by parameters of one cell."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell

    def equation(self, value: Written, form: str = "kronecker") -> str:
        """The whole equation."""
        return f"{self.left(value, form)} = {self.right(value, form)}"

    def right(self, value: Written, form: str = "kronecker") -> str:
        """The right-hand side; a Jacobian is its own."""
        return self.matrix(value) if isinstance(value, Jacobian) else value.written(self, form)

    @abstractmethod
    def left(self, value: Written, form: str) -> str:
        """∂⁺of/∂vec W, or what it makes of δ."""

    @abstractmethod
    def matrix(self, jacobian: Jacobian) -> str:
        """A sum of terms."""

    @abstractmethod
    def kronecker(self, jacobian: Jacobian, vector: str, transposed: bool) -> str:
        """vᵀ ⊗ J, or J ⊗ vᵀ."""

    @abstractmethod
    def gradient(self, jacobian: Jacobian, vector: str, transposed: bool) -> str:
        """(Jᵀδ)·vᵀ, or v·(Jᵀδ)ᵀ."""

    @abstractmethod
    def column(self, term: Term) -> str:
        """A term applied to ones: its last diagonal is a vector."""

    @abstractmethod
    def inner(self, column: str, several: bool) -> str:
        """The inner product of a column with δ."""

    @abstractmethod
    def added(self, addends: Sequence[str]) -> str:
        """Addends with their signs, or 0."""


def _several(jacobian: Jacobian) -> bool:
    """Whether it is a sum, which needs brackets as a factor."""
    return len(jacobian.terms) > 1


def _is_identity(jacobian: Jacobian) -> bool:
    return jacobian.terms == (IDENTITY,)


class UnicodeScript(Script):
    """hᵀ ⊗ diag(c⊙f⊙(1−f))."""

    def left(self, value: Written, form: str) -> str:  # noqa: D102
        vec = "vec " if value.wrt in self.cell.weights else ""
        above, below = unicode_at_time(value.of), unicode_timeless(value.wrt)
        return f"∂⁺{above}/∂{vec}{below}" if form == "kronecker" else f"(∂⁺{above}/∂{below})ᵀ·δ"

    def matrix(self, jacobian: Jacobian) -> str:  # noqa: D102
        return unicode_sum(jacobian)

    def kronecker(self, jacobian: Jacobian, vector: str, transposed: bool) -> str:  # noqa: D102
        sign, matrix = _signed(self._factor(jacobian))
        vector = self._vector(vector) + "ᵀ"
        return sign + (f"{matrix} ⊗ {vector}" if transposed else f"{vector} ⊗ {matrix}")

    def gradient(self, jacobian: Jacobian, vector: str, transposed: bool) -> str:  # noqa: D102
        sign, matrix = _signed(self._factor(jacobian.T))
        pulled, vector = "δ" if _is_identity(jacobian) else f"({matrix}·δ)", self._vector(vector)
        return sign + (f"{vector}·{pulled}ᵀ" if transposed else f"{pulled}·{vector}ᵀ")

    def column(self, term: Term) -> str:  # noqa: D102
        style = unicode_scalar_style(self.cell)
        vector = scalar(through_gates(self.cell, term.diagonals[-1]), style)
        if not term.weights:
            return vector
        matrices = unicode_term(self.cell, readable(self.cell, _matrices(term)))
        return f"{matrices}·({vector})" if term.diagonals[-1].is_Add else f"{matrices}·{vector}"

    def inner(self, column: str, several: bool) -> str:  # noqa: D102
        return f"({column})ᵀ·δ"

    def added(self, addends: Sequence[str]) -> str:  # noqa: D102
        return unicode_added(addends)

    def _factor(self, jacobian: Jacobian) -> str:
        return f"({unicode_sum(jacobian)})" if _several(jacobian) else unicode_sum(jacobian)

    def _vector(self, name: str) -> str:
        return unicode_scalar_style(self.cell).symbol(name)


class LatexScript(Script):
    r"""h_{t-1}^{\top} \otimes \operatorname{diag}(c_{t-1} \odot f_t \odot (1 - f_t))."""

    def __init__(self, cell: Cell, notation: Notation) -> None:
        super().__init__(cell)
        self._writer = Writer(cell, notation)

    def left(self, value: Written, form: str) -> str:  # noqa: D102
        writer = self._writer
        weight = value.wrt in self.cell.weights
        below = writer.weight(value.wrt) if weight else writer.vector(value.wrt)
        vec = r"\operatorname{vec} " if weight and form == "kronecker" else ""
        fraction = rf"\frac{{\partial^{{+}} {writer.vector(value.of)}}}{{\partial {vec}{below}}}"
        return fraction if form == "kronecker" else writer.times(rf"\Bigl({fraction}\Bigr)^{{\top}}", r"\delta")

    def matrix(self, jacobian: Jacobian) -> str:  # noqa: D102
        return self._writer.sum(jacobian.terms)

    def kronecker(self, jacobian: Jacobian, vector: str, transposed: bool) -> str:  # noqa: D102
        sign, matrix = _signed(self._factor(jacobian))
        vector = self._writer.transposed(self._writer.vector(vector))
        return sign + (rf"{matrix} \otimes {vector}" if transposed else rf"{vector} \otimes {matrix}")

    def gradient(self, jacobian: Jacobian, vector: str, transposed: bool) -> str:  # noqa: D102
        writer, v = self._writer, self._writer.vector(vector)
        sign, matrix = _signed(self._factor(jacobian.T))
        pulled = r"\delta" if _is_identity(jacobian) else in_brackets(writer.times(matrix, r"\delta"))
        factors = (v, writer.transposed(pulled)) if transposed else (pulled, writer.transposed(v))
        return sign + writer.times(*factors)

    def column(self, term: Term) -> str:  # noqa: D102
        vector = self._writer.scalar(term.diagonals[-1])
        if not term.weights:
            return vector
        vector = in_brackets(vector) if term.diagonals[-1].is_Add else vector
        return self._writer.times(self._writer.term(_matrices(term)), vector)

    def inner(self, column: str, several: bool) -> str:  # noqa: D102
        return self._writer.times(self._writer.transposed(in_brackets(column) if several else column), r"\delta")

    def added(self, addends: Sequence[str]) -> str:  # noqa: D102
        return self._writer.added(addends)

    def _factor(self, jacobian: Jacobian) -> str:
        text = self._writer.sum(jacobian.terms)
        return in_brackets(text) if _several(jacobian) else text


def _signed(text: str) -> tuple[str, str]:
    """(minus sign or nothing, the rest)."""
    return (text[0], text[1:]) if text[0] in "-−" else ("", text)


def _matrices(term: Term) -> Term:
    """The term without its last diagonal."""
    return replace(term, diagonals=(*term.diagonals[:-1], sp.S.One))
