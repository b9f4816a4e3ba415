"""All log singular values of the product of all state Jacobians of an LSTM.

Beside it stands our own Lyapunov spectrum of the same run, another quantity: the singular values are to take at
most twice its time. The bound is the products of both factors of the graded factorisation, folded weights with the
frame and a triangular with a full matrix, at every step. Error: the largest difference of a log, in nats, from an
independent graded factorisation in long double.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import lstm_sym as ls
from benchmarks import references
from benchmarks.harness import Bound, Case, Contender, Options, products
from benchmarks.problems import lstm


def cases(options: Options) -> Iterator[Case]:
    """n = 64, T = 2000."""
    n, steps = 64, 200 if options.quick else 2000
    problem = lstm(n, steps)
    orbit = problem.orbit
    reference = references.kept(references.singular_logs, problem.parameters, problem.inputs, along=problem.before)
    yield Case(
        f"n = {n}, T = {steps}, all {2 * n} log singular values",
        [
            Contender("ours", lambda: ls.singular_spectrum(orbit, "state", "state", steps)),
            Contender("our Lyapunov spectrum", lambda: ls.lyapunov_spectrum(orbit), floor=0.5, read=None),
        ],
        error=lambda found: np.abs(found - reference).max(),
        promise=1e-7,
        bound=Bound("products of both factors", products((2 * n, n, 2 * n), (2 * n, 2 * n, 2 * n), times=steps)),
    )
