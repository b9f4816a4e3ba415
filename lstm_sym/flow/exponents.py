"""Lyapunov exponents: the mean growth of the vectors of a frame, each beyond those before it."""

from __future__ import annotations

import itertools
import time
from typing import Any

import numpy as np

from lstm_sym import checks
from lstm_sym.flow import wide
from lstm_sym.flow.chains import Chain, chain
from lstm_sym.flow.determinants import Determinants
from lstm_sym.flow.gauge import gauge_directions, without_gauge
from lstm_sym.flow.interruption import Interruption
from lstm_sym.flow.march import March
from lstm_sym.flow.planning import SMALL, Budget, granted
from lstm_sym.flow.results import Spectrum
from lstm_sym.flow.states import StateNotFiniteError
from lstm_sym.flow.system import Array, Progress
from lstm_sym.flow.trajectories import a_run
from lstm_sym.flow.windows import Window

#: Stretches of a run whose exponents are also given separately, and the steps that each should have.
BLOCKS, BLOCK_STEPS = 8, 10
#: The accuracy by default, in nats per step, by precision.
ACCURACY = {np.dtype(np.float64): 1e-8, np.dtype(np.float32): 1e-3}
#: Steps over which rounding errors are let average out: over more, they come out below the accuracy asked for.
COHERENT = 1000
#: After a transient exponents are sensitive to the frame it left (a turn by 1e-12 moved one by 3.5e-10 in an
#: LSTM with n = 100): rounding is then held to this share of what is asked for, in the transient to so much less.
SENSITIVE, SETTLING = 0.01, 0.1


def lyapunov_spectrum(
    trajectory: Any,
    k: int | None = None,
    transient: int = 0,
    frame: Any = None,
    accuracy: float | None = None,
    dtype: Any = np.float64,
    progress: Progress | None = None,
) -> Spectrum:
    """The k leading finite-time Lyapunov exponents, (..., k), in nats per step, descending.

    trajectory: as ``run`` returns it; or the Jacobians themselves, an array (T, ..., S, S) or an iterable of
    matrices or of such arrays.
    k: how many, all S of them by default; less those of gauge directions, which are no physics (an sLSTM's c, n and
    m may be scaled together without effect: 0 or −∞ for every unit, left out and counted in ``gauge``).
    transient: the first steps, which let state and frame settle and are not counted.
    frame: the tangent vectors to start from, (S, k), orthonormalised first; by default a fixed random frame,
    Haar distributed, or the axes where no unit acts on another (minGRU): its exponents are then exact means.
    accuracy: the rounding error allowed, in nats per step for every exponent.  It decides when the frame is
    factored anew, from the growth that is seen, at every step if need be; what was reached, by estimate, is in the
    certificate.  By default 1e-8 (1e-3 in single precision), but at every step for S ≤ 64, where that costs little.
    dtype: float64, or float32 to push and factor the frame in single precision.
    progress: called with (steps done, steps in all or None) after every stretch of steps.

    A frame is pushed along the run (Benettin et al., Meccanica 15, 1980) and triangularised again by pivoted LU;
    the values are those of a QR factorisation at every step.  At a finite horizon these are *not* the log
    singular values over the horizon, which singular_spectrum gives: the partial sums of those bound the partial
    sums of these from above (Horn).  −inf for directions that a singular step has removed, in the transient too.

    The result carries the exponents of eight consecutive stretches (``blocks``), the ``standard_error`` of their
    mean, and a ``certificate``.  Interrupted from the keyboard it returns what is done, with a warning.

    Any system that steps and has a Jacobian will do:

    >>> import lstm_sym as ls, numpy as np
    >>> class Henon:
    ...     def step(self, p, x, s):
    ...         return np.stack([1 - 1.4 * s[..., 0] ** 2 + s[..., 1], 0.3 * s[..., 0]], axis=-1)
    ...     def jacobian(self, p, x, s):
    ...         one, zero = np.ones(s.shape[:-1]), np.zeros(s.shape[:-1])
    ...         return np.stack([np.stack([-2.8 * s[..., 0], one], -1), np.stack([0.3 * one, zero], -1)], -2)
    >>> orbit = ls.run(Henon(), None, 20_000, initial=[0.1, 0.1])
    >>> np.asarray(ls.lyapunov_spectrum(orbit, transient=100)).round(2)
    array([ 0.42, -1.62])
    >>> np.asarray(ls.lyapunov_spectrum(np.full((10, 1, 1), 0.5)))
    array([-0.69314718])

    Raises ValueError for k outside 1 … S, transient outside 0 … T − 1, a frame misshapen or rank deficient, an
    accuracy that is not positive.
    """
    trajectory = a_run(trajectory)
    size = trajectory.size
    dtype = _precision(dtype)
    tolerance = granted(accuracy, ACCURACY[dtype], size if dtype == np.float64 else SMALL + 1)
    gauges = gauge_directions(trajectory.system, trajectory.parameters, trajectory.initial)
    free = sum(gauge.count for gauge in gauges)
    count = _count(k, frame, size, free)
    if gauges:
        trajectory = without_gauge(trajectory)
    axes = frame is None and bool(getattr(trajectory.system, "units_apart", False))
    Q = np.eye(size) if axes else _frame(frame, size, count)
    transient = checks.integer("transient", transient)
    most = None if trajectory.once else len(trajectory) - 1
    if transient < 0 or (most is not None and transient > most):
        expected = "an integer from 0" if most is None else f"an integer from 0 to T − 1 = {most}"
        raise ValueError(f"transient = {transient}: expected {expected}.")
    question = chain(trajectory, "state", "state", "full", anchor="start")
    steps = COHERENT if trajectory.once else len(trajectory)
    budget = _budget(SENSITIVE * SETTLING * tolerance, transient) if transient else _budget(tolerance, steps)
    march = March(question, Q, budget, coupled=False, dtype=dtype)
    with wide.quiet(size):
        spectrum = _Growth(question, march, transient, count, tolerance).spectrum(progress)
    spectrum.gauge = free
    return spectrum


