"""The norm of a vector under a product of Gaussian matrices: its exact distribution, and who carries its mean.

With entries N(0, 1/N) a matrix multiplies the square of any fixed vector's length by χ²_N/N, independently of all
others (G. Cohen, C. Newman, Ann. Probab. 12, 1984). So E‖Px‖² = 1 at every length of the product, while log ‖Px‖
is a sum of independent terms with a negative mean: most products shrink a vector, and a few that become ever rarer
carry the mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import cumulative_trapezoid
from scipy.special import digamma, loggamma, polygamma

from lstm_sym import checks

Array = NDArray[np.float64]

#: Quadrature: frequencies up to so many, and values out to so many, standard deviations; and nodes of each.
FREQUENCIES, VALUES, NODES = 20.0, 12.0, 1200


def carrying_share(logs: ArrayLike) -> float:
    """The least share of samples that makes up half of the sum of their squares, from their logs in nats.

    Of log ‖Px‖ it estimates exp(``LogNorms.carrying()``), unless that is of a few samples only.

    >>> carrying_share([0.0, -50.0, -60.0, -70.0]), carrying_share([3.0, 3.0, 3.0, 3.0])
    (0.25, 0.5)

    Raises ValueError for no samples, or infinite ones.
    """
    values = checks.finite("logs", logs).ravel()
    if not values.size:
        raise ValueError("logs is empty: expected at least one sample.")
    squares = np.sort(np.exp(2 * (values - values.max())))[::-1]
    return float((1 + np.searchsorted(np.cumsum(squares), squares.sum() / 2)) / len(squares))


@dataclass(frozen=True)
class LogNorms:
    """The distribution of log ‖P x‖, ‖x‖ = 1, in nats; P is a product of ``steps`` matrices of size ``size``.

    >>> law = LogNorms(size=8, steps=100)
    >>> round(law.mean, 4), round(law.variance, 4), round(float(np.exp(law.carrying())), 9)
    (-6.5088, 7.0956, 4.92e-07)

    The mean is −6.5 nats, yet E‖Px‖² = 1: half of that comes from less than a millionth of all products.

    Raises ValueError for a size or a number of steps below 1.
    """

    size: int
    steps: int

    def __post_init__(self) -> None:
        for name in ("size", "steps"):
            if (value := checks.integer(name, getattr(self, name))) < 1:
                raise ValueError(f"{name} = {value}: expected an integer from 1.")

    @property
    def mean(self) -> float:
        """T·½[ψ(N/2) + log(2/N)], T times the leading Lyapunov exponent."""
        return self._mean(self.size)

    @property
    def variance(self) -> float:
        """T·¼ψ₁(N/2)."""
        return self._variance(self.size)

    @property
    def fourth_cumulant(self) -> float:
        """T·ψ₃(N/2)/16: with the variance, what the sampling error of a variance depends on."""
        return self.steps * float(polygamma(3, self.size / 2)) / 16

    @property
    def mean_carrying(self) -> float:
        """The mean of log ‖Px‖ where each product counts by ‖Px‖²: T·½[ψ(N/2 + 1) + log(2/N)]."""
        return self._mean(self.size + 2)

    def density(self, values: Array) -> Array:
        """The probability density of log ‖Px‖ at ``values``, per nat."""
        return self._density(values, self.size)

    def density_carrying(self, values: Array) -> Array:
        """The density of the mean: p(x)·e^2x, what products with log ‖Px‖ = x contribute to E‖Px‖² = 1."""
        return self._density(values, self.size + 2)

    def carrying(self, part: float = 0.5) -> float:
        """log of the share of products that carry ``part`` of E‖Px‖²: the least share that does."""
        if not 0.0 < part < 1.0:
            raise ValueError(f"part = {part}: expected a number between 0 and 1.")
        shares, parts = self._beyond()
        return float(np.interp(part, parts, shares))

    def mean_seen(self, samples: int) -> float:
        """The part of E‖Px‖² = 1 below the median of the largest of ``samples`` products: what an average sees."""
        if samples < 1:
            raise ValueError(f"samples = {samples}: expected an integer from 1.")
        shares, parts = self._beyond()
        # all of n products are below x with probability ½ where a share 1 − 2^(−1/n) is beyond
        beyond = np.log(-np.expm1(-np.log(2.0) / samples))
        return 1.0 - float(np.interp(beyond, shares, parts))

    def _beyond(self) -> tuple[Array, Array]:
        """log P(log ‖Px‖ > x) and the part of E‖Px‖² that is beyond x, for falling x."""
        spread = VALUES * np.sqrt(self._variance(self.size + 2))
        values = np.linspace(spread, -spread, NODES) + self.mean_carrying
        density = self.density_carrying(values)
        # p(x) = e^−2x·(density of the mean), in logs: improbable values keep their digits
        heights = np.log(np.maximum(density, np.finfo(np.float64).tiny)) - 2 * values
        sums = np.logaddexp.accumulate(heights)
        width = values[0] - values[1]
        trapezoids = sums + np.log1p(-0.5 * np.exp(heights - sums))
        shares = trapezoids + np.log(np.tanh(width))  # trapezoids weighted to be exact for e^−2x
        return shares, cumulative_trapezoid(density, dx=width, initial=0.0)

    def _mean(self, freedom: int) -> float:
        return 0.5 * self.steps * float(digamma(freedom / 2) + np.log(2 / self.size))

    def _variance(self, freedom: int) -> float:
        return 0.25 * self.steps * float(polygamma(1, freedom / 2))

    def _density(self, values: Array, freedom: int) -> Array:
        """By Fourier inversion of E e^iωx = [(2/N)^(iω/2) Γ((d + iω)/2)/Γ(d/2)]^T, d degrees of freedom."""
        omega = np.linspace(0.0, FREQUENCIES / np.sqrt(self._variance(freedom)), NODES)
        logs = loggamma((freedom + 1j * omega) / 2) - loggamma(freedom / 2) + 0.5j * omega * np.log(2 / self.size)
        waves = np.exp(self.steps * logs - 1j * np.multiply.outer(np.asarray(values), omega))
        return np.asarray(np.maximum(np.trapezoid(waves.real, omega, axis=-1) / np.pi, 0.0))
