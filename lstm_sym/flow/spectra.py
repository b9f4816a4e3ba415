"""Singular spectra of gradients at any horizon."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lstm_sym import checks
from lstm_sym.flow import wide
from lstm_sym.flow.chains import Chain, chain, loses_by_selection, relevant, turned
from lstm_sym.flow.determinants import Determinants
from lstm_sym.flow.frames import Frame, orthonormal
from lstm_sym.flow.march import March
from lstm_sym.flow.norms import unit_norms
from lstm_sym.flow.planning import Budget, granted
from lstm_sym.flow.results import Certificate, Spectrum
from lstm_sym.flow.sweeps import end, log_singular_values
from lstm_sym.flow.system import Array, Progress, blocks
from lstm_sym.flow.trajectories import a_run
from lstm_sym.flow.windows import Window

#: The rounding error allowed in a log singular value by default, in nats over the whole horizon.
ACCURACY = 1e-7


def singular_spectrum(
    trajectory: Any,
    of: str,
    wrt: str,
    horizons: int | Sequence[int],
    path: str = "full",
    k: int | None = None,
    anchor: str = "end",
    accuracy: float | None = None,
    progress: Progress | None = None,
) -> Spectrum:
    """Log singular values, in nats and descending, of d of_T / d wrt_{T−k} at the lags k in ``horizons``.

    trajectory: as ``run`` returns it, or the Jacobians themselves, (T, ..., S, S) or an iterable of them.
    of, wrt, path: as for gradient_norms.  horizons: integers from 1 to T, in any order; the answer has that
    order, (H, ..., r) with r = min(n_of, n_wrt).  A single integer drops the first axis.  −inf for a singular
    value that is exactly or structurally zero; accurate in the log at any magnitude otherwise.
    k: only the k largest.
    anchor: "end", or "start" for d of_k / d wrt_0 at the steps k in ``horizons``, as for gradient_norms.
    accuracy: the rounding error allowed in a value, in nats over the deepest horizon.  It decides how often the
    product is factored anew, at every step if need be.  By default 1e-7, but at every step for S ≤ 64.
    progress: called with (steps done, the deepest horizon) after every stretch of steps.

    What the certificate shows and what it cannot: "Limits" in docs/conventions.md.

    One pass over the product serves every horizon: a graded factorisation Q · diag(e^d) · T that is advanced a
    few steps at a time, and finished, at each wanted lag, by sweeps (G. W. Stewart, ETNA 5, 1997).  Where that pass
    would end in the selection of a block which hangs on the rest of the state, every horizon has one of its own, in
    the other direction.

    >>> import lstm_sym as ls, numpy as np
    >>> jacobians = np.tile(np.diag([0.5, 1e-3]), (1000, 1, 1))
    >>> np.asarray(ls.singular_spectrum(jacobians, "state", "state", 1000)).round(2)     # log 0.5, log 1e-3 a step
    array([ -693.15, -6907.76])

    Raises UnknownNameError for an unknown block, path or anchor, ValueError for horizons outside 1 … T, k outside
    1 … r, or where the system lacks what the path needs.
    """
    trajectory = a_run(trajectory)
    lags = _lags(horizons, None if trajectory.once else len(trajectory))
    accuracy = granted(accuracy, ACCURACY, trajectory.size)
    spans = blocks(trajectory.system, trajectory.parameters, trajectory.size)
    with wide.quiet(trajectory.size):
        question = chain(trajectory, of, wrt, path, anchor)
        rank = min(len(range(trajectory.size)[spans[name]]) for name in (of, wrt))
        wanted = rank if k is None else checks.integer("k", k)
        if not 1 <= wanted <= rank:
            raise ValueError(f"k = {wanted}: expected an integer from 1 to {rank}, the size of the smaller block.")
        if loses_by_selection(question, path):
            values, certificate = _one_by_one(question, of, wrt, lags, accuracy, progress)
        elif question.units is None:
            values, certificate = spectra(question, lags, accuracy, progress)
        else:
            values, certificate = _direct(question, lags, accuracy)
    out = np.full((*values.shape[:-1], wanted), -np.inf)
    count = min(wanted, values.shape[-1])
    out[..., :count] = values[..., :count]
    return Spectrum(out if np.ndim(horizons) else out[0], "nats", certificate)


def _one_by_one(
    question: Chain, of: str, wrt: str, lags: list[int], accuracy: float, progress: Progress | None
) -> tuple[Array, Certificate]:
    """The log singular values at every lag, each from a pass of its own in the other direction."""
    found = {lag: spectra(turned(question, of, wrt, lag), [lag], accuracy, progress) for lag in lags}
    deepest = found[max(lags)][1]
    work = sum(certificate.factorizations for _, certificate in found.values())
    return np.concatenate([found[lag][0] for lag in lags]), replace(deepest, factorizations=work)


def _lags(horizons: Any, steps: int | None) -> list[int]:
    """The horizons as a list, or ValueError saying what was given and what is expected."""
    expected = "expected integers from 1" + ("" if steps is None else f" to T = {steps}")
    try:
        given = list(horizons) if np.ndim(horizons) else [horizons]
    except ValueError:  # ragged
        raise ValueError(f"horizons = {horizons!r}: {expected}.") from None
    if not given:
        raise ValueError(f"horizons = {horizons!r} is empty: {expected}.")
    try:
        lags = [checks.integer("horizons", lag) for lag in given]
    except TypeError:
        raise ValueError(f"horizons = {horizons!r}: {expected}.") from None
    for lag in lags:
        if lag < 1 or (steps is not None and lag > steps):
            raise ValueError(f"horizons has {lag}: {expected}.")
    return lags


def _direct(question: Chain, lags: list[int], accuracy: float) -> tuple[Array, Certificate]:
    """Every unit's own spectrum, (H, ..., units · r), all of them sorted together."""
    if min(len(question.of), len(question.wrt)) == 1:
        values = unit_norms(question)[np.array(lags) - 1]
        certificate = Certificate(None, None, False, 0, len(question.trajectory))
    else:
        values, certificate = spectra(question, lags, accuracy, None)
        values = values.reshape(*values.shape[:-2], -1)
    return -np.sort(-values, axis=-1), certificate


