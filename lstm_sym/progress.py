"""Progress bars, in a terminal, where tqdm is installed."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from lstm_sym.flow.system import Progress

T = TypeVar("T")


def progress(items: Iterable[T], total: int, label: str) -> Iterable[T]:
    """``items`` with a progress bar, in a terminal, after two seconds, if tqdm is installed."""
    if not sys.stderr.isatty():
        return items
    try:
        from tqdm import tqdm
    except ImportError:
        return items
    bar: Iterable[T] = tqdm(items, total=total, desc=label, delay=2.0, leave=False)
    return bar


@contextmanager
def step_progress(label: str) -> Iterator[Progress | None]:
    """A progress bar over the steps of one analysis, to be given to it as ``progress=``.

    None, and no bar, outside a terminal or without tqdm.
    """
    if not sys.stderr.isatty():
        yield None
        return
    try:
        from tqdm import tqdm
    except ImportError:
        yield None
        return
    with tqdm(desc=label, unit=" steps", delay=2.0, leave=False) as bar:

        def tell(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield tell
