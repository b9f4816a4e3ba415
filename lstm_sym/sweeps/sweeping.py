"""``sweep``: one function at every point of a grid."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

from lstm_sym import checks
from lstm_sym.flow.system import Progress
from lstm_sym.progress import step_progress
from lstm_sym.sweeps import dispatching, functions, pools
from lstm_sym.sweeps.collecting import MISSING, Collection
from lstm_sym.sweeps.evaluating import Call, Item, Outcome, one_thread
from lstm_sym.sweeps.folders import GRID, RESULTS, Folder, as_text
from lstm_sym.sweeps.grids import a_grid, constants_of
from lstm_sym.sweeps.identities import keys
from lstm_sym.sweeps.results import SweepResult, a_result, load
from lstm_sym.sweeps.settings import Settings

logger = logging.getLogger(__name__)

MOST_WORKERS = 1024


def sweep(
    function: Callable[..., Any],
    grid: Mapping[str, Sequence[Any]],
    *,
    seeds: int = 1,
    seed: int = 0,
    constants: Mapping[str, Any] | None = None,
    paired: bool = False,
    n_jobs: int = 1,
    executor: Executor | None = None,
    folder: str | os.PathLike[str] | None = None,
    version: str = "",
    retry: bool = False,
    progress: bool | Progress = True,
) -> SweepResult:
    """``function`` at every point of ``grid``, ``seeds`` times each, as arrays with named axes.

    function: is called with the grid's names, the constants, and ``rng`` if it has that argument: a NumPy Generator
    that depends on ``seed``, the other arguments and the replicate alone; with ``paired`` on seed and replicate
    (common random numbers).  It returns a number, an array, or a mapping from names to these, alike at all points.
    grid: by name, a sequence of numbers or of strings.  constants: by name, numbers, strings or lists of them.
    n_jobs: worker processes, with one BLAS thread each; 1: this process.  executor: any other one, instead.
    folder: keeps every finished point.  Interrupted, killed or extended, the sweep goes on from there and ends with
    the same bytes.  Points are the same if function, arguments, seed and code are: this package's, the function's
    module's, the versions of NumPy, SciPy and SymPy, and ``version``, for all else that matters.
    retry: try points that failed before again.  progress: a bar, none, or called with (points done, points in all).

    Points that raise, or kill their worker process, are in ``failures``, NaN for values; the others are completed.

    >>> import lstm_sym as ls
    >>> def noisy(gain, *, rng, steps):
    ...     return gain * rng.standard_normal(steps).mean()
    >>> found = ls.sweep(noisy, {"gain": [0.5, 1.0, 2.0]}, seeds=4, seed=1, constants={"steps": 100})
    >>> found["value"].shape, found.mean().shape, found.standard_error().shape
    ((3, 4), (3,), (3,))

    Raises ValueError or TypeError, before any work, for names that the function does not accept, values of another
    kind, a function that cannot travel; ValueError for names or shapes that differ between points; OSError for a
    folder that cannot be written or that another sweep is at work in.
    """
    points = a_grid(grid, seeds)
    given = constants_of(constants, points)
    rng = functions.takes_rng(function, [*points.axes, *given])
    if points.seeds > 1 and not rng:
        raise ValueError(
            f"seeds = {points.seeds}, but {functions.named(function)} takes no rng: expected seeds = 1."
        )
    first = checks.integer("seed", seed)
    if first < 0:
        raise ValueError(f"seed = {first}: expected a non-negative integer.")
    for name, flag in {"paired": paired, "retry": retry}.items():
        if not isinstance(flag, bool):
            raise TypeError(f"{name} = {flag!r}: expected True or False.")
    if not isinstance(version, str):
        raise TypeError(f"version = {version!r}: expected text.")
    if not (isinstance(progress, bool) or callable(progress)):
        raise TypeError(f"progress = {progress!r}: expected True, False or a function of (done, total).")
    run = _way(function, n_jobs, executor)
    if folder is not None:
        functions.recordable(function)
    code = functions.code_version(function, version) if folder is not None else {}
    settings = Settings(functions.named(function), points, given, first, paired and rng, rng, code)
    work = _Work(function, settings, run, retry)
    with _interruptible(), _shown(progress) as tell:
        found = work.alone(tell) if folder is None else work.within(Folder(folder), tell)
    if len(found.failures) == found.total:
        logger.warning("all %d points failed; the first: %s", found.total, found.failures[0])
    return found


Receive = Callable[[int, Outcome], None]
#: Called with (call, items, how many, receiver).
Way = Callable[[Call, Iterator[Item], int, Receive], None]


class _Work:
    """One run of a sweep: what is missing is computed, collected and, in a folder, kept."""

    def __init__(self, function: Callable[..., Any], settings: Settings, way: Way, retry: bool) -> None:
        self.settings, self.way, self.retry = settings, way, retry
        self.call = Call(function, tuple(settings.grid.axes), settings.constants, settings.seed)
        self.collection = Collection(settings.grid)

    def alone(self, tell: Progress | None) -> SweepResult:
        """Without a folder."""
        self._compute(tell, lambda index, outcome: None)
        return a_result(self.settings, self.collection)

    def within(self, folder: Folder, tell: Progress | None) -> SweepResult:
        """With a folder."""
        with folder.mine():
            self._begin(folder)
            finished = load(folder, self.settings, self.collection, self.retry)
            name, point = self.settings.names(), self.settings.grid.point

            def keep(index: int, outcome: Outcome) -> None:
                folder.write(name(index), point(index), outcome, finished)

            if self.collection.done < self.settings.grid.total:
                folder.no_results()
            self._compute(tell, keep)
            result = a_result(self.settings, self.collection)
            result.save(folder.path / RESULTS)
            return result

    def _begin(self, folder: Folder) -> None:
        """Write grid.json; say so if the points that are there were computed by other code."""
        record, file = self.settings.record(), folder.path / GRID
        before = folder.record()
        if before == record:
            return
        if before is not None and any(before.get(name) != record[name] for name in ("function", "code")):
            logger.warning(
                "%s: function or code have changed; the points before are kept, but not used.", folder.path
            )
        folder.no_results()
        folder.put(file, as_text(record))

    def _compute(self, tell: Progress | None, keep: Receive) -> None:
        grid, collection = self.settings.grid, self.collection
        missing = (int(k) for k in (collection.status == MISSING).nonzero()[0])
        key = keys(grid, self.settings.constants, self.settings.paired) if self.settings.rng else lambda index: None
        items = (Item(index, grid.values(index), key(index)) for index in missing)

        def receive(index: int, outcome: Outcome) -> None:
            collection.check(index, outcome)
            keep(index, outcome)
            collection.add(index, outcome)
            if tell is not None:
                tell(collection.done, grid.total)

        left = grid.total - collection.done
        if tell is not None and collection.done:
            tell(collection.done, grid.total)
        if left:
            self.way(self.call, items, left, receive)


def _way(function: Callable[..., Any], n_jobs: Any, executor: Any) -> Way:
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
    pickled, fresh = functions.must_travel(function), functions.importable(function)
    if not fresh and not pools.can_fork():
        raise ValueError(
            f"{functions.named(function)} is defined where new processes cannot import it, and this system has "
            "no fork: define it in a module, or use n_jobs=1."
        )
    return partial(_at_workers, workers, pickled, fresh)


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


@contextmanager
def _interruptible() -> Iterator[None]:
    """Within: Ctrl-C interrupts at once, and is not taken over by an analysis, which would return what it has."""
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def _shown(progress: bool | Progress) -> Iterator[Progress | None]:
    if callable(progress):
        yield progress
    elif progress:
        with step_progress("sweep", "points") as tell:
            yield tell
    else:
        yield None
