"""Singular vectors of gradients at any horizon: which units carry a gradient, and where to."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_sym import checks
from lstm_sym.flow import wide
from lstm_sym.flow.chains import Chain, chain, loses_by_selection, relevant, turned
from lstm_sym.flow.determinants import Determinants
from lstm_sym.flow.frames import Frame, orthonormal
from lstm_sym.flow.march import March
from lstm_sym.flow.planning import Budget, granted
from lstm_sym.flow.results import Certificate, Spectrum
from lstm_sym.flow.spectra import ACCURACY
from lstm_sym.flow.sweeps import Sides, end, log_singular_values
from lstm_sym.flow.system import Array, Progress
from lstm_sym.flow.trajectories import Run, a_run
from lstm_sym.flow.windows import Window

#: Entries of a vector this close to the largest, relative to it, count as large: the first of them gives the sign.
TIED = 1e-6


@dataclass(frozen=True, eq=False)
class SingularVectors:
    """d of_T / d wrt_{T−k} = left · diag(exp(logs)) · rightᵀ.

    ``logs`` (..., r): the log singular values in nats, descending, with their certificate.
    ``left`` (..., n_of, r) and ``right`` (..., n_wrt, r): orthonormal columns, dimensionless.  A change of wrt
    along column j of ``right`` comes out of the horizon along column j of ``left``, exp(logs[j]) times as large.
    """

    logs: Spectrum
    left: Array
    right: Array

    def __repr__(self) -> str:
        """One line: how many, and the sizes."""
        shapes = f"left {self.left.shape}, right {self.right.shape}"
        return f"<SingularVectors: {self.logs.shape[-1]} of them, {shapes}>"


def singular_vectors(
    trajectory: Any,
    of: str,
    wrt: str,
    horizon: int,
    k: int | None = None,
    path: str = "full",
    anchor: str = "end",
    accuracy: float | None = None,
    progress: Progress | None = None,
) -> SingularVectors:
    """Singular values and vectors of d of_T / d wrt_{T−horizon}: which units carry the gradient.

    trajectory, of, wrt, anchor, accuracy, progress: as for singular_spectrum, whose values at this one horizon
    ``logs`` has.
    horizon: a number of steps, from 1 to T.
    k: only the k leading vectors; by default all r = min(n_of, n_wrt).
    path: "full" or "total".  (For "direct" every unit is by itself, and the vectors are the unit vectors.)

    The largest entry of every right vector is positive.  Where a singular value is −inf, its two vectors complete
    the others to orthonormal sets: what goes in along the one vanishes, and nothing comes out along the other.

    The graded factorisation of singular_spectrum, its orthogonal factors gathered through the sweeps (G. W.
    Stewart, ETNA 5, 1997) and the small problems at the end (Drmač & Veselić, SIAM J. Matrix Anal. 29, 2008).  A
    vector's error, as a length, is about that of the log singular value, 1e-14 for small states and ``accuracy`` at
    most, divided by 1 − exp(−gap), gap being the distance in nats to the nearest other value, however many nats the
    values span.  Inside a cluster of equal values only the span is determined.  Entries below that error are noise.

    >>> import lstm_sym.flow as flow, numpy as np
    >>> found = flow.singular_vectors(np.tile([[0.0, 3.0], [0.5, 0.0]], (101, 1, 1)), "state", "state", 101)
    >>> np.asarray(found.logs).round(3)
    array([21.372, 19.58 ])
    >>> found.right
    array([[0., 1.],
           [1., 0.]])

    Raises UnknownNameError for an unknown block, path or anchor, ValueError for path "direct", a horizon outside
    1 … T, k outside 1 … r, or where the system lacks what the path needs; TypeError for numbers of another type.
    """
    trajectory = a_run(trajectory)
    horizon = _horizon(horizon, trajectory)
    accuracy = granted(accuracy, ACCURACY, trajectory.size)
    with wide.quiet(trajectory.size):
        question = chain(trajectory, of, wrt, path, anchor)
        if loses_by_selection(question, path):
            question = turned(question, of, wrt, horizon)
        if question.units is not None:
            raise ValueError(
                "path 'direct' has no singular vectors but the unit vectors, every unit being by itself:"
                " singular_spectrum gives its values. Known here: full, total."
            )
        rank = min(len(question.of), len(question.wrt))
        wanted = rank if k is None else checks.integer("k", k)
        if not 1 <= wanted <= rank:
            raise ValueError(f"k = {wanted}: expected an integer from 1 to {rank}, the size of the smaller block.")
        return _Answer(question, wanted).vectors(horizon, accuracy, progress)


def _horizon(horizon: Any, run: Run) -> int:
    """The horizon, or an error saying what is expected."""
    steps = checks.integer("horizon", horizon)
    if steps < 1 or (not run.once and steps > len(run)):
        most = "" if run.once else f" to T = {len(run)}"
        raise ValueError(f"horizon = {steps}: expected an integer from 1{most}.")
    return steps


class _Answer:
    """The ``wanted`` leading singular values of a chain and their vectors.

    It is marched on the states that matter alone; the vectors are zero elsewhere.
    """

    def __init__(self, question: Chain, wanted: int) -> None:
        self._question, self._wanted = question, wanted

    def vectors(self, horizon: int, accuracy: float, progress: Progress | None) -> SingularVectors:
        """March, then sweep."""
        started, narrow = time.perf_counter(), relevant(self._question, horizon)
        if narrow.size == 0:
            logs, sides, _ = self._swept(narrow, None, None)
            return self._result(logs, sides, Certificate(None, None, False, 0, horizon))
        march, determinants, effect = _marched(narrow, horizon, accuracy, progress)
        logs, sides, count = self._swept(narrow, orthonormal(march.frame), effect)
        determinants.compare(logs)
        certificate = march.certificate(determinants, accuracy, started, count)
        return self._result(logs, sides, certificate)

    def _result(self, logs: Array, sides: list[Array], certificate: Certificate) -> SingularVectors:
        """The vectors at the chain's finish and at its begin as left and right, with their signs."""
        first, last = (side[..., : self._wanted] for side in sides)
        left, right = (last, first) if self._question.backwards else (first, last)
        signs = signs_of(right)
        spectrum = Spectrum(logs[..., : self._wanted], "nats", certificate)
        return SingularVectors(spectrum, left * signs, right * signs)

    def _swept(self, narrow: Chain, frame: Frame | None, effect: Array | None) -> tuple[Array, list[Array], int]:
        """Log singular values (..., r), the vectors at the chain's finish and at its begin, and the work."""
        batch, (begin, finish) = self._question.batch, self._question.ends
        rank, work = min(len(begin), len(finish)), 0
        logs = np.full((*batch, rank), -np.inf)
        sides = [np.empty((*batch, len(states), rank)) for states in (finish, begin)]
        places = [np.flatnonzero(np.isin(states, narrow.kept)) for states in (finish, begin)]
        if effect is not None:
            places[0] = np.arange(len(finish))
        for place in np.ndindex(*batch):
            parts = [np.zeros((len(rows), 0)) for rows in places]
            if frame is not None:
                values, parts, count = _member(narrow, frame, None if effect is None else effect[place], place)
                logs[(*place, slice(len(values)))] = values
                work += count + 1
            for side, rows, part in zip(sides, places, parts, strict=True):
                side[place] = _completed(rows, part, side.shape[-2:])
        return logs, sides, work


