"""Progress bars: in a terminal, after two seconds, if tqdm is installed; otherwise nothing is shown."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from lstm_sym.flow.system import Progress

T = TypeVar("T")

#: Seconds before a bar appears.
DELAY = 2.0


def progress(items: Iterable[T], total: int, label: str) -> Iterable[T]:
    """``items`` with a progress bar."""
    make = _bars()
    if make is None:
        return items
    bar: Iterable[T] = make(items, total=total, desc=label, delay=DELAY, leave=False)
    return bar


@contextmanager
def step_progress(label: str, unit: str = "steps") -> Iterator[Progress | None]:
    """A progress bar over the steps of one analysis, to be given to it as ``progress=``; None if none is shown."""
    make = _bars()
    if make is None:
        yield None
        return
    with make(desc=label, unit=f" {unit}", delay=DELAY, leave=False) as bar:

        def tell(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield tell


def _bars() -> Any:
    """What makes bars, or None."""
    if not sys.stderr.isatty():
        return None
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    return tqdm
