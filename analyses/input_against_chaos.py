"""Input against chaos: a random RNN's leading exponent over gain and input strength, with mean-field theory.

Claim.    Input drives units into saturation, where their slopes are small, and so quenches chaos: the stronger the
          input, the larger the gain at which gradients begin to explode. That gain is known: from one fixed point,
          the variance, and two Gaussian integrals. Below it the network forgets its start and follows its input.
Methods.  h' = tanh(g W h + σ ξ), W_ij ~ N(0, 1/N), ξ white and Gaussian, independent for every unit: as many inputs
          as units, W_xh = 1. Leading exponents after a transient, mean over seeds, the same networks everywhere.
          Theory: mean field (lstm_sym.theory.meanfield; setting of Molgedey, Schuchhardt & Schuster 1992).
Figure.   (a) leading exponent over gain and input strength: its zero contour, and dashed the one of theory.
          (b) against input strength at three gains, mean and standard error over seeds; dashed: theory; dotted:
          with the 1/N correction (lstm_sym.theory.finite).
Landmark. The gain at which the exponent is zero, by input strength; the point of the plane that is farthest from
          theory; both within a finite-size error of 6/N nats per step, 0.02 at N = 300. Exponents of (b) with the
          1/N correction, within sampling error and a third of the correction.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

import lstm_sym as ls
from lstm_sym.figures import PAGE, faint, guide, legend, panels, plot_phase_diagram, plot_points
from lstm_sym.figures.points import mean_and_error
from lstm_sym.quantities import leading_exponent
from lstm_sym.scripts import Outcome, Run, run_script
from lstm_sym.theory.finite import NEGLECTED, correction
from lstm_sym.theory.meanfield import EQUATIONS, MeanField, critical_gain

Array = NDArray[np.float64]

GAINS, STRENGTHS = (0.5, 4.0), (0.0, 2.5)
#: Where (b) cuts, roughly: the nearest gains of the grid are taken.
CUTS = (1.5, 2.5, 3.5)
#: From this input strength on no network falls into a cycle, and exponents near zero are to be within FINITE/N of
#: mean field; from STRONG on all are. Weaker input leaves the spectral radius of a small gain to be seen.
DRIVEN, STRONG, FINITE = 0.25, 0.5, 6.0
FULL = {"hidden": 300, "seeds": 4, "seed": 1, "steps": 500, "transient": 100, "gains": 15, "strengths": 11}
QUICK = {"hidden": 150, "seeds": 2, "steps": 300, "transient": 60, "gains": 8, "strengths": 6}


def driven_exponent(
    gain: float, strength: float, *, rng: np.random.Generator, hidden: int, steps: int, transient: int
) -> float:
    """The leading exponent of an RNN whose units have each an input of their own."""
    length = {"steps": steps, "transient": transient}
    own = {"inputs": hidden, "W_xh": np.eye(hidden), "input_strength": strength}
    return leading_exponent("RNN", hidden=hidden, gain=gain, rng=rng, **own, **length)


def crossings(gains: Array, exponents: Array) -> Array:
    """Where exponents (gains, seeds) first rise through zero, on a spline; nan for seeds where they do not."""
    found = []
    for values in exponents.T:
        rising = [root for root in CubicSpline(gains, values).roots(extrapolate=False) if root > gains[0]]
        found.append(rising[0] if rising and values[0] < 0 < values[-1] else np.nan)
    return np.array(found)


def landmarks(run: Run, gains: Array, strengths: Array, exponents: Array) -> None:
    """Zero crossings and exponents beside theory; ``exponents`` (gains, strengths, seeds)."""
    for column, strength in enumerate(strengths):
        mean, error = (float(part[0]) for part in mean_and_error(crossings(gains, exponents[:, column])[:, None]))
        theory = critical_gain(float(strength))
        what = f"σ = {strength:g}: gain at which the exponent is zero"
        if strength >= DRIVEN and theory < gains[-1]:
            slope = (MeanField(1.01 * theory, float(strength)).exponent) / (0.01 * theory)
            run.landmark(what, mean, theory, error=FINITE / run["hidden"] / slope)
            run.say(f"{'':{len(what)}} standard error over seeds {error:.4f}")
        elif theory < gains[-1]:
            run.say(f"{what}: {mean:.3f} ± {error:.3f}, mean field {theory:.3f} (some networks in cycles)")
    driven = strengths >= STRONG
    found, expected = exponents[:, driven].mean(axis=-1), mean_field(gains, strengths[driven])
    at = np.unravel_index(np.abs(found - expected).argmax(), found.shape)
    what = f"farthest from mean field: g = {gains[at[0]]:g}, σ = {strengths[driven][at[1]]:g}"
    run.landmark(what, float(found[at]), float(expected[at]), error=FINITE / run["hidden"])
    for row in cut_rows(gains):
        for column in (len(strengths) // 2, len(strengths) - 1):
            limit = MeanField(float(gains[row]), float(strengths[column]))
            finite = correction(limit) / run["hidden"]
            mean, spread = (float(part[0]) for part in mean_and_error(exponents[row, column][:, None]))
            what = f"g = {gains[row]:g}, σ = {strengths[column]:g}: with the 1/N correction"
            error = float(np.hypot(spread, NEGLECTED * finite))
            run.landmark(what, mean, limit.exponent + finite, error=error)


def cut_rows(gains: Array) -> list[int]:
    """The gains of (b), as places in the grid."""
    return [int(np.abs(gains - cut).argmin()) for cut in reversed(CUTS)]


def mean_field(gains: Array, strengths: Array) -> Array:
    """The exponents of theory over the plane, (gains, strengths)."""
    return np.array([[MeanField(float(g), float(s)).exponent for s in strengths] for g in gains])


def draw(gains: Array, strengths: Array, exponents: Array, hidden: int) -> Figure:
    """The plane, and cuts through it."""
    figure, axes = panels(1, 2, width=PAGE, height=2.9, width_ratios=(1.15, 1))
    left, right = axes[0]
    fine = np.linspace(strengths[0], strengths[-1], 101)
    edge = np.array([critical_gain(float(strength)) for strength in fine])
    plot_phase_diagram(
        *(exponents.mean(axis=-1), gains, strengths, left),
        lines={"mean field": (edge, fine)},
        labels=("gain $g$", r"input strength $\sigma$"),
        title="(a) leading exponent",
    )
    legend(left, loc="upper left", frameon=True, framealpha=0.8, edgecolor="none")
    draw_cuts(gains, strengths, exponents, right, hidden)
    return figure


def draw_cuts(gains: Array, strengths: Array, exponents: Array, ax: Axes, hidden: int) -> None:
    """Exponents against input strength, beside theory for N → ∞ and for this size."""
    fine = np.linspace(strengths[0], strengths[-1], 101)
    cuts: dict[str, tuple[Array, Array]] = {}
    theory: dict[str, tuple[Array, list[float]]] = {}
    finite: list[list[float]] = []
    for row in cut_rows(gains):
        line = [MeanField(float(gains[row]), float(strength)) for strength in fine]
        cuts[f"$g$ = {gains[row]:g}"] = (strengths, exponents[row].T)
        theory[f"_{row}" if theory else "mean field"] = (fine, [one.exponent for one in line])
        finite.append([one.exponent + correction(one) / hidden for one in line])
    labels = (r"input strength $\sigma$", "leading exponent (nats per step)")
    plot_points(cuts, ax, theory, labels, "(b) cuts through (a) at three gains")
    for number, values in enumerate(finite):
        label = "_" if number else f"the same for $N$ = {hidden}"
        ax.plot(fine, values, **guide(ax, linestyle="-", linewidth=0.8, label=label))
    ax.axhline(0, color=faint(ax), linewidth=0.5, zorder=0)
    legend(ax, loc="lower left")


def work(run: Run) -> Outcome:
    """Compute and print the landmarks."""
    if run["gains"] < 4 or run["strengths"] < 2:
        raise ValueError(f"{run['gains']} gains and {run['strengths']} strengths: expected at least 4 and 2.")
    gains, strengths = np.linspace(*GAINS, run["gains"]), np.linspace(*STRENGTHS, run["strengths"])
    found = run.sweep(
        driven_exponent,
        {"gain": gains.tolist(), "strength": strengths.tolist()},
        seeds=run["seeds"],
        seed=run["seed"],
        constants={name: run[name] for name in ("hidden", "steps", "transient")},
        paired=True,
    )
    exponents = found["value"]
    landmarks(run, gains, strengths, exponents)
    fine = np.linspace(*STRENGTHS, 101)
    arrays = {"gains": gains, "strengths": strengths, "exponents": exponents, "strengths of theory": fine}
    arrays |= {"mean field": mean_field(gains, strengths)}
    arrays |= {"critical gains of theory": np.array([critical_gain(float(strength)) for strength in fine])}
    return Outcome(
        lambda: draw(gains, strengths, exponents, run["hidden"]), arrays, {"finite size": FINITE}, equations()
    )


def equations() -> dict[str, str]:
    """The step's Jacobian and the theory."""
    return {
        "a step": ls.latex(ls.jacobian(ls.RNN, "h", "h"), equation=True),
        "mean field: the variance": EQUATIONS["variance"],
        "mean field: the exponent, zero at the critical gain": EQUATIONS["exponent"],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    return run_script("input_against_chaos", __doc__, work, FULL, QUICK, arguments)


if __name__ == "__main__":
    sys.exit(main())
