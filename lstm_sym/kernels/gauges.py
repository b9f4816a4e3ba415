"""Gauge directions in numbers: how the states of each unit may move without any effect but that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lstm_sym.calculus.numbers import Coefficients
from lstm_sym.calculus.proofs.freedom import is_gauge
from lstm_sym.calculus.terms import Term
from lstm_sym.cell import Cell, CellError
from lstm_sym.functions import Array


@dataclass(frozen=True)
class Gauge:
    """One freedom of every unit: its direction has the entries ``vectors`` (..., n) at ``places`` of the state."""

    states: tuple[str, ...]
    places: tuple[slice, ...]
    vectors: tuple[Array, ...]

    @property
    def count(self) -> int:
        """The number of directions: one for each unit."""
        return int(self.vectors[0].shape[-1])


class Gauges:
    """The gauge freedoms of a cell, compiled."""

    def __init__(self, cell: Cell) -> None:
        for gauge in cell.gauges:
            if not is_gauge(cell, gauge):
                moving = ", ".join(f"{state}: {direction}" for state, direction in gauge.items())
                raise CellError(f"{cell.name}: gauge {{{moving}}} is none: a step does not keep these directions.")
        self._gauges = cell.gauges
        every = [Term((direction,)) for gauge in cell.gauges for direction in gauge.values()]
        self._coefficients = Coefficients("gauge", every)

    def at(self, states: Mapping[str, Array], blocks: Mapping[str, slice]) -> list[Gauge]:
        """The directions at these states, (..., n) each."""
        numbers = self._coefficients(states)
        found = []
        for gauge in self._gauges:
            vectors = [np.broadcast_to(numbers[d], states[s].shape) for s, d in gauge.items()]
            found.append(Gauge(tuple(gauge), tuple(blocks[s] for s in gauge), tuple(vectors)))
        return found
