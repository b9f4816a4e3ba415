"""Edge of chaos: the leading exponent of a random RNN against its gain, which mean-field theory gives.

Claim.    Gradients along a random RNN vanish below gain 1 and explode beyond, at rates that are known: as N → ∞ the
          leading exponent is log g up to g = 1, and touches zero there with slope 0 from above, ⅔(g − 1)²: chaos
          sets in slowly. Finite networks differ in two ways. Below 1 they are log ρ(W) above log g, ρ the spectral
          radius. Just beyond 1 some of them settle into cycles in place of chaos, which puts the mean below theory.
Methods.  h' = tanh(g W h), W_ij ~ N(0, 1/N), no input, h_0 ~ N(0, 0.1²), three sizes, several seeds, the same for
          all gains. Leading exponents after a transient; up to g = 0.8 of runs that die away, beside their own
          eigenvalues. Theory: mean field (lstm_sym.theory.meanfield), and the mean of log ρ(W) at size N from the
          exact density of eigenvalues, those at the edge taken for independent (lstm_sym.theory.edge); beyond,
          what a finite number of active units takes off, to order 1/N (lstm_sym.theory.finite).
Figure.   (a) leading exponent against gain, mean and standard error over seeds; dashed: mean field. (b) the same
          less the theory; dotted, for each size: E log ρ(W) below 1, the 1/N correction of a network whose
          weights are drawn anew at every step beyond; grey: ±0.02.
Landmark. Mean field at every gain from 1 on, within 0.02 (narrowly so from 1.2 to 1.4, where other seeds have
          other numbers of networks in cycles); from 2 on with the 1/N correction, within sampling error and a third
          of the correction; log ρ(W) below 1, exactly for each network and in the mean, which is also how far
          from gain 1 the line through the exponents below it reaches zero.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

import lstm_sym as ls
from lstm_sym.figures import PAGE, colours, faint, guide, legend, panels, plot_points
from lstm_sym.figures.points import mean_and_error
from lstm_sym.quantities import exponent_at_zero, leading_exponent
from lstm_sym.scripts import Outcome, Run, run_script
from lstm_sym.theory.edge import log_radius
from lstm_sym.theory.finite import NEGLECTED, correction
from lstm_sym.theory.meanfield import EQUATIONS, MeanField, critical_gain

Array = NDArray[np.float64]

#: Gains at which the run dies away, in networks of every size here; and those beyond.
BELOW = (0.5, 0.65, 0.8)
BEYOND = (0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.8, 2.0, 2.5, 3.0, 3.5, 4.0)
#: From gain 1 on mean field is to hold within TOLERANCE at the middle size.
TOLERANCE = 0.02
#: From this gain on hardly a network settles into a cycle, of which the 1/N correction knows nothing.
CHAOTIC = 2.0
#: What the mean of log ρ(W) may be off because eigenvalues at the edge are not quite independent.
POISSON = 0.003
#: The smallest network: a third of it is to die away at gain 0.8.
LEAST = 150
FULL = {"hidden": 300, "seeds": 12, "seed": 1, "steps": 1000, "transient": 600, "longest": 1000}
QUICK = {"hidden": 300, "seeds": 3, "steps": 300, "transient": 150, "longest": 500}


@dataclass(frozen=True)
class Exponents:
    """Leading exponents (gains, seeds) of networks of one size, below the transition and beyond.

    closed: log of the spectral radius of gW, for the gains below; error: what it and the measured may differ by.
    """

    below: Array
    closed: Array
    error: Array
    beyond: Array

    @property
    def all(self) -> Array:
        """Seeds first."""
        return np.concatenate([self.below, self.beyond]).T

    @property
    def gains(self) -> Array:
        """Those of ``all``."""
        return np.array(BELOW + BEYOND)


def measure(run: Run, hidden: int) -> Exponents:
    """All exponents at one size; the same networks at every gain, and half as many of the size that costs most."""
    seeds = run["seeds"] if hidden <= run["hidden"] else (run["seeds"] + 1) // 2
    options = {"seeds": seeds, "seed": run["seed"], "paired": True}
    network = {"cell": "RNN", "hidden": hidden}
    constants = network | {"longest": run["longest"]}
    at_rest = run.sweep(exponent_at_zero, {"gain": BELOW}, f"N{hidden}-rest", constants=constants, **options)
    constants = network | {name: run[name] for name in ("steps", "transient")}
    active = run.sweep(leading_exponent, {"gain": BEYOND}, f"N{hidden}", constants=constants, **options)
    return Exponents(at_rest["measured"], at_rest["closed"], at_rest["error"], active["value"])


def landmarks_beyond(run: Run, hidden: int, exponents: Array) -> None:
    """Exponents (gains, seeds) beside mean field, with the 1/N correction and without."""
    for gain, mean, error in zip(BEYOND, *mean_and_error(exponents.T), strict=True):
        theory, what = MeanField(gain).exponent, f"N = {hidden}, g = {gain:g}"
        run.say(f"{what}: {mean: .4f} ± {error:.4f}, less mean field {mean - theory: .4f}")
        if gain >= critical_gain():
            run.landmark(f"{what}: leading exponent", mean, theory, error=TOLERANCE)
        if gain >= CHAOTIC:
            finite = correction(MeanField(gain)) / hidden
            error = float(np.hypot(error, NEGLECTED * finite))
            run.landmark(f"{what}: with the 1/N correction", mean, theory + finite, error=error)


def landmarks_below(run: Run, hidden: int, found: Exponents) -> None:
    """Exponents of runs that die away beside the spectral radius."""
    worst = np.nanargmax(np.abs((found.below - found.closed) / found.error))
    measured, closed, error = (part.flat[worst] for part in (found.below, found.closed, found.error))
    run.landmark(f"N = {hidden}, g < 1: λ beside log ρ(gW), worst network", measured, closed, error=error)
    radius, spread = log_radius(hidden)
    sampling = float(np.hypot(spread / np.sqrt(run["seeds"]), POISSON))
    means, _ = mean_and_error(found.below.T)
    above = float((means - np.log(BELOW)).mean())
    run.landmark(f"N = {hidden}, g < 1: λ less log g, mean", above, radius, error=sampling)
    run.say(f"the line through the exponents below 1 reaches zero at g = {np.exp(-above):.4f}")


def largest_differences(run: Run, found: dict[int, Exponents]) -> None:
    """By size, how far the mean is from mean field where networks are active."""
    for hidden, one in found.items():
        means, errors = mean_and_error(one.beyond.T)
        off = means - np.array([MeanField(gain).exponent for gain in BEYOND])
        at = int(np.abs(np.where(np.array(BEYOND) > 1, off, 0)).argmax())
        run.say(f"N = {hidden}: farthest from mean field at g = {BEYOND[at]:g}: {off[at]: .4f} ± {errors[at]:.4f}")


def draw(found: dict[int, Exponents]) -> Figure:
    """Exponents, and what is left when mean field is taken off."""
    figure, axes = panels(1, 2, width=PAGE, height=2.7)
    left, right = axes[0]
    gains = np.linspace(0.45, 4.1, 200)
    theory = {"mean field": (gains, [MeanField(gain).exponent for gain in gains])}
    names = {f"$N$ = {hidden}": one for hidden, one in found.items()}
    labels = ("gain $g$", "leading exponent (nats per step)")
    plot_points(
        {name: (one.gains, one.all) for name, one in names.items()}, left, theory, labels, "(a) leading exponent"
    )
    expected = np.array([MeanField(gain).exponent for gain in BELOW + BEYOND])
    less = {name: (one.gains, one.all - expected) for name, one in names.items()}
    difference = (labels[0], "difference from mean field (nats/step)")
    plot_points(less, right, None, difference, "(b) what the finite size leaves")
    edges(right, list(found))
    for ax in (left, right):
        ax.axhline(0, color=faint(ax), linewidth=0.5, zorder=0)
        ax.axvline(critical_gain(), color=faint(ax), linewidth=0.5, zorder=0)
    legend(left, loc="lower right")
    legend(right, loc="upper right")
    return figure


def edges(ax: Axes, sizes: Sequence[int]) -> None:
    """The band of ±0.02, and theory for each size: E log ρ(W) below the transition, the 1/N correction beyond."""
    ax.axhspan(-TOLERANCE, TOLERANCE, color=faint(ax), alpha=0.5, linewidth=0, zorder=0, label=f"±{TOLERANCE:g}")
    for row, (size, colour) in enumerate(zip(sizes, colours(ax), strict=False)):
        line = guide(ax, color=colour, linestyle=":", linewidth=1.0, label="_" if row else "finite size")
        ax.plot([0.45, 1], 2 * [log_radius(size)[0]], **line)
        active = np.linspace(1.05, 4.1, 62)
        ax.plot(active, [correction(MeanField(gain)) / size for gain in active], **{**line, "label": "_"})


def work(run: Run) -> Outcome:
    """Compute and print the landmarks."""
    if run["hidden"] < LEAST:
        raise ValueError(
            f"hidden = {run['hidden']}: expected {LEAST} or more. Smaller ones are active below gain 1."
        )
    sizes = [run["hidden"] // 3, run["hidden"]] + ([] if run.quick else [2 * run["hidden"]])
    found = {hidden: measure(run, hidden) for hidden in sizes}
    landmarks_beyond(run, run["hidden"], found[run["hidden"]].beyond)
    landmarks_below(run, run["hidden"], found[run["hidden"]])
    largest_differences(run, found)
    arrays = {f"N = {hidden}": one.all for hidden, one in found.items()}
    arrays |= {"gains": np.array(BELOW + BEYOND)}
    arrays |= {"mean field": np.array([MeanField(gain).exponent for gain in BELOW + BEYOND])}
    return Outcome(lambda: draw(found), arrays, {"sizes": sizes, "tolerance": TOLERANCE}, equations())


def equations() -> dict[str, str]:
    """The step's Jacobian and the theory."""
    return {
        "a step": ls.latex(ls.jacobian(ls.RNN, "h", "h"), equation=True),
        "at the zero state": ls.zero_state(ls.RNN).latex(equation=True),
        "mean field: the variance": EQUATIONS["variance"],
        "mean field: the exponent": EQUATIONS["exponent"],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    return run_script("edge_of_chaos", __doc__, work, FULL, QUICK, arguments)


if __name__ == "__main__":
    sys.exit(main())
