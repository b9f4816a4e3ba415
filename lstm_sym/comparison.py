"""Networks side by side: their products over a horizon, as equations and as numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lstm_sym.calculus import HorizonProduct
from lstm_sym.flow import Spectrum, Trajectory, gradient_norms, singular_spectrum
from lstm_sym.functions import Array
from lstm_sym.kernels import Kernel


@dataclass(frozen=True, repr=False)
class Row:
    """One product: which network's, its formula, and the trajectory along which it has numbers."""

    name: str
    formula: HorizonProduct
    trajectory: Trajectory

    @property
    def norms(self) -> Array:
        """Log spectral norms in nats at lags 1 … T, (T, ...)."""
        return gradient_norms(self.trajectory, self.formula.of, self.formula.wrt, path=self.formula.path)

    def spectrum(self, horizons: int | list[int]) -> Spectrum:
        """Log singular values in nats at the given lags, (H, ..., r)."""
        return singular_spectrum(
            self.trajectory, self.formula.of, self.formula.wrt, horizons, path=self.formula.path
        )


@dataclass(frozen=True, repr=False)
class Comparison:
    """Rows by label, "RNN full h", "LSTM direct c", …; printing gives a table of log10 norms."""

    rows: dict[str, Row]

    def __getitem__(self, label: str) -> Row:
        return self.rows[label]

    def __repr__(self) -> str:
        steps = len(next(iter(self.rows.values())).trajectory)
        lags = [k for k in (1, 10, 100, 1000, 10_000, 100_000) if k <= steps]
        heads = [f"{row.name}  {row.formula.equation()}" for row in self.rows.values()]
        width = max(map(len, heads))
        lines = [f"{'log10 of the gradient norm at lag':<{width}}" + "".join(f"{k:>10}" for k in lags)]
        for head, row in zip(heads, self.rows.values(), strict=True):
            chosen = row.norms.reshape(steps, -1)[np.array(lags) - 1] / np.log(10)
            norms = chosen.mean(axis=1) if chosen.size else np.full(len(lags), np.nan)
            lines.append(f"{head:<{width}}" + "".join(f"{norm:>10.2f}" for norm in norms))
        return "\n".join(lines)


def compare(*trajectories: Trajectory) -> Comparison:
    """The RNN's T-step product beside the LSTM's direct, cell-to-cell and full-state products.

    >>> import numpy as np
    >>> import lstm_sym as ls
    >>> x = np.random.default_rng(0).standard_normal((100, 2))
    >>> rnn, lstm = ls.Kernel(ls.RNN), ls.Kernel(ls.LSTM)
    >>> ls.compare(*(ls.run(kernel, kernel.parameters(8, 2, rng=0), x) for kernel in (rnn, lstm)))
    log10 of the gradient norm at lag                   1        10       100
    RNN  ∂h_T/∂h_{T−k} = ∏ diag(1−h′²)·W_hh          0.09     -1.28    -21.28
    LSTM  ∂c_T/∂c_{T−k}|direct = ∏ diag(f)          -0.07     -1.09    -12.75
    LSTM  ∂c_T/∂c_{T−k} = [∏ J]_cc                  -0.07     -0.79    -11.12
    LSTM  ∂(h_T, c_T)/∂(h_{T−k}, c_{T−k}) = ∏ J      0.17     -0.73    -11.03

    Args:
        trajectories: runs of kernels with equally many hidden units over equal inputs, so that the rows compare.
            A cell of one state gives its product; a cell of several the direct and full products of its last
            state (the LSTM's c) and that of the whole state. Batches are averaged over in print.

    Raises:
        TypeError: a trajectory whose system is no ``Kernel``.
        ValueError: none given, or hidden sizes or inputs that differ.
    """
    if not trajectories:
        raise ValueError("nothing to compare: give at least one trajectory, ls.run(...).")
    first, rows = trajectories[0], {}
    for trajectory in trajectories:
        kernel = getattr(trajectory, "system", None)
        if not isinstance(kernel, Kernel):
            raise TypeError(f"{trajectory!r:.60}: expected a trajectory of a Kernel, as lstm_sym.run returns it.")
        if not np.array_equal(trajectory.inputs, first.inputs):
            raise ValueError("the trajectories have different inputs: run every network over the same ones.")
        if (n := _hidden(trajectory)) != _hidden(first):
            raise ValueError(f"{kernel.cell.name} has {n} hidden units, the first network {_hidden(first)}.")
        for of, path in _questions(kernel):
            formula = kernel.formula(of, of, path)
            rows[f"{kernel.cell.name} {path} {of}"] = Row(kernel.cell.name, formula, trajectory)
    return Comparison(rows)


def _hidden(trajectory: Trajectory) -> int:
    return int(trajectory.parameters.sizes["hidden"])


def _questions(kernel: Kernel) -> list[tuple[str, str]]:
    *_, last = kernel.cell.states
    if len(kernel.cell.states) == 1:
        return [(last, "full")]
    return [(last, "direct"), (last, "full"), ("state", "full")]
