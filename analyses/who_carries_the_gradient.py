"""Who carries the gradient: not the direct path for long, nor the block at frozen c, nor a factorisation too late.

Claim.    The direct path, the product of forget gates, carries all of ∂c_T/∂c_{T−k} at lag 1 and next to nothing
          after a few time constants: detours through h take over, and most of them begin at the candidate. The
          block ∂h'/∂h at frozen c, which published code takes for the LSTM's Jacobian, has a leading exponent that
          is wrong by more than a nat per step, and the more so the better the LSTM remembers. A spectrum from QR
          at a fixed interval is silently wrong as soon as the condition number gathered between two of them
          reaches 1/ε.
Methods.  Shares ⟨part, whole⟩/‖whole‖² of the gradient by the path that first leaves the direct one, without input
          (at the zero state, where (f + r·W)^(k−1)·f gives them in closed form for large n) and driven by white
          Gaussian inputs; several seeds. Leading exponents of the products of ∂h'/∂h alone and of whole Jacobians,
          same runs. Plain QR every m steps against ls.lyapunov_spectrum from the same frame; theory: each
          factorisation loses ε·κ of a log, κ = e^(mΔ), Δ the spread of the exponents, and beyond 1/ε all that is
          below ε of the largest.
Figure.   Share of the direct path against lag (a) at the zero state, (b) driven; (c, d) shares by path, forget
          bias 1 and 5; (e) leading exponents against the forget bias; (f) worst error of a spectrum against the
          interval.
Landmark. Shares at lags 1, 5 and 10 beside their closed forms; exponents at the zero state beside log|λ|; errors.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

import lstm_sym as ls
from lstm_sym.figures import PAGE, guide, legend, panels, plot_path_shares, plot_points
from lstm_sym.scripts import Outcome, Run, run_script
from lstm_sym.theory.circular import disc_of
from lstm_sym.theory.detours import direct_share
from lstm_sym.theory.forgetting import log_forget
from lstm_sym.theory.rounding import EPSILON, interval_error, logs_at_interval

INPUTS = 8
SHOWN = (0.0, 1.0, 3.0, 5.0)
BY_PATH = (1.0, 5.0)
FORGET_BIASES = tuple(np.arange(0.0, 6.5, 0.5))
#: All divide the steps of a spectrum, so that every interval sees the same product.
INTERVALS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30)
#: Lags at which shares are compared with theory, over many networks.
LAGS, NETWORKS = (5, 10), 30
PATHS = {"direct": "direct", "f": "through $f$", "i": "through $i$", "g": "through $g$", "o": "through $o$"}
#: How many leading exponents are computed as well as all of them.
LEADING = 4
FULL = {"hidden": 64, "lags": 400, "seeds": 6, "seed": 1, "transient": 100, "units": 16, "steps": 600}
QUICK = {"hidden": 24, "lags": 100, "seeds": 3, "units": 8, "steps": 120}

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Carried:
    """Shares of the direct path (seeds, lags), without input and driven, by forget bias; and shares by path."""

    resting: dict[float, Array]
    driven: dict[float, Array]
    by_path: dict[float, dict[str, Array]]


@cache
def lstm() -> ls.Kernel:
    """The LSTM's kernel, generated once."""
    return ls.Kernel(ls.LSTM)


def lstm_run(hidden: int, bias: float, seed: int, steps: int, driven: bool = True) -> ls.Trajectory:
    """A run from the zero state, with white inputs or none."""
    kernel = lstm()
    x = np.random.default_rng([seed, 1]).standard_normal((steps, INPUTS)) * driven
    return ls.run(kernel, kernel.parameters(hidden, INPUTS, rng=seed, b_f=bias), x)


def shares(hidden: int, lags: int, seeds: Sequence[int], transient: int) -> Carried:
    """Shares of the gradient of c by c."""
    resting, driven, by_path = {}, {}, {}
    for bias in SHOWN:
        still = [ls.path_shares(lstm_run(hidden, bias, s, lags, driven=False), "c", "c") for s in seeds]
        moved = [ls.path_shares(lstm_run(hidden, bias, s, transient + lags), "c", "c", lags=lags) for s in seeds]
        resting[bias] = np.stack([found["direct"] for found in still])
        driven[bias] = np.stack([found["direct"] for found in moved])
        if bias in BY_PATH:
            by_path[bias] = {label: np.stack([found[label] for found in moved]) for label in moved[0].labels}
    return Carried(resting, driven, by_path)


