"""``PathShares``: arrays by path and lag, and a table of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lstm_sym.calculus.routes.sums import label_of
from lstm_sym.checks import unknown_name
from lstm_sym.functions import Array
from lstm_sym.notation import unicode_timeless

STEP = "share of the step from lag k−1 to k alone"
#: Of more paths than this, a table leaves out those whose shares are below that.
MANY, SMALL = 8, 0.005


@dataclass(frozen=True, eq=False, repr=False)
class PathShares:
    """Shares of the gradient G_k = ∂of_T/∂wrt_{T−k} by path, K lags and P ``labels``, see ``path_shares``.

    ``shares`` (K, ..., P): of G_k, by the path that wrt's effect first takes off the direct one; entry k − 1.
    ``log_norms`` (K, ..., P): log Frobenius norms of these parts of G_k, −inf for zero. ``total`` (K, ...): of G_k.
    ``detour`` (K, ...): of all that left the direct path at least once, G_k less its direct part.
    ``passing`` (K, ..., P): of the gradient by the whole state, by the path of the step from lag k − 1 to k alone.
    ``titles``: the paths in words. ``found["f"]`` is the share of one path at every lag, (K, ...).
    """

    of: str
    wrt: str
    path: str
    labels: tuple[str, ...]
    titles: tuple[str, ...]
    shares: Array
    log_norms: Array
    detour: Array
    total: Array
    passing: Array

    def __getitem__(self, label: str | tuple[str, ...]) -> Array:
        wanted = label_of(label)
        if wanted not in self.labels:
            raise unknown_name("path", wanted, self.labels)
        return np.asarray(self.shares[..., self.labels.index(wanted)])

    def __len__(self) -> int:
        return len(self.shares)

    def __repr__(self) -> str:
        """Shares and norms at lags 1, 10, 100, …; batches are averaged over."""
        lags = [k for k in (10**e for e in range(10)) if k <= len(self)]
        d, (of, wrt) = "d" if self.path == "total" else "∂", map(unicode_timeless, (self.of, self.wrt))
        head = f"share of {d}{of}_T/{d}{wrt}_{{T−k}} at lag k ="
        names = [f"{self.titles[0]} all the way", *(f"first {name}" for name in self.titles[1:])]
        logs = {"log10 of its norm": self.total, "log10 of the direct path's": self.log_norms[..., 0]}
        norms = [(name, self._mean(values)[lags] / np.log(10), 2) for name, values in logs.items()]
        first, second = self._lines(names, self.shares, lags), self._lines(self.titles, self.passing, lags)
        width = max(map(len, (head, STEP, *(name for name, _, _ in (*first, *second)))))
        rows = [f"{head:<{width}}" + "".join(f"{k:>10}" for k in lags)]
        rows += [_line(*row, width) for row in (*first, *norms)]
        return "\n".join([*rows, STEP, *(_line(*row, width) for row in second)])

    def _lines(self, names: Sequence[str], values: Array, lags: list[int]) -> list[tuple[str, Array, int]]:
        """(name, numbers, digits) of the paths; of many, those that matter at some lag, and the rest together."""
        rows = [(name, self._mean(values[..., k])[lags], 4) for k, name in enumerate(names)]
        small = [row for row in rows[1:] if len(rows) > MANY and not (np.abs(row[1]) >= SMALL).any()]
        if len(small) < 2:
            return rows
        kept = [row for row in rows if not any(row is other for other in small)]
        return [*kept, (f"{len(small)} others together", np.sum([row[1] for row in small], axis=0), 4)]

    def _mean(self, values: Array) -> Array:
        """(K, ...) averaged over the batch, with an entry for lag 0 in front."""
        return np.concatenate([[np.nan], values.reshape(len(self), -1).mean(axis=1)])


def _line(name: str, numbers: Array, digits: int, width: int) -> str:
    """A row of the table; no −0.0000."""
    return f"{name:<{width}}" + "".join(f"{number + 0.0:>10.{digits}f}" for number in np.round(numbers, digits))
