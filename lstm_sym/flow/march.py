"""A frame of vectors marched along a chain of factors, triangularised again as often as its growth demands.

A step applies the tangent map to the frame as it is.  Now and then the frame F is factored, F = (P L) U, by LU
with row pivoting: P L, whose entries are at most 1, goes on, and |u_jj| is what vector j has grown beyond those
before it.  The products of the u_jj, completed by one QR of P L at the end, are in exact arithmetic those of a
QR at every step.  LU with row pivoting costs a fifth of Householder QR at 256×256.

Rounding reaches u_jj as ε max|F| / |u_jj|.  This is known at every factorisation: it is added to the error
estimate, it gives the longest interval whose predicted error the accuracy allows, and a frame that turned out
worse is thrown away and taken again in shorter intervals.  Steps that not even a factorisation of their own
resolves, singular and saturated ones, are left to the graded factorisation of ``frames``.
"""

from __future__ import annotations

import math
import time
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_sym.flow import wide
from lstm_sym.flow.chains import Chain
from lstm_sym.flow.determinants import Determinants
from lstm_sym.flow.frames import Frame, advanced
from lstm_sym.flow.planning import LONGEST, Budget, Plan
from lstm_sym.flow.results import Certificate
from lstm_sym.flow.system import Array
from lstm_sym.flow.triangles import Triangle, Triangles
from lstm_sym.flow.wide import Integers
from lstm_sym.flow.windows import Window

#: What rounding does to a u_jj, in units of ε max|F|: so much that the estimates are about the largest errors seen.
ROUNDING = 64.0
#: The relative error from which on a single step is left to the graded factorisation.
HARD = 1e-9
#: A coupling below 2^−50 of what it is added to does not matter.
NEGLIGIBLE = -50
#: Binary orders that the magnitudes of vectors coupled in one matrix product may span.
DOUBLES = 1600


