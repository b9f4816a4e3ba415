"""Covariant Lyapunov vectors: the directions that a run stretches at its Lyapunov rates, one by one.

Singular vectors and the vectors of a QR factorisation are orthogonal, and depend on the horizon or on the scalar
product.  Covariant vectors depend on neither: J_t v_j(t) is parallel to v_j(t + 1), and at a fixed point they are
the eigenvectors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_sym import checks
from lstm_sym.flow import wide
from lstm_sym.flow.chains import Chain, chain, log_determinants
from lstm_sym.flow.frames import advanced, start
from lstm_sym.flow.system import Array, Progress
from lstm_sym.flow.trajectories import Run, a_run
from lstm_sym.flow.vectors import signs_of
from lstm_sym.flow.windows import Window

#: The share of a run that is its transient, and its settling stretch, by default.
SHARE = 10
#: Where the sizes within R differ more than this, the step is factored again, so that small rows keep their digits.
GRADED = 1e5


@dataclass(frozen=True, eq=False)
class CovariantVectors:
    """Covariant Lyapunov vectors along a stretch of a run.

    ``vectors`` (N, ..., S, k): unit columns, those at place n standing before step ``first`` + n · ``every`` (steps
    counted from 0): J_t of that step acts on them.  J_t v_j(t) = exp(exponent) v_j(t + 1), sign included.
    ``exponents`` (n, ..., k): log|J_t v_j(t)| in nats, at all n steps ``first``, ``first`` + 1, …; their means are
    the Lyapunov exponents of the stretch, largest first as a rule.
    ``unsettled`` (..., k): how far, as a length, a vector still depends on the random frame at the start of the run
    and on the one at its end, where the stretch begins and ends, whichever is more.  Inside the stretch it is less.
    Of order 1 where the transient or the settling stretch is too short, or where two exponents are equal and the
    vectors not unique.
    """

    vectors: Array
    exponents: Array
    first: int
    every: int
    unsettled: Array

    def __repr__(self) -> str:
        """One line: how many, where, and how settled."""
        steps, (size, k) = len(self.exponents), self.vectors.shape[-2:]
        where = f"before steps {self.first} … {self.first + steps - 1}"
        worst = float(np.max(self.unsettled, initial=0.0))
        return f"<CovariantVectors: {k} of {size}, {where}, unsettled by {worst:.0e} at most>"


def covariant_vectors(
    trajectory: Any,
    k: int | None = None,
    transient: int | None = None,
    settle: int | None = None,
    steps: int | None = None,
    every: int = 1,
    progress: Progress | None = None,
) -> CovariantVectors:
    """The k leading covariant Lyapunov vectors, before every step of a stretch of the run.

    trajectory: as for lyapunov_spectrum.
    k: how many, all S of them by default.
    transient: the steps before the stretch, in which a frame of vectors settles from a random start; a tenth of the
    run by default.
    settle: the steps after the stretch, from whose end the vectors settle going backwards; a tenth by default.
    steps: the length of the stretch, by default all that is left.  (A run over an iterator, whose length is not
    known, needs all three.)
    every: keep the vectors of every ``every``-th step only.
    progress: called with (steps done, steps in all) after every stretch of steps, going forward.

    F. Ginelli et al., Phys. Rev. Lett. 99, 130601 (2007): forward, a frame is pushed along the run and factored at
    each step, J Q = Q' R; backward, coefficients C ← R⁻¹ C with columns of length one, and the vectors are Q C.
    The vectors settle as exp(−gap · steps), gap being the distance to the next exponent.  J v is parallel to the
    next v within ε ‖J‖ / |J v|.  Memory is that of the result, and k × k numbers for every step of the stretch and
    of the settling after it.

    >>> import lstm_sym.flow as flow, numpy as np
    >>> found = flow.covariant_vectors(np.tile([[2.0, 1.0], [0.0, 0.5]], (1000, 1, 1)))
    >>> found.first, found.vectors.shape
    (100, (800, 2, 2))
    >>> np.abs(found.vectors[0].round(3))
    array([[1.   , 0.555],
           [0.   , 0.832]])
    >>> found.exponents.mean(axis=0).round(3)
    array([ 0.693, -0.693])

    Raises ValueError for k outside 1 … S, stretches that are negative, empty or longer than the run, and where a
    step leaves fewer than k directions, naming it; TypeError for numbers of another type.
    """
    trajectory = a_run(trajectory)
    size = trajectory.size
    count = size if k is None else checks.integer("k", k)
    if not 1 <= count <= size:
        raise ValueError(f"k = {count}: expected an integer from 1 to the state size S = {size}.")
    every = checks.integer("every", every)
    if every < 1:
        raise ValueError(f"every = {every}: expected an integer from 1.")
    before, length, after = _stretches(trajectory, transient, steps, settle)
    kept = -(-length // every)
    checks.fits("covariant_vectors", kept, *trajectory.batch, size, count)
    checks.fits("covariant_vectors", length + after, *trajectory.batch, count, count)
    with wide.quiet(size):
        question = chain(trajectory, "state", "state", "full", anchor="start")
        stretch = _Stretch(question, count, before, length, after, every)
        stretch.forward(progress)
        return stretch.backward()


def _stretches(run: Run, transient: Any, steps: Any, settle: Any) -> tuple[int, int, int]:
    """The lengths of the transient, the stretch and the settling, or an error saying what is expected."""
    names = ("transient", "steps", "settle")
    given = [
        None if value is None else checks.integer(name, value)
        for name, value in zip(names, (transient, steps, settle), strict=True)
    ]
    if run.once and None in given:
        missing = names[given.index(None)]
        raise ValueError(f"{missing} = None: the length of a run over an iterator is not known. Give all of it.")
    total = 0 if run.once else len(run)
    before = total // SHARE if given[0] is None else given[0]
    after = total // SHARE if given[2] is None else given[2]
    length = total - before - after if given[1] is None else given[1]
    for name, value, least in (("transient", before, 0), ("steps", length, 1), ("settle", after, 0)):
        if value < least:
            what = f"{name} = {value}" if given[names.index(name)] is not None else f"{value} steps are left"
            raise ValueError(f"{what}: expected at least {least}. The run has T = {total} steps.")
    if not run.once and before + length + after > total:
        parts = f"transient + steps + settle = {before} + {length} + {after}"
        raise ValueError(f"{parts}: expected at most T = {total}, the steps of the run.")
    return before, length, after


class _Stretch:
    """Forward, Q before the steps of the stretch and R of every step to the end; backward, Q C in place of Q."""

    def __init__(self, chain: Chain, count: int, before: int, length: int, after: int, every: int) -> None:
        self._chain, self._count, self._every = chain, count, every
        self._first, self._length, self._total = before, length, before + length + after
        self._vectors = np.empty((-(-length // every), *chain.batch, chain.size, count))
        self._triangles = np.empty((length + after, *chain.batch, count, count))
        self._other = np.empty((*chain.batch, chain.size, count))

    def forward(self, progress: Progress | None) -> None:
        """Push a frame to the end, and another through the transient, to see later how far they agree there."""
        Q, self._other = (_random_frame(self._chain, self._count, seed) for seed in range(2))
        done = 0
        for begin, stop in self._chain.windows(self._total):
            window = Window(self._chain, begin, stop, self._count)
            for place in range(len(window)):
                if done < self._first:
                    self._other, _ = pushed(window, place, self._other)
                else:
                    self._keep(done - self._first, Q)
                Q, R = pushed(window, place, Q)
                if done >= self._first:
                    self._triangles[done - self._first] = R
                done += 1
            if progress is not None:
                progress(done, self._total)
        if done < self._total:
            raise ValueError(f"transient + steps + settle = {self._total}: the run has only {done} steps.")

    def _keep(self, place: int, Q: Array) -> None:
        if place < self._length and place % self._every == 0:
            self._vectors[place // self._every] = Q

    def backward(self) -> CovariantVectors:
        """From two starts at the end, to see how far they agree after settling; then from one."""
        C = np.broadcast_to(_two_starts(self._count), (*self._chain.batch, self._count, 2 * self._count))
        for place in reversed(range(self._length, len(self._triangles))):
            C, _ = self._pulled(place, C)
        C, other = C[..., : self._count], C[..., self._count :]
        unsettled = np.linalg.norm(C - np.copysign(1.0, np.sum(C * other, axis=-2, keepdims=True)) * other, axis=-2)
        exponents = np.empty((self._length, *self._chain.batch, self._count))
        for place in reversed(range(self._length)):
            C, exponents[place] = self._pulled(place, C)
            if place % self._every == 0:
                kept = self._vectors[place // self._every]
                kept[...] = kept @ C
        unsettled = np.maximum(unsettled, _outside(self._other, self._vectors[0]))
        self._vectors *= signs_of(self._vectors[0])
        return CovariantVectors(self._vectors, exponents, self._first, self._every, unsettled)

    def _pulled(self, place: int, C: Array) -> tuple[Array, Array]:
        """R⁻¹ C with columns of length one, and the logs of what they grow by in the step, (..., columns)."""
        X = np.linalg.solve(self._triangles[place], C)
        largest = np.max(np.abs(X), axis=-2, keepdims=True)
        if not np.isfinite(largest).all():
            step = self._first + place
            raise ValueError(
                f"step {step} (from 0) shrinks one of the {self._count} directions to nothing. Lower k."
            )
        X = X / largest
        lengths = np.linalg.norm(X, axis=-2, keepdims=True)
        return X / lengths, -(np.log(lengths) + np.log(largest))[..., 0, :]


def pushed(window: Window, place: int, Q: Array) -> tuple[Array, Array]:
    """Q' (..., S, k) and R (..., k, k) of J Q = Q' R for the step at ``place``; ValueError if it loses a direction.

    Where sizes differ much the factorisation is the graded one, which keeps the digits of small rows and columns
    and tells exact dependence.
    """
    rows = np.ascontiguousarray(np.swapaxes(Q, -1, -2))
    new, R = np.linalg.qr(np.swapaxes(window.act(place, rows), -1, -2))
    least = np.min(np.abs(np.diagonal(R, axis1=-2, axis2=-1)), axis=-1)
    if np.all(GRADED * least >= np.max(np.abs(R), axis=(-2, -1))) and np.all(least > 0):
        return new, R
    frame, _, _ = advanced(start(Q), window.factors(place), _suspect(window, place), sort=False)
    assert frame.T is not None
    left = int(np.min(np.count_nonzero(frame.mantissa, axis=-1)))
    if left < Q.shape[-1]:
        raise ValueError(
            f"step {window.start + place} (from 0) is singular: it leaves {left} of the {Q.shape[-1]} directions"
            f" that are followed, and the others have no covariant vectors. Lower k to {left} or fewer."
            if left
            else f"step {window.start + place} (from 0) leaves none of the directions that are followed."
        )
    return frame.Q, wide.scale(frame.mantissa[..., None] * frame.T, frame.exponent[..., None])


def _suspect(window: Window, place: int) -> NDArray[np.bool_]:
    """Where the step may be singular: its closed form says so, or there is none."""
    step = window.start + place
    closed = log_determinants(window.chain.trajectory, step, step + 1)
    return np.ones(window.chain.batch, dtype=bool) if closed is None else np.asarray(np.isneginf(closed[0][0]))


def _random_frame(chain: Chain, count: int, seed: int) -> Array:
    """Haar distributed vectors, (..., S, k), of which the first are the same for every k."""
    Q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((chain.size, chain.size))[:, :count])
    return np.broadcast_to(Q, (*chain.batch, *Q.shape))


def _two_starts(count: int) -> Array:
    """The identity and a random upper triangular matrix with unit columns, side by side: (k, 2k)."""
    other = np.triu(np.random.default_rng(2).standard_normal((count, count)))
    return np.concatenate([np.eye(count), other / np.linalg.norm(other, axis=0)], axis=1)


def _outside(frame: Array, vectors: Array) -> Array:
    """The length of what each vector j has outside the span of the first j vectors of an orthonormal frame."""
    inside = np.triu(np.swapaxes(frame, -1, -2) @ vectors)
    return np.asarray(np.linalg.norm(vectors - frame @ inside, axis=-2))
