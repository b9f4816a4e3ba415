"""The 64 leading Lyapunov exponents of an LSTM of 256 units."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.harness import Case, Options
from benchmarks.lyapunov import case

INTERVALS = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64)


def cases(options: Options) -> Iterator[Case]:
    """n = 256, T = 1000."""
    yield case(256, 100 if options.quick else 1000, 64, 1e-8, 1.5, INTERVALS)
