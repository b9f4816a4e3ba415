"""Where the points of a sweep are computed: in this process, by processes of our own, or by an executor."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from lstm_sym import checks
from lstm_sym.sweeps import dispatching, functions, pools
from lstm_sym.sweeps.dispatching import Receive
from lstm_sym.sweeps.evaluating import Call, Item, one_thread

MOST_WORKERS = 1024

#: Called with (call, items, how many, receiver).
Way = Callable[[Call, Iterator[Item], int, Receive], None]


def a_way(function: Callable[..., Any], n_jobs: Any, executor: Any) -> Way:
    """How the points are computed: here, by processes of our own, or by an executor."""
    workers = checks.integer("n_jobs", n_jobs)
    if not 1 <= workers <= MOST_WORKERS:
        here = f"this machine has {os.cpu_count()} cores"
        raise ValueError(f"n_jobs = {workers}: expected an integer from 1 to {MOST_WORKERS} ({here}).")
    if executor is not None:
        if workers != 1:
            raise ValueError("n_jobs and executor are both given: expected one of them.")
        if not callable(getattr(executor, "submit", None)):
            raise TypeError(f"executor = {executor!r}: expected a concurrent.futures.Executor.")
        if isinstance(executor, ProcessPoolExecutor):
            functions.must_travel(function)
        return partial(_at_executor, executor)
    if workers == 1 or pools.is_worker():
        return dispatching.here
    pickled, importable = functions.must_travel(function), functions.importable(function)
    if not importable and not pools.can_fork():
        raise ValueError(
            f"{functions.named(function)} is defined where new processes cannot import it, and this system has "
            "no fork: define it in a module, or use n_jobs=1."
        )
    return partial(_at_workers, workers, pickled, importable and not pools.copies_are_safe())


def _at_workers(
    workers: int,
    pickled: bytes,
    fresh: bool,
    call: Call,
    items: Iterator[Item],
    total: int,
    receive: Receive,
) -> None:
    def pool(count: int) -> AbstractContextManager[Executor]:
        return pools.pool(count, pickled, fresh)

    dispatching.at_workers(call, items, total, min(workers, total), pool, receive)


def _at_executor(executor: Executor, call: Call, items: Iterator[Item], total: int, receive: Receive) -> None:
    workers = dispatching.workers_of(executor)
    ahead = dispatching.AHEAD if workers is None else dispatching.AHEAD_EACH * workers
    try:
        with one_thread():  # for threads of this process; set by one of them it may not take effect
            dispatching.there(call, dispatching.Batches(items, total, workers or 1), executor, ahead, receive)
    except dispatching.Broken:
        raise BrokenExecutor(
            "the executor's workers have died. What is finished in a folder is kept; n_jobs= starts new ones, and "
            "finds the point that does it."
        ) from None