def _marched(
    question: Chain, horizon: int, accuracy: float, progress: Progress | None
) -> tuple[March, Determinants, Array | None]:
    """The march over the horizon, the determinants on the way, and the effect E_wrt at its end."""
    begin, _ = question.ends
    march = March(question, np.eye(question.size)[:, begin], Budget(accuracy, horizon), coupled=True)
    determinants, effect = Determinants(question), None
    for start, stop in question.windows(horizon):
        window = Window(question, start, stop, len(begin))
        determinants.open(window)
        march.advance(window, 0, len(window), determinants)
        if march.steps == horizon and window.effects is not None:
            effect = window.effects[window.time(len(window) - 1)]
        if progress is not None:
            progress(march.steps, horizon)
    if march.steps < horizon:
        raise ValueError(f"horizon = {horizon}: the run has only {march.steps} steps.")
    return march, determinants, effect


def _member(
    question: Chain, frame: Frame, effect: Array | None, place: tuple[int, ...]
) -> tuple[Array, list[Array], int]:
    """One member of the batch: log singular values (p), the vectors at both ends, and the factorisations made."""
    begin, finish = question.ends
    live = frame.mantissa[place] != 0
    assert frame.T is not None
    graded = (frame.mantissa[place][live], frame.exponent[place][live], frame.T[place][live])
    rows = frame.Q[place][finish] if effect is None else effect.T @ frame.Q[place]
    rows = rows[:, live]
    if len(finish) == question.size and effect is None:
        sides = Sides(rows, np.eye(len(begin)))
    else:
        sides = Sides(np.eye(len(rows)), np.eye(len(begin)))
        graded = end(rows, *graded, noisy=True, sides=sides)
    values, count = log_singular_values(*graded, sides=sides)
    return values, [sides.left, sides.right], count


def _completed(rows: NDArray[np.intp], part: Array, shape: tuple[int, ...]) -> Array:
    """Orthonormal columns of this shape: first those of ``part``, in these rows, then any."""
    out = np.zeros(shape)
    count = part.shape[-1]
    out[rows, :count] = part
    if count < shape[-1]:
        whole, _ = np.linalg.qr(out[:, :count], mode="complete") if count else (np.eye(shape[0]), None)
        out[:, count:] = whole[:, count : shape[-1]]
    return out


def signs_of(vectors: Array) -> Array:
    """±1 for each column of (..., n, r), as (..., 1, r): the sign of its largest entry, the first of equal ones."""
    size = np.abs(vectors)
    large = size >= (1 - TIED) * size.max(axis=-2, keepdims=True)
    first = np.argmax(large, axis=-2)[..., None, :]
    return np.where(np.take_along_axis(vectors, first, axis=-2) < 0, -1.0, 1.0)
