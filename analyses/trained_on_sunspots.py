"""Trained on sunspots: the gradient reach of an RNN and an LSTM on a real series, before and after training.

Claim.    On a real series the RNN's gradient is gone after a few dozen years at initialisation, while the LSTM's
          cell keeps it for longer. Training moves both reaches, and not towards a longer one as a rule.
Methods.  Yearly sunspot numbers 1700-2008 (public domain, sunspots.csv beside this script), square roots, scaled by
          mean and deviation of the training years. One-step-ahead prediction by an RNN and an LSTM with a linear
          output, full back-propagation through time over the training years, L-BFGS, weight decay. Training
          1700-1920; the iterate with the least error in 1921-1955 is kept; 1956-2008 is for the report alone.
          Size and decay were chosen by the validation years. Several seeds. Beside the networks: persistence, and
          linear autoregressions by least squares, the longer of which no network of this size beats here.
          Gradient norms of ∂h_T/∂h_{T−k} (RNN) and ∂c_T/∂c_{T−k} (LSTM) along the whole record, T = 2008.
Figure.   (a) the test years and their predictions; (b, c) log10 gradient norm against lag in years.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.optimize import minimize

import lstm_sym as ls
from lstm_sym.figures import PAGE, faint, legend, panels, plot_forecast, plot_gradient_norms
from lstm_sym.progress import progress
from lstm_sym.scripts import Outcome, Run, run_script
from lstm_sym.training import flat, shaped, squared_error, value_and_gradient

TRAIN_UNTIL, VALIDATE_UNTIL = 1920, 1955
WASH_OUT = 10  # years at the start that do not count, while the state settles
DECAY = 1e-3
ORDERS = (2, 9)
LAGS = 200
NETWORKS = {"RNN": (ls.RNN, "h"), "LSTM": (ls.LSTM, "c")}
FULL = {"hidden": 16, "iterations": 100, "seeds": 5, "seed": 1}
QUICK = {"iterations": 15, "seeds": 2}

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Series:
    """Years and sunspot numbers; inputs x_t and targets x_{t+1} in training units, (T, 1)."""

    years: Array
    numbers: Array

    @property
    def training(self) -> NDArray[np.bool_]:
        """Which targets belong to the training years."""
        return (self.years[1:] <= TRAIN_UNTIL) & (np.arange(len(self.years) - 1) >= WASH_OUT)

    @property
    def validation(self) -> NDArray[np.bool_]:
        """Which targets belong to the validation years."""
        return (self.years[1:] > TRAIN_UNTIL) & (self.years[1:] <= VALIDATE_UNTIL)

    @property
    def test(self) -> NDArray[np.bool_]:
        """Which targets belong to the test years."""
        return np.asarray(self.years[1:] > VALIDATE_UNTIL)

    @property
    def scaled(self) -> Array:
        """√numbers, with mean 0 and deviation 1 over the training years."""
        roots = np.sqrt(self.numbers)
        mean, deviation = self._scale
        return (roots - mean) / deviation

    @property
    def _scale(self) -> tuple[float, float]:
        roots = np.sqrt(self.numbers[self.years <= TRAIN_UNTIL])
        return float(roots.mean()), float(roots.std())

    def unscaled(self, values: Array) -> Array:
        """Back to sunspot numbers, which are not negative."""
        mean, deviation = self._scale
        return np.maximum(mean + deviation * values, 0.0) ** 2

    def error(self, prediction: Array, years: NDArray[np.bool_]) -> float:
        """Root mean square error in sunspot numbers of a prediction (T − 1,) over chosen years."""
        return float(np.sqrt(np.mean((prediction - self.numbers[1:])[years] ** 2)))


def read_series() -> Series:
    """The record: two columns, year and number."""
    with Path(__file__).with_name("sunspots.csv").open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    years, numbers = np.array([[float(value) for value in row] for row in rows]).T
    return Series(years, numbers)


def persistence(series: Series) -> Array:
    """Next year will be like this year."""
    return series.numbers[:-1]


def autoregression(series: Series, order: int) -> Array:
    """Least squares on the last ``order`` values over the training years; (T − 1,), nan where there are too few."""
    x = series.scaled
    rows = np.stack([x[k : len(x) - order + k] for k in range(order)] + [np.ones(len(x) - order)], axis=1)
    training = series.years[order:] <= TRAIN_UNTIL
    weights = np.linalg.lstsq(rows[training], x[order:][training], rcond=None)[0]
    return np.concatenate([np.full(order - 1, np.nan), series.unscaled(rows @ weights)])


@dataclass
class Trained:
    """One network from one seed: predictions (T − 1,), errors, and log gradient norms before and after."""

    prediction: Array
    validation: float
    test: float
    before: Array
    after: Array


def train(name: str, series: Series, hidden: int, iterations: int, seed: int) -> Trained:
    """L-BFGS on the training years; keep the iterate that does best in the validation years."""
    cell, block = NETWORKS[name]
    kernel = ls.Kernel(cell)
    start = kernel.parameters(hidden, 1, rng=seed, outputs=1)
    x = series.scaled
    inputs, targets = x[:-1, None], x[1:, None]
    loss = squared_error(targets, 0.5 * series.training[:, None] / series.training.sum())

    def objective(vector: Array) -> tuple[float, Array]:
        value, slope = value_and_gradient(kernel, vector, start, inputs, loss)
        return value + 0.5 * DECAY * float(vector @ vector), slope + DECAY * vector

    def prediction(vector: Array) -> Array:
        parameters = shaped(vector, start)
        return series.unscaled(ls.run(kernel, parameters, inputs)["y"][:, 0])

    best = flat(start)
    errors = [series.error(prediction(best), series.validation)]

    def keep_best(vector: Array) -> None:
        nonlocal best
        errors.append(series.error(prediction(vector), series.validation))
        if errors[-1] <= min(errors):
            best = vector.copy()

    minimize(objective, best, jac=True, method="L-BFGS-B", callback=keep_best, options={"maxiter": iterations})

    def reach(parameters: Mapping[str, Array]) -> Array:
        return ls.gradient_norms(ls.run(kernel, parameters, inputs), block, block)[:LAGS]

    final = prediction(best)
    return Trained(
        prediction=final,
        validation=min(errors),
        test=series.error(final, series.test),
        before=reach(start),
        after=reach(shaped(best, start)),
    )


def compute(series: Series, hidden: int, iterations: int, seeds: int, seed: int) -> dict[str, list[Trained]]:
    """Every network from every seed."""
    tasks = [(name, first) for name in NETWORKS for first in range(seed, seed + seeds)]
    found: dict[str, list[Trained]] = {name: [] for name in NETWORKS}
    for name, start in progress(tasks, len(tasks), "training"):
        found[name].append(train(name, series, hidden, iterations, start))
    return found


def typical(runs: Sequence[Trained]) -> Trained:
    """The run of median validation error: chosen without a look at the test years."""
    return sorted(runs, key=lambda run: run.validation)[len(runs) // 2]


def draw(series: Series, networks: Mapping[str, Sequence[Trained]], baseline: Array) -> Figure:
    """The forecast, and the reach of both networks before and after."""
    figure, axes = panels(1, 3, width=PAGE, height=2.5, width_ratios=(1.5, 1, 1))
    years = series.test
    predictions = {name: typical(runs).prediction[years] for name, runs in networks.items()}
    predictions["AR(9)"] = baseline[years]
    labels = ("year", "sunspot number")
    plot_forecast(
        series.years[1:][years], series.numbers[1:][years], predictions, axes[0, 0], labels, "(a) test years"
    )
    legend(axes[0, 0], loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=4, handlelength=1.6, columnspacing=1.0)
    for ax, letter, (name, runs) in zip(axes[0, 1:], "bc", networks.items(), strict=True):
        curves = {"before": np.stack([r.before for r in runs]), "after training": np.stack([r.after for r in runs])}
        state = NETWORKS[name][1]
        plot_gradient_norms(curves, ax, title=f"({letter}) {name}, $\\partial {state}_T/\\partial {state}_{{T-k}}$")
        ax.set_xlabel("lag $k$ (years)")
        ax.set_xlim(0, LAGS)
        ax.axhline(0, color=faint(ax), linewidth=0.5, zorder=0)
    low = min(ax.get_ylim()[0] for ax in axes[0, 1:])
    high = max(ax.get_ylim()[1] for ax in axes[0, 1:])
    for ax in axes[0, 1:]:
        ax.set_ylim(low, high)
        legend(ax, loc="lower left")
    axes[0, 2].set_ylabel("")
    return figure


def work(run: Run) -> Outcome:
    """Train and report."""
    series = read_series()
    networks = compute(series, **run.numbers)
    linear = {f"AR({order})": autoregression(series, order) for order in ORDERS}
    run.say(f"one-step-ahead error, {VALIDATE_UNTIL + 1}-{series.years[-1]:.0f}, in sunspot numbers (RMSE):")
    errors: dict[str, list[float]] = {"persistence": [series.error(persistence(series), series.test)]}
    errors |= {name: [series.error(prediction, series.test)] for name, prediction in linear.items()}
    errors |= {name: [run.test for run in runs] for name, runs in networks.items()}
    for name, values in errors.items():
        spread = f"   ({min(values):.1f} to {max(values):.1f}, {len(values)} seeds)" if len(values) > 1 else ""
        run.say(f"  {name:<12} {np.median(values):6.1f}{spread}")
    arrays: dict[str, Array] = {"years": series.years, "sunspots": series.numbers}
    for name, runs in networks.items():
        for what in ("prediction", "before", "after"):
            arrays[f"{name} {what}"] = np.stack([getattr(run, what) for run in runs])
        before, after = (np.median(arrays[f"{name} {when}"][:, 99]) / np.log(10) for when in ("before", "after"))
        run.say(f"{name}: log10 gradient norm at lag 100 (median): {before:.1f} before, {after:.1f} after training")
    settings = {"decay": DECAY, "train until": TRAIN_UNTIL, "validate until": VALIDATE_UNTIL}
    return Outcome(
        lambda: draw(series, networks, linear[f"AR({ORDERS[-1]})"]),
        arrays,
        {**settings, "test errors": errors},
        {"back-propagation through time": ls.latex(ls.adjoint(ls.LSTM), equation=True)},
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    return run_script("trained_on_sunspots", __doc__, work, FULL, QUICK, arguments)


if __name__ == "__main__":
    sys.exit(main())
