"""What a sweep costs beside the points' own work, and what a second worker brings.

The overhead of a point that does nothing: here, with two workers, and with a folder that keeps it.  A phase diagram
of 200 LSTMs with one worker and with two, in turn, the least time of each (with ``--threads 2``, which leaves two
cores).  100,000 points with a folder: time and peak memory, and the same of going on from there, in processes of
their own.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import lstm_sym as ls
from benchmarks.harness import Number, Options, Single

MEGABYTES = 500.0


def cases(options: Options) -> Iterator[Number | Single]:
    """The single runs first: a new process reports at least the memory that its parent had."""
    many = 10_000 if options.quick else 100_000
    if options.threads == 1:
        with tempfile.TemporaryDirectory() as folder:
            yield Single(f"{many:,} points with a folder", lambda: apart(many, folder), MEGABYTES)
            yield Single(f"{many:,} points, all finished before", lambda: apart(many, folder), MEGABYTES)
        yield Number("overhead of a point", lambda: overhead(many, 1), "ms", most=0.3)
        yield Number("overhead of a point that is kept", lambda: kept(many // 10), "ms", most=5.0)
        return
    yield Number("overhead of a point, two workers", lambda: overhead(many, 2), "ms", most=5.0)
    steps, rounds = (100, 1) if options.quick else (5000, 2)
    yield Number("200 LSTMs (n = 64), two workers against one", lambda: gain(steps, rounds), "x", least=1.8)


def nothing(a: int) -> int:
    """A point without work."""
    return a


def exponent(gain: float, b_f: float, *, rng: np.random.Generator, hidden: int, steps: int) -> float:
    """The leading exponent of an LSTM."""
    kernel = ls.Kernel(ls.LSTM)
    p = kernel.parameters(hidden, 1, rng=rng, gain=gain, b_f=b_f)
    orbit = ls.run(kernel, p, steps, initial=rng.standard_normal(2 * hidden))
    return float(ls.lyapunov_spectrum(orbit, k=1, transient=steps // 5)[0])


def overhead(points: int, workers: int, folder: str | None = None) -> float:
    """Milliseconds a point from the first that is finished, when the workers have started, to the last."""
    times = []
    grid = {"a": list(range(points))}
    ls.sweep(nothing, grid, n_jobs=workers, folder=folder, progress=lambda *_: times.append(time.perf_counter()))
    return 1e3 * (times[-1] - times[0]) / (points - 1)


def kept(points: int) -> float:
    """The same with a folder."""
    with tempfile.TemporaryDirectory() as folder:
        return overhead(points, 1, folder)


def gain(steps: int, rounds: int) -> float:
    """The least time of 200 exponents with one worker process, over that with two; numbers are the same."""
    grid = {"gain": np.linspace(0.5, 5, 20).tolist(), "b_f": np.linspace(-1, 4, 10).tolist()}
    times: dict[int, list[float]] = {1: [], 2: []}
    found = {}
    for workers in (1, 2) * rounds:
        start = time.perf_counter()
        constants = {"hidden": 64, "steps": steps}
        found[workers] = ls.sweep(exponent, grid, constants=constants, n_jobs=workers, progress=False)["value"]
        times[workers].append(time.perf_counter() - start)
    assert np.array_equal(found[1], found[2])
    return min(times[1]) / min(times[2])


def apart(points: int, folder: str) -> tuple[float, float]:
    """``many`` in a new process: (seconds, peak megabytes)."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(many, (points, folder))


def many(points: int, folder: str) -> tuple[float, float]:
    """A sweep of so many points that do nothing: (seconds, peak megabytes)."""
    start = time.perf_counter()
    ls.sweep(nothing, {"a": list(range(points))}, folder=Path(folder) / "sweep", progress=False)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return seconds, peak / 2**20 if sys.platform == "darwin" else peak / 1024
