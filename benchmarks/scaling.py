"""How our cost grows with the length of the run, the size of the network and the number of exponents.

With ``--long``, also a run of a million steps whose inputs lie in a file that is mapped into memory: time and peak
memory of running it and of its leading exponents, in a process of its own.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import lstm_sym as ls
from benchmarks.harness import Growth, Options, Single
from benchmarks.problems import INPUTS, lstm

CHUNK = 10_000


def cases(options: Options) -> Iterator[Growth | Single]:
    """The single run first: a new process reports at least the memory that its parent had."""
    if options.long:
        steps = 100_000 if options.quick else 1_000_000
        yield Single(f"n = 64, T = {steps:,}, 8 exponents, inputs in a file", lambda: apart(64, steps, 8), 500.0)
    lengths = (1_000, 3_000, 10_000) if options.quick else (1_000, 10_000, 100_000, 1_000_000)
    sizes = (16, 32, 64, 128) if options.quick else (16, 32, 64, 128, 256, 512)
    counts = (1, 4, 16, 64) if options.quick else (1, 2, 4, 8, 16, 32, 64, 128, 256)
    yield Growth("T, for n = 16 and 2 exponents", lengths, lambda steps: _exponents(16, steps, 2))
    yield Growth("n, for T = 500 and 8 exponents", sizes, lambda n: _exponents(n, 500, 8))
    yield Growth("k, the number of exponents, for n = 128 and T = 200", counts, lambda k: _exponents(128, 200, k))


def _exponents(n: int, steps: int, k: int) -> Callable[[], Any]:
    orbit = lstm(n, steps).orbit
    return lambda: ls.lyapunov_spectrum(orbit, k=k)


def apart(n: int, steps: int, k: int) -> tuple[float, float]:
    """``long_run`` in a new process: (seconds, peak megabytes)."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "inputs.npy"
        write_inputs(file, steps)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            return pool.apply(long_run, (file, n, k))


def write_inputs(file: Path, steps: int) -> None:
    """Standard normal inputs (steps, INPUTS), written a chunk at a time."""
    rng = np.random.default_rng(1)
    inputs = np.lib.format.open_memmap(file, mode="w+", dtype=np.float64, shape=(steps, INPUTS))
    for start in range(0, steps, CHUNK):
        inputs[start : start + CHUNK] = rng.standard_normal((min(CHUNK, steps - start), INPUTS))
    inputs.flush()


def long_run(file: Path, n: int, k: int) -> tuple[float, float]:
    """Run over the inputs of ``file`` and take k exponents: (seconds, peak megabytes)."""
    kernel = ls.Kernel(ls.LSTM)
    parameters = kernel.parameters(n, INPUTS, rng=0)
    start = time.perf_counter()
    ls.lyapunov_spectrum(ls.run(kernel, parameters, np.load(file, mmap_mode="r")), k=k)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return seconds, peak / 2**20 if sys.platform == "darwin" else peak / 1024
