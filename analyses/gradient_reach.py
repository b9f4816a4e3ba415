"""Gradient reach: how much of a gradient is left after k steps, RNN against LSTM.

Claim.    The gradient of an RNN is a product with one matrix over and over, and its norm falls (or grows)
          exponentially, whatever the gain. In an LSTM the direct path, the product of forget gates, falls as
          σ(b_f)^k: it can be made as slow as one likes by the forget bias. What the paths through h add is not
          small: over a thousand steps the cell-to-cell gradient exceeds the direct path by many decades.
Methods.  An RNN (gains 0.9, 1, 1.5, 3) and an LSTM (gain 1, forget bias 0, 1, 3, 5) of equal size, random weights
          W_h ~ N(0, gain²/hidden), driven by the same white Gaussian inputs, as many as units. Spectral norms of
          ∂h_T/∂h_{T−k} (RNN), and for the LSTM of the direct product of diag(f), the cell-to-cell block and the
          whole product of state Jacobians, at every lag k, in logarithms. Median and range over seeds; the first
          steps are left out.
Figure.   log10 norm against lag; thin dashed guides: for the RNN e^λk, λ the leading exponent of mean-field theory
          (N → ∞); for the direct path σ(b_f)^k, the forget gate at its bias.
Landmark. With W_xf = W_hf = 0 the forget gate is σ(b_f) exactly; the measured slope is set beside log10 σ(b_f).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

import lstm_sym as ls
from lstm_sym.figures import PAGE, faint, legend, panels, plot_gradient_norms
from lstm_sym.progress import progress
from lstm_sym.scripts import Outcome, Run, run_script
from lstm_sym.theory.forgetting import log_forget
from lstm_sym.theory.meanfield import EQUATIONS, MeanField

GAINS = (0.9, 1.0, 1.5, 3.0)
FORGET_BIASES = (0.0, 1.0, 3.0, 5.0)
PRODUCTS = {"direct": ("c", "direct"), "cell-to-cell": ("c", "full"), "full state": ("state", "full")}
FULL = {"hidden": 64, "lags": 1000, "seeds": 3, "seed": 1, "transient": 200}
QUICK = {"hidden": 16, "lags": 200, "seeds": 2}


@dataclass
class Reach:
    """Log norms in nats, (seeds, lags), by curve."""

    rnn: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    lstm: dict[str, dict[str, NDArray[np.float64]]] = field(default_factory=lambda: {name: {} for name in PRODUCTS})


def compute(hidden: int, lags: int, seeds: int, seed: int, transient: int) -> Reach:
    """All curves; seed s has its own weights and inputs, which all its networks share in kind."""
    reach = Reach()
    rnn, lstm = ls.Kernel(ls.RNN), ls.Kernel(ls.LSTM)
    tasks = [*((rnn, gain) for gain in GAINS), *((lstm, bias) for bias in FORGET_BIASES)]
    for kernel, value in progress(tasks, len(tasks), "gradient reach"):
        orbits = []
        for start in range(seed, seed + seeds):
            x = np.random.default_rng([start, 1]).standard_normal((transient + lags, hidden))
            if kernel is rnn:
                p = kernel.parameters(hidden, hidden, rng=start, gain=value)
            else:
                p = kernel.parameters(hidden, hidden, rng=start, b_f=value)
            orbits.append(ls.run(kernel, p, x))
        if kernel is rnn:
            reach.rnn[f"gain {value:g}"] = _norms(orbits, "h", "full", lags)
        else:
            for name, (block, path) in PRODUCTS.items():
                reach.lstm[name][f"$b_f$ = {value:g}"] = _norms(orbits, block, path, lags)
    return reach


def _norms(orbits: Sequence[ls.Trajectory], block: str, path: str, lags: int) -> NDArray[np.float64]:
    return np.stack([ls.gradient_norms(orbit, block, block, path=path)[:lags] for orbit in orbits])


def direct_slope(forget_bias: float, steps: int) -> float:
    """Decades per step of the direct path where the forget gate is σ(b_f) exactly."""
    kernel = ls.Kernel(ls.LSTM)
    p = kernel.parameters(8, 8, rng=0, b_f=forget_bias, W_xf=0.0, W_hf=0.0)
    orbit = ls.run(kernel, p, np.random.default_rng(1).standard_normal((steps, 8)))
    norms = ls.gradient_norms(orbit, "c", "c", path="direct")
    return float((norms[-1] - norms[0]) / (steps - 1) / np.log(10))


def draw(reach: Reach, numbers: dict[str, int]) -> Figure:
    """Four panels with one scale: the RNN, and the LSTM's three products."""
    figure, axes = panels(1, 4, width=PAGE, height=2.6, sharey=True)
    flat = list(axes[0])
    growth = {f"gain {gain:g}": MeanField(gain, noise=1.0).exponent for gain in GAINS}
    plot_gradient_norms(reach.rnn, flat[0], slopes=growth, title="(a) RNN, $\\partial h_T/\\partial h_{T-k}$")
    slopes = {f"$b_f$ = {bias:g}": float(log_forget(bias)) for bias in FORGET_BIASES}
    for ax, letter, (name, curves) in zip(flat[1:], "bcd", reach.lstm.items(), strict=True):
        plot_gradient_norms(
            curves, ax, slopes=slopes if name == "direct" else None, title=f"({letter}) LSTM, {name}"
        )
        ax.set_ylabel("")
    for ax in flat:
        ax.set_xlim(0, numbers["lags"])
        ax.axhline(0, color=faint(ax), linewidth=0.5, zorder=0)
    legend(flat[0], loc="lower left")
    legend(flat[1], loc="lower left")
    return figure


def work(run: Run) -> Outcome:
    """Compute and print the landmarks."""
    for bias in FORGET_BIASES:
        measured = direct_slope(bias, max(2, run["lags"]))
        theory = float(log_forget(bias)) / np.log(10)
        run.landmark(f"direct path, b_f = {bias:g}: decades per step", measured, theory, error=1e-9)
    reach = compute(**run.numbers)
    arrays = {f"rnn, {label}": norms for label, norms in reach.rnn.items()}
    arrays |= {f"lstm {name}, {label}": n for name, curves in reach.lstm.items() for label, n in curves.items()}
    arrays = {label.replace("$", ""): norms for label, norms in arrays.items()}
    for label, norms in arrays.items():
        last = np.median(norms[:, -1]) / np.log(10)
        run.say(f"{label:<34} median log10 norm at lag {norms.shape[1]}: {last:9.2f}")
    parameters = {"gains": GAINS, "forget_biases": FORGET_BIASES}
    return Outcome(lambda: draw(reach, run.numbers), arrays, parameters, equations())


def equations() -> dict[str, str]:
    """The products whose norms are drawn."""
    return {
        "the RNN's product": ls.latex(ls.horizon_product(ls.RNN, "h", "h"), equation=True),
        "the leading exponent of the RNN, N → ∞": EQUATIONS["exponent"],
        "the LSTM's direct path": ls.latex(ls.horizon_product(ls.LSTM, "c", "c", path="direct"), equation=True),
        "a step of the LSTM": ls.latex(ls.jacobian(ls.LSTM, "state", "state"), equation=True),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    return run_script("gradient_reach", __doc__, work, FULL, QUICK, arguments)


if __name__ == "__main__":
    sys.exit(main())
