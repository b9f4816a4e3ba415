"""What the phase diagrams of gated cells share: landmarks, each with a closed form, and how a map is drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from lstm_sym.calculus import horizon_product
from lstm_sym.calculus.limits.limits import zero_state
from lstm_sym.cell import Cell
from lstm_sym.figures import faint, legend, plot_phase_diagram
from lstm_sym.figures.points import plot_points
from lstm_sym.quantities import crossing_gain, edge_gain, exponent_at_zero, gradient_reach
from lstm_sym.scripts.running import Run
from lstm_sym.sweeps import SweepResult
from lstm_sym.theory.forgetting import forget_bias, time_constant
from lstm_sym.typeset import latex

Array = NDArray[np.float64]
#: A curve, x and values; biases, and the symbol for them.
Curve: TypeAlias = tuple[Array, Array]
Rows: TypeAlias = tuple[Sequence[float], str]
#: The time constants of the isolines, in steps.
TIME_CONSTANTS = (10, 100, 1000)
#: How far the gain at which N units leave zero is from that of N → ∞, as a share of it, times √N: the mean, and the
#: deviation of one network.  Sampled, 100 networks of 24 and 60 of 64 units, LSTM and GRU, biases from −2 to 2:
#: means 0.03 to 0.44 (each ± 0.05 to 0.09), deviations 0.44 to 0.75; both grow with the bias of the keeping gate.
FINITE_MEAN, FINITE_DEVIATION = 0.45, 0.75


def critical_gain(cell: Cell, **biases: float) -> float:
    """The closed form of ``ls.zero_state``, as a number.

    >>> import lstm_sym as ls
    >>> critical_gain(ls.LSTM, b_f=0.0), round(critical_gain(ls.LSTM, b_f=4.0), 6)
    (2.0, 0.071945)
    """
    gain = zero_state(cell, **biases).critical_gain
    if gain is None:
        raise ValueError(f"the critical gain of {cell.name} has no closed form.")
    return float(gain)


def edge_exponent(cell: Cell, gains: Array, weight: str, **biases: float) -> Array:
    """log|λ| at the edge of the disc that the eigenvalues fill at large N, w = gain: (gains,), in nats per step.

    It is the exponent below the critical gain: that of a network of one unit, whose ``weight`` is the gain.
    """
    zero = zero_state(cell, **biases)
    return np.array([np.log(np.abs(zero.spectrum({weight: [[gain]]})[0])) for gain in gains])


def time_constant_landmarks(run: Run, cell: Cell, state: str, keeps: str, weights: Sequence[str]) -> None:
    """The direct path falls to 1/e in −1/log σ(b) steps, measured with the gate's ``weights`` at zero."""
    for bias in (0.0, 1.0, 2.0, 3.0, 5.0, *map(float, forget_bias(TIME_CONSTANTS))):
        given: dict[str, Any] = {"hidden": 8, "rng": run["seed"], keeps: bias, **dict.fromkeys(weights, 0.0)}
        fall = float(gradient_reach(cell, lags=100, of=state, wrt=state, path="direct", **given))
        theory = float(time_constant(bias))
        run.landmark(f"time constant in steps, {keeps} = {bias:.4g}", -100 / fall, theory, error=1e-9 * theory)


def seeds_of(run: Run, row: str) -> list[int]:
    """As many seeds as the run has, of this ``row``'s own: rows of one run are independent of each other."""
    return [int(word) for word in np.random.SeedSequence([run["seed"], *row.encode()]).generate_state(run["seeds"])]


def zero_state_landmarks(run: Run, cell: Cell, points: Sequence[Mapping[str, float]]) -> None:
    """At half the critical gain the exponent of a run is log of the spectral radius at zero of that network."""
    for biases in points:
        what = f"exponent at half the critical gain, {_text(biases)}"
        gain = critical_gain(cell, **biases) / 2
        given: dict[str, Any] = {"hidden": run["hidden"], "gain": gain, **biases}
        found = [exponent_at_zero(cell, rng=rng, **given) for rng in seeds_of(run, f"{cell.name}: {what}")]
        measured, closed, error = (np.array([one[k] for one in found]) for k in ("measured", "closed", "error"))
        run.landmark(what, measured.mean(), closed.mean(), error.max())


