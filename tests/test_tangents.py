"""The tangent action: equal to the Jacobian, for every cell, form, batch and dtype."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import lstm_sym as ls
from lstm_sym.kernels.tangents import Folded, Sequential


def steps(cell, batch=(), seed=0, dtype=np.float64, n=5):
    rng = np.random.default_rng(seed)
    kernel = ls.Kernel(cell)
    p = kernel.bind(kernel.parameters(n, 3, rng=rng, gain=2.0, dtype=dtype))
    x = rng.standard_normal((20, *batch, 3)).astype(dtype)
    state = rng.standard_normal((20, *batch, kernel.state_size(p))).astype(dtype)
    return kernel, p, x, state


@pytest.mark.parametrize("batch", [(), (1,), (3,), (2, 3)])
@pytest.mark.parametrize("width", [1, 64])
def test_pushing_and_pulling_is_multiplying_by_the_jacobian(cell, batch, width):
    kernel, p, x, state = steps(cell, batch)
    J = kernel.jacobian(p, x, state)
    action = kernel.tangents(p, x, state, width)
    rows = np.random.default_rng(1).standard_normal((*batch, 4, J.shape[-1]))
    scale = np.abs(J).max() * np.abs(rows).max() * J.shape[-1]
    assert len(action) == 20
    assert action.size == J.shape[-1]
    for t in (0, 15, 16, 19, 3):
        assert_allclose(action.push(t, rows), rows @ np.swapaxes(J[t], -1, -2), rtol=0, atol=2e-16 * scale)
        assert_allclose(action.pull(t, rows), rows @ J[t], rtol=0, atol=2e-16 * scale)
    kept = rows.copy()
    out = np.full_like(rows, np.nan)
    assert action.push(2, rows, out) is out
    assert_allclose(out, rows @ np.swapaxes(J[2], -1, -2), rtol=0, atol=2e-16 * scale)
    assert action.pull(2, rows, out) is out
    assert_allclose(out, rows @ J[2], rtol=0, atol=2e-16 * scale)
    np.testing.assert_array_equal(rows, kept)


def test_the_lstm_costs_two_products_folded_and_four_side_by_side():
    n, k = 5, 10
    kernel, p, x, state = steps(ls.LSTM)
    folded = kernel.tangents(p, x, state, k)
    assert isinstance(folded, Folded)
    assert folded.flops(k) == 2 * k * 2 * n * n + 2 * 7 * n * n
    kernel, p, x, state = steps(ls.LSTM, (6,))
    stacked = kernel.tangents(p, x, state, k)
    assert isinstance(stacked, Sequential)
    assert stacked.flops(k) == 6 * 2 * k * 4 * n * n


def test_single_precision_and_complex_numbers_are_kept(cell):
    for batch in ((), (2,)):
        kernel, p, x, state = steps(cell, batch, dtype=np.float32)
        rows = np.ones((*batch, 2, state.shape[-1]), np.float32)
        assert kernel.tangents(p, x, state).push(0, rows).dtype == np.float32
        assert kernel.tangents(p, x, state).pull(0, rows).dtype == np.float32
        kernel, p, x, state = steps(cell, batch)
        rows = np.random.default_rng(2).standard_normal((*batch, 2, state.shape[-1]))
        direction = np.random.default_rng(3).standard_normal(state.shape)
        slope = kernel.tangents(p, x, state + 1e-30j * direction).push(0, rows).imag / 1e-30
        moved = [kernel.tangents(p, x, state + s * 1e-6 * direction).push(0, rows) for s in (1, -1)]
        assert_allclose(slope, (moved[0] - moved[1]) / 2e-6, rtol=0, atol=1e-7 * max(1, np.abs(slope).max()))
