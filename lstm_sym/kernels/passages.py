"""A step's transposed Jacobian path by path: what each path hands back of a frame of rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp

from lstm_sym.calculus.numbers import Coefficients
from lstm_sym.calculus.routes.routes import paths
from lstm_sym.calculus.routes.sums import DIRECT, PathTable, title
from lstm_sym.calculus.terms import Term, Terms
from lstm_sym.cell import Cell, Weight
from lstm_sym.functions import Array
from lstm_sym.kernels.blocks import Blocks
from lstm_sym.kernels.parameters import Parameters


@dataclass(frozen=True)
class Hop:
    """Terms that end alike, (Σ_r u_r·d_r)·W₁·d₁·…, from the new states r to the state ``column`` that entered."""

    path: int
    column: str
    starts: tuple[tuple[str, sp.Expr], ...]
    weights: tuple[Weight, ...]
    diagonals: tuple[sp.Expr, ...]


class PathPlan:
    """The state Jacobian of one cell as a sum over its ``labels``, "direct" first, the others as equations go.

    Paths of different blocks that pass the same gates are one: an LSTM's h → f → c and h → f → c → h are "f".
    """

    def __init__(self, cell: Cell) -> None:
        table = paths(cell, "state", "state")
        assert isinstance(table, PathTable)
        self.cell = cell
        stations = {path.label: path.stations for block in table for path in block}
        self.labels = (DIRECT, *(label for label in table.labels if label != DIRECT))
        self.titles = tuple(title(cell, stations.get(label, ())) for label in self.labels)
        self._terms = {
            label: {place: _of(block, label) for place, block in table.blocks.items()} for label in self.labels
        }
        self.hops = tuple(
            hop for place, label in enumerate(self.labels) for hop in _hops(place, self._terms[label])
        )
        every = [term for found in self._terms.values() for terms in found.values() for term in terms]
        self.coefficients = Coefficients("paths", every)

    @lru_cache(maxsize=64)  # noqa: B019  (a plan lives as long as its cell)
    def blocks(self, label: str) -> Blocks:
        """The state Jacobian of one path, to be written as dense matrices."""
        states = self.cell.states
        terms = {place: terms for place, terms in self._terms[label].items() if terms}
        return Blocks(self.cell, states, states, terms, self.coefficients)


@lru_cache(maxsize=64)
def path_plan(cell: Cell) -> PathPlan:
    """The plan of a cell, made once."""
    return PathPlan(cell)


def _of(block: Any, label: str) -> Terms:
    return tuple(term for path in block if path.label == label for term in path.terms)


def _hops(path: int, blocks: Mapping[tuple[str, str], Terms]) -> list[Hop]:
    groups: dict[tuple[str, tuple[Weight, ...], tuple[sp.Expr, ...]], list[tuple[str, Term]]] = {}
    for (row, column), terms in blocks.items():
        for term in terms:
            groups.setdefault((column, term.weights, term.diagonals[1:]), []).append((row, term))
    return [
        Hop(path, column, tuple((row, term.diagonals[0]) for row, term in found), weights, diagonals)
        for (column, weights, diagonals), found in groups.items()
    ]


def state_slices(cell: Cell, parameters: Parameters) -> dict[str, slice]:
    """Where each state stands in the stacked state."""
    start, found = 0, {}
    for state in cell.states:
        found[state] = slice(start, start := start + parameters.sizes[cell.sizes[state]])
    return found


class Passages:
    """The passages of the steps with these ``values``, batch (steps, members): rows are (..., members, a, S)."""

    def __init__(
        self, plan: PathPlan, parameters: Parameters, values: Mapping[str, Array], batch: tuple[int, ...]
    ) -> None:
        self._plan, self._parameters, self._slices = plan, parameters, state_slices(plan.cell, parameters)
        members = int(np.prod(batch[1:]))
        self._numbers: dict[sp.Expr, Any] = {}
        for diagonal, numbers in plan.coefficients(values, parameters).items():
            if np.ndim(numbers):
                wide = np.broadcast_to(numbers, (*batch, np.shape(numbers)[-1]))
                numbers = wide.reshape(batch[0], members, 1, -1)
            self._numbers[diagonal] = numbers

    def _diagonal(self, diagonal: sp.Expr, t: int) -> Any:
        numbers = self._numbers[diagonal]
        return numbers[t] if np.ndim(numbers) else numbers

    def pull(self, t: int, rows: Array, out: Array) -> None:
        """Add rows · J_p at step t of these to out[p], for every path p: (paths, members, a, S)."""
        for hop in self._plan.hops:
            parts = [rows[..., self._slices[row]] * self._diagonal(d, t) for row, d in hop.starts]
            found = sum(parts[1:], parts[0])
            for weight, diagonal in zip(hop.weights, hop.diagonals, strict=True):
                matrix = self._parameters[weight.name]
                found = found @ (matrix.T if weight.transposed else matrix)
                if diagonal != 1:
                    found = found * self._diagonal(diagonal, t)
            out[hop.path, ..., self._slices[hop.column]] += found

    def straight(self, t: int) -> list[tuple[slice, slice, Any]]:
        """The direct path at step t as (new state's columns, entering state's columns, diagonal)."""
        direct = [(hop.column, row, d) for hop in self._plan.hops if hop.path == 0 for row, d in hop.starts]
        return [(self._slices[row], self._slices[column], self._diagonal(d, t)) for column, row, d in direct]
