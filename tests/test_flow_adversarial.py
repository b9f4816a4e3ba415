"""Products made to defeat a spectrum engine, at default and at loose accuracy."""

from __future__ import annotations

import numpy as np
import pytest
from flow_systems import exact_log_singular_values

import lstm_sym as ls
import lstm_sym.flow as flow

ACCURACIES = [None, 1e-7]


def haar(rng: np.random.Generator, size: int) -> np.ndarray:
    Q, R = np.linalg.qr(rng.standard_normal((size, size)))
    return Q * np.sign(np.diagonal(R))


def singular(A: np.ndarray, accuracy: float | None, steps: int | None = None) -> flow.Spectrum:
    return flow.singular_spectrum(A, "state", "state", len(A) if steps is None else steps, accuracy=accuracy)


@pytest.mark.parametrize("eigenvalue", [0.9, 1.0, 1.001])
def test_a_nearly_defective_map_over_a_million_steps(eigenvalue: float) -> None:
    """J^t = λ^t [[1, t/λ], [0, 1]]: log σ = t log λ ± arsinh(t / 2λ)."""
    T = 1_000_000
    A = np.broadcast_to([[eigenvalue, 1.0], [0.0, eigenvalue]], (T, 2, 2))
    exact = T * np.log(eigenvalue) + np.array([1, -1]) * np.arcsinh(T / (2 * eigenvalue))
    found = singular(A, 1e-7)
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-9)
    assert found.certificate is not None
    assert found.certificate.error < 1e-7
    assert found.certificate.factorizations < T / 20


@pytest.mark.parametrize("accuracy", ACCURACIES)
@pytest.mark.parametrize("size", [3, 5, 8])
def test_jordan_blocks(size: int, accuracy: float | None) -> None:
    A = np.tile(0.9 * np.eye(size) + np.eye(size, k=1), (1000, 1, 1))
    exact = exact_log_singular_values(A, 8000)
    np.testing.assert_allclose(singular(A, accuracy), exact, rtol=0, atol=1e-10 if accuracy is None else 1e-7)


@pytest.mark.parametrize("accuracy", ACCURACIES)
@pytest.mark.parametrize("order", [1, -1])
def test_diagonals_from_1e_minus_7000_to_1e4000(order: int, accuracy: float | None) -> None:
    logs = np.log(10) * np.linspace(-7.0, 4.0, 9)[::order]
    A = np.tile(np.diag(np.exp(logs)), (1000, 1, 1))
    np.testing.assert_allclose(singular(A, accuracy), 1000 * np.sort(logs)[::-1], rtol=1e-14)
    exponents = flow.lyapunov_spectrum(A, frame=np.eye(9), accuracy=accuracy)
    np.testing.assert_allclose(exponents, np.sort(logs)[::-1], rtol=0, atol=1e-13)


@pytest.mark.parametrize("accuracy", ACCURACIES)
def test_rotated_maps_from_1e_minus_7000_to_1e4000(accuracy: float | None) -> None:
    rng = np.random.default_rng(0)
    logs = np.log(10) * np.linspace(-7.0, 4.0, 6)
    A = np.array([haar(rng, 6) * np.exp(0.001 * logs) @ haar(rng, 6) for _ in range(40)])
    A = np.concatenate([A, np.tile(np.diag(np.exp(logs)), (1000, 1, 1)), A[::-1]])
    exact = exact_log_singular_values(A, 60_000)
    assert exact[0] > 9000
    assert exact[-1] < -16_000
    np.testing.assert_allclose(singular(A, accuracy), exact, rtol=0, atol=1e-9 if accuracy is None else 1e-7)


@pytest.mark.parametrize("accuracy", ACCURACIES)
def test_clusters_of_equal_values(accuracy: float | None) -> None:
    rng = np.random.default_rng(1)
    Q = [haar(rng, 7) for _ in range(501)]
    logs = np.array([0.8, 0.8, 0.8, 0.006, 0.006, -1.0, -1.0])
    A = np.array([Q[t + 1] @ np.diag(np.exp(logs)) @ Q[t].T for t in range(500)])
    np.testing.assert_allclose(singular(A, accuracy), 500 * logs, rtol=0, atol=1e-11 if accuracy is None else 1e-7)
    orthogonal = np.array(Q[1:]) @ np.array(Q[:-1]).swapaxes(-1, -2)
    np.testing.assert_allclose(singular(orthogonal, accuracy), 0, atol=1e-12)
    np.testing.assert_allclose(flow.lyapunov_spectrum(orthogonal, accuracy=accuracy), 0, atol=1e-14)


@pytest.mark.parametrize("accuracy", ACCURACIES)
def test_rank_lost_in_the_middle(accuracy: float | None) -> None:
    A = np.random.default_rng(2).standard_normal((201, 6, 6))
    A[100, :, 4:] = 0.0
    found = singular(A, accuracy)
    np.testing.assert_allclose(found[:4], exact_log_singular_values(A, 8000)[:4], rtol=0, atol=1e-9)
    assert np.isneginf(found[4:]).all()
    exponents = flow.lyapunov_spectrum(A, accuracy=accuracy)
    assert np.isfinite(exponents[:4]).all()
    assert np.isneginf(exponents[4:]).all()
    assert exponents.blocks is not None
    assert np.isfinite(exponents.blocks[:3]).all()
    assert np.isneginf(exponents.blocks[4:, 4:]).all()