def direct_shares_at_rest(hidden: int, bias: float, seeds: Sequence[int]) -> Array:
    """Shares of the direct path at the zero state at few lags, (seeds, lags)."""
    runs = (lstm_run(hidden, bias, seed, max(LAGS), driven=False) for seed in seeds)
    return np.stack([ls.path_shares(run, "c", "c")["direct"] for run in runs])


def detour_ratio(bias: float) -> float:
    """r/f at the zero state: how strong the way through h is there beside the direct one."""
    disc = disc_of(ls.zero_state(ls.LSTM, b_f=bias))
    return disc.radius / disc.centre


def leading_exponents(run: ls.Trajectory, transient: int) -> tuple[float, float]:
    """Of the product of whole Jacobians, and of the product of the blocks ∂h'/∂h at frozen c, in nats per step."""
    kernel, h = run.system, lstm().blocks(run.parameters)["h"]
    frozen = kernel.jacobian(run.parameters, run.inputs, run.previous)[:, h, h]
    both = (ls.lyapunov_spectrum(product, k=1, transient=transient) for product in (run, frozen))
    whole, block = (float(found[0]) for found in both)
    return whole, block


def exponents_by_bias(hidden: int, steps: int, seeds: Sequence[int], transient: int) -> Array:
    """Both leading exponents, (2, seeds, forget biases)."""
    found = [
        [leading_exponents(lstm_run(hidden, bias, seed, transient + steps), transient) for bias in FORGET_BIASES]
        for seed in seeds
    ]
    return np.moveaxis(np.array(found), -1, 0)


def interval_errors(units: int, seed: int, steps: int, transient: int, count: int) -> tuple[Array, float, float]:
    """Worst errors of ``count`` exponents by interval (ε/10 at least), their spread, the reference's own error."""
    run = lstm_run(units, 1.0, seed, transient + steps)
    jacobians = run.system.jacobian(run.parameters, run.inputs[transient:], run.previous[transient:])
    frame, _ = np.linalg.qr(np.random.default_rng([seed, 3]).standard_normal((2 * units, count)))
    exact = ls.lyapunov_spectrum(jacobians, frame=frame, accuracy=1e-13)
    errors = [np.abs(logs_at_interval(jacobians, frame, m) / steps - exact).max() for m in INTERVALS]
    assert exact.certificate is not None
    return np.maximum(errors, EPSILON / 10), float(exact[0] - exact[-1]), exact.certificate.error or 0.0


def exponents_at_zero(hidden: int, bias: float, seed: int, steps: int) -> tuple[float, float]:
    """Leading exponents at the zero state of whole Jacobians and frozen blocks, on their invariant planes."""
    kernel = lstm()
    run = lstm_run(hidden, bias, seed, steps, driven=False)
    whole = kernel.jacobian(run.parameters, run.inputs, run.previous)
    block = kernel.blocks(run.parameters)["h"]
    first, second = (on_leading_plane(product) for product in (whole, whole[:, block, block]))
    return first, second


def on_leading_plane(product: Array) -> float:
    """The mean exponent on the plane of the leading eigenvector of equal matrices: log|λ|, complex or not."""
    values, vectors = np.linalg.eig(product[0])
    leading = vectors[:, np.abs(values).argmax()]
    parts = [part for part in (leading.real, leading.imag) if np.abs(part).max() > 0]
    return float(np.mean(ls.lyapunov_spectrum(product, frame=np.stack(parts, axis=-1))))


