"""The circular law: eigenvalues of a Gaussian matrix fill a disc; how much of it is beyond a circle.

For entries N(0, 1/N) they fill the unit disc evenly as N → ∞ (J. Ginibre 1965; T. Tao, V. Vu, arXiv 0807.4898). At
a finite N their mean density is known exactly: complex ones in pairs (A. Edelman, J. Multivariate Anal. 60, 1997),
and √(2N/π) real ones or so (A. Edelman, E. Kostlan, M. Shub, J. Amer. Math. Soc. 7, 1994).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erfcx, gammainc, gammaincc, gammaln

from lstm_sym import checks

Array = NDArray[np.float64]

#: Nodes of the quadrature along each axis, and how far it reaches beyond the disc, in units of 1/√N.
NODES, BEYOND = 500, 6.0


@dataclass(frozen=True)
class Disc:
    """A disc in the complex plane with a real centre, filled evenly with eigenvalues.

    >>> Disc(0.0, 2.0).share_beyond(1.0), Disc(0.5, 0.25).share_beyond(1.0)
    (0.75, 0.0)
    """

    centre: float
    radius: float

    def share_beyond(self, magnitude: float) -> float:
        """The share of its area where |λ| exceeds ``magnitude``: what is not in the lens of two circles."""
        distance, r, R = abs(self.centre), self.radius, magnitude
        if distance + r <= R:
            return 0.0
        if distance - r >= R or R <= 0:
            return 1.0
        if distance + R <= r:
            return 1.0 - (R / r) ** 2
        # where the circles touch, rounding may take a cosine beyond ±1
        own = np.arccos(np.clip((distance**2 + r**2 - R**2) / (2 * distance * r), -1, 1))
        other = np.arccos(np.clip((distance**2 + R**2 - r**2) / (2 * distance * R), -1, 1))
        lens = r**2 * (own - np.sin(2 * own) / 2) + R**2 * (other - np.sin(2 * other) / 2)
        return float(1.0 - lens / (np.pi * r**2))


def disc_of(zero: Any, gain: float = 1.0) -> Disc:
    """The disc that the eigenvalues at the zero state fill, from their closed form a + b·w, |w| ≤ gain.

    zero: a ``ZeroState`` whose eigenvalues depend on one weight matrix with entries N(0, gain²/n); those that do
    not depend on it, an LSTM's zeros, are left out.

    >>> import lstm_sym as ls
    >>> disc_of(ls.zero_state(ls.LSTM, b_f=0), gain=2.0)
    Disc(centre=0.5, radius=0.5)

    Raises ValueError for eigenvalues of several weight matrices, or without a closed form.
    """
    moving = [part for part in zero.eigenvalues if part.words]
    words = [weights for part in moving for _, weights in part.words]
    if len(words) != 1 or len(words[0]) != 1 or len(moving[0].formulas) != 1:
        raise ValueError(
            f"eigenvalues of {zero.cell.name} at the zero state: expected a + b·w of one weight matrix."
        )
    name = words[0][0].name
    centre, edge = (float(zero.spectrum({name: np.array([[w]])})[0].real) for w in (0.0, gain))
    return Disc(centre, abs(edge - centre))


def expected_eigenvalues(size: int) -> tuple[NDArray[np.complex128], Array]:
    """Points and weights that stand for the mean eigenvalue density of an N×N matrix of entries N(0, 1/N).

    The mean of any function of one eigenvalue is Σ weight·f(point), by the midpoint rule: the weights add up to 1
    within 2e-5 up to N = 500, within 5e-5 up to 5000.

    >>> points, weights = expected_eigenvalues(16)
    >>> round(float(weights.sum()), 4), round(float(weights @ np.abs(points) ** 2), 4)
    (1.0, 0.5114)

    ½ is that of the disc: the rest is the finite size. Raises ValueError for a size below 2.
    """
    if (n := checks.integer("size", size)) < 2:
        raise ValueError(f"size = {n}: expected an integer from 2.")
    reach = np.sqrt(n) + BEYOND
    step = reach / NODES
    middles = (np.arange(NODES) + 0.5) * step
    x = np.concatenate([-middles[::-1], middles])
    upper = _complex_density(x[:, None], middles, n) * step**2
    points = (x[:, None] + 1j * middles).ravel()
    every = np.concatenate([points, points.conj(), x]) / np.sqrt(n)
    return every, np.concatenate([upper.ravel(), upper.ravel(), real_density(x, n) * step]) / n


def _complex_density(x: ArrayLike, y: ArrayLike, n: int) -> Array:
    """Of entries N(0, 1), at x + iy, y > 0: √(2/π)·y·e^(y²−x²)·erfc(√2·y)·Σ_k<n−1 (x² + y²)^k/k!."""
    x, y = np.asarray(x), np.asarray(y)
    return np.asarray(np.sqrt(2 / np.pi) * y * erfcx(np.sqrt(2) * y) * gammaincc(n - 1, x**2 + y**2))


def real_density(x: ArrayLike, n: int) -> Any:
    """The mean number per unit length of real eigenvalues at x, of an n×n matrix of entries N(0, 1).

    >>> x = np.linspace(-9, 9, 4001)
    >>> round(float(np.trapezoid(real_density(x, 2), x)), 6)        # √2 of two are real (Edelman, 1997)
    1.414214
    """
    size = np.abs(np.asarray(x, dtype=np.float64))
    logs = (n - 1) * np.log(np.maximum(size, np.finfo(np.float64).tiny)) - size**2 / 2
    logs += (n - 3) / 2 * np.log(2) + gammaln((n - 1) / 2) - gammaln(n - 1)
    edge = np.exp(logs) * gammainc((n - 1) / 2, size**2 / 2)
    return (gammaincc(n - 1, size**2) + edge) / np.sqrt(2 * np.pi)
