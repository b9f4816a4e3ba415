"""Processes that work for a sweep: one BLAS thread each, deaf to Ctrl-C, gone when the sweep's process is."""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import types
import warnings
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import wait
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

#: Variables by which libraries choose their number of threads, read when they are loaded.
THREADS = [f"{name}_NUM_THREADS" for name in ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR", "VECLIB")]
#: Packages with native threads of their own.
_UNSAFE = frozenset({"torch", "tensorflow", "jax", "numba", "grpc"})

#: The thread by which a worker notices that the sweep's process is gone.
_WATCH = "lstm_sym: ends with its parent"
#: While a worker is started, this process is not quite itself: one at a time.
_starting = threading.Lock()


class _Spawned(SpawnProcess):
    """A fresh interpreter that loads its libraries with one thread and does not run the main script again."""

    def start(self) -> None:
        with _starting, _environment(dict.fromkeys(THREADS, "1")), _without_main():
            super().start()


class _Spawn(SpawnContext):
    Process = _Spawned


if sys.platform != "win32":
    from multiprocessing.context import ForkContext, ForkProcess

    class _Forked(ForkProcess):
        """A copy of this process; Python's warning about copies of processes with threads is not for the user."""

        def start(self) -> None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                super().start()

    class _Fork(ForkContext):
        Process = _Forked


class PoolError(ChildProcessError):
    """Workers that do not start."""


@contextmanager
def pool(workers: int, function: bytes, fresh: bool) -> Iterator[ProcessPoolExecutor]:
    """A pool whose workers have loaded the pickled ``function``; when its block is left, they end at once.

    fresh: new interpreters, else copies of this process.
    """
    executor = ProcessPoolExecutor(workers, _context(fresh), _prepare)
    try:
        try:
            ready = [executor.submit(_load, function) for _ in range(workers)]
            trouble = ready[0].result()
        except BrokenExecutor:
            trouble = "they ended at once"
        if trouble:
            raise PoolError(f"the worker processes could not start: {trouble}.")
        yield executor
    finally:  # they have nothing to lose, and to end in good order would take them a while
        for process in list((getattr(executor, "_processes", None) or {}).values()):
            process.kill()
        executor.shutdown(wait=True, cancel_futures=True)


def can_fork() -> bool:
    """Whether this system has fork."""
    return "fork" in multiprocessing.get_all_start_methods()


def copies_are_safe() -> bool:
    """Whether a copy of this process will do, which is at work at once: a fresh interpreter takes half a second.

    It will where no other thread may hold a lock that the copy would wait for: none of Python's, and natively those
    of an OpenBLAS of pthreads alone, which sees to forks itself and can be held to one thread.
    """
    if sys.platform != "linux" or threading.active_count() > 1 or not _UNSAFE.isdisjoint(sys.modules):
        return False
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return False
    known = {("openblas", "pthreads"), ("openblas", "disabled")}
    return {(pool.get("internal_api"), pool.get("threading_layer")) for pool in threadpool_info()} <= known


def _context(fresh: bool) -> Any:
    return _Spawn() if fresh else _Fork()


def is_worker() -> bool:
    """Whether this process is such a worker."""
    return any(thread.name == _WATCH for thread in threading.enumerate())


def _prepare() -> None:
    """In a worker, first of all."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.set_threshold(50_000)  # libraries are loaded a sixth faster: what they consist of is no garbage
    threading.Thread(target=_end_with_parent, name=_WATCH, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _load(function: bytes) -> str:
    """Why ``function`` cannot be loaded here; nothing if it can."""
    try:
        pickle.loads(function)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _without_main() -> Iterator[None]:
    """A new interpreter would run the main script again, to have what is defined there; nothing of it is needed."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