def landmarks(run: Run, found: Carried, errors: Array, spreads: Array) -> None:
    """Shares, exponents at the zero state, and errors beside their closed forms.

    Stated of the shares: chance over networks and, for the finite size, j²/n of the share, j the detours that its
    largest term takes (sampled at n = 24 and 64: at most 1.4 times that). Of the errors of spectra: an order of
    magnitude and a half, since the worst of many windows counts; a seventh of one where all is lost.
    """
    for bias, values in found.resting.items():
        run.landmark(f"zero state, b_f = {bias:g}: direct share, lag 1", values[:, 0].mean(), 1.0, error=1e-12)
        ratio = detour_ratio(bias)
        many = direct_shares_at_rest(run["hidden"], bias, range(run["seed"], run["seed"] + NETWORKS))
        for lag in LAGS:
            theory, detours = float(direct_share(lag, ratio)), (lag - 1) * ratio / (1 + ratio)
            chance = np.std(many[:, lag - 1], ddof=1) / np.sqrt(NETWORKS)
            error = float(np.hypot(chance, theory * detours**2 / run["hidden"]))
            what = f"zero state, b_f = {bias:g}: direct share, lag {lag}, {NETWORKS} networks"
            run.landmark(what, many[:, lag - 1].mean(), theory, error=error)
    for bias, paths in found.by_path.items():
        gap = np.abs(sum(paths.values()) - 1.0).max()
        run.landmark(f"driven, b_f = {bias:g}: shares of all paths less 1, worst", gap, 0.0, error=1e-9)
    p = lstm_run(run["hidden"], 1.0, run["seed"], 1, driven=False).parameters
    zero = ls.zero_state(ls.LSTM, b_f=1.0)
    radius = disc_of(zero).radius * np.abs(np.linalg.eigvals(p["W_hg"])).max()
    whole, block = exponents_at_zero(run["hidden"], 1.0, run["seed"], run["steps"])
    theory = float(np.log(np.abs(zero.spectrum(p)[0])))
    run.landmark("zero state, b_f = 1: leading exponent, log|λ| (nats/step)", whole, theory, error=1e-10)
    run.landmark("the same of the frozen block, log(i·o·|w|)", block, float(np.log(radius)), error=1e-10)
    decades, expected = (
        np.log10(errors).mean(axis=0),
        np.log10(interval_error(spreads[:, None], INTERVALS)).mean(axis=0),
    )
    for place, interval in enumerate(INTERVALS):
        if interval in (1, 2, 3, 10, 20):
            what = f"QR every {interval} steps: log10 of the worst error (nats/step)"
            run.landmark(what, decades[place], expected[place], error=1.5 if interval < 10 else 0.15)


def draw(found: Carried, exponents: Array, errors: dict[str, Array], spreads: dict[str, Array]) -> Figure:
    """Six panels."""
    figure, axes = panels(2, 3, width=PAGE, height=4.6)
    flat = list(axes.flat)
    for ax, title, shares_of in ((flat[0], "(a) zero state", found.resting), (flat[1], "(b) driven", found.driven)):
        curves = {f"$b_f$ = {bias:g}": values for bias, values in shares_of.items()}
        plot_path_shares(curves, ax, f"{title}: direct path")
    lags = np.arange(1, found.resting[SHOWN[0]].shape[1] + 1)
    for bias in found.resting:
        label = "theory" if bias == SHOWN[0] else "_"
        flat[0].plot(lags, direct_share(lags, detour_ratio(bias)), **guide(flat[0], label=label, zorder=4))
    for ax, letter, (bias, paths) in zip(flat[2:4], "cd", found.by_path.items(), strict=True):
        plot_path_shares({PATHS[label]: values for label, values in paths.items()}, ax)
        ax.set_title(f"({letter}) driven, $b_f$ = {bias:g}, by path")
    draw_exponents(exponents, flat[4])
    draw_errors(errors, spreads, flat[5])
    for ax in flat[:4]:
        ax.set_ylim(-0.2, 1.12)
    legend(flat[0], loc="upper right", borderaxespad=1.2)
    legend(flat[3], loc="center left", borderaxespad=0.1)
    return figure


def draw_exponents(exponents: Array, ax: Axes) -> None:
    """Leading exponents of whole Jacobians and of frozen blocks, and the slope of the direct path."""
    whole, block = exponents
    points = {
        "whole Jacobian": (FORGET_BIASES, whole),
        r"$\partial h_t/\partial h_{t-1}$, $c$ frozen": (FORGET_BIASES, block),
    }
    biases = np.linspace(0.0, FORGET_BIASES[-1], 61)
    theory = {r"$\log\sigma(b_f)$": (biases, log_forget(biases))}
    labels = "forget bias $b_f$", "leading exponent (nats/step)"
    plot_points(points, ax, theory, labels, "(e) frozen block, driven")
    legend(ax, loc="center right")