class _Growth:
    """The growth of a marching frame since the transient, and at the ends of blocks of steps."""

    def __init__(self, chain: Chain, march: March, transient: int, count: int, accuracy: float) -> None:
        self._chain, self._march, self._transient, self._kept = chain, march, transient, count
        self._accuracy, self._count = accuracy, march.width
        self._determinants = Determinants(chain, whole=self._count == chain.size)
        self._determinants.counting = transient == 0
        self._started, self._done = time.perf_counter(), 0
        self._marks = [(0, np.zeros((*chain.batch, self._count)))]
        run = chain.trajectory
        steps = 0 if run.once else len(run) - transient
        self._stride = max(BLOCK_STEPS, steps // BLOCKS)
        self._total = None if run.once else len(run)

    @property
    def _counted(self) -> int:
        return self._done - self._transient

    def spectrum(self, progress: Progress | None) -> Spectrum:
        """March to the end, or until interrupted."""
        try:
            with Interruption() as interruption:
                for start, stop in self._chain.windows():
                    self._window(Window(self._chain, start, stop, self._count))
                    if progress is not None:
                        progress(self._done, self._total)
                    if interruption.requested:
                        if self._counted < 1:
                            raise KeyboardInterrupt
                        interruption.warn(self._done, self._total)
                        break
        except StateNotFiniteError as error:
            if self._counted > 0:
                error.partial = self._result()
            raise
        if self._counted < 1:
            raise ValueError(f"transient = {self._transient}: the run has only {self._done} steps.")
        return self._result()

    def _window(self, window: Window) -> None:
        """All steps of a window, with stops at the end of the transient and of blocks."""
        self._determinants.open(window)
        place = 0
        while place < len(window):
            end = min(len(window), place + self._to_next_stop())
            self._march.advance(window, place, end, self._determinants)
            self._done += end - place
            place = end
            if self._done == self._transient:
                self._begin()
            elif self._counted > 0 and self._counted % self._stride == 0:
                self._mark()

    def _begin(self) -> None:
        """The transient is over: the frame made orthonormal, nothing counted yet."""
        Q, _ = np.linalg.qr(np.swapaxes(self._march.rows, -1, -2))
        steps = COHERENT if self._total is None else self._total - self._transient
        self._march.reset(Q, _budget(SENSITIVE * self._accuracy, steps))
        self._determinants.counting = True

    def _to_next_stop(self) -> int:
        if self._counted < 0:
            return -self._counted
        return self._stride - self._counted % self._stride

    def _mark(self) -> None:
        """The end of a block; where there are too many of them, every two become one."""
        self._marks.append((self._counted, self._logs(rough=True)))
        if len(self._marks) > 2 * BLOCKS:
            self._marks = self._marks[::2]
            self._stride *= 2

    def _logs(self, rough: bool = False) -> Array:
        """Log growth (..., k) since the transient, −inf for what was lost; rough: good enough for statistics."""
        diagonal = _diagonal(self._march.rows, rough)
        grown = wide.logs(self._march.mantissa * diagonal, self._march.exponent)
        out = np.full((*grown.shape[:-1], self._count), -np.inf)
        out[..., : grown.shape[-1]] = grown
        return out

    def _result(self) -> Spectrum:
        steps, march = self._counted, self._march
        logs = self._logs()
        order = np.argsort(-logs, axis=-1, kind="stable")[..., : self._kept]
        self._determinants.compare(logs)
        certificate = march.certificate(self._determinants, self._accuracy, self._started, per=steps)
        exponents = np.take_along_axis(logs, order, axis=-1) / steps
        return Spectrum(exponents, "nats per step", certificate, self._blocks(order))

    def _blocks(self, order: Any) -> Array | None:
        """The exponents of each block, (B, ..., k), in the order of the whole; None if fewer than two."""
        if len(self._marks) < 3:
            return None
        found = []
        for (begin, before), (end, after) in itertools.pairwise(self._marks):
            with np.errstate(invalid="ignore"):
                growth = np.where(np.isneginf(after), -np.inf, after - before) / (end - begin)
            found.append(np.take_along_axis(growth, order, axis=-1))
        return np.stack(found)


def _budget(accuracy: float, steps: int) -> Budget:
    """The rounding allowed over so many steps, or over each thousand of more."""
    together = max(1, min(COHERENT, steps))
    return Budget(accuracy * together, together)


def _diagonal(rows: Array, rough: bool) -> Array:
    """|r_jj| of the QR factorisation of the frame; ``rough``: by Cholesky, which is quicker."""
    columns = np.swapaxes(rows, -1, -2).astype(np.float64, copy=False)
    if rough:
        try:
            factor = np.linalg.cholesky(np.swapaxes(columns, -1, -2) @ columns)
            return np.asarray(np.diagonal(factor, axis1=-2, axis2=-1))
        except np.linalg.LinAlgError:
            pass
    R = np.linalg.qr(columns, mode="r")
    return np.asarray(np.abs(np.diagonal(R, axis1=-2, axis2=-1)))


def _precision(dtype: Any) -> np.dtype[Any]:
    """float64 or float32, or TypeError."""
    try:
        found: np.dtype[Any] = np.dtype(dtype)
    except TypeError:
        found = np.dtype(object)
    if found not in ACCURACY:
        raise TypeError(f"dtype = {dtype!r}: expected float64 or float32.")
    return found


def _count(k: Any, frame: Any, size: int, free: int) -> int:
    """How many exponents, or ValueError; ``free`` of S directions are gauge."""
    if k is None and frame is not None and (given := checks.numeric("frame", frame)).ndim == 2:
        k = int(given.shape[1])
    count = size - free if k is None else checks.integer("k", k)
    if not 1 <= count <= size - free:
        less = f" less its {free} gauge directions" if free else ""
        raise ValueError(f"k = {count}: expected an integer from 1 to the state size S = {size}{less}.")
    return count


def _frame(frame: Any, size: int, count: int) -> Array:
    """The orthonormal start frame, (S, k)."""
    if frame is None:
        vectors = np.random.default_rng(0).standard_normal((size, size))[:, :count]
    else:
        vectors = checks.finite("frame", frame)
        if vectors.shape != (size, count) or not 1 <= count <= size or vectors.dtype.kind == "c":
            expected = f"expected real (S, k) with S = {size} and k from 1 to S, the k asked for"
            raise ValueError(f"frame has shape {vectors.shape}: {expected}.")
        vectors = vectors / np.maximum(np.abs(vectors).max(axis=0), np.finfo(np.float64).tiny)
        vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=0), np.finfo(np.float64).tiny)
    Q, R = np.linalg.qr(vectors)
    if np.any(np.abs(np.diagonal(R)) <= 4 * size * np.finfo(np.float64).eps):
        raise ValueError(f"frame has linearly dependent columns: expected {count} independent vectors.")
    return np.asarray(Q * np.where(np.diagonal(R) < 0, -1.0, 1.0))
