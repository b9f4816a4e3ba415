"""Mean-field theory of a random network h' = φ(g W h + σ ξ), W_ij ~ N(0, 1/N), as N → ∞.

ξ is white Gaussian noise, independent for every unit; φ is odd, and φ(u)/u falls with |u|: tanh.

Variance. Given h, the pre-activations u_i = g Σ_j W_ij h_j + σ ξ_i are sums of many small terms, Gaussian and alike
for all units. Their variance q is that of the next step; their covariance C over a lag τ > 0 carries itself on:

    q = g² E φ(√q z)² + σ²,     C' = g² E φ(u)φ(v) =: F(C),  (u, v) Gaussian with variances q and covariance C.

E φ(√q z)²/q falls in q, so q is unique; with σ = 0 it is 0 up to g φ'(0) = 1. φ is odd, so F(0) = 0, and C = 0 is
a solution: activity is white. It is the stable one: F is convex with F(q) = q − σ² ≤ q, so that F'(0) < 1. (F has
a power series in C with coefficients g²c_k² ≥ 0, c_k those of φ(√q z) in normalised Hermite polynomials.)

Leading exponent. A tangent vector obeys δu' = g W diag(φ'(u)) δu. In the limit W δh is Gaussian and independent of
u, so |δu|² grows by g² E φ'(√q z)² per step:

    λ = log g + ½ log E φ'(√q z)².

L. Molgedey, J. Schuchhardt, H. G. Schuster, Phys. Rev. Lett. 69, 3717 (1992). Two copies of a network with the
same noise have the covariance C' = F(C) + σ²; by Price's theorem g² E φ'² = F'(q): λ > 0 exactly if C = q is
unstable.

Whole spectrum. W is free from the diagonal matrices D_t = diag(φ'(u_t)). Of the moments of P Pᵀ, P = W D_T ⋯ W D_1,
only pairings of W with Wᵀ that do not cross survive, and they pair equal times: P has the same singular values as
if W were drawn anew at every step. The exponents of free products of R-diagonal elements gW D are given by the
S-transform of (gW D)ᵀ(gW D) (U. Haagerup, F. Larsen, J. Funct. Anal. 176, 2000), which leads to

    E [ g²φ'² / (e^{2λ(s)} + s g²φ'²) ] = 1,     s = i/N.

s = 0 is the leading exponent; φ' = 1 gives log g + ½ log(1 − s), the circular law. The mean of all is
log g − ½ + E log φ', which is also (1/N) E log|det| per step. That D_t depends on W is neglected, as for the
leading exponent. R. Engelken, F. Wolf, L. Abbott, Phys. Rev. Research 5, 043044 (2023) measure such spectra.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from lstm_sym import checks
from lstm_sym.theory import gaussian

Array = NDArray[np.float64]
Function = Callable[[Array], Array]

#: The theory in LaTeX, by what it gives.
EQUATIONS = {
    "variance": r"q = g^2\, \mathbb{E}\, \phi(\sqrt{q}\, z)^2 + \sigma^2, \quad z \sim \mathcal{N}(0, 1)",
    "exponent": r"\lambda = \log g + \tfrac{1}{2} \log \mathbb{E}\, \phi'(\sqrt{q}\, z)^2",
    "spectrum": r"\mathbb{E}\left[\frac{g^2 \phi'^2}{e^{2\lambda(s)} + s\, g^2 \phi'^2}\right] = 1, \quad s = i/N",
}
#: The largest gain and noise: their squares, and means over such variances, are far from overflow.
LARGEST = 1e50
#: Where φ(u)/u has come as close to its limit as matters, and below which an exponent counts as −∞.
FAR, LOWEST = 1e100, -1e8
#: Halvings of the interval in which an exponent of the spectrum is.
HALVINGS = 60
#: Spacing of points for spectra, times √(1 + q), and the least: their integrand has poles at Im u = π/4.
FINE, FINEST = 0.05, 2e-4
#: Where an activation is looked at.
PROBES = np.geomspace(1e-3, 30.0, 61)


@dataclass(frozen=True)
class Activation:
    """An odd function φ with φ(u)/u falling in |u|, smooth, and the logarithm of its slope φ' > 0.

    >>> Activation(lambda u: 1 / (1 + np.exp(-u)), lambda u: -u)
    Traceback (most recent call last):
    ValueError: the activation is not odd: its activity would have a mean, and not be white. Expected one like tanh.
    """

    value: Function
    log_slope: Function

    def __post_init__(self) -> None:
        up, down = self.value(PROBES), self.value(-PROBES)
        expected = "Expected one like tanh."
        if not np.allclose(up, -down, rtol=1e-9, atol=0.0):
            raise ValueError(
                f"the activation is not odd: its activity would have a mean, and not be white. {expected}"
            )
        if (np.diff(up / PROBES) > 1e-9 * np.abs(up / PROBES)[1:]).any():
            raise ValueError(f"value(u)/u rises with |u|: the variance need not be unique. {expected}")


def _tanh_log_slope(u: Array) -> Array:
    """log(1 − tanh²), exact where 1 − tanh² is 0 in double precision."""
    size = np.abs(u)
    return np.asarray(np.log(4.0) - 2 * size - 2 * np.log1p(np.exp(-2 * size)))


TANH = Activation(np.tanh, _tanh_log_slope)
IDENTITY = Activation(lambda u: u, np.zeros_like)


@dataclass(frozen=True)
class MeanField:
    """The network h' = φ(gain·W h + noise·ξ) as N → ∞.

    gain: g, up to 1e50; noise: the standard deviation σ of each unit's white Gaussian input, up to 1e50.

    >>> chaotic = MeanField(2.0)
    >>> round(chaotic.variance, 9), round(chaotic.exponent, 9)
    (2.121473568, 0.15472423)
    >>> MeanField(0.5).exponent - float(np.log(0.5))
    0.0

    Raises ValueError for a gain that is not positive, a noise that is negative, or either above 1e50.
    """

    gain: float
    noise: float = 0.0
    activation: Activation = TANH

    def __post_init__(self) -> None:
        if not 0 < checks.real_scalar("gain", self.gain) <= LARGEST:
            raise ValueError(f"gain = {self.gain!r}: expected a positive number up to {LARGEST:g}.")
        if not 0 <= checks.real_scalar("noise", self.noise) <= LARGEST:
            raise ValueError(f"noise = {self.noise!r}: expected 0 or a positive number up to {LARGEST:g}.")

    @cached_property
    def variance(self) -> float:
        """q, of the pre-activations; ValueError where it is infinite (identity, gain ≥ 1)."""
        g2, noise2, slope = self.gain**2, self.noise**2, float(np.exp(self.activation.log_slope(np.zeros(1)))[0])
        if noise2 == 0 and self.gain * slope <= 1:
            return 0.0
        # E φ²/q falls in q towards the square of lim φ(u)/u
        if self.gain * float(self.activation.value(np.array([FAR]))[0]) / FAR >= 1:
            raise ValueError(f"gain = {self.gain}: the variance grows without bound.")

        def surplus(log_q: float) -> float:
            """What a step makes of a variance q, less q, by q: falling in q."""
            q = float(np.exp(log_q))
            return (g2 * gaussian.mean(lambda u: self.activation.value(u) ** 2, q) + noise2) / q - 1.0

        low = high = np.log(noise2) if noise2 else np.log(np.finfo(np.float64).eps)
        if surplus(low) <= 0:
            return float(np.exp(low))  # no noise to speak of, or just beyond the transition
        while surplus(high) > 0:
            low, high = high, high + 2.0
        return float(np.exp(brentq(surplus, low, high, xtol=1e-15, rtol=1e-15)))

    @property
    def exponent(self) -> float:
        """λ, the leading Lyapunov exponent, in nats per step."""
        return float(np.log(self.gain) + 0.5 * np.log(self._slope_power(2)))

    @property
    def mean_exponent(self) -> float:
        """The mean of all exponents, log g − ½ + E log φ'; (1/N) log|det| per step."""
        return float(np.log(self.gain)) - 0.5 + gaussian.mean(self.activation.log_slope, self.variance)

    def spectrum(self, share: ArrayLike) -> Array:
        """λ(s): the exponent that a share s of all exceeds, in nats per step; −inf at s = 1.

        >>> MeanField(2.0).spectrum([0.0, 0.5, 1.0]).round(6)
        array([ 0.154724, -0.689294,      -inf])

        Raises ValueError for a share outside 0 … 1.
        """
        s = np.asarray(share, dtype=np.float64)
        if not ((s >= 0) & (s <= 1)).all():
            raise ValueError(f"share = {share!r}: expected numbers from 0 to 1.")
        u, weights = gaussian.nodes(self.variance, max(FINE / np.sqrt(1 + self.variance), FINEST))
        logs = np.log(self.gain) + self.activation.log_slope(u)

        def excess(exponent: Array) -> Array:
            """Falling in the exponent."""
            with np.errstate(over="ignore"):
                terms = 1.0 / (s[..., None] + np.exp(2 * (exponent[..., None] - logs)))
            return np.asarray(terms @ weights - 1.0)

        high = np.full(s.shape, self.exponent + 1e-9)
        low, width = high - 1.0, 1.0
        while (wrong := (excess(low) < 0) & (low > LOWEST)).any():
            low, width = np.where(wrong, low - width, low), 2 * width
        for _ in range(HALVINGS):
            middle = 0.5 * (low + high)
            above = excess(middle) > 0
            low, high = np.where(above, middle, low), np.where(above, high, middle)
        return np.where((s == 1) | (low <= LOWEST), -np.inf, 0.5 * (low + high))

    def _slope_power(self, power: int) -> float:
        return gaussian.mean(lambda u: np.exp(power * self.activation.log_slope(u)), self.variance)


def critical_gain(noise: float = 0.0, activation: Activation = TANH) -> float:
    """g_c(σ), the gain at which the leading exponent is zero; chaos beyond it.

    >>> critical_gain(), round(critical_gain(0.5), 6)
    (1.0, 1.549674)

    Raises ValueError for a negative noise, or where no gain up to 1e12 makes the exponent positive.
    """
    least = 1.0 / float(np.exp(activation.log_slope(np.zeros(1)))[0])
    if noise == 0:
        return least

    def exponent(log_g: float) -> float:
        return MeanField(float(np.exp(log_g)), noise, activation).exponent

    low = high = np.log(least)
    while exponent(high) <= 0:
        low, high = high, high + 0.5
        if high > np.log(1e12):
            raise ValueError(f"noise = {noise}: no gain up to 1e12 makes this network chaotic.")
    return float(np.exp(brentq(exponent, low, high, xtol=1e-15, rtol=1e-14)))
