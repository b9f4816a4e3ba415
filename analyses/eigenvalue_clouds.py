"""Eigenvalue clouds: an RNN's modes fill a disc about zero, an LSTM's a disc about its forget gate.

Claim.    At the zero state the eigenvalues of an RNN's Jacobian fill a disc of radius gain about zero: few of its
          modes are slow unless it is about to be unstable. Those of an LSTM are n exact zeros, from the hidden
          state, and a disc about σ(b_f) of radius ¼·gain. The forget bias moves the whole disc to the unit circle:
          at gain 1 half of all modes of c then grow, and a quarter more last for ten steps or longer.
Methods.  Eigenvalues of the state Jacobian at the zero state, without input, as LAPACK finds them, for weights W_h
          ~ N(0, gain²/hidden), several seeds. Theory: the closed form of ls.zero_state with the circular law for
          the one weight matrix in it (n → ∞: areas of the disc), and with the exact mean density of eigenvalues of
          a real Gaussian matrix of that size. Driven: the same networks with white Gaussian inputs.
Figure.   (a) RNN, three gains; (b) to (e) LSTM, four forget biases: the cloud of one network, its zeros, the disc
          (dashed), the unit circle, and pale the eigenvalues along a driven run. (f) share of the modes of c with
          |λ| above 0.9, 0.99 and 1 (time constants of 9.5 and 99.5 steps, and growth) against the forget bias.
Landmark. Centre, radius, number of zeros and slow share over seeds, beside the closed forms.
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
from lstm_sym.figures import PAGE, legend, panels, plot_eigenvalues, plot_points
from lstm_sym.figures.clouds import ZERO
from lstm_sym.scripts import Outcome, Run, run_script
from lstm_sym.theory.circular import Disc, disc_of, expected_eigenvalues

GAINS = (0.5, 1.0, 1.5)
SHOWN = (0.0, 1.0, 3.0, 5.0)
FORGET_BIASES = tuple(np.arange(0.0, 6.5, 0.5))
THEORY_BIASES = np.linspace(0.0, 6.0, 49)
SLOW = {r"$|\lambda| > 0.9$": 0.9, r"$|\lambda| > 0.99$": 0.99, r"$|\lambda| > 1$": 1.0}
INPUTS = 8
FULL = {"hidden": 200, "seeds": 10, "seed": 1, "steps": 200, "moments": 8}
QUICK = {"hidden": 32, "seeds": 12, "moments": 4}

Cloud = NDArray[np.complex128]


@dataclass(frozen=True)
class Clouds:
    """Eigenvalues (seeds, S) at the zero state, by gain and by forget bias, and those along a driven run."""

    rnn: dict[float, Cloud]
    lstm: dict[float, Cloud]
    driven: dict[float, Cloud]


@cache
def kernel_of(cell: ls.Cell) -> ls.Kernel:
    """The kernel of a cell, generated once."""
    return ls.Kernel(cell)


def network(cell: ls.Cell, hidden: int, seed: int, **values: Any) -> tuple[ls.Kernel, dict[str, Any]]:
    """A kernel and random parameters; other ``values``, other weights."""
    kernel, own = kernel_of(cell), round(100 * sum(values.values()))
    return kernel, kernel.parameters(hidden, INPUTS, rng=np.random.default_rng([seed, own]), **values)


def at_zero(cell: ls.Cell, hidden: int, seed: int, **values: Any) -> Cloud:
    """Eigenvalues (S,) of the dense state Jacobian at the zero state."""
    kernel, p = network(cell, hidden, seed, **values)
    size = kernel.blocks(p).popitem()[1].stop
    found = np.linalg.eigvals(kernel.jacobian(p, np.zeros(INPUTS), np.zeros(size)))
    return np.asarray(found, dtype=complex)


def along_a_run(forget_bias: float, hidden: int, seed: int, steps: int, moments: int) -> Cloud:
    """Eigenvalues (moments, S) of the state Jacobian at moments of the second half of a driven run."""
    kernel, p = network(ls.LSTM, hidden, seed, b_f=forget_bias)
    orbit = ls.run(kernel, p, np.random.default_rng([seed, 1]).standard_normal((steps, INPUTS)))
    at = np.linspace(steps // 2, steps - 1, moments).astype(int)
    return np.asarray(np.linalg.eigvals(kernel.jacobian(p, orbit.inputs[at], orbit.previous[at])), dtype=complex)


def compute(hidden: int, seeds: int, seed: int, steps: int, moments: int) -> Clouds:
    """All clouds."""
    every = range(seed, seed + seeds)
    return Clouds(
        {gain: np.stack([at_zero(ls.RNN, hidden, s, gain=gain) for s in every]) for gain in GAINS},
        {b: np.stack([at_zero(ls.LSTM, hidden, s, b_f=b) for s in every]) for b in FORGET_BIASES},
        {b: along_a_run(b, hidden, seed, steps, moments) for b in SHOWN},
    )


def modes_of_c(cloud: Cloud) -> Cloud:
    """The n eigenvalues (seeds, n) that are not the hidden state's zeros."""
    order = np.argsort(-np.abs(cloud), axis=-1)
    return np.take_along_axis(cloud, order, axis=-1)[:, : cloud.shape[-1] // 2]


def slow_share(modes: Cloud, magnitude: float) -> NDArray[np.float64]:
    """The share of modes beyond a magnitude, for each seed."""
    return np.asarray(np.mean(np.abs(modes) > magnitude, axis=-1))


def expected_share(disc: Disc, size: int, magnitude: float) -> float:
    """The same in the mean over all Gaussian matrices of that size."""
    points, weights = expected_eigenvalues(size)
    return float(weights @ (np.abs(disc.centre + disc.radius * points) > magnitude))


def check_disc(run: Run, label: str, modes: Cloud, disc: Disc) -> None:
    """Landmarks of a disc. The mean of n eigenvalues is tr W/n: its error over seeds is radius/(n·√seeds).

    That of the mean of |λ|² is as large at radius 1 (sampled), that of ``squares``, whose mean is 1, twice.
    """
    seeds, n = modes.shape
    chance = disc.radius / n / np.sqrt(seeds)
    run.landmark(f"{label}: centre", modes.mean().real, disc.centre, error=chance)
    points, weights = expected_eigenvalues(n)
    squares = np.mean(np.abs(modes - disc.centre) ** 2, axis=-1) / (weights @ np.abs(points) ** 2)
    radius = np.sqrt(squares.mean())
    error = sampling(squares, 2 * disc.radius * chance) / (2 * radius)
    run.landmark(f"{label}: radius", radius, disc.radius, error=error)


def sampling(values: NDArray[np.float64], least: float) -> float:
    """The standard error of a mean over seeds, no less than ``least``: they may all agree."""
    spread = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    return max(float(spread), least)


def landmarks(run: Run, clouds: Clouds) -> None:
    """Discs, zeros and slow shares beside their closed forms."""
    for gain in GAINS:
        check_disc(run, f"RNN, gain {gain:g}", clouds.rnn[gain], disc_of(ls.zero_state(ls.RNN), gain))
    for bias in SHOWN:
        cloud, disc = clouds.lstm[bias], disc_of(ls.zero_state(ls.LSTM, b_f=bias), 1.0)
        modes = modes_of_c(cloud)
        check_disc(run, f"LSTM, b_f = {bias:g}", modes, disc)
        zeros = (np.abs(cloud) < ZERO).sum(axis=-1)
        run.landmark(f"LSTM, b_f = {bias:g}: exact zeros, every seed", zeros.mean(), run["hidden"], error=0.0)
        share, expected = slow_share(modes, 0.99), expected_share(disc, run["hidden"], 0.99)
        error = sampling(share, 1.0 / modes.size)
        run.landmark(f"LSTM, b_f = {bias:g}: share with |λ| > 0.99", share.mean(), expected, error=error)
        run.say(f"LSTM, b_f = {bias:g}: {disc.share_beyond(0.99):.6f} of the disc's area, n → ∞, is beyond 0.99")
    _, p = network(ls.LSTM, run["hidden"], run["seed"], b_f=3.0)
    closed = modes_of_c(ls.zero_state(ls.LSTM, b_f=3.0).spectrum(p)[None])[0]
    found = modes_of_c(clouds.lstm[3.0])[0]
    nearest = np.abs(closed[:, None] - found).min(axis=1).max()
    run.landmark("LSTM, b_f = 3: closed-form eigenvalue to LAPACK's, worst", nearest, 0.0, error=1e-10)


def draw(clouds: Clouds, areas: NDArray[np.float64]) -> Figure:
    """Five clouds and the slow shares."""
    figure, axes = panels(2, 3, width=PAGE, height=4.1)
    flat = list(axes.flat)
    rnn = {f"gain {gain:g}": clouds.rnn[gain][0] for gain in reversed(GAINS)}
    discs = [disc_of(ls.zero_state(ls.RNN), gain) for gain in GAINS]
    plot_eigenvalues(rnn, flat[0], discs=[(d.centre, d.radius) for d in discs], title="(a) RNN")
    flat[0].set(xlim=(-1.6, 2.96), ylim=(-1.71, 1.71))
    for ax, letter, bias in zip(flat[1:5], "bcde", SHOWN, strict=True):
        disc = disc_of(ls.zero_state(ls.LSTM, b_f=bias), 1.0)
        title = f"({letter}) LSTM, $b_f$ = {bias:g}"
        cloud = {"zero state": clouds.lstm[bias][0]}
        plot_eigenvalues(cloud, ax, clouds.driven[bias], [(disc.centre, disc.radius)], title)
        ax.set(xlim=(-0.32, 1.36), ylim=(-0.63, 0.63))
    legend(flat[0], loc="upper right", handletextpad=0.1, borderaxespad=0.0)
    legend(flat[1], loc="upper left", handletextpad=0.1, borderaxespad=0.0, markerscale=1.5)
    draw_shares(clouds, areas, flat[5])
    return figure


def draw_shares(clouds: Clouds, areas: NDArray[np.float64], ax: Axes) -> None:
    """Slow modes against the forget bias: means over seeds, and areas of the disc."""
    measured: dict[str, Any] = {}
    theory: dict[str, Any] = {}
    for (label, magnitude), area in zip(SLOW.items(), areas, strict=True):
        shares = [slow_share(modes_of_c(cloud), magnitude) for cloud in clouds.lstm.values()]
        measured[label] = (FORGET_BIASES, np.stack(shares, axis=-1))
        theory[f"_{label}" if theory else "theory"] = (THEORY_BIASES, area)
    axis = "forget bias $b_f$", "share of modes of $c$"
    plot_points(measured, ax, theory, axis, "(f) slow modes of $c$")
    ax.set_ylim(-0.04, 1.2)
    legend(ax, loc="upper left", handletextpad=0.3, columnspacing=0.8, borderaxespad=0.0, ncols=2)
    ax.set_box_aspect(0.75)


def slow_areas() -> NDArray[np.float64]:
    """The shares of the disc's area beyond each magnitude, (magnitudes, forget biases)."""
    discs = [disc_of(ls.zero_state(ls.LSTM, b_f=float(bias)), 1.0) for bias in THEORY_BIASES]
    return np.array([[disc.share_beyond(magnitude) for disc in discs] for magnitude in SLOW.values()])


def work(run: Run) -> Outcome:
    """Compute and print the landmarks."""
    clouds = compute(**run.numbers)
    landmarks(run, clouds)
    arrays: dict[str, Any] = {f"rnn, gain {gain:g}": cloud for gain, cloud in clouds.rnn.items()}
    arrays |= {f"lstm, b_f = {b:g}": cloud for b, cloud in clouds.lstm.items()}
    arrays |= {f"lstm driven, b_f = {b:g}": cloud for b, cloud in clouds.driven.items()}
    arrays |= {"forget biases of the areas": THEORY_BIASES, "areas beyond 0.9, 0.99 and 1": (areas := slow_areas())}
    parameters = {"gains": GAINS, "forget_biases": FORGET_BIASES, "inputs": INPUTS}
    return Outcome(lambda: draw(clouds, areas), arrays, parameters, equations())


def equations() -> dict[str, str]:
    """The Jacobians at the zero state with their eigenvalues."""
    return {
        "the RNN at the zero state": ls.zero_state(ls.RNN).latex(equation=True),
        "the LSTM at the zero state": ls.zero_state(ls.LSTM).latex(equation=True),
        "the LSTM at the zero state, b_f = 3": ls.zero_state(ls.LSTM, b_f=3).latex(equation=True),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    return run_script("eigenvalue_clouds", __doc__, work, FULL, QUICK, arguments)


if __name__ == "__main__":
    sys.exit(main())
