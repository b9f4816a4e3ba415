"""Singular spectra of gradients at any horizon."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lstm_sym import checks
from lstm_sym.flow import wide
from lstm_sym.flow.chains import Chain, chain, relevant
from lstm_sym.flow.determinants import Determinants
from lstm_sym.flow.frames import Frame, advanced, start
from lstm_sym.flow.norms import unit_norms
from lstm_sym.flow.results import Certificate, Spectrum
from lstm_sym.flow.sweeps import end, log_singular_values
from lstm_sym.flow.system import Array, blocks
from lstm_sym.flow.trajectories import Trajectory, a_trajectory


def singular_spectrum(
    trajectory: Trajectory, of: str, wrt: str, horizons: int | Sequence[int], path: str = "full"
) -> Spectrum:
    """Log singular values, in nats and descending, of d of_T / d wrt_{T−k} at the lags k in ``horizons``.

    of, wrt, path: as for gradient_norms.  horizons: integers from 1 to T, in any order; the answer has that
    order, (H, ..., r) with r = min(n_of, n_wrt).  A single integer drops the first axis.  −inf for a singular
    value that is exactly or structurally zero; accurate in the log at any magnitude otherwise.

    What the certificate shows and what it cannot: "Limits" in docs/conventions.md.

    One pass over the transposed product serves every horizon: a graded factorisation Q · diag(e^d) · T that
    is advanced a step at a time, and finished, at each wanted lag, by sweeps (G. W. Stewart, ETNA 5, 1997).

    Raises UnknownNameError for an unknown block or path, ValueError for horizons outside 1 … T, or where the
    system lacks what the path needs.
    """
    trajectory = a_trajectory(trajectory)
    lags = _lags(horizons, len(trajectory))
    with wide.quiet(trajectory.size):
        question = chain(trajectory, of, wrt, path)
        answer = spectra if question.units is None else _direct
        values, certificate = answer(question, lags)
    spans = blocks(trajectory.system, trajectory.parameters, trajectory.size)
    rank = min(len(range(trajectory.size)[spans[name]]) for name in (of, wrt))
    out = np.full((*values.shape[:-1], rank), -np.inf)
    count = min(rank, values.shape[-1])
    out[..., :count] = values[..., :count]
    return Spectrum(out if hasattr(horizons, "__len__") else out[0], "nats", certificate)


def _lags(horizons: Any, steps: int) -> list[int]:
    """The horizons as a list, or ValueError saying what was given and what is expected."""
    expected = f"expected integers from 1 to T = {steps}"
    given = list(horizons) if hasattr(horizons, "__len__") else [horizons]
    if not given:
        raise ValueError(f"horizons = {horizons!r} is empty: {expected}.")
    try:
        lags = [checks.integer("horizons", lag) for lag in given]
    except TypeError:
        raise ValueError(f"horizons = {horizons!r}: {expected}.") from None
    for lag in lags:
        if not 1 <= lag <= steps:
            raise ValueError(f"horizons has {lag}: {expected}.")
    return lags


def _direct(question: Chain, lags: list[int]) -> tuple[Array, Certificate]:
    """Every unit's own spectrum, (H, ..., units · r), all of them sorted together."""
    if min(len(question.of), len(question.wrt)) == 1:
        values = unit_norms(question)[np.array(lags) - 1]
        certificate = Certificate(None, None, False, 0, len(question.trajectory))
    else:
        values, certificate = spectra(question, lags)
        values = values.reshape(*values.shape[:-2], -1)
    return -np.sort(-values, axis=-1), certificate


def spectra(question: Chain, lags: list[int]) -> tuple[Array, Certificate]:
    """The log singular values of the chain at every lag: (H, ..., r), and their certificate."""
    deepest = max(lags)
    narrow = relevant(question, deepest)
    found: dict[int, Array] = {}
    if narrow.size == 0:
        empty = np.full((len(lags), *question.batch, 1), -np.inf)
        return empty, Certificate(None, None, False, 0, deepest)
    selection = np.eye(narrow.size)[:, narrow.of]
    frame = start(np.broadcast_to(selection, (*narrow.batch, *selection.shape)))
    determinants, work = Determinants(narrow), 0
    for first, stop in narrow.windows(deepest):
        jacobians = narrow.jacobians(first, stop)
        determinants.open(first, stop, jacobians)
        effects = narrow.effects(first, stop)
        factors = narrow.applied(first, stop, jacobians, transposed=True)
        for t in reversed(range(stop - first)):
            frame, count, lost = advanced(frame, factors[t], determinants.suspect(t))
            determinants.close(t, lost)
            work += count
            lag = len(question.trajectory) - first - t
            if lag in lags:
                found[lag], count = _finished(narrow, frame, None if effects is None else effects[t])
                determinants.compare(found[lag])
                work += count
    return np.stack([found[lag] for lag in lags]), determinants.certificate(work, deepest)


def _finished(question: Chain, frame: Frame, effect: Array | None) -> tuple[Array, int]:
    """Log singular values (..., r) of the chain at this lag, and the factorisations made."""
    every = len(question.wrt) == question.size and effect is None
    rank = min(len(question.of), len(question.wrt))
    out, work = np.full((*question.batch, rank), -np.inf), 0
    for place in np.ndindex(*question.batch):
        live = frame.mantissa[place] != 0
        assert frame.T is not None
        graded = (frame.mantissa[place][live], frame.exponent[place][live], frame.T[place][live])
        if not every:
            rows = frame.Q[place][question.wrt] if effect is None else effect[place].T @ frame.Q[place]
            graded = end(rows[:, live], *graded, noisy=True)
        values, count = log_singular_values(*graded)
        out[(*place, slice(len(values)))] = values
        work += count
    return out, work
