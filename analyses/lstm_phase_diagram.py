"""LSTM phase diagram: the forget bias sets how slow a network is, and how little gain makes it unstable.

Claim.    About the zero state an LSTM's eigenvalues fill a disc about σ(b_f). It reaches the unit circle, and the
          network leaves the zero state, at a gain 4(1−σ(b_f)) that vanishes as memory grows. Below it the exponent
          is between −1/τ and 0, τ the time constant of the direct path. Above it chaos is slow, its exponent of
          order 1/τ, over decades of gain; it is fast only at gains of several, whatever the bias. In between, up
          to twice the critical gain in networks of this size, are fixed points and cycles. (Slow modes of gates:
          T. Can, K. Krishnamurthy, D. J. Schwab, PMLR 107, 476-511, 2020, arXiv 2002.00025.)
Methods.  Autonomous LSTMs, all biases zero but b_f, W_h ~ N(0, gain²/hidden), no inputs, started at N(0, 0.1²).
          Leading Lyapunov exponent over gain and forget bias. A run can settle no faster than its direct path, so
          that transient and measurement take 200 steps and ten time constants each (two with --quick), up to
          22,340 steps in all at the largest bias. Mean over seeds; each seed is one network, scaled.
          Each row of the landmarks has networks of its own.
Figure.   (a) The map; colours are linear within ±10⁻³ and logarithmic beyond, dots where the exponent is positive.
          Solid: its zero contour; dashed: the closed-form critical gain; thin: time constants 10, 100, 1000.
          (b) Rows of the map in their own units: exponent times τ against gain over critical gain, mean and
          standard error over seeds. Dashed: the edge of the disc, N → ∞.
Landmark. Direct path's time constant against −1/log σ(b_f). The exponent at half the critical gain against the
          closed-form eigenvalues of the same networks, to rounding. The gain at which the measured exponent passes
          zero against these eigenvalues (1e-6), and against N → ∞ within what finite size (0.45 gain/√N) and chance
          (0.75 gain/√N for one network) leave.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

import lstm_sym as ls
from lstm_sym.figures import PAGE, panels
from lstm_sym.quantities import settled_exponent
from lstm_sym.scripts import Outcome, Run, run_script
from lstm_sym.scripts.phases import (
    TIME_CONSTANTS,
    critical_gain,
    crossing_landmarks,
    draw_map,
    draw_rows,
    edge_exponent,
    say_signs,
    time_constant_landmarks,
    zero_state_equations,
    zero_state_landmarks,
)
from lstm_sym.sweeps import SweepResult
from lstm_sym.theory.forgetting import time_constant

GAINS, FORGET_BIASES = (0.003, 30.0), (-2.0, 7.0)
LANDMARKS = ({"b_f": -2.0}, {"b_f": 0.0}, {"b_f": 2.0})
CUTS = (-2.0, 1.0, 4.0, 6.5)
FULL = {"hidden": 64, "seeds": 4, "seed": 1, "gains": 24, "biases": 19, "relaxations": 10}
QUICK = {"hidden": 24, "seeds": 2, "gains": 11, "biases": 8, "relaxations": 2}


def work(run: Run) -> Outcome:
    """Landmarks, then the map."""
    time_constant_landmarks(run, ls.LSTM, "c", "b_f", ("W_xf", "W_hf"))
    zero_state_landmarks(run, ls.LSTM, LANDMARKS)
    crossing_landmarks(run, ls.LSTM, LANDMARKS)
    gains, biases = np.geomspace(*GAINS, run["gains"]), np.linspace(*FORGET_BIASES, run["biases"])
    grid = {"gain": gains.tolist(), "b_f": biases.tolist()}
    constants = {"cell": "LSTM", "keeps": "b_f", "hidden": run["hidden"], "relaxations": run["relaxations"]}
    found = run.sweep(
        settled_exponent, grid, seeds=run["seeds"], seed=run["seed"], constants=constants, paired=True
    )
    critical = np.array([critical_gain(ls.LSTM, b_f=bias) for bias in biases])
    say_signs(run, found, critical)
    arrays = {**grid, "exponent": found["value"], "critical gain": critical}
    return Outcome(
        lambda: draw(found, critical), arrays, {**constants, "time constants": TIME_CONSTANTS}, equations()
    )


def draw(found: SweepResult, critical: np.ndarray) -> Figure:
    """(a) the map, (b) rows of it in their own units."""
    figure, axes = panels(1, 2, width=PAGE, height=2.9, width_ratios=(1.25, 1))
    draw_map(found, critical, axes[0, 0], TIME_CONSTANTS, "forget bias $b_f$", "(a) LSTM without input")
    draw_rows(found, critical, time_constant(found.axes["b_f"]), edge, axes[0, 1], (CUTS, "$b_f$"))
    axes[0, 1].set(title="(b) rows of (a)", xlim=(0.02, 8000.0))
    return figure


def edge(bias: float, gains: np.ndarray) -> np.ndarray:
    """The exponent at the edge of the disc that the eigenvalues fill."""
    return edge_exponent(ls.LSTM, gains, "W_hg", b_f=bias)


def equations() -> dict[str, str]:
    """The zero state and the critical gain at two forget biases, and the direct path."""
    return zero_state_equations(ls.LSTM, "c", [{"b_f": 0}, {"b_f": 3}])


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    return run_script("lstm_phase_diagram", __doc__, work, FULL, QUICK, arguments)


if __name__ == "__main__":
    sys.exit(main())