class March:
    """The growing product F · diag(μ) · T, F the frame (..., S, r) and μ = mantissa × 2^exponent, of either sign.

    coupled=False: T is not kept, and the vectors keep their order.  ``steps`` is how many were taken,
    ``factorizations`` and ``flops`` what they have cost.
    """

    def __init__(self, chain: Chain, basis: Array, budget: Budget, coupled: bool, dtype: Any = np.float64) -> None:
        rows = np.swapaxes(np.broadcast_to(basis, (*chain.batch, *basis.shape[-2:])), -1, -2)
        shape = rows.shape[:-1]
        self.mantissa, self.exponent = np.ones(shape), np.zeros(shape, dtype=np.int64)
        self.T = np.array(np.broadcast_to(np.eye(shape[-1]), (*shape, shape[-1]))) if coupled else None
        self.factorizations, self.flops, self.steps = 0, 0.0, 0
        self._chain, self._budget = chain, budget
        self._rounding = ROUNDING * float(np.finfo(dtype).eps)
        self._growth, self._alive = np.zeros(shape), True
        self._plan = Plan(budget, self._rounding)
        self._start_with(np.array(rows, dtype=dtype, order="C"))

    def _start_with(self, rows: Array) -> None:
        """Go on from these rows, with room for their images."""
        self.rows, self._spare = rows, [np.empty_like(rows), np.empty_like(rows)]
        self._triangles = Triangles(rows.shape, rows.dtype, self.T is not None)

    @property
    def width(self) -> int:
        """The number of vectors that are not lost in every member of the batch."""
        return int(self.rows.shape[-2])

    @property
    def frame(self) -> Frame:
        """The product so far; its Q is not orthonormal."""
        return Frame(np.swapaxes(self.rows, -1, -2).astype(np.float64), self.mantissa, self.exponent, self.T)

    def certificate(
        self, determinants: Determinants, accuracy: float, started: float, work: int = 0, per: int = 1
    ) -> Certificate:
        """The certificate of the spectrum whose logs were divided by ``per``; ``work`` more factorisations."""
        return Certificate(
            determinants.gap,
            determinants.at,
            determinants.closed_form and determinants.gap is not None,
            self.factorizations + work,
            self.steps,
            max(math.sqrt(self._budget.spent), determinants.gap or 0.0) / per,
            accuracy,
            time.perf_counter() - started,
            self.flops,
        )

    def reset(self, Q: Array, budget: Budget) -> None:
        """Go on from the vectors Q (..., S, r) at length one, with a new budget; those lost stay so."""
        ones = np.where(self.mantissa != 0, 1.0, 0.0)
        self.restart(Frame(Q, ones, np.zeros_like(self.exponent), self.T))
        self._budget, self._plan = budget, self._plan.within(budget)

    def restart(self, frame: Frame) -> None:
        """Go on from ``frame``; vectors that are lost are dropped, where they are so in the whole batch."""
        live = frame.mantissa != 0
        kept = int(live.sum(axis=-1).max()) if live.size else live.shape[-1]
        first = np.argsort(~live, axis=-1, kind="stable")[..., :kept]
        self.mantissa = np.take_along_axis(frame.mantissa, first, axis=-1)
        self.exponent = np.take_along_axis(frame.exponent, first, axis=-1)
        self.T = None if frame.T is None else np.take_along_axis(frame.T, first[..., None], axis=-2)
        self._alive = bool(self.mantissa.all())
        rows = np.take_along_axis(np.swapaxes(frame.Q, -1, -2), first[..., None], axis=-2)
        self._start_with(np.array(rows, dtype=self.rows.dtype, order="C"))

    def advance(self, window: Window, first: int, last: int, determinants: Determinants) -> None:
        """Take the factors ``first`` … ``last`` − 1 of the window; the frame is triangular again at the end."""
        place = counted = first
        while place < last and self.width:
            strain = determinants.strain(window, place, min(last, place + LONGEST))
            length = self._plan.interval(last - place, strain)
            singular = determinants.singular(window, place, place + length)
            if singular and length > 1:
                self._plan.failed(length)
                continue
            taken = self._stride(window, place, length, strain) if self._ordinary and not singular else 0
            if not taken and length > 2:
                self._plan.failed(length)
            elif not taken:
                determinants.add(window, counted, place)
                self._graded_step(window, place, determinants)
                taken, counted = 1, place + 1
            place += taken
        determinants.add(window, counted, last)
        self.steps += last - place

    @property
    def _ordinary(self) -> bool:
        """Whether no vector is lost in one member of a batch and alive in another."""
        return self._chain.units is None and self._alive

    def _stride(self, window: Window, place: int, length: int, strain: list[float]) -> int:
        """Several steps and one factorisation; returns how many, 0 if none could be done and nothing has changed.

        Where the error would be too large after ``length`` steps, the frame as it was a step before is tried.
        """
        images = [self.rows]
        for step in range(length):
            images.append(window.act(place + step, images[-1], self._spare[step % 2]))
        self.flops += length * window.flops(self.width)
        for done in (length, length - 1):
            if done and self._factored(images[done], done, strain[done - 1] if strain else 0.0):
                return done
        return 0

    def _factored(self, image: Array, length: int, strain: float) -> bool:
        """Factor the image after ``length`` steps, and make it the frame if its error is small enough."""
        order = self._sorting()
        if order is not None:
            image[...] = np.take_along_axis(image, order[..., None], axis=-2)
        self.factorizations += math.prod(self._chain.batch)
        self.flops += image.size * (self.width - self.width**2 / (3 * image.shape[-1]))
        triangle = self._triangles.factor(image)
        if triangle is None:
            return False
        worst = self._rounding * float(triangle.spread.max(initial=0.0))
        if not worst <= max(self._budget.allowed(length), HARD if length == 1 else 0.0):
            return False
        if order is not None:
            self._reorder(order)
        self._absorb(triangle)
        self.steps += length
        self.rows, self._spare = image, [self.rows, *(spare for spare in self._spare if spare is not image)]
        self._spend(worst, length, triangle.diagonal)
        self._plan.learn(worst, length, strain)
        return True

    def _spend(self, error: float, length: int, growth: Array) -> None:
        """Account for a factorisation; it is a repetition where every μ grew just as it did the last time."""
        before, self._growth = self._growth, growth
        repeated = before.shape == growth.shape and bool((np.abs(growth - before) <= 1e-6 * np.abs(growth)).all())
        self._budget.spend(error, length, repeated)

    def _sorting(self) -> NDArray[np.intp] | None:
        """The order of the vectors by magnitude, or None if no two neighbours are out of it by a factor of four."""
        if self.T is None or (self.exponent[..., 1:] - self.exponent[..., :-1] <= 1).all():
            return None
        return np.argsort(-self.exponent, axis=-1, kind="stable")

    def _reorder(self, order: NDArray[np.intp]) -> None:
        self.mantissa = np.take_along_axis(self.mantissa, order, axis=-1)
        self.exponent = np.take_along_axis(self.exponent, order, axis=-1)
        assert self.T is not None
        self.T = np.take_along_axis(self.T, order[..., None], axis=-2)

    def _absorb(self, triangle: Triangle) -> None:
        """μ ← μ u_jj and, where T is kept, T ← (U_ij μ_j / (u_ii μ_i)) T."""
        if self.T is not None:
            assert triangle.upper is not None
            for member in np.ndindex(*self._chain.batch):
                parts = (triangle.diagonal[member], triangle.spread[member], triangle.upper[member])
                self.flops += couple(self.T[member], parts, self.mantissa[member], self.exponent[member])
        self.mantissa, carry = wide.split(self.mantissa * triangle.diagonal)
        self.exponent = self.exponent + carry

    def _graded_step(self, window: Window, place: int, determinants: Determinants) -> None:
        """One step by the factorisation that takes sizes out first and tells exact dependence."""
        suspect = determinants.suspect(window, place)
        frame, count, lost = advanced(self.frame, window.factors(place), suspect, sort=self.T is not None)
        determinants.add(window, place, place + 1, lost)
        self.factorizations += count
        self.restart(frame)
        self.steps += 1
        self._spend(self._rounding, 1, np.zeros(0))


