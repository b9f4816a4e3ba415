"""Functions to sweep over, where worker processes can import them, and what tests of sweeps share."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np

CALLS: list[object] = []


def noisy(gain, n, *, rng, steps=4):
    return {"path": gain * rng.standard_normal(steps).cumsum(), "twice": 2 * n, "phase": np.exp(1j * gain)}


def draw(a, *, rng, b=0):
    return rng.random()


def square(a):
    return a * a


def counted(a, *, rng, k=1):
    CALLS.append(a)
    return k * a + rng.random()


def picky(a):
    CALLS.append(a)
    if a == 3:
        raise ValueError("three is not to my liking")
    if a == 5:
        raise SystemExit(1)
    return float(a)


def deadly(a, *, rng):
    if a == 4:
        os._exit(3)
    if a == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    if a == 9:
        raise ValueError("nine")
    return a + rng.random()


def shapes(a):
    return np.zeros(a)


def odd(what):
    return {
        "none": None,
        "text": "x",
        "object": [object()],
        "ragged": [[1], [1, 2]],
        "masked": np.ma.array([1.0], mask=True),
        "empty": {},
        "number": {1: 1.0},
        "underscore": {"_a": 1.0},
    }[what]


def threads(a):
    from threadpoolctl import threadpool_info

    np.linalg.svd(np.eye(3))
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    most = max((pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"), default=1)
    return {"blas": most, "variables": [os.environ.get(name) == "1" for name in names]}


def handler(a):
    return signal.getsignal(signal.SIGINT) is signal.default_int_handler


def nested(a):
    import lstm_sym as ls

    return ls.sweep(square, {"a": [1, 2, a]}, n_jobs=2)["value"]


def logged(a, *, rng):
    """Says in the file $SWEEP_LOG that it was called, by which process, and takes its time."""
    with Path(os.environ["SWEEP_LOG"]).open("a") as file:
        file.write(f"{a} {os.getpid()}\n")
    time.sleep(float(os.environ.get("SWEEP_PAUSE", "0.01")))
    if a % 10 == 7:
        raise ValueError(f"no {a}")
    return {"sum": rng.standard_normal(50).sum(), "draws": rng.random(3)}


def filling(a):
    """From a = 6 on, if $DISK_FULL says so, this process cannot write files of more than a few bytes."""
    if a == 6 and os.environ.get("DISK_FULL"):
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
    return np.full(1000, float(a))


def contents(folder: Path) -> dict[str, bytes]:
    """All files in a folder, by path."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
