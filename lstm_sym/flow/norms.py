"""Gradient norms at every lag, in one pass."""

from __future__ import annotations

from typing import Any

import numpy as np

from lstm_sym import checks
from lstm_sym.flow import wide
from lstm_sym.flow.chains import Chain, chain, relevant
from lstm_sym.flow.interruption import Interruption
from lstm_sym.flow.states import StateNotFiniteError
from lstm_sym.flow.system import Array, Progress
from lstm_sym.flow.trajectories import a_run
from lstm_sym.flow.wide import Integers
from lstm_sym.flow.windows import Window

#: Columns at most this many powers of two apart share one scale, and go through a plain matrix product.
SPREAD = 200
#: Powers of two by which the common scale may drift from 1 before it is taken out.
DRIFT = 64

#: Entries beyond this, or below its inverse, are not multiplied without taking their scale out first.
LARGEST = 2.0**400
#: Power iterations before the eigenvalues are computed, and the relative residual that is as good as none.
ITERATIONS, CERTAIN = 4, 1e-14

NORMS = ("spectral", "frobenius")


def gradient_norms(
    trajectory: Any,
    of: str,
    wrt: str,
    path: str = "full",
    norm: str = "spectral",
    anchor: str = "end",
    progress: Progress | None = None,
) -> Array:
    """Log norms, in nats, of d of_T / d wrt_{T−k} for every lag k = 1 … T: (T, ...), entry k − 1.

    of, wrt: "state", or the name of a state block.
    path: "full", the block of the product of state Jacobians; "total", with wrt's same-step effect on the
    other states added (at k = T the two agree: the initial state is given, not made by a step); "direct",
    the product of the direct parts, every weight matrix dropped.  −inf for an exact zero.
    norm: "spectral", the largest singular value, or "frobenius", the root of the sum of squares of all.
    anchor: "end" for what reaches the last state from k steps before; "start" for d of_k / d wrt_0, what becomes of
    the initial state after k steps, which a run over an iterator of inputs can tell as well.
    progress: called with (steps done, steps in all or None) after every stretch of steps.

    One block of rows is pulled back through the run (or pushed forward), at a scale of its own for each column
    where states differ utterly in magnitude, so that they do not drown each other and no magnitude is out of range
    (back-propagation as in Pascanu, Mikolov & Bengio, arXiv 1211.5063).  The relative error is that of an ordinary
    product: a norm that only comes about because larger terms cancel is lost in their rounding; singular_spectrum
    finds it.  Interrupted from the keyboard it returns the lags that are done, with a warning.

    >>> import lstm_sym as ls, numpy as np
    >>> kernel = ls.Kernel(ls.LSTM)
    >>> orbit = ls.run(kernel, kernel.parameters(hidden=4, inputs=2, rng=0), 100)
    >>> np.asarray(ls.gradient_norms(orbit, "c", "c", path="direct"))[[0, 99]].round(3)    # lags 1 and 100
    array([ -0.313, -31.326])

    Raises UnknownNameError for an unknown block, path, norm or anchor, ValueError where the system lacks what path
    needs.
    """
    trajectory = a_run(trajectory)
    if norm not in NORMS:
        raise checks.unknown_name("norm", norm, NORMS)
    with wide.quiet(trajectory.size):
        question = chain(trajectory, of, wrt, path, anchor)
        if question.units is None:
            return _norms(question, norm, progress)
        values = unit_norms(question)
        if norm == "spectral":
            return np.asarray(values.max(axis=-1))
        return np.asarray(0.5 * np.logaddexp.reduce(2 * values, axis=-1))


def unit_norms(question: Chain) -> Array:
    """Log norms at every lag for every unit: (T, ..., units)."""
    if question.trajectory.once:
        raise ValueError("path 'direct' needs the run at hand, and these inputs are read once: give an array.")
    steps = len(question.trajectory)
    narrow = relevant(question, steps)
    if narrow.size == 0:
        return np.full((steps, *narrow.batch), -np.inf)
    if narrow.size == 1:
        return _scalars(narrow)
    return _norms(narrow, "spectral", None)


def _scalars(question: Chain) -> Array:
    """The chain on one number per unit: sums of logs."""
    out, total = [], np.zeros(question.batch)
    for start, stop in question.windows():
        values = wide.log(question.jacobians(start, stop)[..., 0, 0])
        sums = np.cumsum(values[::-1] if question.backwards else values, axis=0) + total
        total = sums[-1]
        out.append(sums)
    return np.concatenate(out)


def _norms(question: Chain, norm: str, progress: Progress | None) -> Array:
    """Log norms at every lag, (T, ...)."""
    carried, measure = Carried(question), SpectralNorm() if norm == "spectral" else frobenius_norm
    total = None if question.trajectory.once else len(question.trajectory)
    found: list[Array] = []
    try:
        with Interruption() as interruption:
            for start, stop in question.windows():
                window = Window(question, start, stop, len(question.ends[0]))
                for place in range(len(window)):
                    carried.take(window, place)
                    block, level = carried.end(window, place)
                    found.append(wide.log(measure(block)) + level * wide.LOG_2)
                if progress is not None:
                    progress(len(found), total)
                if interruption.requested:
                    interruption.warn(len(found), total)
                    break
    except StateNotFiniteError as error:
        error.partial = np.stack(found) if found else None
        raise
    return np.stack(found)


