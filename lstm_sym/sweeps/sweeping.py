"""``sweep``: one function at every point of a grid."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

from numpy.typing import NDArray

from lstm_sym import checks
from lstm_sym.flow.system import Progress
from lstm_sym.progress import step_progress
from lstm_sym.sweeps import functions
from lstm_sym.sweeps.codes import code_version
from lstm_sym.sweeps.folders import Folder
from lstm_sym.sweeps.grids import Grid, a_grid, constants_of
from lstm_sym.sweeps.results import SweepResult
from lstm_sym.sweeps.running import Run
from lstm_sym.sweeps.settings import Settings
from lstm_sym.sweeps.ways import a_way

logger = logging.getLogger("lstm_sym.sweeps")


def sweep(
    function: Callable[..., Any],
    grid: Mapping[str, Sequence[Any] | NDArray[Any]],
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
    _check(points, rng, functions.named(function), {"paired": paired, "retry": retry}, version, progress)
    way, number = a_way(function, n_jobs, executor), _a_seed(seed)
    if folder is not None:
        functions.recordable(function)
    code = code_version(function, version) if folder is not None else {}
    settings = Settings(functions.named(function), points, given, number, paired and rng, rng, code)
    run = Run(function, settings, way, retry)
    with _interruptible(), _shown(progress) as tell:
        found = run.alone(tell) if folder is None else run.within(Folder(folder), tell)
    if len(found.failures) == found.total:
        logger.warning("all %d points failed; the first: %s", found.total, found.failures[0])
    return found


def _check(grid: Grid, rng: bool, function: str, flags: Mapping[str, Any], version: Any, progress: Any) -> None:
    """Refuse what cannot be meant."""
    if grid.seeds > 1 and not rng:
        raise ValueError(f"seeds = {grid.seeds}, but {function} takes no rng: expected seeds = 1.")
    for name, flag in flags.items():
        if not isinstance(flag, bool):
            raise TypeError(f"{name} = {flag!r}: expected True or False.")
    if not isinstance(version, str):
        raise TypeError(f"version = {version!r}: expected text.")
    if not (isinstance(progress, bool) or callable(progress)):
        raise TypeError(f"progress = {progress!r}: expected True, False or a function of (done, total).")


def _a_seed(seed: Any) -> int:
    number = checks.integer("seed", seed)
    if number < 0:
        raise ValueError(f"seed = {number}: expected a non-negative integer.")
    return number


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
