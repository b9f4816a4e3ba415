"""Gated networks about their critical gain: exponents that have settled, and where they pass zero."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.optimize import brentq

from lstm_sym import checks
from lstm_sym.calculus.limits.limits import ZeroState, zero_state
from lstm_sym.cell import Cell
from lstm_sym.flow import lyapunov_spectrum, run
from lstm_sym.kernels import Kernel
from lstm_sym.quantities.points import LONGEST, Array, leading_exponent, network, steps_of
from lstm_sym.theory.forgetting import time_constant

#: Steps before and while exponents are measured, besides those in proportion to the time constant.
LEAST_STEPS = 200
#: Rounding error allowed to exponents near zero, in nats per step.
ACCURACY = 1e-9
#: Nats by which the leading direction is to outgrow the others.
OUTGROWN = 25.0
#: Shares of its own critical gain at which a network's exponent is measured to see where it passes zero.
BELOW = (0.994, 0.996, 0.998)
#: How far from the critical gain, as a factor, that of one network is looked for.
WIDEST = 1000.0


def settled_exponent(
    cell: str | Cell = "LSTM", *, keeps: str = "b_f", relaxations: int = 10, rng: Any = None, **options: Any
) -> float:
    """The leading exponent over ``relaxations`` time constants of the gate that keeps the state, after as many.

    A gate that stands at σ(b) forgets within −1/log σ(b) steps, and a network can settle no faster: a run of fixed
    length would still be in its transient where b is large. Both times are 200 steps at least. The transient is
    as long as the time that counts.

    >>> settled_exponent("LSTM", hidden=16, gain=0.01, b_f=2.0, rng=0).__round__(3)
    -0.124

    Args:
        cell, rng, **options: as for ``leading_exponent``; the bias that ``keeps`` names among them.
        keeps: the bias of the gate: "b_f" (LSTM), "b_z" (GRU).
        relaxations: how many time constants.

    Raises ValueError for a bias whose time constant is too long to be waited for.
    """
    if keeps not in options:
        raise ValueError(f"keeps = {keeps!r}: expected the name of a bias that is given as well.")
    steps = _settling(keeps, options[keeps], checks.size("relaxations", relaxations))
    return leading_exponent(cell, rng=rng, **{"steps": steps, "transient": steps, "accuracy": 1e-6, **options})


def exponent_at_zero(
    cell: str | Cell = "LSTM",
    *,
    hidden: int = 64,
    gain: float = 1.0,
    initial: float = 1e-6,
    longest: int = 20_000,
    rng: Any = None,
    **biases: float,
) -> dict[str, float]:
    """The leading exponent of a run that dies away, beside log of the spectral radius of the zero state's Jacobian.

    "measured": from a start N(0, initial²), over as many steps as come before them, which are enough for one
    direction to outgrow the others 10¹¹-fold, or ``longest``. Where the leading eigenvalues are a complex pair,
    tangent vectors turn, and their mean growth over T steps is off by O(1/T): then half the growth of the area
    that two of them span, which is not.
    "closed": from the closed-form eigenvalues of ``ls.zero_state``.
    "error": what the two may differ by, in nats per step: what the transient has left of other directions and of
    the state itself, by size for a random start, or, if that is more, by twice the drift from the whole run to its
    second half; and the rounding allowed. Where ``longest`` cuts the transient short, one network in a hundred
    differs by more: a start may be so far from the leading direction that it does not come near it within the run.

    >>> found = exponent_at_zero("LSTM", hidden=16, gain=0.2, b_f=2.0, rng=0)
    >>> abs(found["measured"] - found["closed"]) < found["error"] < 1e-6
    True

    Raises ValueError above the critical gain of this very network, where no run dies away, and where no direction
    outgrows the others: at gain 0, or behind a gate that is shut.
    """
    kernel, bound = network(exponent_at_zero, cell, hidden, 1, gain, rng := checks.generator(rng), biases)
    closed = _zero_state(kernel, bound, biases).spectrum(bound)
    logs = np.log(np.maximum(np.abs(closed), np.finfo(np.float64).tiny))
    if logs[0] >= 0:
        raise ValueError(f"gain = {gain:g}: expected less, this network's zero state is not stable.")
    pair = 2 if abs(closed[0].imag) > 0 else 1
    gap = logs[0] - logs[pair] if pair < len(logs) else np.inf
    if gain == 0 or closed[0] == 0 or gap == 0:
        raise ValueError(
            f"gain = {gain:g}: expected recurrent weights that act. No eigenvalue of this zero state stands out; "
            "leading_exponent gives the exponent without it."
        )
    steps = int(min(LEAST_STEPS + np.ceil(OUTGROWN / gap), steps_of("longest", longest)))
    start = initial * rng.standard_normal(closed.size)
    orbit = run(kernel, bound, 2 * steps, initial=start)
    found = lyapunov_spectrum(orbit, k=pair, transient=steps, accuracy=ACCURACY)
    # A random direction has 1/√S of its length along the leading one: so much more there may be of others.
    left = np.sqrt(closed.size) * (np.exp(-gap * steps) + np.abs(orbit.states[steps]).max() / -logs[0]) / steps
    error = max(left, 2 * _drift(found.blocks)) + ACCURACY
    return {"measured": float(np.mean(found)), "closed": float(logs[0]), "error": float(error)}


def edge_gain(cell: str | Cell = "LSTM", *, hidden: int = 64, rng: Any = None, **biases: float) -> float:
    """The gain at which the spectral radius of this very network's zero state passes 1.

    At large ``hidden`` it tends to ``ls.zero_state(cell, ...).critical_gain``; a finite network's outermost
    eigenvalue is O(1/√hidden) off the circular law's edge.

    >>> import lstm_sym as ls
    >>> round(edge_gain("LSTM", hidden=200, b_f=0.0, rng=0), 2), ls.zero_state(ls.LSTM, b_f=0).critical_gain
    (1.93, 2)

    Raises ValueError where the radius does not pass 1 at a gain within a factor 1000 of the critical one.
    """
    kernel, bound = network(edge_gain, cell, hidden, 1, 1.0, rng, biases)
    zero = _zero_state(kernel, bound, biases)
    recurrent = [weight.name for part in zero.eigenvalues for _, weights in part.words for weight in weights]

    def excess(log_gain: float) -> float:
        scaled = {name: np.exp(log_gain) * bound[name] for name in recurrent}
        return float(np.abs(zero.spectrum({**bound, **scaled})[0])) - 1.0

    critical = zero.critical_gain
    if critical is None or not 0 < float(critical) < np.inf:
        raise ValueError(
            f"the critical gain of {kernel.cell.name} is {critical}: expected one in closed form, above 0."
        )
    middle, width = float(np.log(float(critical))), 0.5
    while not excess(middle - width) < 0 < excess(middle + width):
        if (width := 2 * width) > np.log(WIDEST):
            raise ValueError(f"hidden = {hidden}: the radius of this network does not pass 1.")
    return float(np.exp(brentq(excess, middle - width, middle + width, xtol=1e-10)))


def crossing_gain(cell: str | Cell = "LSTM", *, hidden: int = 64, rng: int = 0, **biases: float) -> float:
    """The gain at which the measured exponent of this very network, ``rng``, passes zero.

    Extrapolated from ``exponent_at_zero`` at three gains 0.2 to 0.6 % below, since at it no run dies away. It
    differs from ``edge_gain``, which is from eigenvalues alone, by some 1e-6 of itself.

    >>> network = {"hidden": 16, "b_f": 0.0, "rng": 0}
    >>> round(crossing_gain("LSTM", **network) / edge_gain("LSTM", **network), 5)
    1.0
    """
    edge = edge_gain(cell, hidden=hidden, rng=checks.integer("rng", rng), **biases)
    given: dict[str, Any] = {"hidden": hidden, "initial": 1e-9, "rng": rng, **biases}
    gains = edge * np.array(BELOW)
    measured = [exponent_at_zero(cell, gain=gain, **given)["measured"] for gain in gains]
    return float(np.polyval(np.polyfit(measured, gains, len(BELOW) - 1), 0.0))


def _zero_state(kernel: Kernel, bound: Mapping[str, Array], biases: Mapping[str, float]) -> ZeroState:
    """The zero state of a network; a forget bias that is not given is the network's own, 1."""
    own = {"b_f": float(bound["b_f"][0])} if "b_f" in kernel.cell.vector_parameters else {}
    return zero_state(kernel.cell, **{**own, **biases})


def _drift(blocks: Array | None) -> float:
    """How far the mean of a run's blocks (B, k) is from that of their second half: what decays is in the first."""
    if blocks is None:
        return 0.0
    return float(abs(np.mean(blocks) - np.mean(blocks[len(blocks) // 2 :])))


def _settling(name: str, bias: Any, relaxations: int) -> int:
    constant = float(time_constant(checks.real_scalar(name, bias)))
    steps = LEAST_STEPS + np.ceil(relaxations * constant)
    if steps > LONGEST:
        raise ValueError(
            f"{name} = {bias:g}: its time constant is {constant:.3g} steps, and {relaxations} of them are to be"
            f" waited for: expected {LONGEST} steps or fewer."
        )
    return int(steps)
