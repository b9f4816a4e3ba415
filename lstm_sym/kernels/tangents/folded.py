"""J itself, all that reaches a state from a vector folded into one matrix, for a block of steps at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import sympy as sp

from lstm_sym.cell import Cell
from lstm_sym.functions import Array
from lstm_sym.kernels.parameters import Parameters
from lstm_sym.kernels.tangents.forms import Branch, Form
from lstm_sym.kernels.tangents.steps import Steps

#: Steps that are folded together: enough to read the weights once for many, few enough to stay in cache.
BLOCK = 8


class Folded(Steps):
    """J_t as diagonals and one folded matrix per entering state, made for BLOCK steps at a time."""

    def __init__(
        self, cell: Cell, form: Form, parameters: Parameters, values: Mapping[str, Array], batch: tuple[int, ...]
    ) -> None:
        super().__init__(cell, form, parameters, values, batch)
        self._directs: list[_Directs] = []
        self._stacks: list[_Stack] = []
        for column in cell.states:
            sums = {row: form.sums[row]["old", column] for row in cell.states if ("old", column) in form.sums[row]}
            diagonals = {row: found.diagonal for row, found in sums.items() if found.diagonal != 0}
            self._directs += _directs(self, self.slices[column], diagonals)
            parts = [(self.slices[row], found.branches) for row, found in sums.items() if found.branches]
            if parts:
                self._stacks.append(_Stack(self, self.slices[column], parts))
        written = [stack.column for stack in self._stacks]
        self._unwritten = [place for place in self.slices.values() if place not in written]

    def push(self, t: int, rows: Array, out: Array | None = None) -> Array:
        """J_t v for each of the ``rows`` (..., k, S)."""
        out = self.empty(rows) if out is None else out
        begun = False
        for stack in self._stacks:
            matrix = stack.at(t).swapaxes(-1, -2)
            if stack.covers and not begun:
                np.matmul(rows[..., stack.column], matrix, out=out)
            else:
                if not begun:
                    out[...] = 0.0
                stack.scatter(rows[..., stack.column] @ matrix, out)
            begun = True
        if not begun:
            out[...] = 0.0
        for directs in self._directs:
            directs.push(t, rows, out)
        return out

    def pull(self, t: int, rows: Array, out: Array | None = None) -> Array:
        """J_tᵀ u for each of the ``rows`` (..., k, S)."""
        out = self.empty(rows) if out is None else out
        for stack in self._stacks:
            np.matmul(stack.gather(rows), stack.at(t), out=out[..., stack.column])
        for place in self._unwritten:
            out[..., place] = 0.0
        for directs in self._directs:
            directs.pull(t, rows, out)
        return out

    def flops(self, k: int) -> float:
        """Operations of one step on k vectors, for every member of the batch."""
        entries = sum(stack.entries for stack in self._stacks)
        folds = sum(stack.fold_entries for stack in self._stacks)
        return float(math.prod(self.batch[1:]) * (2 * k * entries + 2 * folds))


class _Directs:
    """Diagonals from one entering state to new states that follow one another, all multiplied at once."""

    def __init__(self, owner: Folded, column: slice, rows: slice, diagonals: Sequence[sp.Expr]) -> None:
        self._column, self._rows, count = column, rows, len(diagonals)
        size = column.stop - column.start
        numbers = [np.broadcast_to(owner.diagonal(d), (*owner.batch, 1, size)) for d in diagonals]
        self._numbers = np.stack(numbers, axis=-2).astype(owner.dtype, copy=False)
        self._shape, self._work, self._for = (count, size), np.empty(0, owner.dtype), ((), np.dtype(owner.dtype))

    def _room(self, rows: Array) -> Array:
        """Work space (..., k, count, n)."""
        if self._for != (rows.shape, rows.dtype):
            batch = np.broadcast_shapes(self._numbers.shape[1:-3], rows.shape[:-2])
            shape = (*batch, rows.shape[-2], *self._shape)
            self._work, self._for = np.empty(shape, np.result_type(self._numbers, rows)), (rows.shape, rows.dtype)
        return self._work

    def push(self, t: int, rows: Array, out: Array) -> None:
        """out += diag v."""
        work = np.multiply(rows[..., None, self._column], self._numbers[t], out=self._room(rows))
        out[..., self._rows] += work.reshape(*work.shape[:-2], math.prod(self._shape))

    def pull(self, t: int, rows: Array, out: Array) -> None:
        """out += diag u, for each of the diagonals."""
        part, numbers, room = rows[..., self._rows], self._numbers[t], self._room(rows)
        work = room.reshape(*room.shape[:-2], math.prod(self._shape))
        np.multiply(part, numbers.reshape(*numbers.shape[:-2], math.prod(self._shape)), out=work)
        target, size = out[..., self._column], self._shape[1]
        for place in range(self._shape[0]):
            target += work[..., place * size : (place + 1) * size]


def _directs(owner: Folded, column: slice, diagonals: Mapping[str, sp.Expr]) -> list[_Directs]:
    """As few as there are runs of neighbouring states."""
    runs: list[tuple[slice, list[sp.Expr]]] = []
    for row, diagonal in diagonals.items():
        place = owner.slices[row]
        if runs and runs[-1][0].stop == place.start:
            runs[-1] = (slice(runs[-1][0].start, place.stop), [*runs[-1][1], diagonal])
        else:
            runs.append((place, [diagonal]))
    return [_Directs(owner, column, place, found) for place, found in runs]


class _Stack:
    """Σ diag(d) W for every new state that one entering state reaches, on top of each other."""

    def __init__(self, owner: Folded, column: slice, parts: Sequence[tuple[slice, Sequence[Branch]]]) -> None:
        self.column = column
        self._batch, self._dtype, self._rows = owner.batch, owner.dtype, [row for row, _ in parts]
        self._parts = []
        width = column.stop - column.start
        for row, branches in parts:
            weights = np.stack([owner.matrix(branch.weight) for branch in branches], axis=1)
            self._parts.append((weights, [owner.diagonal(branch.diagonal) for branch in branches], row))
        heights = [row.stop - row.start for row in self._rows]
        self._edges = np.concatenate([[0], np.cumsum(heights)]).tolist()
        self.covers = self._edges[-1] == owner.size
        self.entries = width * self._edges[-1]
        self.fold_entries = sum(weights.size for weights, _, _ in self._parts)
        self._first, self._matrices = -1, np.empty(0)

    def at(self, t: int) -> Array:
        """The matrix of step t, (..., Σ rows, n)."""
        first = t - t % BLOCK
        if first != self._first:
            self._fold(first)
        return np.asarray(self._matrices[t - first])

    def _fold(self, first: int) -> None:
        """The matrices of a block of steps, (steps, ..., Σ rows, n), by one small product per row."""
        inner = (min(BLOCK, self._batch[0] - first), *self._batch[1:])
        width, height = self.column.stop - self.column.start, self._edges[-1]
        if self._matrices.shape[: len(inner)] != inner:
            self._matrices = np.empty((*inner, height, width), self._dtype)
        rowwise = self._matrices.reshape(-1, height, width).transpose(1, 0, 2)
        for (weights, diagonals, row), start, stop in zip(self._parts, self._edges, self._edges[1:], strict=False):
            factors = np.empty((row.stop - row.start, math.prod(inner), len(diagonals)), self._dtype)
            for place, numbers in enumerate(diagonals):
                if np.ndim(numbers):
                    factors[..., place] = numbers[first : first + inner[0]].reshape(-1, len(factors)).T
                else:
                    factors[..., place] = numbers
            np.matmul(factors, weights, out=rowwise[start:stop])
        self._first = first

    def scatter(self, image: Array, out: Array) -> None:
        """Add the columns of ``image`` to the states that they belong to."""
        for row, start, stop in zip(self._rows, self._edges, self._edges[1:], strict=False):
            out[..., row] += image[..., start:stop]

    def gather(self, rows: Array) -> Array:
        """The columns of ``rows`` that the matrix's rows stand for."""
        if self.covers:
            return rows
        return np.concatenate([rows[..., row] for row in self._rows], axis=-1)
