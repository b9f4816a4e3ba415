"""How the factors, lines and rules of a derivation are written: in Unicode, or in LaTeX in a notation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace

import sympy as sp

from lstm_sym.calculus.explicit import readable, through_gates
from lstm_sym.calculus.terms import Term
from lstm_sym.calculus.text import (
    unicode_added,
    unicode_numbered,
    unicode_scalar_style,
    unicode_term,
    unicode_weight,
)
from lstm_sym.calculus.writer import Writer
from lstm_sym.cell import Cell, Node, Weight
from lstm_sym.cell.text import definition_latex, definition_unicode
from lstm_sym.notation import LATEX, TIMED, Style, scalar
from lstm_sym.typeset.rules import Rule, SlopeRule, slope_in_its_value
from lstm_sym.typeset.steps import Addend, Derivative, Factor, Local


class Pen(ABC):
    """Writes one cell's derivations."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell

    @abstractmethod
    def definition(self, node: Node) -> str:
        """The equation of a node."""

    @abstractmethod
    def derivative(self, value: Derivative) -> str:
        """∂of/∂wrt."""

    @abstractmethod
    def rule(self, rule: Rule) -> str:
        """The name of a rule, or a slope in terms of its function's value."""

    @abstractmethod
    def _scalar(self, expression: sp.Expr) -> str:
        """An expression per unit, slopes as they are."""

    @abstractmethod
    def _diagonal(self, text: str) -> str:
        """The diagonal matrix of an expression."""

    @abstractmethod
    def _weight(self, weight: Weight) -> str:
        """A weight."""

    @abstractmethod
    def _term(self, term: Term) -> str:
        """A collected term."""

    @abstractmethod
    def _times(self, number: sp.Expr, factors: Sequence[str]) -> str:
        """A number times a product of matrices."""

    @abstractmethod
    def added(self, addends: Sequence[str]) -> str:
        """Addends with their signs, or 0."""

    def addend(self, factors: Addend) -> str:
        """One product of factors; what is the same for all units, and every minus, in front."""
        match factors:
            case ((Term() as term,),):
                return self._term(term)
            case (tuple() as terms,):
                return self.added([self._term(term) for term in terms])
        number, texts = sp.S.One, []
        for factor in factors:
            taken, text = self._factor(factor)
            number *= taken
            texts += [text] if text else []
        return self._times(number, texts)

    def _factor(self, factor: Factor) -> tuple[sp.Expr, str]:
        """(what is taken out in front, the matrix that remains or '')."""
        match factor:
            case Derivative():
                return sp.S.One, self.derivative(factor)
            case Weight():
                return sp.S.One, self._weight(factor)
            case Local():
                shown = through_gates(self.cell, factor.expression) if factor.through_gates else factor.expression
                number, rest = Term((shown,)).factored(self.cell.is_constant)
                (diagonal,) = rest.diagonals
                return number, "" if diagonal == 1 else self._diagonal(self._scalar(diagonal))
        if len(factor) == 1:
            number, rest = factor[0].factored(self.cell.is_constant)
            return number, "" if rest.diagonals == (1,) else self._term(rest)
        return sp.S.One, f"({self.added([self._term(term) for term in factor])})"


class UnicodePen(Pen):
    """c is the state that enters, c′ the one that leaves."""

    def __init__(self, cell: Cell) -> None:
        super().__init__(cell)
        self._style = unicode_scalar_style(cell)

    def definition(self, node: Node) -> str:  # noqa: D102
        return definition_unicode(self.cell, node)

    def derivative(self, value: Derivative) -> str:  # noqa: D102
        d = "d" if value.path == "total" else "∂"
        mark = "|direct" if value.path == "direct" else ""
        return f"{d}{self._style.symbol(value.of)}/{d}{self._style.symbol(value.wrt)}{mark}"

    def rule(self, rule: Rule) -> str:  # noqa: D102
        return _slope(rule, TIMED, "") if isinstance(rule, SlopeRule) else rule

    def _scalar(self, expression: sp.Expr) -> str:
        return scalar(expression, self._style)

    def _diagonal(self, text: str) -> str:
        return f"diag({text})"

    def _weight(self, weight: Weight) -> str:
        return unicode_weight(weight)

    def _term(self, term: Term) -> str:
        return unicode_term(self.cell, readable(self.cell, term))

    def _times(self, number: sp.Expr, factors: Sequence[str]) -> str:
        return unicode_numbered(self.cell, number, factors)

    def added(self, addends: Sequence[str]) -> str:  # noqa: D102
        return unicode_added(addends)


class LatexPen(Pen):
    """In the notation of a writer."""

    def __init__(self, writer: Writer) -> None:
        super().__init__(writer.cell)
        self.writer = writer

    def definition(self, node: Node) -> str:  # noqa: D102
        return definition_latex(self.cell, node, self.writer.notation)

    def derivative(self, value: Derivative) -> str:  # noqa: D102
        of, wrt = self.writer.vector(value.of), self.writer.vector(value.wrt)
        fraction = self.writer.derivative(of, wrt, total=value.path == "total")
        return rf"\left.{fraction}\right|_{{\mathrm{{direct}}}}" if value.path == "direct" else fraction

    def rule(self, rule: Rule) -> str:  # noqa: D102
        if isinstance(rule, SlopeRule):
            return "$" + _slope(rule, LATEX, r"\,") + "$"
        return rule.replace("σ", r"$\sigma$")

    def _scalar(self, expression: sp.Expr) -> str:
        return scalar(expression, self.writer.names.style())

    def _diagonal(self, text: str) -> str:
        return self.writer.diagonal_of(text)

    def _weight(self, weight: Weight) -> str:
        return self.writer.weight(weight)

    def _term(self, term: Term) -> str:
        return self.writer.term(term)

    def _times(self, number: sp.Expr, factors: Sequence[str]) -> str:
        return self.writer.numbered(number, self.writer.times(*factors))

    def added(self, addends: Sequence[str]) -> str:  # noqa: D102
        return self.writer.added(addends)


def _slope(rule: SlopeRule, style: Style, times: str) -> str:
    """σ′ = σ(1 − σ), with the function's name for its value."""
    name = rule.slope.of.__name__
    word = style.call(name, "").removesuffix("()")
    prime = style.call(rule.slope.__name__, "").removesuffix("()")
    value = sp.Symbol("value", real=True)
    right = scalar(slope_in_its_value(rule, value), replace(style, symbol=lambda _: word, times=times))
    return f"{prime} = {right}"