def crossing_landmarks(run: Run, cell: Cell, points: Sequence[Mapping[str, float]]) -> None:
    """Where the measured exponent passes zero: beside the network's own eigenvalues, and the circular law's edge.

    The outermost eigenvalues of a network of N units are O(1/√N) off that edge, in the mean and by chance. The mean
    stays however many networks there are; chance averages out.
    """
    share = np.hypot(FINITE_MEAN, FINITE_DEVIATION / np.sqrt(run["seeds"])) / np.sqrt(run["hidden"])
    for biases in points:
        where, critical = f"exponent is 0 at gain, {_text(biases)}", critical_gain(cell, **biases)
        rngs = seeds_of(run, f"{cell.name}: {where}")
        given: dict[str, Any] = {"hidden": run["hidden"], **biases}
        crossings = np.array([crossing_gain(cell, rng=rng, **given) for rng in rngs])
        edges = np.array([edge_gain(cell, rng=rng, **given) for rng in rngs])
        run.landmark(f"{where}: own eigenvalues", crossings.mean(), edges.mean(), 1e-6 * critical)
        run.landmark(f"{where}: N → ∞", crossings.mean(), critical, critical * share)


def _text(biases: Mapping[str, float]) -> str:
    return ", ".join(f"{name} = {value:.4g}" for name, value in biases.items())


def zero_state_equations(cell: Cell, state: str, points: Sequence[Mapping[str, int]]) -> dict[str, str]:
    """The zero state and the critical gain at some biases, and the direct path of ``state``, as LaTeX."""
    found = {}
    for biases in points:
        zero = zero_state(cell, **biases)
        found[f"the zero state, {_text(biases)}"] = latex(zero, equation=True)
        found[f"the critical gain, {_text(biases)}"] = f"g_c = {latex(zero.critical_gain)}"
    return found | {"the direct path": latex(horizon_product(cell, state, state, path="direct"), equation=True)}


# --- drawing ----------------------------------------------------------------------------------------------------


def say_signs(run: Run, found: SweepResult, critical: Array, what: str = "") -> None:
    """How many mean exponents are positive, below and above the critical gain."""
    share, mean = next(iter(found.axes.values()))[:, None] / critical, found.mean()
    for where, low, high in (("below", 0.0, 1.0), ("at 1 to 4 times", 1.0, 4.0), ("beyond 4 times", 4.0, np.inf)):
        inside = (share > low) & (share <= high)
        positive = f"{np.sum(mean[inside] > 0)} of {inside.sum()}"
        run.say(f"{what}{where} the critical gain: {positive} mean exponents are positive")


def draw_map(found: SweepResult, critical: Array, ax: Axes, taus: Sequence[float], label: str, title: str) -> None:
    """A map over gain and a bias, the critical gain at each of its values, and isolines of the time constants."""
    gains, biases = list(found.axes.values())[:2]
    plot_phase_diagram(
        *(found.mean(), gains, biases, ax),
        lines={"critical gain": (critical, biases)},
        isolines={f"τ = {tau}": (gains, np.full(gains.shape, forget_bias(tau))) for tau in taus},
        linear=1e-3,
        log="x",
        labels=("recurrent gain $g$", label),
        title=title,
    )
    legend(ax, loc="lower left", frameon=True, framealpha=0.8, edgecolor="none")


def draw_rows(
    found: SweepResult, critical: Array, taus: Array, edge: Callable[[float, Array], Array], ax: Axes, rows: Rows
) -> None:
    """Rows of a map over gain and a bias in their own units: exponent × τ against gain over critical gain.

    taus: the time constant at each bias. edge(bias, gains): the exponents of the edge of the disc. rows: the
    biases to show, and the symbol for them.
    """
    (gains, biases), (wanted, symbol) = list(found.axes.values())[:2], rows
    curves: dict[str, Curve] = {}
    theory: dict[str, Curve] = {}
    below = np.geomspace(0.02, 1.0, 24)
    for row in dict.fromkeys(int(np.argmin(np.abs(biases - bias))) for bias in wanted):
        bias, tau = float(biases[row]), float(taus[row])
        shown = f"{tau:.3g}" if tau < 999.5 else f"{tau:.0f}"
        label = f"{symbol} = {bias:.2g}, τ = {shown}".replace("-", "−")
        curves[label] = (gains / critical[row], tau * found["value"][:, row].T)
        theory["_" if theory else "edge of the disc, N → ∞"] = (below, tau * edge(bias, below * critical[row]))
    plot_points(curves, ax, theory, ("gain / critical gain", "exponent × τ (nats)"))
    ax.set_yscale("symlog", linthresh=1.0, linscale=1.5)
    top = max(float(np.nanmax(values)) for _, values in curves.values())
    ax.set_yticks([-1, 0, 1, 10, 100, 1000], ["−1", "0", "1", "10", "100", "1000"])
    ax.minorticks_off()
    ax.set(xscale="log", ylim=(-1.5, max(100.0, 2 * top)))
    ax.axhline(0.0, color=faint(ax), linewidth=0.5, zorder=0)
    legend(ax, loc="best")
