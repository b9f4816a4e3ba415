"""The 8 leading Lyapunov exponents of an LSTM of 256 units: one long run, and 16 runs at once."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.harness import Case, Options
from benchmarks.lyapunov import case

INTERVALS = (1, 4, 16, 64)


def cases(options: Options) -> Iterator[Case]:
    """T = 5000, and T = 1000 for a batch."""
    divide = 10 if options.quick else 1
    yield case(256, 5000 // divide, 8, 1e-8, 0.7, INTERVALS)
    yield case(256, 1000 // divide, 8, 1e-8, 1.5, INTERVALS, batch=(16,))
