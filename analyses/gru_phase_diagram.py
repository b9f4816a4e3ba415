"""GRU phase diagram: the update bias sets how slow a network is, the reset bias how much gain it takes.

Claim.    About the zero state a GRU's eigenvalues fill a disc about z = σ(b_z) of radius (1−z)·σ(b_r)·gain. It
          reaches the unit circle at a gain that the reset bias decides alone, 1/σ(b_r): unlike an LSTM's forget
          gate, the update gate slows a network without bringing it nearer to instability. Below the critical gain
          all update biases from 0 on give nearly one curve in units of their time constant τ. Where the reset gate
          is all but closed, chaos begins below it, at once and fast, beside a zero state that is still stable:
          activity opens the gate (K. Krishnamurthy, T. Can, D. J. Schwab, Phys. Rev. X 12, 011011, 2022).
Methods.  Autonomous GRUs, all biases zero but one, W_h ~ N(0, gain²/hidden), no inputs, started at N(0, 0.1²).
          Leading Lyapunov exponent over gain and update bias, and over gain and reset bias. A run can settle no
          faster than its direct path, so that transient and measurement take 200 steps and ten time constants
          each (two with --quick). Mean over seeds; each seed is one network, scaled, the same
          in both maps. Each row of the landmarks has networks of its own.
Figure.   (a), (c) The maps; colours are linear within ±10⁻³ and logarithmic beyond, dots where the exponent is
          positive. Solid: the zero contour; dashed: the closed-form critical gain; thin: time constants 10, 100.
          (b), (d) Rows of the maps in their own units: exponent times τ against gain over critical gain, mean and
          standard error over seeds. Dashed: the edge of the disc, N → ∞.
Landmark. Direct path's time constant against −1/log σ(b_z). The exponent at half the critical gain against the
          closed-form eigenvalues of the same networks, to rounding. The gain at which the measured exponent passes
          zero against these eigenvalues (1e-6), and against N → ∞ within what finite size (0.45 gain/√N) and chance
          (0.75 gain/√N for one network) leave.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import lstm_sym as ls
from lstm_sym.figures import PAGE, panels
from lstm_sym.quantities import leading_exponent, settled_exponent
from lstm_sym.scripts import Outcome, Run, run_script
from lstm_sym.scripts.phases import (
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

GAINS = (0.2, 40.0)
BIASES = {"b_z": (-2.0, 6.0), "b_r": (-3.0, 4.0)}
SYMBOLS = {"b_z": "update bias $b_z$", "b_r": "reset bias $b_r$"}
CUTS = {"b_z": (-2.0, 0.0, 2.0, 5.0), "b_r": (-2.0, 0.0, 2.0)}
LANDMARKS = ({"b_z": -2.0}, {"b_z": 0.0}, {"b_z": 2.0}, {"b_r": -1.0}, {"b_r": 2.0})
ISOLINES = (10, 100)
#: A reset gate that is all but closed, and two starts for it.
CLOSED, STARTS = -3.0, (1e-6, 0.5)
#: From 65 states on the step's tangent action is used in place of its Jacobian: 80 units cost less than 64.
FULL = {"hidden": 80, "seeds": 4, "seed": 1, "gains": 21, "biases": 13, "relaxations": 10}
QUICK = {"hidden": 24, "seeds": 2, "gains": 11, "biases": 7, "relaxations": 2}


@dataclass(frozen=True)
class Map:
    """Exponents over gain and one bias, with the critical gain at each of its values."""

    bias: str
    found: SweepResult
    critical: np.ndarray

    @property
    def values(self) -> np.ndarray:
        """The values of the bias."""
        return self.found.axes[self.bias]

    def edge(self, bias: float, gains: np.ndarray) -> np.ndarray:
        """The exponent at the edge of the disc that the eigenvalues fill."""
        return edge_exponent(ls.GRU, gains, "W_qn", **{self.bias: bias})


def work(run: Run) -> Outcome:
    """Landmarks, then the two maps."""
    time_constant_landmarks(run, ls.GRU, "h", "b_z", ("W_xz", "W_hz"))
    zero_state_landmarks(run, ls.GRU, LANDMARKS)
    crossing_landmarks(run, ls.GRU, LANDMARKS)
    say_starts(run)
    maps = [measured(run, bias) for bias in BIASES]
    arrays: dict[str, np.ndarray] = {}
    for one in maps:
        say_signs(run, one.found, one.critical, f"{one.bias}, ")
        arrays |= {one.bias: one.values, f"exponent over {one.bias}": one.found["value"]}
        arrays |= {f"critical gain over {one.bias}": one.critical}
    arrays |= {"gain": maps[0].found.axes["gain"]}
    return Outcome(lambda: draw(maps), arrays, {"time constants": ISOLINES}, equations())


def say_starts(run: Run) -> None:
    """With the reset gate all but closed, what a network does below the critical gain depends on its start."""
    gain = 0.75 * critical_gain(ls.GRU, b_r=CLOSED)
    given: dict[str, Any] = {"hidden": run["hidden"], "gain": gain, "b_r": CLOSED, "steps": 500, "transient": 500}
    for initial in STARTS:
        rngs = range(run["seed"], run["seed"] + run["seeds"])
        found = [leading_exponent(ls.GRU, initial=initial, rng=rng, **given) for rng in rngs]
        shown = ", ".join(f"{exponent:.3f}" for exponent in found)
        run.say(f"b_r = {CLOSED:g}, 0.75 of the critical gain, start N(0, {initial:g}²): exponents {shown}")


def measured(run: Run, bias: str) -> Map:
    """The exponents over gain and ``bias``."""
    gains, biases = np.geomspace(*GAINS, run["gains"]), np.linspace(*BIASES[bias], run["biases"])
    constants = {"cell": "GRU", "keeps": "b_z", "hidden": run["hidden"], "relaxations": run["relaxations"]}
    others = {} if bias == "b_z" else {"b_z": 0.0}
    found = run.sweep(
        settled_exponent,
        {"gain": gains.tolist(), bias: biases.tolist()},
        bias,
        seeds=run["seeds"],
        seed=run["seed"],
        constants=constants | others,
        paired=True,
    )
    return Map(bias, found, np.array([critical_gain(ls.GRU, **{bias: value}) for value in biases]))


def draw(maps: Sequence[Map]) -> Figure:
    """Above each other: a map, and rows of it in their own units."""
    figure, axes = panels(len(maps), 2, width=PAGE, height=5.2, width_ratios=(1.25, 1))
    for (left, right), one, letters in zip(axes, maps, ("ab", "cd"), strict=True):
        symbol, isolines = SYMBOLS[one.bias], ISOLINES if one.bias == "b_z" else ()
        title = f"({letters[0]}) GRU without input, over the {symbol.partition(' $')[0]}"
        draw_map(one.found, one.critical, left, isolines, symbol, title)
        taus = time_constant(one.values if one.bias == "b_z" else np.zeros(one.values.shape))
        draw_rows(one.found, one.critical, taus, one.edge, right, (CUTS[one.bias], f"${one.bias}$"))
        right.set(title=f"({letters[1]}) rows of ({letters[0]})", xlim=(0.02, 30.0))
    return figure


def equations() -> dict[str, str]:
    """The zero state and the critical gain with either bias, and the direct path."""
    return zero_state_equations(ls.GRU, "h", [{"b_z": 2}, {"b_r": 2}])


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    return run_script("gru_phase_diagram", __doc__, work, FULL, QUICK, arguments)


if __name__ == "__main__":
    sys.exit(main())
