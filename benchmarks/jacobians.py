"""All dense state Jacobians (T, 2n, 2n) of an LSTM along known states.

Peers differentiate the step in forward mode, mapped over time; the same formula written by hand in JAX stands
beside them. The bound is filling a fresh array of the answer's shape. Error: the largest difference from long
double, over a few steps.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks import references
from benchmarks.harness import Bound, Case, Contender, Options, optional
from benchmarks.problems import lstm


def cases(options: Options) -> Iterator[Case]:
    """n = 128 and 256 at T = 200, n = 32 at T = 1000."""
    divide = 5 if options.quick else 1
    yield _case(128, 200 // divide, floor=8.0, within=4.0)
    yield _case(256, 200 // divide, floor=8.0, within=4.0)
    yield _case(32, 1000 // divide, floor=0.8, within=None)


def _case(n: int, steps: int, floor: float, within: float | None) -> Case:
    problem = lstm(n, steps)
    p, x, before, kernel = problem.parameters, problem.inputs, problem.before, problem.kernel
    bound = kernel.bind(p)
    some = [0, steps // 2, steps - 1]
    reference = references.kept(references.jacobians, p, x[some], along=before[some])
    return Case(
        f"n = {n}, T = {steps}",
        [
            Contender("ours", lambda: kernel.jacobian(bound, x, before)),
            Contender("jax vmap(jacfwd)", optional("peers_jax", "jacobians", p, x, before), floor),
            Contender("jax, formula by hand", optional("peers_jax", "jacobians_by_hand", p, x, before)),
            Contender("torch vmap(jacfwd)", optional("peers_torch", "jacobians", p, x, before), floor),
        ],
        error=lambda found: np.abs(found[some] - reference).max(),
        bound=Bound("filling the array", lambda: np.full((steps, 2 * n, 2 * n), 1.0), within),
    )
