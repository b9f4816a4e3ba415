"""Gradient norms at every lag, in one backward pass."""

from __future__ import annotations

import numpy as np

from lstm_sym.flow import wide
from lstm_sym.flow.chains import Chain, chain, relevant, scaled
from lstm_sym.flow.system import Array
from lstm_sym.flow.trajectories import Trajectory, a_trajectory
from lstm_sym.flow.wide import Integers

#: Column scales at most this many powers of two apart go through one plain matrix product.
SPREAD = 200


def gradient_norms(trajectory: Trajectory, of: str, wrt: str, path: str = "full") -> Array:
    """Log spectral norms, in nats, of d of_T / d wrt_{T−k} for every lag k = 1 … T: (T, ...), entry k − 1.

    of, wrt: "state", or the name of a state block.
    path: "full", the block of the product of state Jacobians; "total", with wrt's same-step effect on the
    other states added (at k = T the two agree: the initial state is given, not made by a step); "direct",
    the product of the direct parts, every weight matrix dropped.  −inf for an exact zero.

    One row block is pulled back through the run, each of its columns at a scale of its own, so that states of
    utterly different magnitude do not drown each other, and no magnitude is out of range (back-propagation as
    in Pascanu, Mikolov & Bengio, arXiv 1211.5063).  The relative error is that of an ordinary product: a norm
    that only comes about because larger terms cancel is lost in their rounding; singular_spectrum finds it.

    Raises UnknownNameError for an unknown block or path, ValueError where the system lacks what path needs.
    """
    trajectory = a_trajectory(trajectory)
    with wide.quiet(trajectory.size):
        return norms(chain(trajectory, of, wrt, path))


def norms(question: Chain) -> Array:
    """Log norms at every lag (T, ...), the largest over units where every unit is a chain of its own."""
    if question.units is not None:
        return np.asarray(unit_norms(question).max(axis=-1))
    return _pulled_back(question)


def unit_norms(question: Chain) -> Array:
    """Log norms at every lag for every unit: (T, ..., units)."""
    steps = len(question.trajectory)
    narrow = relevant(question, steps)
    if narrow.size == 0:
        return np.full((steps, *narrow.batch), -np.inf)
    if narrow.size == 1:
        return _scalars(narrow)
    return _pulled_back(narrow)


def _scalars(question: Chain) -> Array:
    """The chain on one number per unit: sums of logs."""
    out, total = [], np.zeros(question.batch)
    for start, stop in question.windows():
        sums = np.cumsum(wide.log(question.jacobians(start, stop)[::-1, ..., 0, 0]), axis=0) + total
        total = sums[-1]
        out.append(sums)
    return np.concatenate(out)


def _pulled_back(question: Chain) -> Array:
    """U = E_ofᵀ, then U ← U J_t back through time; log ‖U E_wrt‖ after each."""
    rows = np.zeros((*question.batch, len(question.of), question.size))
    rows[..., np.arange(len(question.of)), question.of] = 1.0
    exponents = np.zeros((*question.batch, question.size), dtype=np.int64)
    out = []
    for start, stop in question.windows():
        jacobians, extra = scaled(question.jacobians(start, stop))
        effects = question.effects(start, stop)
        wanted = []
        for t in reversed(range(stop - start)):
            rows, exponents = pulled(rows, exponents, jacobians[t], extra[t])
            ends = (rows, exponents)
            if effects is not None:
                ends = pulled(rows, exponents, effects[t], np.zeros_like(extra[t]))
            chosen = question.wrt if effects is None else slice(None)
            wanted.append(_levelled(ends[0][..., chosen], ends[1][..., chosen]))
        blocks, levels = (np.stack(part) for part in zip(*wanted, strict=True))
        out.append(wide.log(spectral_norm(blocks)) + levels * wide.LOG_2)
    return np.concatenate(out)


def pulled(rows: Array, exponents: Integers, matrix: Array, extra: Integers) -> tuple[Array, Integers]:
    """(rows · diag(2^exponents)) (matrix · 2^extra), as entries below 1 and a power of two per column."""
    live = (rows != 0).any(axis=-2)
    top = np.max(exponents, axis=-1, where=live, initial=-(2**62), keepdims=True)
    low = np.min(exponents, axis=-1, where=live, initial=2**62, keepdims=True)
    base: Integers
    if np.all(top - low < SPREAD) and not _minute(matrix):
        product = wide.scale(rows, np.where(live, exponents - top, 0)[..., None, :]) @ matrix
        base = np.where(top > -(2**62), top, 0)
    else:
        _, places = wide.split(matrix)
        reach = exponents[..., :, None] + places
        acting = live[..., :, None] & (matrix != 0)
        base = np.max(reach, axis=-2, where=acting, initial=-(2**62))
        base = np.where(base > -(2**62), base, 0)
        levelled = wide.scale(matrix, exponents[..., :, None] - base[..., None, :])
        product = rows @ np.where(acting, levelled, 0.0)
    mantissas, gained = wide.normalised(product, axis=-2)
    return mantissas, base + gained + np.asarray(extra)[..., None]


def _minute(matrix: Array) -> bool:
    """Whether an entry is so small that a product of scaled entries could underflow."""
    size = np.abs(matrix)
    return bool(np.any((size > 0) & (size < 2.0**-700)))


def _levelled(rows: Array, exponents: Integers) -> tuple[Array, Integers]:
    """All columns on the scale of the largest: (entries below 1, one power of two)."""
    live = (rows != 0).any(axis=-2)
    top = np.max(exponents, axis=-1, where=live, initial=-(2**62))
    top = np.where(top > -(2**62), top, 0)
    return wide.scale(rows, np.where(live, exponents - top[..., None], 0)[..., None, :]), top


def spectral_norm(blocks: Array) -> Array:
    """The largest singular values of (..., a, b), from the smaller Gram matrix: relative accuracy is kept."""
    if min(blocks.shape[-2:]) == 1:
        return np.asarray(np.sqrt(np.sum(blocks**2, axis=(-2, -1))))
    if blocks.shape[-2] > blocks.shape[-1]:
        blocks = np.swapaxes(blocks, -1, -2)
    gram = blocks @ np.swapaxes(blocks, -1, -2)
    return np.asarray(np.sqrt(np.maximum(np.linalg.eigvalsh(gram)[..., -1], 0.0)))
