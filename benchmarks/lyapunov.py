"""What the comparisons of Lyapunov spectra share.

Both sides get the finished run and the same start frame. JAX pushes the frame and factorises it every so many
steps: the most for which its own error stays within ``SLACK`` times the accuracy asked for, found before timing,
for both ways of pushing (the gates' weights folded into one matrix first, or one product with all of them).
The bound is the product of the folded weights (2n, n) with the frame's upper half (n, k) at every step. Error: the
largest difference of an exponent from long double, in nats per step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import lstm_sym as ls
from benchmarks import references
from benchmarks.harness import Bound, Case, Contender, Work, optional, products, timed
from benchmarks.problems import Problem, frame, lstm

SLACK = 4.0
VARIANTS = ("folded", "stacked")
#: Of a batch of runs, how many are compared with the reference.
CHECKED = 2


def case(
    n: int,
    steps: int,
    k: int,
    accuracy: float,
    floor: float,
    intervals: Sequence[int],
    batch: tuple[int, ...] = (),
) -> Case:
    """The k leading exponents of an LSTM of n units over ``steps`` steps; JAX tries ``intervals``, ascending."""
    problem, Q = lstm(n, steps, batch), frame(2 * n, k)
    reference = _reference(problem, Q)

    def error(found: Any) -> float:
        return float(np.abs((found[: len(reference)] if batch else found) - reference).max())

    runs = int(np.prod(batch))
    several = f"{runs} runs, " if batch else ""
    return Case(
        f"n = {n}, {several}T = {steps}, {k} exponents to {accuracy:g}",
        [
            Contender("ours", lambda: ls.lyapunov_spectrum(problem.orbit, k=k, frame=Q, accuracy=accuracy)),
            _jax(problem, Q, intervals, lambda found: error(np.asarray(found)) <= SLACK * accuracy, floor),
        ],
        error,
        promise=accuracy,
        bound=Bound("products of weights and frame", products((2 * n, n, k), times=steps * runs)),
    )


def _jax(
    problem: Problem, Q: Any, intervals: Sequence[int], good: Callable[[Any], bool], floor: float
) -> Contender:
    """JAX at its best: each variant at the longest interval that is good enough, and of those the quickest."""
    found: dict[str, Work] = {}
    names: dict[str, str] = {}
    for variant in VARIANTS:
        for interval in intervals:
            p, x, before = problem.parameters, problem.inputs, problem.before
            work = optional("peers_jax", "lyapunov", p, x, before, Q, interval, variant)
            if work is None:
                return Contender("jax", None)
            if interval > intervals[0] and not good(work()):
                break
            found[variant] = work
            names[variant] = f"jax, {variant}, QR every {f'{interval} steps' if interval > 1 else 'step'}"
    seconds = {variant: min(timed(work, 1), timed(work, 1)) for variant, work in found.items()}
    quickest = min(seconds, key=seconds.__getitem__)
    return Contender(names[quickest], found[quickest], floor)


def _reference(problem: Problem, Q: Any) -> Any:
    """The exponents in long double; of a batch, those of the first few runs."""
    p, x, before = problem.parameters, problem.inputs, problem.before
    if before.ndim == 2:
        return references.kept(references.exponents, p, x, Q, along=before)
    runs = [
        references.kept(references.exponents, p, x[:, run], Q, along=before[:, run])
        for run in range(min(CHECKED, before.shape[1]))
    ]
    return np.stack(runs)
