"""The share of the direct path at the zero state, where every detour is a power of one Gaussian matrix.

At the zero state a change of c passes as f·c directly and as i·o·W·c through h, so that ∂c_T/∂c_{T−k} is
(f + r·W)^(k−1)·f with r = i·o. For a large W with entries N(0, 1/n) different powers are orthogonal, ‖W^j‖² = n and
tr W^j is small: the k − 1 steps choose j detours each, and squares add up.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln, logsumexp

from lstm_sym import checks

Array = NDArray[np.float64]


def log_detours(lags: ArrayLike, ratio: float) -> Array:
    """log Σ_j C(k−1, j)² ratio^2j at lags k ≥ 1: by how much detours raise the squared norm of the gradient.

    ratio: r·gain/f, the strength of the way through h beside the direct one.

    >>> log_detours([1, 2, 3], 0.5).round(6)
    array([0.      , 0.223144, 0.723919])

    Raises ValueError for a lag that is no integer from 1, or a negative ratio.
    """
    k = checks.finite("lags", lags)
    if k.size and (k.min() < 1 or (k % 1).any()):
        raise ValueError(f"lags = {lags!r}: expected integers from 1.")
    if not 0 <= ratio < np.inf:
        raise ValueError(f"ratio = {ratio}: expected a number from 0.")
    m = k[..., None] - 1
    j = np.arange(0.0, k.max(initial=1.0))
    inside = j <= m
    chosen = gammaln(m + 1) - gammaln(j + 1) - gammaln(np.where(inside, m - j, 0.0) + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        powers = np.where(j > 0, 2 * j * np.log(ratio), 0.0)
    return np.asarray(logsumexp(np.where(inside, 2 * chosen + powers, -np.inf), axis=-1))


def direct_share(lags: ArrayLike, ratio: float) -> Array:
    """The share of ∂c_T/∂c_{T−k} that has gone directly all the way, 1/Σ_j C(k−1, j)² ratio^2j, n → ∞.

    >>> direct_share([1, 2, 11], 0.5).round(6)
    array([1.      , 0.8     , 0.001604])

    Shares are those of ``path_shares``: ⟨part, whole⟩/‖whole‖². Raises ValueError as ``log_detours``.
    """
    return np.exp(-log_detours(lags, ratio))
