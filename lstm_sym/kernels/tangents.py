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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from lstm_sym.calculus.derive import jacobian
from lstm_sym.calculus.determinants import eliminated, new_on_new
from lstm_sym.calculus.numbers import Coefficients
from lstm_sym.calculus.terms import Term, Terms
from lstm_sym.cell import Cell, Weight
from lstm_sym.functions import Array
from lstm_sym.kernels.parameters import Parameters

#: Vectors in a frame from which on many trajectories are worth folding for one by one.
WIDE = 32
#: Steps that are folded together: enough to read the weights once for many, few enough to stay in cache.
BLOCK = 8

Place = tuple[str, str]


@dataclass(frozen=True)
class Branch:
    """diagonal ∘ (weight · inner(v)), where ``inner`` is a sum of its own, or v itself (None)."""

    diagonal: sp.Expr
    weight: Weight
    inner: Sum | None


@dataclass(frozen=True)
class Sum:
    """diagonal ∘ v + Σ branches: what one vector v adds to one new state."""

    diagonal: sp.Expr
    branches: tuple[Branch, ...]

    @property
    def simple(self) -> tuple[Branch, ...]:
        """The branches that apply one weight to v itself."""
        return tuple(branch for branch in self.branches if branch.inner is None)

    @property
    def chains(self) -> tuple[Branch, ...]:
        """The branches that go through more than one weight."""
        return tuple(branch for branch in self.branches if branch.inner is not None)


def nested(terms: Sequence[Term]) -> Sum:
    """The sum of ``terms`` with equal leading factors d·W taken out, at every depth."""
    direct = sum((term.diagonals[0] for term in terms if term.is_direct), sp.S.Zero)
    groups: dict[tuple[sp.Expr, Weight], list[Term]] = {}
    for term in terms:
        if not term.is_direct:
            rest = Term(term.diagonals[1:], term.weights[1:])
            groups.setdefault((term.diagonals[0], term.weights[0]), []).append(rest)
    branches = []
    for (diagonal, weight), rests in groups.items():
        inner = nested(rests)
        branches.append(Branch(diagonal, weight, None if inner == Sum(sp.S.One, ()) else inner))
    return Sum(direct, tuple(branches))


class Form:
    """One way of writing a step's tangent map: sums by (new state, vector), in an order that can be run.

    A vector is ("old", s), a state that enters the step, or ("new", s), one that left it just before.
    """

    def __init__(self, cell: Cell, old: Mapping[Place, Terms], new: Mapping[Place, Terms]) -> None:
        self.sums: dict[str, dict[Place, Sum]] = {row: {} for row in _in_order(cell.states, new)}
        for age, table in (("old", old), ("new", new)):
            for (row, column), terms in table.items():
                if terms:
                    self.sums[row][age, column] = nested(terms)
        every = [term for table in (old, new) for terms in table.values() for term in terms]
        self.coefficients = Coefficients("tangents", every)
        self.simple = not new and all(len(term.weights) < 2 for term in every)


def folded_form(cell: Cell) -> Form | None:
    """J itself, or None where a term goes through more than one weight."""
    table = jacobian(cell, "state", "state")
    terms = {place: block.terms for place, block in table.blocks.items()}
    form = Form(cell, terms, {})
    return form if form.simple else None


def sequential_form(cell: Cell) -> Form:
    """(I − N)⁻¹ R: each new state from the entering ones and the new ones before it."""
    return Form(cell, eliminated(cell), new_on_new(cell))


def _in_order(states: tuple[str, ...], reads: Mapping[Place, Terms]) -> list[str]:
    """The states, each after those new ones that it reads."""
    order: list[str] = []
    while len(order) < len(states):
        ready = (r for r in states if r not in order and all((r, s) not in reads or s in order for s in states))
        order.append(next(ready))
    return order


class _Numbers:
    """What both kinds of tangent action share: slices of the state, diagonals over time, the dtype."""

    def __init__(
        self, cell: Cell, form: Form, parameters: Parameters, values: Mapping[str, Array], batch: tuple[int, ...]
    ) -> None:
        numbers = form.coefficients(values, parameters)
        arrays = [np.asarray(number).dtype for number in numbers.values() if np.ndim(number)]
        self.form, self.parameters, self.batch = form, parameters, batch
        self.dtype = np.result_type(parameters.dtype, *arrays)
        self._numbers = {d: self._over_time(number) for d, number in numbers.items()}
        self.slices: dict[str, slice] = {}
        start = 0
        for state in cell.states:
            self.slices[state] = slice(start, start := start + parameters.sizes[cell.sizes[state]])
        self.size = start

    def __len__(self) -> int:
        return self.batch[0]

    def _over_time(self, number: Any) -> Any:
        """A diagonal's numbers as (T, ..., 1, n); constants as they are."""
        if np.ndim(number) == 0:
            return number
        return np.broadcast_to(number, (*self.batch, np.shape(number)[-1]))[..., None, :]

    def diagonal(self, expression: sp.Expr) -> Any:
        """(T, ..., 1, n), or a number; None for 0."""
        return None if expression == 0 else self._numbers[expression]

    def matrix(self, weight: Weight) -> Array:
        """The weight, or its transpose, as [out, in]."""
        array = self.parameters[weight.name]
        return array.T if weight.transposed else array

    def empty(self, rows: Array) -> Array:
        """A frame for the result of acting on ``rows``."""
        shape = (*np.broadcast_shapes(self.batch[1:], rows.shape[:-2]), *rows.shape[-2:])
        return np.empty(shape, np.result_type(self.dtype, rows))


def _at(numbers: Any, t: int) -> Any:
    return numbers[t] if np.ndim(numbers) else numbers


class Folded(_Numbers):
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
        out[..., self._rows] += work.reshape(*work.shape[:-2], -1)

    def pull(self, t: int, rows: Array, out: Array) -> None:
        """out += diag u, for each of the diagonals."""
        part = rows[..., self._rows]
        work = np.multiply(part.reshape(*part.shape[:-1], *self._shape), self._numbers[t], out=self._room(rows))
        target = out[..., self._column]
        for place in range(self._shape[0]):
            target += work[..., place, :]


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


class Sequential(_Numbers):
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
                    begun = _put(target, value, _at(self.diagonal(found.diagonal), t), begun)
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
                parts.append(value * _at(self.diagonal(inner.diagonal), t))
            value = sum(parts[1:], parts[0])
        return np.asarray((value @ self.matrix(branch.weight).T) * _at(self.diagonal(branch.diagonal), t))

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
                    _add(totals, vector, cotangent * _at(self.diagonal(sums.diagonal), t))
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
        below = (cotangent * _at(self.diagonal(branch.diagonal), t)) @ self.matrix(branch.weight)
        assert branch.inner is not None or vector in totals
        if branch.inner is None:
            _add(totals, vector, below)
            return
        if branch.inner.diagonal != 0:
            _add(totals, vector, below * _at(self.diagonal(branch.inner.diagonal), t))
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
            part *= _at(numbers, t)
        return product

    def gather(self, t: int, row: str, cotangent: Array, out: Array) -> None:
        """diagonal ∘ cotangent in the columns of ``row``."""
        for owner, place, numbers in self._diagonals:
            if owner == row:
                np.multiply(cotangent, _at(numbers, t), out=out[..., place])


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
