"""The equations of back-propagation as text: Unicode for a terminal, LaTeX for a paper."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import sympy as sp

from lstm_sym.calculus.explicit import through_gates
from lstm_sym.cell import Cell
from lstm_sym.cell.text import slug
from lstm_sym.notation import LATEX, TIMED, Style, lag_of, latex_at_time, latex_timeless, scalar, with_parameters

if TYPE_CHECKING:
    from lstm_sym.calculus.backpropagation import Adjoint
    from lstm_sym.calculus.deltas import Delta, Equation, ParameterSum, Passed, Product

_SUBSCRIPTS = str.maketrans("0123456789+-tk", "₀₁₂₃₄₅₆₇₈₉₊₋ₜₖ")


def _time(now: int | None, steps: int) -> str:
    """``steps`` after now: t, t+1, t-1, or a number."""
    if now is not None:
        return str(now + steps)
    return "t" if steps == 0 else f"t{steps:+d}"


@dataclass(frozen=True)
class _Form:
    """What Unicode and LaTeX differ in."""

    style: Style
    vector: Callable[[str, str], str]
    parameter: Callable[[str], str]
    transposed: str
    delta: str
    apply: str
    derivative: Callable[[str, str], str]
    loss: Callable[[str], str]
    total: Callable[[str], str]


_UNICODE = _Form(
    style=TIMED,
    vector=lambda base, time: base + time.translate(_SUBSCRIPTS),
    parameter=str,
    transposed="ᵀ",
    delta="δ",
    apply="·",
    derivative=lambda above, below: f"∂{above}/∂{below}",
    loss=lambda time: "ℓ" + time.translate(_SUBSCRIPTS),
    total=lambda index: f"Σ{index.translate(_SUBSCRIPTS)} ",
)
_LATEX = _Form(
    style=LATEX,
    vector=latex_at_time,
    parameter=latex_timeless,
    transposed=r"^{\top}",
    delta=r"\delta ",
    apply=r"\, ",
    derivative=lambda above, below: rf"\frac{{\partial {above}}}{{\partial {below}}}",
    loss=lambda time: rf"\ell_{time}" if len(time) == 1 else rf"\ell_{{{time}}}",
    total=lambda index: rf"\sum_{{{index}}} ",
)


class Writer:
    """Writes the equations of one cell, at time t or at a time that is a number."""

    def __init__(self, cell: Cell, form: _Form, now: int | None = None) -> None:
        self._cell, self._form, self._now = cell, form, now

    def vector(self, name: str, later: bool = False) -> str:
        """The vector with its time."""
        base, lag = lag_of(name)
        return self._form.vector(base, _time(self._now, later - lag))

    def delta(self, equation: Delta) -> tuple[str, str]:
        """(left-hand side, right-hand side)."""
        vector, form = self.vector(equation.name), self._form
        lag = lag_of(equation.name)[1]
        left = form.derivative("L", vector) if lag else form.delta + vector
        loss = form.loss(_time(self._now, 0))
        seeds = [(False, form.derivative(loss, vector))] if equation.seeded else []
        return left, _joined([*seeds, *(term.written(self) for term in equation.terms)], form)

    def parameter_sum(self, equation: ParameterSum) -> tuple[str, str]:
        """(left-hand side, right-hand side)."""
        form, cell = self._form, self._cell
        parts = [term.written(self) for term in equation.terms]
        body = _joined(parts, form)
        body = f"({body})" if len(parts) > 1 else body
        units = form.total("k") if equation.name in cell.constants else ""
        body = self._by_unit(body) if units else body
        return form.derivative("L", form.parameter(equation.name)), form.total("t") + units + body

    def _by_unit(self, body: str) -> str:
        return rf"\bigl[{body}\bigr]_k" if self._form.style.latex else f"[{body}]ₖ"

    def product(self, term: Product) -> tuple[bool, str]:
        """(whether it is subtracted, the rest)."""
        form = self._form
        delta, vector = form.delta + self.vector(term.source), self.vector(term.vector)
        if term.transposed:
            return False, f"{vector}{form.apply}({delta}){form.transposed}"
        return False, f"{delta}{form.apply}{vector}{form.transposed}"

    def passed(self, term: Passed) -> tuple[bool, str]:
        """(whether it is subtracted, the rest)."""
        form, delta = self._form, self._form.delta + self.vector(term.source, term.later)
        if term.factor.weights:
            (weight,) = term.factor.weights
            return False, f"{form.parameter(weight.name)}{form.transposed * weight.transposed}{form.apply}{delta}"
        factor = through_gates(self._cell, term.factor.diagonals[0])
        negative = all(term.could_extract_minus_sign() for term in sp.Add.make_args(factor))
        factor = -factor if negative else factor
        if factor == 1:
            return negative, delta
        sign = form.style.scale if self._cell.is_constant(factor) else form.style.times
        return negative, self._factor(factor, term.later) + sign + delta

    def _factor(self, factor: sp.Expr, later: bool) -> str:
        timed = replace(self._form.style, symbol=lambda name: self.vector(name, later))
        text = scalar(factor, with_parameters(timed, self._cell.vector_parameters, self._form.parameter))
        return f"({text})" if factor.is_Add else text


def _joined(parts: list[tuple[bool, str]], form: _Form) -> str:
    """The terms with their signs between them, or 0."""
    text = ""
    for negative, part in parts:
        sign = form.style.minus.strip() if negative else "+"
        text += f" {sign} {part}" if text else (sign + part if negative else part)
    return text or "0"


def _writer(equation: Equation, form: _Form, now: int | None = None) -> Writer:
    first = 1 if now is None and lag_of(equation.name)[1] else now
    return Writer(equation.cell, form, first)


def unicode_equation(equation: Equation) -> str:
    """δcₜ = oₜ⊙(1−mₜ²)⊙δhₜ + fₜ₊₁⊙δcₜ₊₁."""
    left, right = equation.written(_writer(equation, _UNICODE))
    return f"{left} = {right}"


def latex_equation(equation: Equation, now: int | None = None, align: str = "") -> str:
    r"""\delta c_t = o_t \odot (1 - m_t^2) \odot \delta h_t + …, with ``align`` before the relation sign."""
    left, right = equation.written(_writer(equation, _LATEX, now))
    return f"{left} {align}= {right}"


def unicode(adjoint: Adjoint) -> str:
    """All equations, one a line."""
    head = f"{adjoint.cell.name}, back-propagation through time: L = Σₜ ℓₜ, δv = ∂L/∂v"
    return "\n".join([head, *(f"  {unicode_equation(equation)}" for equation in adjoint)])


def latex(adjoint: Adjoint, label: str | None) -> str:
    """All equations in one ``align``, numbered and labelled."""
    prefix = slug(adjoint.cell.name) if label is None else label
    if not re.fullmatch(r"[A-Za-z0-9:._-]*", prefix):
        raise ValueError(f"label = {label!r}: expected letters, digits and : . _ - only.")
    rows = [
        latex_equation(equation, align="&") + (rf" \label{{eq:{prefix}:{equation.tag}}}" if prefix else "")
        for equation in adjoint
    ]
    return "\\begin{align}\n" + " \\\\\n".join(rows) + "\n\\end{align}"