def draw_errors(errors: dict[str, Array], spreads: dict[str, Array], ax: Axes) -> None:
    """Worst errors against the interval, and what is expected of the spread of the exponents."""
    points = {label: (INTERVALS, np.log10(values)) for label, values in errors.items()}
    theory: dict[str, Any] = {}
    every = np.geomspace(INTERVALS[0], INTERVALS[-1], 100)
    for label, values in spreads.items():
        expected = np.log10(interval_error(values[:, None], every)).mean(axis=0)
        theory[f"_{label}" if theory else "theory"] = (every, expected)
    plot_points(
        points, ax, theory, ("interval $m$ (steps)", r"$\log_{10}$ error (nats/step)"), "(f) QR every $m$ steps"
    )
    ax.set_xscale("log")
    ax.set_xticks([1, 2, 3, 5, 10, 20, 30], ["1", "2", "3", "5", "10", "20", "30"])
    ax.minorticks_off()
    legend(ax, loc="center right", bbox_to_anchor=(1.03, 0.36), handlelength=1.4, handletextpad=0.4)


def work(run: Run) -> Outcome:
    """Compute and print the landmarks."""
    every = range(run["seed"], run["seed"] + run["seeds"])
    found = shares(run["hidden"], run["lags"], every, run["transient"])
    exponents = exponents_by_bias(run["hidden"], run["steps"], every, run["transient"])
    counts = {"all exponents": 2 * run["units"], f"the {LEADING} leading": min(LEADING, 2 * run["units"])}
    results = {
        label: [interval_errors(run["units"], seed, run["steps"], run["transient"], count) for seed in every]
        for label, count in counts.items()
    }
    errors = {label: np.stack([errors for errors, _, _ in rows]) for label, rows in results.items()}
    spreads = {label: np.array([spread for _, spread, _ in rows]) for label, rows in results.items()}
    landmarks(run, found, errors["all exponents"], spreads["all exponents"])
    for row, name in zip(exponents, ("whole Jacobian", "frozen block"), strict=True):
        values = ", ".join(f"{b:g}: {value:.3f}" for b, value in zip(FORGET_BIASES, row.mean(axis=0), strict=True))
        run.say(f"leading exponent of the {name} (nats per step) by b_f: {values}")
    run.say(f"the reference's own error: {max(row[2] for row in results['all exponents']):.0e} nats per step")
    arrays: dict[str, Any] = {f"direct share at rest, b_f = {b:g}": values for b, values in found.resting.items()}
    arrays |= {f"direct share driven, b_f = {b:g}": values for b, values in found.driven.items()}
    for bias, paths in found.by_path.items():
        arrays |= {f"share driven, b_f = {bias:g}, {label}": values for label, values in paths.items()}
    arrays |= {"leading exponents": exponents, "intervals": INTERVALS}
    arrays |= {f"errors of {label}": values for label, values in errors.items()}
    arrays |= {f"spread of {label}": values for label, values in spreads.items()}
    parameters = {"forget_biases": FORGET_BIASES, "inputs": INPUTS, "leading": LEADING}
    return Outcome(lambda: draw(found, exponents, errors, spreads), arrays, parameters, equations())


def equations() -> dict[str, str]:
    """The whole Jacobian, the block that is taken for it, and the direct path."""
    return {
        "a step of the LSTM": ls.latex(ls.jacobian(ls.LSTM, "state", "state"), equation=True),
        "the block at frozen c": ls.latex(ls.jacobian(ls.LSTM, "h", "h"), equation=True),
        "the direct path": ls.latex(ls.horizon_product(ls.LSTM, "c", "c", path="direct"), equation=True),
        "the paths of a step": ls.latex(ls.paths(ls.LSTM, "c", "c", path="total"), equation=True),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    return run_script("who_carries_the_gradient", __doc__, work, FULL, QUICK, arguments)


if __name__ == "__main__":
    sys.exit(main())
