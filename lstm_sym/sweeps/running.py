"""One run of a sweep: what is missing is computed, collected and, in a folder, kept."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from lstm_sym.flow.system import Progress
from lstm_sym.sweeps.collecting import MISSING, Collection
from lstm_sym.sweeps.dispatching import Receive
from lstm_sym.sweeps.evaluating import Call, Item, Outcome
from lstm_sym.sweeps.folders import GRID, RESULTS, Folder, as_text
from lstm_sym.sweeps.identities import keys
from lstm_sym.sweeps.opening import load
from lstm_sym.sweeps.results import SweepResult, a_result
from lstm_sym.sweeps.settings import Settings
from lstm_sym.sweeps.ways import Way

logger = logging.getLogger("lstm_sym.sweeps")


class Run:
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
        text, before = as_text(record), folder.record()
        if file.is_file() and file.read_bytes() == text:
            return
        if before is not None and any(before.get(name) != record[name] for name in ("function", "code")):
            logger.warning("%s: function or code changed; the points before are kept, but not used.", folder.path)
        folder.no_results()
        folder.put(file, text)

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
