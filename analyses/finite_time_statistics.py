"""Finite-time statistics: QR logs are not log singular values, and the typical norm is not the mean norm.

Claim.    Over a finite horizon the logs of a QR factorisation, T times the Lyapunov exponents, differ from the log
          singular values by nats that do not go away with T; their partial sums never exceed those of the log
          singular values (Weyl 1949, Horn 1954) and their totals agree. A weight matrix that keeps the squared
          norm of a gradient in the mean loses it in every typical run: products of N(0, 1/N) matrices have E‖Px‖²
          = 1 at every length, while ‖Px‖ falls as e^(λ₁T), λ₁ ≈ −1/(2N); the mean is carried by a share of all
          products that itself falls exponentially.
Methods.  (a, b) LSTM driven by white Gaussian inputs: both spectra of the same product of state Jacobians, for
          several seeds. (c, d) products of matrices with independent N(0, 1/N) entries: Lyapunov exponents from QR
          beside the exact ½[log(2/N) + ψ((N−i+1)/2)] (Newman 1986), and their deviations in exact standard
          deviations. (e, f) a vector under many such products: log ‖Px‖ is a sum of independent terms with a known
          characteristic function, from which come its density, that of the mean, and the share of products that
          carry half of it.
Figure.   (a) log singular values less QR logs; (b) their partial sums; (c) exponents, (d) deviations, band: 4.5
          s.d.; (e) log norms, and dashed their density times ‖Px‖², of which the mean is made; (f) average (the
          median of 20 groups) and median of ‖Px‖², and the share of products that carries half of the average.
Landmark. Horn's inequality and totals; exponents beside the digamma formula; mean and variance of log norms;
          E‖Px‖².
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

import lstm_sym as ls
from lstm_sym.figures import PAGE, guide, legend, panels, plot_by_index, plot_deviations, plot_distribution
from lstm_sym.figures.points import plot_points
from lstm_sym.scripts import Outcome, Run, run_script
from lstm_sym.theory import ginibre
from lstm_sym.theory.typical import LogNorms, carrying_share

INPUTS = 8
HORIZONS = (10, 100, 1000)
SIZES = (4, 16, 64)
LENGTHS = (1, 2, 3, 5, 7, 10, 20, 30, 50, 70, 100, 140, 200)
VECTOR = 8
#: The average of ‖Px‖² is compared with 1 after so many steps, where the products that carry it are still frequent.
FREQUENT = 5
#: The length whose log norms are drawn, and how many products a measured share must at least stand for.
SHOWN, TOO_FEW = 50, 5
#: Groups of products, for sampling errors and for the average that a single group gives.
GROUPS = 20
FULL = {"hidden": 32, "horizon": 1000, "seeds": 5, "seed": 1, "steps": 4000, "samples": 200_000, "transient": 100}
QUICK = {"hidden": 12, "horizon": 100, "seeds": 3, "steps": 1000, "samples": 5_000}

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Statistics:
    """Spectra by horizon, (seeds, S), in nats; exponents by size, (seeds, N); log norms (lengths, samples)."""

    qr: dict[int, Array]
    svd: dict[int, Array]
    exponents: dict[int, Array]
    steps: int
    lengths: tuple[int, ...]
    norms: Array

    def deviations(self, size: int) -> Array:
        """Exponents of Gaussian products less the formula, in its standard deviations, (seeds, N)."""
        return (self.exponents[size] - ginibre.exponents(size)) / ginibre.deviations(size, self.steps)

    def excess(self, horizon: int) -> Array:
        """Log singular values less QR logs, (seeds, S), in nats."""
        return self.svd[horizon] - self.qr[horizon]


def spectra(hidden: int, seed: int, horizons: Sequence[int], transient: int) -> tuple[Array, Array]:
    """QR logs and log singular values of the first T Jacobians after the transient, (horizons, S), in nats."""
    kernel = ls.Kernel(ls.LSTM)
    p = kernel.parameters(hidden, INPUTS, rng=seed)
    x = np.random.default_rng([seed, 1]).standard_normal((transient + max(horizons), INPUTS))
    orbit = ls.run(kernel, p, x)
    jacobians = kernel.jacobian(p, orbit.inputs[transient:], orbit.previous[transient:])
    qr = [horizon * ls.lyapunov_spectrum(jacobians[:horizon], accuracy=1e-12) for horizon in horizons]
    svd = ls.singular_spectrum(jacobians, "state", "state", horizons, anchor="start", accuracy=1e-10)
    return np.array(qr), np.asarray(svd)


def gaussian_exponents(size: int, steps: int, seed: int) -> Array:
    """Lyapunov exponents of a product of ``steps`` matrices with entries N(0, 1/size), (size,)."""
    rng = np.random.default_rng([seed, size])
    return np.asarray(ls.lyapunov_spectrum(rng.standard_normal((steps, size, size)) / np.sqrt(size)))


def log_norms(size: int, lengths: Sequence[int], samples: int, seed: int) -> Array:
    """log ‖Px‖ of ``samples`` products of Gaussian matrices at each length, (lengths, samples)."""
    rng, found = np.random.default_rng([seed, 2]), []
    x, logs = np.zeros((samples, size, 1)), np.zeros(samples)
    x[:, 0] = 1.0
    for step in range(1, max(lengths) + 1):
        x = rng.standard_normal((samples, size, size)) @ x / np.sqrt(size)
        norm = np.linalg.norm(x, axis=1, keepdims=True)
        x, logs = x / norm, logs + np.log(norm[:, 0, 0])
        if step in lengths:
            found.append(logs)
    return np.stack(found)


def compute(
    hidden: int, horizon: int, seeds: int, seed: int, steps: int, samples: int, transient: int
) -> Statistics:
    """All statistics."""
    if samples < GROUPS:
        raise ValueError(f"--samples {samples}: expected at least {GROUPS}, one for each group.")
    every = range(seed, seed + seeds)
    horizons = [h for h in HORIZONS if h <= horizon] or [horizon]
    both = np.array([spectra(hidden, s, horizons, transient) for s in every])
    sizes = [size for size in SIZES if size <= max(SIZES[0], 2 * hidden)]
    lengths = tuple(length for length in LENGTHS if length <= max(horizon, FREQUENT))
    return Statistics(
        {h: both[:, 0, k] for k, h in enumerate(horizons)},
        {h: both[:, 1, k] for k, h in enumerate(horizons)},
        {size: np.stack([gaussian_exponents(size, steps, s) for s in every]) for size in sizes},
        steps,
        lengths,
        log_norms(VECTOR, lengths, samples, seed),
    )


def landmarks_of_spectra(run: Run, found: Statistics) -> None:
    """Horn's inequality, equal totals, and the digamma formula."""
    for horizon in found.qr:
        partial = np.cumsum(found.excess(horizon), axis=-1)
        least = min(0.0, float(partial[:, :-1].min()))
        run.landmark(f"T = {horizon}: Horn's inequality, worst violation (nats)", least, 0.0, error=1e-9)
        total = np.abs(found.svd[horizon].sum(axis=-1)).max()
        gap = float(np.abs(partial[:, -1]).max())
        run.landmark(f"T = {horizon}: totals, of {total:.0f} nats", gap, 0.0, error=1e-11 * total)
        run.say(
            f"T = {horizon}: log singular values less QR logs up to {np.abs(found.excess(horizon)).max():.2f} nats"
        )
    for size, values in found.exponents.items():
        theory, deviation = ginibre.exponents(size), ginibre.deviations(size, run["steps"]) / np.sqrt(len(values))
        for place, name in ((0, "first"), (-1, "last")):
            what = f"Gaussian products, N = {size}: {name} exponent"
            run.landmark(what, values[:, place].mean(), theory[place], error=deviation[place])
        spread = np.sqrt(np.sum(deviation**2))
        run.landmark(f"Gaussian products, N = {size}: sum", values.sum(axis=-1).mean(), theory.sum(), error=spread)
        worst = np.abs(values.mean(axis=0) - theory) / deviation
        run.say(f"N = {size}: the largest of {size} deviations is {worst.max():.2f} s.d.")


