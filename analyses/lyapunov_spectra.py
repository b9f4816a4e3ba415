"""Lyapunov spectra: all exponents of random RNNs, which fall onto one curve that theory gives.

Claim.    The exponents λ_i of h' = tanh(g W h), plotted against i/N, fall onto one curve as N grows. Below g = 1 it
          is log g + ½ log(1 − i/N), the circular law; beyond, in chaos, the saturation of units pulls most of the
          curve far down while only its left end rises above zero: at g = 3 a few directions grow, and most vanish
          faster than at g = 0.7.
Methods.  RNNs without input, W_hh ~ N(0, g²/N), started from N(0, 1), several sizes, gains and seeds. All N
          exponents, after a transient for the state and one for the frame. Theory: the mean-field distribution of
          pre-activations, and free probability for the product of the W·diag(1 − h²) (lstm_sym.theory.meanfield).
Figure.   Top: exponents against i/N, mean and one standard deviation over seeds; dashed: theory. Bottom: the same
          less the theory: what the finite size leaves.
Landmark. The sum of all exponents beside log|det W| + mean Σ log(1 − h²), exactly; at g = 0.7 every exponent beside
          log|eigenvalue|; at the largest size their mean and their curve beside theory. The error of these two: the
          standard errors over seeds of the two largest sizes, and what is left to change beyond them: as much as
          the last doubling has changed; 2.4 times that at g = 1, where it falls as slowly as N^−½.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

import lstm_sym as ls
from lstm_sym.figures import PAGE, faint, legend, panels, plot_lyapunov_spectra
from lstm_sym.figures.spectra import shares
from lstm_sym.scripts import Outcome, Run, run_script
from lstm_sym.theory import ginibre
from lstm_sym.theory.gaussian import mean
from lstm_sym.theory.meanfield import EQUATIONS, TANH, MeanField

Array = NDArray[np.float64]

GAINS = (0.7, 1.0, 1.5, 3.0)
#: Sizes are the largest and its halves.
HALVES = 4
#: Shares i/N at which sizes are compared: the ends, where few exponents are, are left out.
COMPARED = np.linspace(0.05, 0.9, 18)
#: Steps without and with a frame before exponents count.
SETTLE, ALIGN = 1000, 100
#: Exponents settle to log|eigenvalue| like 1/T.
SETTLING = 5.0
#: What is left to change falls like 1/N, as measured at g = 1.5 from N = 64 to 256; at g = 1, the transition, no
#: faster than N^−½ (to N^−¾ up to 512): this many times what the last doubling has changed.
LEFT = {gain: 1 / (math.sqrt(2) - 1) if gain == 1.0 else 1.0 for gain in GAINS}
FULL = {"hidden": 512, "steps": 400, "seeds": 4, "seed": 1, "long": 20_000}
QUICK = {"hidden": 128, "steps": 200, "seeds": 3, "long": 4000}


def spectrum(gain: float, *, rng: np.random.Generator, hidden: int, steps: int) -> dict[str, Array | float]:
    """All exponents of one network, and what their sum must be: log|det W| + mean Σ log(1 − h²)."""
    kernel = ls.Kernel(ls.RNN)
    p = kernel.parameters(hidden, 1, rng=rng, gain=gain)
    settled = ls.run(kernel, p, SETTLE, initial=rng.standard_normal(hidden)).states[-1]
    orbit = ls.run(kernel, p, ALIGN + steps, initial=settled)
    slopes = TANH.log_slope(orbit.previous[ALIGN:] @ p["W_hh"].T)  # from pre-activations: 1 − h² would cancel
    total = np.linalg.slogdet(p["W_hh"])[1] + slopes.sum(axis=1).mean()
    return {"exponents": np.asarray(ls.lyapunov_spectrum(orbit, transient=ALIGN)), "sum": float(total)}


def spectra(run: Run, sizes: Sequence[int]) -> dict[int, Array]:
    """Exponents (gains, seeds, N) by size; the landmark of their sums."""
    found: dict[int, Array] = {}
    worst = 0.0
    for size in sizes:
        constants = {"hidden": size, "steps": run["steps"]}
        result = run.sweep(
            spectrum, {"gain": GAINS}, f"N{size}", seeds=run["seeds"], seed=run["seed"], constants=constants
        )
        found[size] = result["exponents"]
        worst = max(worst, float(np.abs(found[size].sum(axis=-1) - result["sum"]).max()))
    run.landmark("sum of exponents less log|det W| + mean Σ log(1−h²), worst", worst, 0.0, error=1e-8)
    return found


def eigenvalue_landmark(run: Run, hidden: int = 64) -> None:
    """Without activity the exponents are log|eigenvalue| of gW, of which the frame takes 1/T to let go."""
    kernel = ls.Kernel(ls.RNN)
    p = kernel.parameters(hidden, 1, rng=run["seed"], gain=GAINS[0])
    orbit = ls.run(kernel, p, run["long"], initial=np.zeros(hidden))
    exponents = np.asarray(ls.lyapunov_spectrum(orbit, transient=run["long"] // 2))
    eigenvalues = np.sort(np.log(np.abs(np.linalg.eigvals(p["W_hh"]))))[::-1]
    worst = float(np.abs(exponents - eigenvalues).max())
    run.landmark(f"g = {GAINS[0]}: λ_i less log|eigenvalue|, worst", worst, 0.0, error=SETTLING / run["long"])


def mean_landmarks(run: Run, found: dict[int, Array]) -> None:
    """The mean of all exponents over seeds, beside log|det W| as it is expected at that size and the mean slope."""
    half, whole = sorted(found)[-2:]
    for row, gain in enumerate(GAINS):
        slopes = np.log(gain) + mean(TANH.log_slope, MeanField(gain).variance)
        means = [found[size][row].mean(axis=-1) for size in (half, whole)]
        theory = [slopes + ginibre.mean_log_determinant(size) / size for size in (half, whole)]
        before, now = (values.mean() - expected for values, expected in zip(means, theory, strict=True))
        error = math.hypot(LEFT[gain] * (now - before), *map(standard_error, means))
        run.landmark(f"g = {gain:g}, N = {whole}: mean of all exponents", means[1].mean(), theory[1], error=error)


def collapse_landmarks(run: Run, found: dict[int, Array]) -> None:
    """How far the two largest sizes are apart, and the largest from theory, over i/N from 0.05 to 0.9."""
    half, whole = sorted(found)[-2:]
    for row, gain in enumerate(GAINS):
        at = [np.stack([np.interp(COMPARED, shares(s), one) for one in found[s][row]]) for s in (half, whole)]
        apart = float(np.abs(at[1].mean(axis=0) - at[0].mean(axis=0)).max())
        errors = [float(standard_error(values).max()) for values in at]
        off = np.abs(at[1].mean(axis=0) - MeanField(gain).spectrum(COMPARED)).max()
        error = math.hypot(LEFT[gain] * apart, *errors)
        run.landmark(f"g = {gain:g}: N = {whole} less theory, worst", off, 0.0, error=error)
        text = f"N = {half} and {whole} are {apart:.4f} apart, standard errors up to {math.hypot(*errors):.4f}"
        run.say(f"g = {gain:g}: {text}")


def standard_error(values: Array) -> Any:
    """Of the mean over seeds, the first axis."""
    return values.std(axis=0, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.zeros(values.shape[1:])


def draw(found: dict[int, Array]) -> Figure:
    """Spectra above, their distance from theory below; a column for each gain."""
    figure, axes = panels(2, len(GAINS), width=PAGE, height=3.9, sharex=True, height_ratios=(3, 2))
    curve = 1 - np.linspace(0, 1, 201)[::-1] ** 2
    for column, (gain, letters) in enumerate(zip(GAINS, ("ae", "bf", "cg", "dh"), strict=True)):
        theory = MeanField(gain)
        named = {f"$N$ = {size}": runs[column] for size, runs in found.items()}
        top, bottom = axes[:, column]
        plot_lyapunov_spectra(
            named, top, theory=(curve, theory.spectrum(curve)), title=f"({letters[0]}) $g$ = {gain:g}"
        )
        less = {label: runs - theory.spectrum(shares(runs.shape[-1])) for label, runs in named.items()}
        plot_lyapunov_spectra(less, bottom, ylabel="minus theory (nats/step)", title=f"({letters[1]})")
        low, high = theory.spectrum([0.985, 0.0])
        top.set(xlabel="", ylim=(low, high + 0.08 * (high - low)))
        bottom.set_ylim(-0.2, 0.2)
        for ax in (top, bottom):
            ax.axhline(0, color=faint(ax), linewidth=0.5, zorder=0)
            if column:
                ax.set_ylabel("")
    legend(axes[0, 0], loc="lower left", borderaxespad=0.0)
    return figure


def work(run: Run) -> Outcome:
    """Compute and print the landmarks."""
    if run["hidden"] < (least := 2 ** (HALVES + 1)):
        raise ValueError(f"hidden = {run['hidden']}: expected {least} or more, it is halved {HALVES - 1} times.")
    sizes = [run["hidden"] // 2**k for k in reversed(range(HALVES))]
    found = spectra(run, sizes)
    eigenvalue_landmark(run)
    mean_landmarks(run, found)
    collapse_landmarks(run, found)
    arrays: dict[str, Array] = {f"N = {size}": runs for size, runs in found.items()}
    arrays["shares"] = np.linspace(0, 0.999, 200)
    arrays |= {f"theory, g = {gain:g}": MeanField(gain).spectrum(arrays["shares"]) for gain in GAINS}
    return Outcome(lambda: draw(found), arrays, {"gains": GAINS, "settle": SETTLE, "align": ALIGN}, equations())


def equations() -> dict[str, str]:
    """The step, its determinant, and the theory."""
    return {
        "a step": ls.latex(ls.jacobian(ls.RNN, "h", "h"), equation=True),
        "its determinant": ls.latex(ls.log_determinant(ls.RNN), equation=True),
        "theory: the variance": EQUATIONS["variance"],
        "theory: the spectrum": EQUATIONS["spectrum"],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    return run_script("lyapunov_spectra", __doc__, work, FULL, QUICK, arguments)


if __name__ == "__main__":
    sys.exit(main())
