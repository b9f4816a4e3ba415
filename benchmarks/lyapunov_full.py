"""The full Lyapunov spectrum of an LSTM, to the accuracies 1e-8 and 1e-10."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.harness import Case, Options
from benchmarks.lyapunov import case

INTERVALS = (1, 2, 3, 4, 5)


def cases(options: Options) -> Iterator[Case]:
    """n = 128 at both accuracies, n = 32 at the first."""
    steps = 50 if options.quick else 500
    yield case(128, steps, 256, 1e-8, 1.8, INTERVALS)
    yield case(128, steps, 256, 1e-10, 2.5, INTERVALS)
    yield case(32, steps, 64, 1e-8, 0.8, INTERVALS)
