"""Lyapunov exponents: mean logs of the diagonal of R in repeated QR factorisation."""

from __future__ import annotations

from typing import Any

import numpy as np

from lstm_sym import checks
from lstm_sym.flow import wide
from lstm_sym.flow.chains import Chain, chain
from lstm_sym.flow.determinants import Determinants
from lstm_sym.flow.frames import Frame, advanced, start
from lstm_sym.flow.results import Spectrum
from lstm_sym.flow.system import Array
from lstm_sym.flow.trajectories import Trajectory, a_trajectory


def lyapunov_spectrum(
    trajectory: Trajectory, k: int | None = None, transient: int = 0, frame: Any = None
) -> Spectrum:
    """The k leading finite-time Lyapunov exponents, (..., k), in nats per step, descending.

    k: how many, all S of them by default.
    transient: the first steps, which turn the frame and are not counted.
    frame: the tangent vectors to start from, (S, k), orthonormalised first; by default a fixed random frame,
    Haar distributed.

    An orthonormal frame is pushed along the run and re-orthonormalised by QR at every step (Benettin et al.,
    Meccanica 15, 1980).  At a finite horizon these are *not* the log singular values over the horizon, which
    singular_spectrum gives: the partial sums of those bound the partial sums of these from above (Horn).
    −inf for directions that a singular step has removed, in the transient too.

    Raises ValueError for k outside 1 … S, transient outside 0 … T − 1, a frame misshapen or rank deficient.
    """
    trajectory = a_trajectory(trajectory)
    size, steps = trajectory.size, len(trajectory)
    Q = _frame(frame, size, _count(k, frame, size))
    transient = checks.integer("transient", transient)
    if not 0 <= transient < steps:
        raise ValueError(f"transient = {transient}: expected an integer from 0 to T − 1 = {steps - 1}.")
    question = chain(trajectory, "state", "state", "full")
    with wide.quiet(trajectory.size):
        return _exponents(question, np.broadcast_to(Q, (*question.batch, *Q.shape)), transient)


def _exponents(question: Chain, Q: Array, transient: int) -> Spectrum:
    """The exponents from the frame Q (..., S, k)."""
    frame, determinants, work = start(Q, coupled=False), Determinants(question), 0
    steps = len(question.trajectory)
    for first, stop in reversed(list(question.windows())):
        jacobians = question.jacobians(first, stop)
        determinants.open(first, stop, jacobians)
        factors = question.applied(first, stop, jacobians, transposed=False)
        for t in range(stop - first):
            if first + t == transient:
                frame = _reset(frame)
            frame, count, lost = advanced(frame, factors[t], determinants.suspect(t), sort=False)
            determinants.close(t, lost, counted=first + t >= transient)
            work += count
    logs = wide.logs(frame.mantissa, frame.exponent)
    exponents = -np.sort(-logs, axis=-1) / (steps - transient)
    if exponents.shape[-1] == question.size:
        determinants.compare(logs)
    return Spectrum(exponents, "nats per step", determinants.certificate(work, steps))


def _reset(frame: Frame) -> Frame:
    """The same vectors, at length one; those that have vanished stay so."""
    ones = np.where(frame.mantissa != 0, 1.0, 0.0)
    return Frame(frame.Q, ones, np.zeros_like(frame.exponent), frame.T)


def _count(k: Any, frame: Any, size: int) -> int:
    """How many exponents, or ValueError."""
    if k is None:
        given = None if frame is None else checks.numeric("frame", frame)
        return size if given is None or given.ndim != 2 else int(given.shape[1])
    count = checks.integer("k", k)
    if not 1 <= count <= size:
        raise ValueError(f"k = {count}: expected an integer from 1 to the state size S = {size}.")
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
