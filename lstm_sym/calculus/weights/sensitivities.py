"""``Sensitivity``: a derivative by a parameter through all of time, carried forwards step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lstm_sym.calculus.tables import JacobianTable
from lstm_sym.calculus.values import by_name
from lstm_sym.calculus.weights import text
from lstm_sym.calculus.weights.immediate import Block, ParameterTable
from lstm_sym.calculus.writer import Writer
from lstm_sym.cell import Cell
from lstm_sym.functions import Array
from lstm_sym.notation import STANDARD, Notation, a_notation, unicode_timeless
from lstm_sym.notation.aligned import align
from lstm_sym.notation.wrapping import in_terminal


@dataclass(frozen=True, repr=False)
class Sensitivity:
    """d of_t/dW through time: ds_t/dW = J_t ds_{t−1}/dW + ∂⁺s_t/∂W, from ds_0/dW = 0, s being all states.

    ``immediate`` is ∂⁺of_t/∂W, of one step; ``jacobian`` is ∂of_t/∂s_{t−1}, what carries the past; ``states`` is
    the recursion of the states themselves, where ``of`` is not "state".

    Source: real-time recurrent learning, R. J. Williams, D. Zipser, A learning algorithm for continually running
    fully recurrent neural networks, Neural Computation 1 (1989) 270-280.

    >>> import lstm_sym as ls
    >>> ls.jacobian(ls.RNN, "state", "W_hh", path="total")
    RNN, through time: s = h
      dsₜ/dvec W_hh = Jₜ·dsₜ₋₁/dvec W_hh + ∂⁺sₜ/∂vec W_hh,   ds₀/dvec W_hh = 0
      Jₜ = ∂sₜ/∂sₜ₋₁
      ∂⁺hₜ/∂vec W_hh = hᵀ ⊗ diag(1−h′²)
    """

    cell: Cell
    of: str
    wrt: str
    jacobian: JacobianTable
    immediate: Block | ParameterTable
    states: Sensitivity | None = None

    def evaluate(self, values: Mapping[str, Any] | None = None, **named: Any) -> Array:
        """d of_t/dW after every step, (T, ..., size of ``of``, entries of W); weights' columns are stacked.

        ``values`` as for ``Jacobian.evaluate``, vectors (T, ..., n) with time first: ``kernel.evaluate`` of a run
        gives them. The initial state does not depend on W. Costs S·entries per step forwards: for a gradient use
        ``Kernel.gradient``, which goes backwards.
        """
        given = by_name(values, named)
        batch = self._batch(given)
        immediate, jacobian = (
            np.broadcast_to(found, (*batch, *found.shape[-2:]))
            for found in (self.immediate.evaluate(given), self.jacobian.evaluate(given))
        )
        if self.states is not None:
            later = self.states.evaluate(given)
            return np.asarray(jacobian @ np.concatenate([np.zeros_like(later[:1]), later[:-1]]) + immediate)
        found = np.array(immediate)
        for t in range(1, len(found)):
            found[t] += jacobian[t] @ found[t - 1]
        return found

    def _batch(self, given: Mapping[str, Any]) -> tuple[int, ...]:
        """(T, ...), the leading axes of the vectors."""
        shapes = [np.shape(value)[:-1] for name, value in given.items() if name not in self.cell.parameters]
        batch = np.broadcast_shapes(*shapes)
        if not batch:
            raise ValueError("a derivative through time needs vectors (T, ..., n), time first.")
        return batch

    def latex(self, equation: bool = True, notation: Notation = STANDARD) -> str:
        """The recursion, and what its parts are, in an ``align*``."""
        writer = Writer(self.cell, a_notation(notation)).timed
        wrt = writer.weight(self.wrt) if self.wrt in self.cell.weights else writer.vector(self.wrt)
        wrt = rf"\operatorname{{vec}} {wrt}" if self.wrt in self.cell.weights else wrt
        s, before = (writer.matrix("s", time) for time in ("t", "t-1"))
        of = s if self.of == "state" else writer.vector(self.of)
        carried = writer.times(writer.derivative(of, before), writer.derivative(before, wrt, total=True))
        plus = rf"\frac{{\partial^{{+}} {of}}}{{\partial {wrt}}}"
        lines = [rf"{writer.derivative(of, wrt, total=True)} &= {carried} + {plus}"]
        script = text.LatexScript(self.cell, writer.notation)
        blocks = list(self.immediate) if isinstance(self.immediate, ParameterTable) else [self.immediate]
        lines += [f"{script.left(block, 'kronecker')} &= {script.right(block)}" for block in blocks]
        return align([("", [line]) for line in lines], numbered=False)

    def _repr_latex_(self) -> str:
        return self.latex()

    def __str__(self) -> str:
        states = ", ".join(map(unicode_timeless, self.cell.states))
        wrt = ("vec " if self.wrt in self.cell.weights else "") + unicode_timeless(self.wrt)
        s = "s" if self.of == "state" else unicode_timeless(self.of)
        start = f",   ds₀/d{wrt} = 0" if self.of == "state" else ""
        lines = [
            f"{self.cell.name}, through time: s = {states if len(self.cell.states) == 1 else f'({states})'}",
            f"  d{s}ₜ/d{wrt} = Jₜ·dsₜ₋₁/d{wrt} + ∂⁺{s}ₜ/∂{wrt}{start}",
            f"  Jₜ = ∂{s}ₜ/∂sₜ₋₁",
        ]
        script = text.UnicodeScript(self.cell)
        blocks = list(self.immediate) if isinstance(self.immediate, ParameterTable) else [self.immediate]
        return "\n".join([*lines, *(f"  {script.equation(block)}" for block in blocks)])

    def __repr__(self) -> str:
        return in_terminal(str(self))
