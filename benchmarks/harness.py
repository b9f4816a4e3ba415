"""Interleaved timing, worker processes pinned to their cores, and the printed table."""

from __future__ import annotations

import gc
import importlib
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

WORKS = (
    "jacobians",
    "lyapunov_full",
    "lyapunov_leading64",
    "lyapunov_leading8",
    "singular",
    "bptt",
    "scaling",
    "sweeps",
)

#: Seconds that one timing should last at least; a quicker call is repeated.
SHORTEST = 0.02
#: Seconds from which a call is timed in fewer rounds.
LONG = 5.0
#: Seconds that idle BLAS and OpenMP threads may go on spinning after a call, waited out if there are several.
SPIN = 0.2

Work = Callable[[], Any]
Record = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """What was asked for on the command line."""

    threads: int
    quick: bool = False
    long: bool = False


@dataclass(frozen=True)
class Contender:
    """Somebody's way of doing the work; ``work`` is None where it is not installed.

    floor: the least ratio, its time to ours, that we promise. read: its answer as an array to compare with the
    reference, None where it is another quantity.
    """

    name: str
    work: Work | None
    floor: float | None = None
    read: Callable[[Any], Any] | None = np.asarray


@dataclass(frozen=True)
class Bound:
    """The bare products or writes of the same work; ``within``: the multiple of them that ours promises."""

    name: str
    work: Work
    within: float | None = None


@dataclass(frozen=True)
class Case:
    """One comparison: our way first. ``error`` of an answer, and the most that ours promises."""

    title: str
    contenders: Sequence[Contender]
    error: Callable[[Any], float]
    promise: float | None = None
    bound: Bound | None = None

    def measure(self, options: Options) -> Record:
        """Every contender run to compare its answer, then all timed in turn, A B C A B C …"""
        errors = {c.name: float(self.error(c.read(c.work()))) for c in self.contenders if c.work and c.read}
        works = {c.name: c.work for c in self.contenders if c.work}
        if self.bound:
            works["bound"] = self.bound.work
        times = interleaved(works, options)
        ours = statistics.median(times[self.contenders[0].name])
        rows = []
        for c in self.contenders:
            timing = _timing(times[c.name], ours, c.floor, options) if c.work else {"missing": True}
            rows.append({"name": c.name, "error": errors.get(c.name), **timing})
        rows[0] |= {"promise": self.promise, "kept": self.promise is None or rows[0]["error"] <= self.promise}
        bound = {}
        if self.bound:
            least = self.bound.within and 1 / self.bound.within
            bound = {"name": self.bound.name, **_timing(times["bound"], ours, least, options)}
        return {"title": self.title, "rows": rows, "bound": bound}


def _timing(times: list[float], ours: float, floor: float | None, options: Options) -> Record:
    """Median, spread and ratio to ours, and whether the ratio keeps the floor, which is promised for one thread."""
    median = statistics.median(times)
    ratio, floor = median / ours, floor if options.threads == 1 else None
    found = {"seconds": median, "spread": (max(times) - min(times)) / median, "ratio": ratio, "times": times}
    return found | {"floor": floor, "kept": floor is None or ratio >= floor}


@dataclass(frozen=True)
class Growth:
    """Our time against one size: ``prepare`` makes the work of a given size."""

    title: str
    sizes: Sequence[int]
    prepare: Callable[[int], Work]

    def measure(self, options: Options) -> Record:
        """The time at every size, the least of up to three, and the slope of their logs."""
        times = [_least(self.prepare(size)) for size in self.sizes]
        slope = float(np.polyfit(np.log(self.sizes), np.log(times), 1)[0])
        last = float(np.log(times[-1] / times[-2]) / np.log(self.sizes[-1] / self.sizes[-2]))
        return {"title": self.title, "sizes": list(self.sizes), "times": times, "slope": slope, "last": last}


@dataclass(frozen=True)
class Single:
    """One run in a process of its own: ``work`` returns its seconds and its peak megabytes."""

    title: str
    work: Callable[[], tuple[float, float]]
    megabytes: float

    def measure(self, options: Options) -> Record:
        """What the run took, and whether its memory kept the promise."""
        seconds, peak = self.work()
        found = {"title": self.title, "seconds": seconds, "megabytes": peak}
        return found | {"most": self.megabytes, "kept": peak <= self.megabytes}


@dataclass(frozen=True)
class Number:
    """One number, and the most or the least that we promise."""

    title: str
    work: Callable[[], float]
    unit: str
    most: float | None = None
    least: float | None = None

    def measure(self, options: Options) -> Record:
        """The number, and whether it keeps the promise."""
        value = self.work()
        kept = (self.most is None or value <= self.most) and (self.least is None or value >= self.least)
        return {**{k: v for k, v in vars(self).items() if k != "work"}, "value": value, "kept": kept}


def optional(module: str, builder: str, *arguments: Any) -> Work | None:
    """A peer's work, or None where its library is not installed."""
    try:
        peers = importlib.import_module(f"benchmarks.{module}")
    except ImportError:
        return None
    work: Work = getattr(peers, builder)(*arguments)
    return work