def spectra(
    question: Chain, lags: list[int], accuracy: float, progress: Progress | None
) -> tuple[Array, Certificate]:
    """The log singular values of the chain at every lag: (H, ..., r), and their certificate."""
    started, deepest = time.perf_counter(), max(lags)
    narrow = relevant(question, deepest)
    if narrow.size == 0:
        empty = np.full((len(lags), *question.batch, 1), -np.inf)
        return empty, Certificate(None, None, False, 0, deepest)
    begin, _ = narrow.ends
    march = March(narrow, np.eye(narrow.size)[:, begin], Budget(accuracy, deepest), coupled=True)
    determinants, found, work, done = Determinants(narrow), dict[int, Array](), 0, 0
    for start, stop in narrow.windows(deepest):
        window = Window(narrow, start, stop, len(begin))
        determinants.open(window)
        for lag in sorted({lag for lag in lags if done < lag < done + len(window)} | {done + len(window)}):
            march.advance(window, march.steps - done, lag - done, determinants)
            if lag in lags:
                last = lag - done - 1
                effect = None if window.effects is None else window.effects[window.time(last)]
                found[lag], count = _finished(narrow, march.frame, effect)
                determinants.compare(found[lag])
                work += count
        done += len(window)
        if progress is not None:
            progress(done, deepest)
    if done < deepest:
        raise ValueError(f"horizons has {deepest}: the run has only {done} steps.")
    certificate = march.certificate(determinants, accuracy, started, work)
    return np.stack([found[lag] for lag in lags]), certificate


def _finished(question: Chain, frame: Frame, effect: Array | None) -> tuple[Array, int]:
    """Log singular values (..., r) of the chain at this lag, and the factorisations made."""
    begin, finish = question.ends
    every = len(finish) == question.size and effect is None
    rank = min(len(begin), len(finish) if effect is None else effect.shape[-1])
    out, work = np.full((*question.batch, rank), -np.inf), 0
    frame = orthonormal(frame)
    for place in np.ndindex(*question.batch):
        live = frame.mantissa[place] != 0
        assert frame.T is not None
        graded = (frame.mantissa[place][live], frame.exponent[place][live], frame.T[place][live])
        if not every:
            rows = frame.Q[place][finish] if effect is None else effect[place].T @ frame.Q[place]
            graded = end(rows[:, live], *graded, noisy=True)
        values, count = log_singular_values(*graded)
        out[(*place, slice(len(values)))] = values
        work += count + 1
    return out, work
