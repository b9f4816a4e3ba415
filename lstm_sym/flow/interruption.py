"""Ctrl-C in a long computation: what is done is kept."""

from __future__ import annotations

import signal
import threading
import warnings
from types import FrameType
from typing import Any


class Interruption:
    """Within: the first Ctrl-C only sets ``requested``, so that the work can stop where its state is sound.

    A second one interrupts at once. The handler before is put back at the end; outside the main thread, where
    Python delivers no signals, nothing is changed.
    """

    def __init__(self) -> None:
        self.requested = False
        self._before: Any = None

    def __enter__(self) -> Interruption:
        """Take over Ctrl-C, where it would raise KeyboardInterrupt."""
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *error: object) -> None:
        """Give it back."""
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True

    def warn(self, done: int, total: int | None) -> None:
        """Say that the result is that of the steps done."""
        of = "" if total is None else f" of {total}"
        message = f"interrupted: the result is that of the first {done}{of} steps."
        warnings.warn(message, RuntimeWarning, stacklevel=4)