class Carried:
    """Rows (..., a, S) × 2^exponents: one power of two for all columns, or one each where they differ too much."""

    def __init__(self, question: Chain) -> None:
        begin, self._finish = question.ends
        self.rows = np.zeros((*question.batch, len(begin), question.size))
        self.rows[..., np.arange(len(begin)), begin] = 1.0
        self.exponents: Integers = np.zeros((*question.batch, 1), dtype=np.int64)
        self._spare = np.empty_like(self.rows)

    def take(self, window: Window, place: int) -> None:
        """One factor more; on one scale as long as no column falls too far below the others."""
        if self.exponents.shape[-1] == 1 and self._taken_on_one_scale(window, place):
            return
        matrix, extra = window.matrix(place)
        exponents = np.broadcast_to(self.exponents, (*self.rows.shape[:-2], self.rows.shape[-1]))
        self.rows, self.exponents = pulled(self.rows, exponents, np.swapaxes(matrix, -1, -2), extra)
        live = (self.rows != 0).any(axis=-2)
        top = np.max(self.exponents, axis=-1, where=live, initial=-(2**62), keepdims=True)
        low = np.min(self.exponents, axis=-1, where=live, initial=2**62, keepdims=True)
        if np.all(top - low < SPREAD / 2):  # one scale will do again
            top = np.where(live.any(axis=-1, keepdims=True), top, 0)
            self.rows = wide.scale(self.rows, np.where(live, self.exponents - top, 0)[..., None, :])
            self.exponents = top

    def _taken_on_one_scale(self, window: Window, place: int) -> bool:
        """Whether one plain product did it; if not, nothing has changed."""
        product = window.act(place, self.rows, self._spare)
        size = np.max(np.abs(product), axis=-2, initial=0.0)
        top = np.max(size, axis=-1, keepdims=True, initial=0.0)
        low = np.min(np.where(size > 0, size, top), axis=-1, keepdims=True, initial=np.inf)
        if not np.all((low >= top * 2.0**-SPREAD) & (top < LARGEST) & ((top > 1 / LARGEST) | (top == 0))):
            return False
        if (size == 0).any() and self._underflowed(window, place, size):
            return False
        self.rows, self._spare = product, self.rows
        _, drift = wide.split(top)
        if np.any(np.abs(drift) > DRIFT):
            self.rows *= np.exp2(-drift)[..., None]
            self.exponents = self.exponents + drift
        return True

    def _underflowed(self, window: Window, place: int, size: Array) -> bool:
        """Whether a column that came out as zero has terms that are not."""
        matrix, _ = window.matrix(place)
        acting = (self.rows != 0).any(axis=-2)[..., None, :] & (matrix != 0)
        return bool((acting.any(axis=-1) & (size == 0)).any())

    def end(self, window: Window, place: int) -> tuple[Array, Integers]:
        """The block asked for after this factor: entries of ordinary size, and one power of two (...)."""
        rows, exponents = self.rows, self.exponents
        if window.effects is not None:
            effect = window.effects[window.time(place)]
            exponents = np.broadcast_to(exponents, (*rows.shape[:-2], rows.shape[-1]))
            rows, exponents = pulled(rows, exponents, effect, np.zeros(rows.shape[:-2], dtype=np.int64))
        elif len(self._finish) < rows.shape[-1]:
            rows = rows[..., self._finish]
            exponents = exponents if exponents.shape[-1] == 1 else exponents[..., self._finish]
        if exponents.shape[-1] == 1 and rows.shape[-1] != 1:
            return rows, exponents[..., 0]
        return _levelled(rows, exponents)


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


def frobenius_norm(blocks: Array) -> Array:
    """The root of the sum of squares of (..., a, b)."""
    return np.asarray(np.sqrt(np.sum(blocks**2, axis=(-2, -1))))


def spectral_norm(blocks: Array) -> Array:
    """The largest singular values of (..., a, b), from the smaller Gram matrix: relative accuracy is kept."""
    if min(blocks.shape[-2:]) == 1:
        return frobenius_norm(blocks)
    if blocks.shape[-2] > blocks.shape[-1]:
        blocks = np.swapaxes(blocks, -1, -2)
    gram = blocks @ np.swapaxes(blocks, -1, -2)
    return np.asarray(np.sqrt(np.maximum(np.linalg.eigvalsh(gram)[..., -1], 0.0)))


class SpectralNorm:
    """``spectral_norm`` of blocks (..., a, b) that change little in their left singular vectors.

    A few power iterations from the last one's vector u, θ = |Aᵀu|².  θ is taken for the largest eigenvalue of A Aᵀ
    only where that is certain: |A Aᵀu − θu| bounds its distance to an eigenvalue, and no other one can be larger if
    θ is at least half the sum of all, |A|²_F.
    """

    def __init__(self) -> None:
        self._vector: Array | None = None

    def __call__(self, blocks: Array) -> Array:
        """The largest singular values, (...)."""
        if min(blocks.shape[-2:]) == 1:
            return frobenius_norm(blocks)
        if self._vector is not None:
            found = self._iterated(blocks)
            if found is not None:
                return found
        value = spectral_norm(blocks)
        if self._vector is None or not self._vector.any():
            self._vector = blocks @ np.ones((blocks.shape[-1], 1))
        return value

    def _iterated(self, blocks: Array) -> Array | None:
        """√θ, or None where it was not certain soon enough."""
        every = np.sum(blocks**2, axis=(-2, -1))
        transposed = np.swapaxes(blocks, -1, -2)
        for _ in range(ITERATIONS):
            u = self._vector
            assert u is not None
            u = u / np.maximum(np.sqrt(np.sum(u**2, axis=-2, keepdims=True)), np.finfo(np.float64).tiny)
            w = transposed @ u
            theta = np.sum(w**2, axis=(-2, -1))
            self._vector = blocks @ w
            residual = np.sqrt(np.sum((self._vector - theta[..., None, None] * u) ** 2, axis=(-2, -1)))
            if np.all((residual <= CERTAIN * theta) & (theta >= 0.5 * every)):
                return np.asarray(np.sqrt(theta))
        return None
