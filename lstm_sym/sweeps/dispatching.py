"""Points in batches, here or at an executor; what comes back is received as it comes.

Batches take about ``BATCH_SECONDS``: a point that takes longer goes alone, short ones share the cost of the way.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import AbstractContextManager, suppress
from itertools import islice
from typing import Any

from lstm_sym.sweeps.evaluating import Call, Item, Outcome, Reason, evaluate, one_thread, reason

Receive = Callable[[int, Outcome], None]
Batch = list[Item]
Answer = Future[tuple[list[Outcome], float]]

#: What is computed and not yet back when everything is killed is lost: about as much for each worker.
BATCH_SECONDS = 0.02
LARGEST_BATCH = 1000
#: Batches at an executor of unknown size, and for each worker of a known one.
AHEAD, AHEAD_EACH = 256, 2

DIED = Reason("WorkerDied", "the process that computed this point died: killed, out of memory, or a crash.")


class Broken(Exception):
    """The workers are gone; ``batches`` were with them."""

    def __init__(self, batches: list[Batch]) -> None:
        super().__init__("the workers are gone")
        self.batches = batches


class Batches:
    """The items in batches, whose size follows the seconds that points have taken."""

    def __init__(self, items: Iterator[Item], total: int, workers: int) -> None:
        self._items, self._left, self._workers = items, total, workers
        self._back: deque[Item] = deque()
        self._size = 1

    def next(self) -> Batch:
        """The next batch; none left: empty.  Towards the end they are small, so that all workers end together."""
        wanted = max(1, min(self._size, self._left // (2 * self._workers)))
        batch = [self._back.popleft() for _ in range(min(wanted, len(self._back)))]
        batch += islice(self._items, wanted - len(batch))
        self._left -= len(batch)
        return batch

    def give_back(self, batch: Batch) -> None:
        """Points to come next, again."""
        self._back.extend(batch)
        self._left += len(batch)

    def learn(self, points: int, seconds: float) -> None:
        """``points`` have taken ``seconds``."""
        wanted = BATCH_SECONDS * points / max(seconds, 1e-7)
        self._size = int(max(1, min(wanted, 2 * self._size, LARGEST_BATCH)))


def here(call: Call, items: Iterator[Item], total: int, receive: Receive) -> None:
    """One point after the other in this process."""
    batches = Batches(items, total, 1)
    while batch := batches.next():
        with one_thread():
            start = time.perf_counter()
            for item in batch:
                receive(item.number, call(item))
            batches.learn(len(batch), time.perf_counter() - start)


def there(call: Call, batches: Batches, executor: Executor, ahead: int, receive: Receive) -> None:
    """At an executor, at most ``ahead`` batches at a time.

    Raises Broken if its workers die.  If anything else interrupts, what has been computed by then is received.
    """
    waiting: dict[Answer, Batch] = {}
    again: list[Batch] = []
    try:
        while True:
            while len(waiting) < ahead and (batch := again.pop() if again else batches.next()):
                _submit(executor, call, batch, waiting)
            if not waiting:
                return
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                again += _settle(future, waiting[future], batches, receive)
                del waiting[future]
    except BrokenExecutor:
        raise Broken(_rescued(waiting, batches, receive) + again) from None
    except BaseException:
        for future in waiting:
            future.cancel()
        with suppress(Exception):  # it is the first trouble that counts
            _rescued(waiting, batches, receive)
        raise


def _submit(executor: Executor, call: Call, batch: Batch, waiting: dict[Answer, Batch]) -> None:
    try:
        waiting[executor.submit(evaluate, call, batch)] = batch
    except BrokenExecutor as error:
        lost: Answer = Future()
        lost.set_exception(error)
        waiting[lost] = batch


def _settle(future: Answer, batch: Batch, batches: Batches, receive: Receive) -> list[Batch]:
    """Receive a batch; what is to be tried again, point by point, if it came to grief on the way."""
    try:
        outcomes, seconds = future.result()
    except BrokenExecutor:
        raise
    except Exception as error:
        if len(batch) > 1:
            return [[item] for item in batch]
        receive(batch[0].number, reason(error))
        return []
    batches.learn(len(outcomes), seconds)
    for item, outcome in zip(batch, outcomes, strict=False):
        receive(item.number, outcome)
    batches.give_back(batch[len(outcomes) :])
    return []


def _rescued(waiting: dict[Answer, Batch], batches: Batches, receive: Receive) -> list[Batch]:
    """Receive what is there of ``waiting``; the batches that are not."""
    lost = []
    for future, batch in waiting.items():
        if future.done() and not future.cancelled() and future.exception() is None:
            _settle(future, batch, batches, receive)
        else:
            lost.append(batch)
    return lost


def at_workers(
    call: Call,
    items: Iterator[Item],
    total: int,
    workers: int,
    pool: Callable[[int], AbstractContextManager[Executor]],
    receive: Receive,
) -> None:
    """At processes of our own: if one dies, what was at work is tried again, alone, to find out what killed it."""
    batches = Batches(items, total, workers)
    while True:
        try:
            with pool(workers) as executor:
                return there(call, batches, executor, AHEAD_EACH * workers, receive)
        except Broken as broken:
            suspects = broken.batches
        _one_by_one(call, suspects, batches, pool, receive)


def _one_by_one(
    call: Call,
    suspects: Sequence[Batch],
    batches: Batches,
    pool: Callable[[int], AbstractContextManager[Executor]],
    receive: Receive,
) -> None:
    """Batches, then points, each alone at work: the one that ends the worker is to blame."""
    stack = list(reversed(suspects))
    while stack:
        try:
            with pool(1) as executor:
                while stack:
                    again = _settle(executor.submit(evaluate, call, stack[-1]), stack[-1], batches, receive)
                    stack[-1:] = again
        except BrokenExecutor:
            batch = stack.pop()
            if len(batch) == 1:
                receive(batch[0].number, DIED)
            else:
                stack += [[item] for item in reversed(batch)]


def workers_of(executor: Any) -> int | None:
    """How many an executor has, if it says so."""
    for name in ("_max_workers", "num_workers"):
        found = getattr(executor, name, None)
        if isinstance(found, int) and found > 0:
            return found
    return None