@pytest.mark.parametrize("accuracy", ACCURACIES)
def test_reversed_and_transposed_it_is_the_same(accuracy: float | None) -> None:
    A = np.random.default_rng(3).standard_normal((400, 9, 9))
    forwards = flow.singular_spectrum(A, "state", "state", 400, anchor="start", accuracy=accuracy)
    np.testing.assert_allclose(singular(A, accuracy), forwards, rtol=0, atol=1e-9 if accuracy is None else 1e-7)
    adjoint = singular(A.swapaxes(-1, -2)[::-1], accuracy)
    np.testing.assert_allclose(adjoint, forwards, rtol=0, atol=1e-9 if accuracy is None else 1e-7)


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("size", [1, 2, 70])
def test_the_shortest_products(size: int, steps: int) -> None:
    A = np.random.default_rng(4).standard_normal((steps, size, size))
    P = A[0] if steps == 1 else A[1] @ A[0]
    np.testing.assert_allclose(singular(A, None), np.log(np.linalg.svd(P)[1]), rtol=0, atol=1e-9)
    found = flow.lyapunov_spectrum(A, frame=np.eye(size))
    R = np.abs(np.diagonal(np.linalg.qr(P)[1]))
    np.testing.assert_allclose(found, np.sort(np.log(R))[::-1] / steps, rtol=0, atol=1e-9)


@pytest.mark.parametrize("k", [1, 3, 24])
@pytest.mark.parametrize("accuracy", [1e-6, 1e-9])
def test_whatever_the_interval_the_exponents_are_those_of_a_factorisation_at_every_step(
    k: int, accuracy: float
) -> None:
    rng = np.random.default_rng(5)
    A = rng.standard_normal((600, 24, 24)) * np.exp(rng.uniform(-2, 2, (600, 1, 24)))
    V = haar(rng, 24)[:, :k]
    logs, Q = np.zeros(k), V
    for M in A:
        Q, R = np.linalg.qr(M @ Q)
        logs += np.log(np.abs(np.diagonal(R)))
    found = flow.lyapunov_spectrum(A, frame=V, accuracy=accuracy)
    np.testing.assert_allclose(found, np.sort(logs)[::-1] / 600, rtol=0, atol=accuracy)
    assert found.certificate is not None
    assert found.certificate.factorizations < 600
    assert found.certificate.error <= accuracy


def test_the_estimate_is_about_the_error() -> None:
    """Over networks of many kinds, the error stays below the accuracy asked for, and near the estimate at most."""
    for cell, options in ((ls.LSTM, {}), (ls.LSTM, {"gain": 2.0}), (ls.RNN, {"gain": 3.0})):
        kernel = ls.Kernel(cell)
        for seed in range(3):
            p = kernel.parameters(24, 3, rng=seed, **options)
            orbit = ls.run(kernel, p, np.random.default_rng(seed).standard_normal((300, 3)))
            finest = np.asarray(flow.lyapunov_spectrum(orbit, accuracy=1e-16))
            for accuracy in (1e-6, 1e-8):
                found = flow.lyapunov_spectrum(orbit, accuracy=accuracy)
                assert found.certificate is not None
                assert found.certificate.error <= accuracy
                assert np.abs(found - finest).max() <= accuracy


@pytest.mark.parametrize("transient", [20, 100])
@pytest.mark.parametrize("seed", range(3))
def test_accuracy_holds_after_a_transient(seed: int, transient: int) -> None:
    """Exponents counted from a frame that has settled are far more sensitive to rounding."""
    kernel = ls.Kernel(ls.LSTM)
    p = kernel.parameters(50, 3, rng=seed, gain=2.0, b_f=0.0)
    orbit = ls.run(kernel, p, np.random.default_rng(seed).standard_normal((300, 3)))
    finest = flow.lyapunov_spectrum(orbit, transient=transient, accuracy=1e-16)
    for accuracy in (1e-7, 1e-8):
        found = flow.lyapunov_spectrum(orbit, transient=transient, accuracy=accuracy)
        np.testing.assert_allclose(found, finest, rtol=0, atol=accuracy)


def test_errors_that_repeat_add_up() -> None:
    """At a fixed point rounding repeats itself: the estimate grows with the factorisations, not with their root."""
    W = np.random.default_rng(6).standard_normal((20, 20))
    errors = []
    for steps in (400, 1600):
        A = np.broadcast_to(W, (steps, 20, 20))
        found = flow.lyapunov_spectrum(A, accuracy=1e-12)
        assert found.certificate is not None
        errors.append(found.certificate.error * steps)
    assert errors[1] > 3 * errors[0]


def test_an_underflowed_row_is_a_lost_direction_and_no_other_is() -> None:
    p = {"W_xh": np.zeros((3, 1)), "W_hh": [[1.0, 1, 0], [0, 1, 0], [0, 0, 1]], "b_h": [0.0, 400.0, 0.0]}
    run = ls.run(ls.Kernel(ls.RNN), p, 1)
    np.testing.assert_array_equal(flow.lyapunov_spectrum(run, frame=np.eye(3)), [0, 0, -np.inf])


def test_generators_may_reuse_their_buffer() -> None:
    A = np.random.default_rng(7).standard_normal((100, 3, 3))

    def reused() -> object:
        buffer = np.empty((3, 3))
        for matrix in A:
            buffer[...] = matrix
            yield buffer

    np.testing.assert_array_equal(flow.lyapunov_spectrum(reused()), flow.lyapunov_spectrum(iter(A)))
