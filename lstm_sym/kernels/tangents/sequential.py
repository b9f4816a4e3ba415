"""J = (I − N)⁻¹ R, a new state after another, weights that act on one vector side by side in one product."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lstm_sym.cell import Cell
from lstm_sym.functions import Array
from lstm_sym.kernels.parameters import Parameters
from lstm_sym.kernels.tangents.forms import Branch, Form, Place, Sum
from lstm_sym.kernels.tangents.steps import Steps, at


class Sequential(Steps):
    """J_t applied a new state after another; weights that act on the same vector side by side in one product."""

    def __init__(
        self, cell: Cell, form: Form, parameters: Parameters, values: Mapping[str, Array], batch: tuple[int, ...]
    ) -> None:
        super().__init__(cell, form, parameters, values, batch)
        branches: dict[Place, list[tuple[str, Branch]]] = {}
        for row, sums in form.sums.items():
            for vector, found in sums.items():
                branches.setdefault(vector, []).extend((row, branch) for branch in found.simple)
        self._abreast = {vector: _Abreast(self, found) for vector, found in branches.items() if found}

    def push(self, t: int, rows: Array, out: Array | None = None) -> Array:
        """J_t v for each of the ``rows`` (..., k, S)."""
        out = self.empty(rows) if out is None else out
        vectors: dict[Place, Array] = {("old", state): rows[..., place] for state, place in self.slices.items()}
        products: dict[Place, Array] = {}
        for row, sums in self.form.sums.items():
            target, begun = out[..., self.slices[row]], False
            for vector, found in sums.items():
                value = vectors[vector]
                if found.diagonal != 0:
                    begun = _put(target, value, at(self.diagonal(found.diagonal), t), begun)
                if found.simple:
                    abreast = self._abreast[vector]
                    if vector not in products:
                        products[vector] = abreast.push(t, value)
                    for place in abreast.places[row]:
                        begun = _put(target, products[vector][..., place], 1.0, begun)
                for branch in found.chains:
                    begun = _put(target, self._through(branch, value, t), 1.0, begun)
            if not begun:
                target[...] = 0.0
            vectors["new", row] = target
        return out

    def _through(self, branch: Branch, value: Array, t: int) -> Array:
        """diagonal ∘ (weight · inner(value))."""
        if branch.inner is not None:
            inner = branch.inner
            parts = [self._through(below, value, t) for below in inner.branches]
            if inner.diagonal != 0:
                parts.append(value * at(self.diagonal(inner.diagonal), t))
            value = sum(parts[1:], parts[0])
        return np.asarray((value @ self.matrix(branch.weight).T) * at(self.diagonal(branch.diagonal), t))

    def pull(self, t: int, rows: Array, out: Array | None = None) -> Array:
        """J_tᵀ u for each of the ``rows`` (..., k, S)."""
        out = self.empty(rows) if out is None else out
        out[...] = 0.0
        found: dict[Place, Array] = {("old", state): out[..., place] for state, place in self.slices.items()}
        given = {("new", state): rows[..., place] for state, place in self.slices.items()}
        gathered: dict[Place, Array] = {}
        for row in reversed(self.form.sums):
            self._flush(("new", row), gathered, given)
            cotangent = given["new", row]
            for vector, sums in self.form.sums[row].items():
                totals = found if vector[0] == "old" else given
                if sums.diagonal != 0:
                    _add(totals, vector, cotangent * at(self.diagonal(sums.diagonal), t))
                if sums.simple:
                    abreast = self._abreast[vector]
                    if vector not in gathered:
                        gathered[vector] = np.zeros((*out.shape[:-1], abreast.width), out.dtype)
                    abreast.gather(t, row, cotangent, gathered[vector])
                for branch in sums.chains:
                    self._back(branch, cotangent, t, totals, vector)
        for vector in list(gathered):
            self._flush(vector, gathered, found)
        return out

    def _flush(self, vector: Place, gathered: dict[Place, Array], totals: dict[Place, Array]) -> None:
        """One product with all weights that act on ``vector``."""
        if vector in gathered:
            _add(totals, vector, _joined(gathered.pop(vector), self._abreast[vector].matrix.T))

    def _back(self, branch: Branch, cotangent: Array, t: int, totals: dict[Place, Array], vector: Place) -> None:
        """The transpose of ``_through``."""
        below = (cotangent * at(self.diagonal(branch.diagonal), t)) @ self.matrix(branch.weight)
        if branch.inner is None:
            _add(totals, vector, below)
            return
        if branch.inner.diagonal != 0:
            _add(totals, vector, below * at(self.diagonal(branch.inner.diagonal), t))
        for inner in branch.inner.branches:
            self._back(inner, below, t, totals, vector)

    def flops(self, k: int) -> float:
        """Operations of one step on k vectors, for every member of the batch."""
        entries = sum(_entries(self, found) for sums in self.form.sums.values() for found in sums.values())
        return float(math.prod(self.batch[1:]) * 2 * k * entries)


class _Abreast:
    """All d·W that act on one vector, their products side by side: ``places`` says whose columns are whose."""

    def __init__(self, owner: Sequential, branches: Sequence[tuple[str, Branch]]) -> None:
        weights = [branch.weight for _, branch in branches]
        if any(weight.transposed for weight in weights):
            self.matrix = np.ascontiguousarray(np.concatenate([owner.matrix(weight) for weight in weights]).T)
        else:
            self.matrix = owner.parameters.across([(weight.name,) for weight in weights])
        self.width, self._dtype = self.matrix.shape[1], owner.dtype
        self.places: dict[str, list[slice]] = {}
        self._diagonals: list[tuple[str, slice, Any]] = []
        start = 0
        for (row, branch), weight in zip(branches, weights, strict=True):
            place = slice(start, start := start + owner.parameters.sizes[weight.rows])
            self.places.setdefault(row, []).append(place)
            self._diagonals.append((row, place, owner.diagonal(branch.diagonal)))

    def push(self, t: int, value: Array) -> Array:
        """The products, each times its diagonal: (..., k, width)."""
        product = _joined(value, self.matrix).astype(np.result_type(self._dtype, value), copy=False)
        for _, place, numbers in self._diagonals:
            part = product[..., place]
            part *= at(numbers, t)
        return product

    def gather(self, t: int, row: str, cotangent: Array, out: Array) -> None:
        """diagonal ∘ cotangent in the columns of ``row``."""
        for owner, place, numbers in self._diagonals:
            if owner == row:
                np.multiply(cotangent, at(numbers, t), out=out[..., place])


def _put(target: Array, value: Array, factor: Any, begun: bool) -> bool:
    """target ← factor ∘ value, or + factor ∘ value where it was ``begun``; it is now."""
    if not begun:
        np.multiply(value, factor, out=target)
    elif np.ndim(factor):
        target += value * factor
    else:
        target += value if factor == 1.0 else value * factor
    return True


def _entries(owner: Sequential, found: Sum) -> int:
    """The entries of all weights in a sum."""
    below = sum(_entries(owner, branch.inner) for branch in found.branches if branch.inner is not None)
    return below + sum(owner.matrix(branch.weight).size for branch in found.branches)


def _joined(rows: Array, matrix: Array) -> Array:
    """rows (..., k, n) @ matrix, all leading axes in one product."""
    flat = rows.reshape(-1, rows.shape[-1]) @ matrix
    return np.asarray(flat.reshape(*rows.shape[:-1], matrix.shape[-1]))


def _add(totals: dict[Place, Array], vector: Place, part: Array) -> None:
    """Add ``part``, in place where the total is ours (an entering state's), anew where it was given."""
    if vector[0] == "old":
        totals[vector] += part
    else:
        totals[vector] = totals[vector] + part