def couple(T: Array, triangle: tuple[Array, Array, Array], mantissa: Array, exponent: Integers) -> float:
    """T ← (U_ij μ_j / (u_ii μ_i)) T in place, triangle = (u_jj, spread, Uᵀ); the flops it took.

    A coupling between magnitudes so far apart that it does not matter is left out.
    """
    diagonal, spread, upper = triangle
    least = exponent + NEGLIGIBLE - np.log2(spread)
    below = np.maximum.accumulate(exponent[::-1])[::-1]
    beyond = np.searchsorted(-below, -least, side="right")
    rows = np.flatnonzero(beyond > np.arange(1, len(T) + 1))
    if not len(rows):
        return 0.0
    lowest = np.minimum.accumulate(exponent)[beyond[rows] - 1]
    mask, flops, place = _strictly_lower(len(T)), 0, 0
    while place < len(rows):
        first = int(rows[place])
        together = place + max(1, int(np.searchsorted(-lowest[place:], DOUBLES - exponent[first], side="right")))
        chosen = slice(first, int(rows[together - 1]) + 1)
        reached = slice(first, int(beyond[rows[place:together]].max()))
        magnitude = mantissa[reached] * np.exp2(
            np.maximum(exponent[reached] - exponent[first], -DOUBLES) + DOUBLES / 2
        )
        C = upper[reached, chosen] * mask[reached, chosen]
        C *= magnitude[:, None]
        C *= 1.0 / (diagonal[chosen] * magnitude[: C.shape[1]])
        T[chosen] += C.T @ T[reached]
        flops += 2 * C.size * T.shape[1]
        place = together
    return float(flops)


@lru_cache(maxsize=8)
def _strictly_lower(size: int) -> Array:
    """Ones below the diagonal."""
    return np.tril(np.ones((size, size)), -1)