def landmarks_of_norms(run: Run, found: Statistics) -> None:
    """Mean and variance of log norms, the mean square, and who carries it."""
    samples = found.norms.shape[-1]
    for length in (FREQUENT, found.lengths[-1]):
        logs, law = found.norms[found.lengths.index(length)], LogNorms(VECTOR, length)
        error = np.sqrt(law.variance / samples)
        run.landmark(f"T = {length}: mean of log ‖Px‖ (nats)", logs.mean(), law.mean, error=error)
        error = np.sqrt((law.fourth_cumulant + 2 * law.variance**2) / samples)
        run.landmark(f"T = {length}: variance of log ‖Px‖", logs.var(ddof=1), law.variance, error=error)
    logs, law = found.norms[found.lengths.index(FREQUENT)], LogNorms(VECTOR, FREQUENT)
    error = np.sqrt(((1 + 2 / VECTOR) ** FREQUENT - 1) / samples)
    run.landmark(f"T = {FREQUENT}: E‖Px‖², exactly 1", np.exp(2 * logs).mean(), 1.0, error=error)
    groups = [carrying_share(part) for part in np.array_split(logs, GROUPS)]
    what = f"T = {FREQUENT}: share of products that carries half of it"
    error = float(np.std(groups, ddof=1) / np.sqrt(len(groups)))
    run.landmark(what, carrying_share(logs), np.exp(law.carrying()), error=error)
    last = LogNorms(VECTOR, found.lengths[-1])
    run.say(
        f"T = {last.steps}: half of E‖Px‖² from {np.exp(last.carrying()):.1e} of all products; "
        f"an average of {samples} sees {last.mean_seen(samples):.1e} of it"
    )