def interleaved(works: dict[str, Work], options: Options) -> dict[str, list[float]]:
    """Seconds per call of each work, once a round, the rounds one after the other."""
    once = {name: timed(work, 1) for name, work in works.items()}
    calls = {name: max(1, math.ceil(SHORTEST / seconds)) for name, seconds in once.items()}
    rounds = 3 if options.quick or max(once.values()) > LONG else 7
    found: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            if options.threads > 1:
                time.sleep(SPIN)
            found[name].append(timed(work, calls[name]))
    return found


def timed(work: Work, calls: int) -> float:
    """Seconds per call; answers are dropped at once, and the collector of cycles stays out of it."""
    gc.collect()
    gc.disable()
    try:
        start = time.perf_counter()
        for _ in range(calls):
            work()
        return (time.perf_counter() - start) / calls
    finally:
        gc.enable()


def _least(work: Work) -> float:
    """The least of three timings, or the only one if it is long."""
    first = timed(work, 1)
    return first if first > 5 else min(first, timed(work, 1), timed(work, 1))


def products(*shapes: tuple[int, int, int], times: int = 1) -> Work:
    """``times`` rounds of matrix products (rows, inner) @ (inner, columns), one for each of ``shapes``."""
    random = np.random.default_rng(0)
    draw = random.standard_normal
    made = [(draw((a, b)), draw((b, c)), np.empty((a, c))) for a, b, c in shapes]

    def work() -> None:
        for _ in range(times):
            for A, B, out in made:
                np.matmul(A, B, out=out)

    return work


# --- processes -------------------------------------------------------------------------------------------------


def environment(threads: int) -> dict[str, str]:
    """The worker's environment: thread counts set, and BLAS left to choose its kernels by the processor."""
    kept = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    kept |= {f"{name}_NUM_THREADS": str(threads) for name in ("OMP", "OPENBLAS", "MKL")}
    if threads == 1:
        kept["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    return kept


def pin(threads: int) -> None:
    """Keep this process to as many cores as threads, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])


def worker(name: str, options: Options) -> Iterator[Record]:
    """The records of one work, measured in a process of its own, as they come."""
    command = [sys.executable, "-m", "benchmarks.worker", name, json.dumps(vars(options))]
    with subprocess.Popen(command, env=environment(options.threads), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            yield json.loads(line)
    if process.returncode:
        raise SystemExit(f"{name}: the worker ended with {process.returncode}.")


# --- text ------------------------------------------------------------------------------------------------------


def table(record: Record) -> str:
    """A record as the lines of the report."""
    if "rows" in record:
        lines = [_ours(record["rows"][0]), *map(_peer, record["rows"][1:])]
        lines += [_bound(record["bound"])] if record["bound"] else []
    elif "sizes" in record:
        pairs = zip(record["sizes"], record["times"], strict=True)
        lines = ["  ".join(f"{size:g}: {_seconds(time)}" for size, time in pairs)]
        lines.append(f"slope in log-log {record['slope']:.2f}, between the last two {record['last']:.2f}")
    elif "value" in record:
        promises = [f"at {end} {record[end]:g}" for end in ("most", "least") if record[end] is not None]
        lines = [f"{record['value']:.3g} {record['unit']} {_mark(record['kept'])} ({', '.join(promises)})"]
    else:
        peak = f"peak memory {record['megabytes']:.0f} MB {_mark(record['kept'])} (at most {record['most']:g} MB)"
        lines = [f"{_seconds(record['seconds'])}, {peak}"]
    return "\n".join([f"  {record['title']}", *(f"    {line.rstrip()}" for line in lines)])


def _ours(row: Record) -> str:
    promise = f" {_mark(row['kept'])} (at most {row['promise']:g})" if row["promise"] else ""
    return f"{_start(row)}{'':29} error {row['error']:.1e}{promise}"


def _peer(row: Record) -> str:
    if row.get("missing"):
        return f"{row['name']:<40} not installed"
    promise = f"{_mark(row['kept'])} (at least {row['floor']:g}x)" if row["floor"] else ""
    error = "" if row["error"] is None else f" error {row['error']:.1e}"
    return f"{_start(row)}  {row['ratio']:6.2f}x {promise:<19}{error}"


def _bound(row: Record) -> str:
    promise = f" {_mark(row['kept'])} (at most {1 / row['floor']:g}x)" if row["floor"] else ""
    return f"{_start(row | {'name': 'bound: ' + row['name']})}  ours takes {1 / row['ratio']:.2f}x of it{promise}"


def _start(row: Record) -> str:
    return f"{row['name']:<40} {_seconds(row['seconds']):>9}  ±{50 * row['spread']:3.0f} %"


def _mark(kept: bool) -> str:
    return "✓" if kept else "✗"


def _seconds(value: float) -> str:
    scale, unit = (1.0, "s") if value >= 1 else (1e3, "ms") if value >= 1e-3 else (1e6, "µs")
    return f"{value * scale:.3g} {unit}"
