"""Singular-value waterfall: every singular value of the gradient at horizons from 1 to 1000 steps.

Claim.    A gradient over T steps is not one number: its N singular values fan out linearly in T on a logarithmic
          scale, over thousands of decades at T = 1000. In an LSTM the direct path keeps the spectrum narrow, and
          the paths through h lift its leading part; from T = 10 on the RNN's lies below both. Half of the LSTM's
          full state, as many directions as h has units, vanishes far faster than its cell does.
Methods.  An RNN and an LSTM (gain 1, b_f = 1) of equal size, random weights, the same white Gaussian inputs.
          Singular values of the products over the last T = 1, 10, 100, 1000 steps by a graded factorisation in
          logarithms, so that there is no floor where double precision ends (10^−308).
Figure.   log10 σ_i against i/N, a panel for each horizon; dashed: the smallest double.
Landmark. The logs must sum to the closed-form log-determinants of the steps; and how many singular values a plain
          double-precision product with an SVD gets right, for comparison.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

import lstm_sym as ls
from lstm_sym.figures import PAGE, legend_below, panels, plot_singular_values
from lstm_sym.progress import step_progress
from lstm_sym.scripts import Outcome, Run, run_script

PRODUCTS = {
    "RNN, $h$ to $h$": ("RNN", "h", "full"),
    "LSTM, direct": ("LSTM", "c", "direct"),
    "LSTM, cell to cell": ("LSTM", "c", "full"),
    "LSTM, full state": ("LSTM", "state", "full"),
}
INPUTS = 8
HORIZONS = (1, 10, 100, 1000)
TOTAL = 1e-7  # nats by which a sum of logs may be off: rounding of a thousand factorisations
RIGHT = 1e-3  # nats by which a plain product may differ and still count as right
FULL = {"hidden": 64, "steps": 1000, "seed": 1}
QUICK = {"hidden": 16, "steps": 100}

Spectra = dict[str, NDArray[np.float64]]


def orbits(hidden: int, steps: int, seed: int) -> dict[str, ls.Trajectory]:
    """A run of each network over the same inputs."""
    x = np.random.default_rng([seed, 1]).standard_normal((steps, INPUTS))
    kernels = {"RNN": ls.Kernel(ls.RNN), "LSTM": ls.Kernel(ls.LSTM)}
    return {name: ls.run(k, k.parameters(hidden, INPUTS, rng=seed), x) for name, k in kernels.items()}


def compute(runs: dict[str, ls.Trajectory], horizons: Sequence[int]) -> Spectra:
    """Log singular values in nats, (horizons, N), of each product."""
    found = {}
    for label, (name, block, path) in PRODUCTS.items():
        with step_progress(f"singular values, {label}") as told:
            spectrum = ls.singular_spectrum(runs[name], block, block, horizons, path=path, progress=told)
        found[label] = np.asarray(spectrum)
    return found


def closed_form(cell: ls.Cell, run: ls.Trajectory, horizon: int) -> float:
    """Σ log|det J_t| over the last ``horizon`` steps."""
    log_determinant = ls.Kernel(cell).log_determinant
    assert log_determinant is not None
    steps = slice(len(run) - horizon, len(run))
    return float(np.sum(log_determinant(run.parameters, run.inputs[steps], run.previous[steps])))


def right_by_plain_product(run: ls.Trajectory, truth: NDArray[np.float64], horizon: int) -> int:
    """How many singular values of the full-state product come out right from a plain product and an SVD."""
    steps = slice(len(run) - horizon, len(run))
    product = np.eye(run.states.shape[-1])
    for jacobian in run.system.jacobian(run.parameters, run.inputs[steps], run.previous[steps]):
        product = jacobian @ product
    plain = np.linalg.svd(product, compute_uv=False)
    with np.errstate(divide="ignore"):
        return int(np.sum(np.abs(np.log(plain) - truth) < RIGHT))


def draw(spectra: Spectra, horizons: Sequence[int]) -> Figure:
    """A panel for each horizon."""
    figure, axes = panels(1, len(horizons), width=PAGE, height=2.7)
    for place, (ax, horizon) in enumerate(zip(axes[0], horizons, strict=True)):
        curves = {label: logs[place] for label, logs in spectra.items()}
        plot_singular_values(curves, ax, title=f"({'abcd'[place]}) $T$ = {horizon}")
        ax.set_ylabel("" if place else ax.get_ylabel())
        ax.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    legend_below(figure, axes[0], columns=5)
    return figure


def work(run: Run) -> Outcome:
    """Compute and print the landmarks."""
    horizons = [horizon for horizon in HORIZONS if horizon <= run["steps"]]
    runs = orbits(**run.numbers)
    spectra = compute(runs, horizons)
    for place, horizon in enumerate(horizons):
        for label, cell in (("RNN, $h$ to $h$", ls.RNN), ("LSTM, full state", ls.LSTM)):
            total, theory = float(spectra[label][place].sum()), closed_form(cell, runs[cell.name], horizon)
            run.landmark(f"{cell.name}, T = {horizon}: sum of log singular values", total, theory, error=TOTAL)
    for place, horizon in enumerate(horizons):
        truth = spectra["LSTM, full state"][place]
        right = right_by_plain_product(runs["LSTM"], truth, horizon)
        run.say(f"LSTM, T = {horizon}: a plain double-precision product gets {right} of {len(truth)} right")
    arrays = {"horizons": np.array(horizons), **{label.replace("$", ""): logs for label, logs in spectra.items()}}
    parameters = {"inputs": INPUTS, "horizons": horizons}
    return Outcome(lambda: draw(spectra, horizons), arrays, parameters, equations())


def equations() -> dict[str, str]:
    """The products, and the determinants that their singular values must multiply to."""
    return {
        "the RNN's product": ls.latex(ls.horizon_product(ls.RNN, "h", "h"), equation=True),
        "the RNN's determinant": ls.latex(ls.log_determinant(ls.RNN), equation=True),
        "the LSTM's determinant": ls.latex(ls.log_determinant(ls.LSTM), equation=True),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    return run_script("singular_value_waterfall", __doc__, work, FULL, QUICK, arguments)


if __name__ == "__main__":
    sys.exit(main())