def draw(found: Statistics) -> Figure:
    """Six panels."""
    figure, axes = panels(2, 3, width=PAGE, height=4.4)
    flat = list(axes.flat)
    excess = {f"$T$ = {horizon}": found.excess(horizon) for horizon in found.qr}
    plot_by_index(excess, flat[0], r"$\log\sigma_i - T\lambda_i$ (nats)", "(a) SVD less QR, LSTM")
    sums = {label: np.cumsum(values, axis=-1) for label, values in excess.items()}
    plot_by_index(sums, flat[1], "partial sum (nats)", "(b) Horn's inequality")
    draw_exponents(found, flat[2], flat[3])
    draw_norms(found, flat[4])
    draw_decay(found, flat[5])
    for ax in flat[:3]:
        legend(ax)
    return figure


def draw_exponents(found: Statistics, beside: Axes, deviating: Axes) -> None:
    """Exponents beside the digamma formula, and their deviations from it."""
    points: dict[str, Any] = {}
    lines: dict[str, Any] = {}
    for size, values in found.exponents.items():
        place = np.arange(1, size + 1) / size
        points[f"$N$ = {size}"] = (place, values)
        lines[f"_{size}" if lines else "theory"] = (place, ginibre.exponents(size))
    labels = "$i/N$", "exponent (nats per step)"
    plot_points(points, beside, lines, labels, "(c) Gaussian products")
    deviations = {f"$N$ = {size}": found.deviations(size) for size in found.exponents}
    plot_deviations(deviations, deviating, title="(d) every seed; band: 4.5 s.d.")


def draw_norms(found: Statistics, ax: Axes) -> None:
    """Log norms at one length with their exact density, and that of the mean."""
    at = min(found.lengths, key=lambda length: abs(length - SHOWN))
    law, logs = LogNorms(VECTOR, at), found.norms[found.lengths.index(at)]
    spread = 4.5 * np.sqrt(law.variance)
    values = np.linspace(law.mean - spread, law.mean_carrying + spread, 300)
    densities = {
        "exact": (values, law.density(values)),
        r"$\times\,\|Px\|^2$": (values, law.density_carrying(values)),
    }
    labels = r"$\log\,\|Px\|$ (nats)", "density (1/nat)"
    plot_distribution(logs, ax, densities, labels, f"(e) $T$ = {at}, $N$ = {VECTOR}")
    ax.set_ylim(top=1.45 * ax.get_ylim()[1])
    legend(ax, loc="upper left", ncols=2, columnspacing=0.8)


def draw_decay(found: Statistics, ax: Axes) -> None:
    """Average and median of ‖Px‖² against the length, and the share of products that carries half of its mean."""
    laws = [LogNorms(VECTOR, length) for length in found.lengths]
    samples = found.norms.shape[-1]
    squares, together = np.exp(2 * found.norms), max(1, samples // GROUPS)
    averages = np.array([[part.mean() for part in np.array_split(row, GROUPS)] for row in squares])
    seen = np.log10([law.mean_seen(together) for law in laws])
    carrying = np.array([law.carrying() for law in laws]) / np.log(10)
    measurable = carrying > np.log10(TOO_FEW / samples)
    shares = np.log10([carrying_share(logs) for logs in found.norms])
    points = {
        f"average of {together}": (found.lengths, np.log10(np.median(averages, axis=-1))),
        "median": (found.lengths, np.log10(np.median(squares, axis=-1))),
        "share carrying half": (found.lengths, np.where(measurable, shares, np.nan)),
    }
    typical = 2 * np.array([law.mean for law in laws]) / np.log(10)
    theory = {
        "theory": (found.lengths, typical),
        "_seen": (found.lengths, seen),
        "_share": (found.lengths, carrying),
    }
    plot_points(
        points, ax, theory, ("steps $T$", r"$\log_{10}$ of norm² or share"), r"(f) $\|Px\|^2$ and its carriers"
    )
    ax.axhline(0.0, **guide(ax))
    ax.set_ylim(bottom=1.5 * float(typical.min()))
    legend(ax, loc="lower left", borderaxespad=0.1)


def work(run: Run) -> Outcome:
    """Compute and print the landmarks."""
    found = compute(**run.numbers)
    landmarks_of_spectra(run, found)
    landmarks_of_norms(run, found)
    arrays: dict[str, Any] = {f"qr logs, T = {horizon}": logs for horizon, logs in found.qr.items()}
    arrays |= {f"log singular values, T = {horizon}": logs for horizon, logs in found.svd.items()}
    arrays |= {f"exponents, N = {size}": values for size, values in found.exponents.items()}
    arrays |= {"lengths": found.lengths, "log norms": found.norms}
    parameters = {"horizons": tuple(found.qr), "sizes": tuple(found.exponents), "vector": VECTOR, "inputs": INPUTS}
    return Outcome(lambda: draw(found), arrays, parameters, equations())


def equations() -> dict[str, str]:
    """The product whose two spectra are compared."""
    return {"the LSTM's product": ls.latex(ls.horizon_product(ls.LSTM, "state", "state"), equation=True)}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    return run_script("finite_time_statistics", __doc__, work, FULL, QUICK, arguments)


if __name__ == "__main__":
    sys.exit(main())
