"""The product of Jacobians that a question is about: its factors in windows of time, and its two ends.

From the end (lag k):     d of_T / d wrt_{T−k} = E_ofᵀ J_T J_{T−1} ··· J_{T−k+1} E_wrt, taken from the left.
From the start (step k):  d of_k / d wrt_0     = E_ofᵀ J_k J_{k−1} ··· J_1 E_wrt, taken from the right.

For path "full", E_wrt selects the columns of wrt; for "total" it is the same-step effect of wrt on the whole
state at time T − k (wrt's own rows being the identity), and plain selection at time 0, since s_0 is given and
not made by a step.  For "direct" every unit is a chain of its own, on a state of one number per block, and the
units are one more batch axis.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_sym import checks
from lstm_sym.flow.states import Recomputed
from lstm_sym.flow.system import Array, block, blocks, capability
from lstm_sym.flow.trajectories import Run, Trajectory, part

PATHS = ("full", "direct", "total")
ANCHORS = ("end", "start")

#: Bytes of coefficients, or of Jacobians, held at a time.
CHUNK = 16 * 2**20
#: States up to which one product with the Jacobian costs less than several smaller ones.
SMALL = 64
#: Steps between two looks at Ctrl-C, and two reports of progress, at most.
LONGEST = 4096
#: How much less of Jacobians, which are best used while they are in cache.
DENSER = 4
#: Numbers per unit of state that a system's tangents hold for each step, roughly.
HELD = 24


@dataclass(frozen=True)
class Chain:
    """A product of state Jacobians along a trajectory, of which the states ``kept`` take part."""

    trajectory: Run
    of: NDArray[np.intp]
    wrt: NDArray[np.intp]
    kept: NDArray[np.intp]
    backwards: bool
    effect_of: str | None = None
    units: int | None = None

    @property
    def size(self) -> int:
        """The number of states that take part."""
        return len(self.kept)

    @property
    def batch(self) -> tuple[int, ...]:
        """The batch axes, units last where every unit is a chain of its own."""
        return self.trajectory.batch if self.units is None else (*self.trajectory.batch, self.units)

    @property
    def whole(self) -> bool:
        """Whether this is the product of the full Jacobians, both ends included."""
        every = self.trajectory.size
        return self.complete and len(self.of) == len(self.wrt) == every and self.effect_of is None

    @property
    def complete(self) -> bool:
        """Whether all states take part, in one chain."""
        return self.units is None and self.size == self.trajectory.size

    @property
    def ends(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The states where the product is begun, and those where it is finished."""
        return (self.of, self.wrt) if self.backwards else (self.wrt, self.of)

    def windows(self, steps: int | None = None) -> Iterator[tuple[int, int]]:
        """Times [start, stop) of the first ``steps`` factors, in the order in which they are taken."""
        width = max(1, min(LONGEST, CHUNK // max(1, 8 * math.prod(self.batch) * self._held())))
        if not self.backwards:
            yield from self.trajectory.windows(width, steps)
            return
        total = len(self.trajectory)
        first = 0 if steps is None else total - steps
        for stop in range(total, first, -width):
            yield max(first, stop - width), stop

    def _held(self) -> int:
        """Numbers held for each step and member of the batch."""
        if self.tangential:
            return HELD * self.trajectory.size
        return DENSER * (self.trajectory.size if self.units is None else self.size) ** 2

    @property
    def tangential(self) -> bool:
        """Whether the system's own tangent action is used, and not its Jacobians."""
        return self.complete and self.size > SMALL and hasattr(self.trajectory.system, "tangents")

    def jacobians(self, start: int, stop: int) -> Array:
        """The factors of the steps start … stop − 1: (stop − start, ..., size, size)."""
        if self.units is None:
            return restricted(jacobians(self.trajectory, start, stop), self.kept)
        return restricted(directs(self.trajectory, start, stop, self.units), self.kept)

    def effects(self, start: int, stop: int) -> Array | None:
        """E_wrt before steps start … stop − 1: (stop − start, ..., size, n_wrt); None: plain selection."""
        if self.effect_of is None:
            return None
        run = self.trajectory
        selection = np.eye(run.size)[:, block(run.system, run.parameters, run.size, "wrt", self.effect_of)]
        out = np.array(np.broadcast_to(selection, (stop - start, *run.batch, *selection.shape)))
        first = max(start, 1)
        if first < stop:
            within = capability(run.system, "within", "path 'total'")
            x, state = run.inputs[first - 1 : stop - 1], run.before(first - 1, stop - 1)
            out[first - start :] = within(run.parameters, x, state, self.effect_of)
        return out[..., self.kept, :]


def chain(trajectory: Run, of: str, wrt: str, path: str, anchor: str = "end") -> Chain:
    """The chain for a question, or the error that lists the known blocks, paths or anchors."""
    if path not in PATHS:
        raise checks.unknown_name("path", path, PATHS)
    if anchor not in ANCHORS:
        raise checks.unknown_name("anchor", anchor, ANCHORS)
    backwards = anchor == "end"
    if backwards:
        trajectory.must_go_back("anchor 'end'")
    size = trajectory.size
    system, parameters = trajectory.system, trajectory.parameters
    spans = [block(system, parameters, size, *end) for end in (("of", of), ("wrt", wrt))]
    if path == "direct":
        return _direct_chain(trajectory, of, wrt, backwards)
    rows, columns = (np.arange(size)[span] for span in spans)
    effect_of = None
    if path == "total" and len(columns) < size:
        capability(trajectory.system, "within", "path 'total'")
        effect_of = wrt if backwards else None
    return Chain(trajectory, rows, columns, np.arange(size), backwards, effect_of)


def loses_by_selection(question: Chain, path: str) -> bool:
    """Whether a product is better taken in the other direction, one horizon at a time.

    A march that ends in the selection of a block loses what is small there beside the rest of the state (an LSTM's
    h hangs on its c where units are saturated).  It is better begun with that block: from the start whenever ``of``
    is one, from the end where ``wrt`` is one and ``of`` is everything.
    """
    if question.units is not None or not isinstance(question.trajectory, Trajectory):
        return False
    selects_of, selects_wrt = (len(end) < question.size for end in (question.of, question.wrt))
    if not question.backwards:
        return selects_of
    stored = not isinstance(question.trajectory.states, Recomputed)
    return stored and selects_wrt and not selects_of and path == "full"


def turned(question: Chain, of: str, wrt: str, horizon: int) -> Chain:
    """The same product over ``horizon`` steps, taken in the other direction."""
    run = question.trajectory
    assert isinstance(run, Trajectory)
    if question.backwards:
        return chain(part(run, len(run) - horizon, len(run)), of, wrt, "full", "start")
    return chain(part(run, 0, horizon), of, wrt, "full", "end")


def _direct_chain(trajectory: Run, of: str, wrt: str, backwards: bool) -> Chain:
    """Every unit by itself: the state of a unit has one entry per block."""
    system, parameters, size = trajectory.system, trajectory.parameters, trajectory.size
    capability(system, "direct", "path 'direct'")
    spans = blocks(system, parameters, size)
    names = [name for name in spans if name != "state"] or ["state"]
    units = max(len(range(size)[spans[name]]) for name in names)
    every = np.arange(len(names))
    ends = [every if name == "state" else every[[names.index(name)]] for name in (of, wrt)]
    return Chain(trajectory, ends[0], ends[1], every, backwards, None, units)


def jacobians(trajectory: Run, start: int, stop: int) -> Array:
    """J at steps start … stop − 1: (stop − start, ..., S, S), or ValueError naming one not finite."""
    run, size = trajectory, trajectory.size
    value = np.asarray(run.system.jacobian(run.parameters, run.inputs[start:stop], run.before(start, stop)))
    if value.shape[-2:] != (size, size) or value.dtype.kind not in "fiu":
        given = f"{type(run.system).__name__}.jacobian gives shape {value.shape} and dtype {value.dtype}"
        raise ValueError(f"{given}: expected real numbers that broadcast to (t, ..., S, S), S = {size}.")
    full = np.broadcast_to(value.astype(np.float64, copy=False), (stop - start, *run.batch, size, size))
    if np.isfinite(full.sum()):  # else some number is not finite, or the sum alone overflows
        return full
    good = np.isfinite(full).all(axis=tuple(range(1, full.ndim)))
    if not good.all():
        step = start + int(np.argmin(good))
        raise ValueError(f"the Jacobian of step {step} (from 0) is not finite: expected finite numbers.")
    return full


def directs(trajectory: Run, start: int, stop: int, units: int) -> Array:
    """The direct part, unit by unit: (stop − start, ..., units, blocks, blocks), absent pairs zero."""
    run = trajectory
    spans = blocks(run.system, run.parameters, run.size)
    names = [name for name in spans if name != "state"] or ["state"]
    pairs = capability(run.system, "direct", "path 'direct'")(
        run.parameters, run.inputs[start:stop], run.before(start, stop)
    )
    out = np.zeros((stop - start, *run.batch, units, len(names), len(names)))
    for (of, wrt), value in pairs.items():
        diagonal = np.asarray(value, dtype=np.float64)
        out[..., : diagonal.shape[-1], names.index(of), names.index(wrt)] = diagonal
    return out


def restricted(matrices: Array, kept: NDArray[np.intp]) -> Array:
    """The rows and columns ``kept`` of (..., S, S)."""
    if len(kept) == matrices.shape[-1]:
        return matrices
    return matrices[..., kept[:, None], kept[None, :]]


def log_determinants(trajectory: Run, start: int, stop: int) -> tuple[Array, Array | None] | None:
    """The closed form of log|det J| at steps start … stop − 1 and the log of its least factor, (stop − start, ...).

    None where the system has no closed form, None for the second where it has no more than that.
    """
    run, shape = trajectory, (stop - start, *trajectory.batch)
    given = run.parameters, run.inputs[start:stop], run.before(start, stop)
    factors: Any = getattr(run.system, "log_factors", None)
    if factors is not None:
        total, least = factors(*given)
        return np.broadcast_to(total, shape), np.broadcast_to(least, shape)
    closed: Any = getattr(run.system, "log_determinant", None)
    if closed is None:
        return None
    return np.broadcast_to(np.asarray(closed(*given), dtype=np.float64), shape), None


def relevant(chain: Chain, steps: int) -> Chain:
    """The chain on those states alone that lie on some path from wrt to of over its first ``steps`` factors.

    Where parts of a state do not act on one another (layers, decoupled units), this keeps a part of great
    magnitude from drowning, by rounding, the part that was asked for.
    """
    if chain.whole or chain.trajectory.once:
        return chain
    size = chain.size
    pattern = np.zeros((size, size), dtype=bool)
    ends = np.isin(np.arange(size), chain.wrt)
    keep = np.zeros(size, dtype=bool)
    for start, stop in _few_at_first(chain, steps):
        jacobian = chain.jacobians(start, stop)
        pattern |= (jacobian != 0).any(axis=tuple(range(jacobian.ndim - 2)))
        effect = chain.effects(start, stop)
        if effect is not None:
            ends |= (effect != 0).any(axis=(*range(effect.ndim - 2), -1))
        keep = _reached(pattern, np.isin(np.arange(size), chain.of)) & _reached(pattern.T, ends)
        if keep.all():
            return chain
    return replace(chain, kept=chain.kept[keep], of=_places(chain.of, keep), wrt=_places(chain.wrt, keep))


def _few_at_first(chain: Chain, steps: int) -> Iterator[tuple[int, int]]:
    """The chain's windows, cut into ones of 1, 2, 4, … steps: dense Jacobians are often full at once."""
    width = 1
    for start, stop in chain.windows(steps):
        most = max(1, CHUNK // max(1, 8 * math.prod(chain.batch) * chain.size**2))
        while start < stop:
            cut = min(width, most, stop - start)
            part = (stop - cut, stop) if chain.backwards else (start, start + cut)
            yield part
            start, stop = (start, part[0]) if chain.backwards else (part[1], stop)
            width *= 2


def _reached(pattern: NDArray[np.bool_], start: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """All that can be reached from ``start`` along row → column of ``pattern``, in any number of steps."""
    reached = start
    while True:
        wider = reached | pattern[reached].any(axis=0)
        if (wider == reached).all():
            return reached
        reached = wider


def _places(chosen: NDArray[np.intp], keep: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Where those of ``chosen`` that are kept stand among the kept ones."""
    positions = np.cumsum(keep) - 1
    return np.asarray(positions[chosen[keep[chosen]]], dtype=np.intp)
