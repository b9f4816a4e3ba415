"""What a finite size adds to mean-field exponents, to order 1/N, for weights that are drawn anew at every step.

Weights W_ij ~ N(0, 1/N) that are new at every step leave a Markov chain of three numbers: the variance Q of the
pre-activations u_i, which are exactly independent given it, the growth G of a tangent vector v, and the overlap of
v with the activity, ρ = cov(u, Wv)/sd. All are sums over units; with x = Q − q, d = φ'², A = E d, primes for d/dq:

    x' = g²(M' x + ½ M'' x²) + g² ε,      M = E φ²,            N var ε = E φ⁴ − M²
    ρ' = α ρ + η,                         α = g E[φφ'u]/(q√A), N var η = g² E[φ²d]/(qA)
    E log G = log g²A + (A' E x + ½ A'' E x²)/A − ½ (A'/A)² E x² + (E[du²]/q − A)/A · E ρ² − ½ (3E d²/A² − 1)/N

and λ = ½ E log G. The last term, by which a mean of logs is less than the log of a mean, is the largest: the fewer
units are unsaturated, the larger. Fixed weights add memory, which is not counted: it matters near the onset of
chaos, where networks fall into cycles, and below it, where the exponent is log of a spectral radius (``edge``).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lstm_sym.theory import gaussian
from lstm_sym.theory.meanfield import MeanField

Array = NDArray[np.float64]

#: Spacing in log q of the differences that stand for derivatives: errors of its fourth power.
SPACING = 1e-3
#: The least 1 − g²M': rounding errors are 1e-4 of the correction there, and grow like its inverse square.
SLOWEST = 1e-6
#: The share of the correction that the memory of fixed weights may add to it or take from it, in chaos.
NEGLECTED = 1 / 3


def correction(theory: MeanField) -> float:
    """c, the leading exponent of a network of N units being λ + c/N.

    >>> round(correction(MeanField(3.0)), 2), round(correction(MeanField(3.0, noise=1.0)), 2)
    (-2.37, -2.58)

    Raises ValueError where activity dies away (q = 0), and where x relaxes too slowly for an expansion in 1/N,
    1 − g²M' < 1e-6: without noise for g below 1 + 5e-7.
    """
    g, q, φ, d = theory.gain, theory.variance, theory.activation.value, _squared_slope(theory)
    if q == 0:
        raise ValueError(f"gain = {g}: activity dies away, expected a network that is active.")
    A, A1, A2 = _derivatives(d, q)
    M, M1, M2 = _derivatives(lambda u: φ(u) ** 2, q)
    fourth, both = gaussian.mean(lambda u: φ(u) ** 4, q), gaussian.mean(lambda u: φ(u) ** 2 * d(u), q)
    if (relaxation := 1 - g**2 * M1) < SLOWEST:
        raise ValueError(f"gain = {g}: too near the onset of activity, expected 1 − g²M' from {SLOWEST:g}.")
    x_squared = g**4 * (fourth - M**2) / (1 - (g**2 * M1) ** 2)
    x = 0.5 * g**2 * M2 * x_squared / relaxation
    α = g * gaussian.mean(lambda u: φ(u) * np.sqrt(d(u)) * u, q) / (q * np.sqrt(A))
    ρ_squared = g**2 * both / (q * A) / (1 - α**2)
    tilt = gaussian.mean(lambda u: d(u) * u**2, q) / q - A
    growth = (A1 * x + 0.5 * A2 * x_squared + tilt * ρ_squared) / A - 0.5 * (A1 / A) ** 2 * x_squared
    return float(0.5 * growth - 0.25 * (3 * gaussian.mean(lambda u: d(u) ** 2, q) / A**2 - 1))


def _squared_slope(theory: MeanField) -> Callable[[Array], Array]:
    return lambda u: np.exp(2 * theory.activation.log_slope(u))


def _derivatives(function: Callable[[Array], Array], q: float) -> tuple[float, float, float]:
    """E f(√q z), and its first and second derivative by q."""
    a, b, c, d, e = (gaussian.mean(function, q * np.exp(k * SPACING)) for k in (-2, -1, 0, 1, 2))
    first = (8 * (d - b) - (e - a)) / (12 * SPACING)
    second = (16 * (d + b) - (e + a) - 30 * c) / (12 * SPACING**2)
    return c, first / q, (second - first) / q**2
