"""The tangent action of a step, J v and Jᵀ u for frames of vectors, without forming J.

It is read off the structured Jacobian.  Two forms of it, each a table of sums Σ diag(d) + Σ diag(d)·W·(…):

- J itself, where every term has at most one weight: all that reaches a state from a vector is *folded* into one
  matrix Σ diag(d) W (for an LSTM two n×n products), for a block of steps in one small product per row;
- J = (I − N)⁻¹ R, a new state after another, where terms are chains, or where the frames of many trajectories
  are better multiplied by the weights, side by side, once for all.

Vectors are rows: a frame is (..., k, S).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from lstm_sym.cell import Cell
from lstm_sym.functions import Array
from lstm_sym.kernels.parameters import Parameters
from lstm_sym.kernels.tangents.folded import Folded
from lstm_sym.kernels.tangents.forms import folded_form, sequential_form
from lstm_sym.kernels.tangents.sequential import Sequential

__all__ = ["Folded", "Sequential", "TangentPlan"]

#: Vectors in a frame from which on many trajectories are worth folding for one by one.
WIDE = 32


class TangentPlan:
    """The tangent action of one cell's steps, in the form that suits the frame."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._folded = folded_form(cell)
        self._sequential = sequential_form(cell)

    def at(
        self, parameters: Parameters, values: Mapping[str, Array], batch: tuple[int, ...], width: int
    ) -> Folded | Sequential:
        """For the steps with these ``values``, batch (T, ...), on frames of ``width`` vectors."""
        if self._folded is not None and (math.prod(batch[1:]) == 1 or width >= WIDE):
            return Folded(self._cell, self._folded, parameters, values, batch)
        return Sequential(self._cell, self._sequential, parameters, values, batch)
