"""Lyapunov spectra: closed forms, refusals, singular steps."""

from __future__ import annotations

import numpy as np
import pytest
from flow_systems import Constant, Henon, product
from scipy.special import polygamma, psi

import lstm_sym.flow as flow


def test_F1_a_linear_map_has_the_logs_of_its_eigenvalues() -> None:
    W = np.random.default_rng(0).standard_normal((8, 8)) / np.sqrt(8)
    run = flow.run(Constant(W / 1.2), None, 20_000, np.ones(8))
    found = flow.lyapunov_spectrum(run)
    np.testing.assert_allclose(found, -np.sort(-np.log(np.abs(np.linalg.eigvals(W / 1.2)))), rtol=0, atol=2e-3)
    assert found.sum() == pytest.approx(np.linalg.slogdet(W / 1.2)[1], abs=1e-12)


def test_F2_scaling_the_map_shifts_every_exponent() -> None:
    A = np.random.default_rng(1).standard_normal((400, 6, 6))
    base = flow.lyapunov_spectrum(product(A), transient=50)
    for a in (0.37, 5.0):
        shifted = flow.lyapunov_spectrum(product(a * A), transient=50)
        np.testing.assert_allclose(shifted - base, np.log(a), rtol=0, atol=1e-12)


def test_F14_products_of_ginibre_matrices() -> None:
    N, T = 8, 4000
    found = flow.lyapunov_spectrum(product(np.random.default_rng(2).standard_normal((T, N, N)) / np.sqrt(N)))
    k = np.arange(1, N + 1)
    expected = 0.5 * (np.log(2 / N) + psi((N - k + 1) / 2))
    deviation = np.sqrt(polygamma(1, (N - k + 1) / 2) / (4 * T))
    assert (np.abs(found - expected) < 4.5 * deviation).all()


def test_F30_horn_partial_sums() -> None:
    A = np.random.default_rng(3).standard_normal((100, 10, 10))
    singular = flow.singular_spectrum(product(A), "state", "state", 100)
    exponents = flow.lyapunov_spectrum(product(A)) * 100
    slack = np.cumsum(singular) - np.cumsum(exponents)
    assert (slack > -1e-9).all()
    assert slack[:-1].max() > 1
    assert slack[-1] == pytest.approx(0, abs=1e-10)


def test_F32_henon() -> None:
    run = flow.run(Henon(), None, 20_000, np.array([0.1, 0.1]))
    found = flow.lyapunov_spectrum(run, transient=100)
    np.testing.assert_allclose(found, [0.4194, -1.6234], rtol=0, atol=5e-3)
    assert found.sum() == pytest.approx(np.log(0.3), abs=1e-12)
    assert found.certificate is not None
    assert found.certificate.determinant_gap < 1e-8
    assert found.certificate.closed_form
    assert "nats per step" in repr(found)


def test_some_exponents_are_the_leading_ones_and_the_frame_decides_the_rest() -> None:
    run = product(np.random.default_rng(4).standard_normal((300, 6, 6)))
    Q = np.linalg.qr(np.random.default_rng(5).standard_normal((6, 6)))[0]
    every, three = (
        flow.lyapunov_spectrum(run, frame=Q),
        flow.lyapunov_spectrum(run, frame=Q[:, :3] * [1, -2, 3]),
    )
    np.testing.assert_allclose(three, every[:3], rtol=0, atol=1e-13)
    assert three.shape == (3,)
    assert three.certificate is not None
    assert three.certificate.determinant_gap is None
    assert flow.lyapunov_spectrum(run, k=1).shape == (1,)
    assert flow.lyapunov_spectrum(run).sum() == pytest.approx(every.sum(), abs=1e-12)


def test_transient_steps_are_not_counted() -> None:
    A = np.random.default_rng(6).standard_normal((20, 3, 3))
    Q = np.linalg.qr(np.eye(3))[0]
    for M in A[:5]:
        Q = np.linalg.qr(M @ Q)[0]
    later = flow.lyapunov_spectrum(product(A[5:]), frame=Q)
    both = flow.lyapunov_spectrum(product(A), transient=5, frame=np.eye(3))
    np.testing.assert_allclose(both, later, rtol=0, atol=1e-13)
    assert both.certificate is not None
    assert both.certificate.determinant_gap < 1e-12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 0}, "k = 0: expected an integer from 1 to the state size S = 3"),
        ({"k": 4}, "k = 4"),
        ({"transient": -1}, "transient = -1: expected an integer from 0 to T − 1 = 19"),
        ({"transient": 20}, "transient = 20"),
        ({"frame": np.ones((3, 2))}, "linearly dependent"),
        ({"frame": np.ones((2, 2))}, r"frame has shape \(2, 2\).*S = 3"),
        ({"frame": np.eye(3), "k": 2}, r"expected real \(S, k\) with S = 3"),
        ({"frame": np.full((3, 1), np.nan)}, "frame.*nan"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, object], message: str) -> None:
    run = product(np.tile(np.eye(3), (20, 1, 1)))
    with pytest.raises(ValueError, match=message):
        flow.lyapunov_spectrum(run, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("step", [0, 10, 19])
def test_a_singular_step_removes_directions_for_good(step: int) -> None:
    A = np.random.default_rng(7).standard_normal((20, 5, 5))
    A[step, :, 3:] = A[step, :, :1] * [2.0, 1 / 3]
    found = flow.lyapunov_spectrum(product(A))
    assert np.isfinite(found[:3]).all()
    assert np.isneginf(found[3:]).all()
    assert found.certificate is not None
    assert found.certificate.determinant_gap == 0
    assert found.certificate.determinant == -np.inf
    if step == 0:
        assert np.isneginf(flow.lyapunov_spectrum(product(A), transient=3)[3:]).all()


def test_a_lost_direction_in_the_middle_of_the_frame_does_not_spoil_the_later_ones() -> None:
    A = np.tile(np.diag([2.0, 0.0, 3.0]), (10, 1, 1))
    A[:, 2, 1] = 0.0
    found = flow.lyapunov_spectrum(product(A), frame=np.eye(3))
    np.testing.assert_allclose(found[:2], np.log([3, 2]), atol=1e-15)
    assert found[2] == -np.inf


def test_a_batch_is_its_members() -> None:
    A = np.random.default_rng(8).standard_normal((15, 2, 3, 4, 4))
    A[7, 1, 1, :, 0] = 0.0
    many = flow.lyapunov_spectrum(product(A), transient=2)
    assert many.shape == (2, 3, 4)
    for i, j in np.ndindex(2, 3):
        np.testing.assert_allclose(many[i, j], flow.lyapunov_spectrum(product(A[:, i, j]), transient=2), atol=1e-13)
    assert np.isneginf(many).sum() == 1
