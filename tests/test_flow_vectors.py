"""Singular vectors against exact arithmetic, and their edges."""

from __future__ import annotations

from typing import Any

import flint
import numpy as np
import pytest
from flow_systems import LinearMaps, Toy, _log_norm, _rotate, product

import lstm_sym as ls
import lstm_sym.flow as flow
from lstm_sym.flow.sweeps import Sides, log_singular_values, pivoted

BLOCKS = {"h": slice(0, 3), "c": slice(3, 8)}
SPANS = {"state": slice(None), **BLOCKS}


def ginibre(seed: int, steps: int, size: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((steps, size, size)) / np.sqrt(size)


def exact_vectors(
    matrices: Any, bits: int, rows: slice, columns: slice
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log singular values and vectors of a block of A_T ··· A_1 by one-sided Jacobi.

    The rotations are gathered in rows below the block that are too small to take part.
    """
    before, flint.ctx.prec = flint.ctx.prec, bits
    try:
        P = flint.arb_mat(np.eye(len(matrices[0])).tolist())
        for matrix in matrices:
            P = (flint.arb_mat(np.asarray(matrix).tolist()) * P).mid()
        entries = np.array(P.tolist(), dtype=object)[rows, columns]
        height, width = entries.shape
        eye = np.eye(width).astype(int).astype(object) * flint.arb(2) ** -200_000
        found = _orthogonalised([np.concatenate(pair) for pair in zip(entries.T, eye, strict=True)])
        found = found[: min(height, width)]
        left, right = (np.array([_unit(c[part]) for c in found]).T for part in (slice(height), slice(height, None)))
        return np.array([_log_norm(c) for c in found]), left, right
    finally:
        flint.ctx.prec = before


def _orthogonalised(columns: list[np.ndarray]) -> list[np.ndarray]:
    tiny, turned = flint.arb(2) ** -80, True
    while turned:
        columns.sort(key=_log_norm, reverse=True)
        turned = False
        for i in range(len(columns)):
            for j in range(i + 1, len(columns)):
                if _log_norm(columns[j]) > -flint.ctx.prec / 2:
                    turned |= _rotate(columns, i, j, tiny)
    return columns


def _unit(column: np.ndarray) -> list[float]:
    length = (column**2).sum().mid().sqrt()
    return [float(x / length) for x in column]


def distance(found: flow.SingularVectors, left: np.ndarray, right: np.ndarray) -> float:
    """The greatest length of a difference of unit vectors, the two of a pair having one sign to choose."""
    count = left.shape[1]
    signs = np.sign(np.sum(found.right[:, :count] * right, axis=0))
    pairs = ((found.left, left), (found.right, right))
    return max(float(np.linalg.norm(ours[:, :count] - signs * exact, axis=0).max()) for ours, exact in pairs)


@pytest.mark.parametrize("anchor", ["end", "start"])
@pytest.mark.parametrize(("of", "wrt"), [("state", "state"), ("h", "c"), ("c", "h"), ("c", "state")])
def test_agrees_with_exact_arithmetic_over_1600_nats(of: str, wrt: str, anchor: str) -> None:
    A = ginibre(1, 1000, 8)
    found = flow.singular_vectors(product(A, BLOCKS), of, wrt, 1000, anchor=anchor)
    logs, left, right = exact_vectors(A, 8000, SPANS[of], SPANS[wrt])
    assert np.ptp(logs) > 150
    np.testing.assert_allclose(found.logs, logs, rtol=0, atol=1e-10)
    assert distance(found, left, right) < 2e-13


@pytest.mark.parametrize("anchor", ["end", "start"])
@pytest.mark.parametrize("side", ["rows", "columns"])
def test_agrees_over_ten_thousand_nats(side: str, anchor: str) -> None:
    D = np.exp(np.linspace(-7, 4, 8))
    A = ginibre(2, 1000, 8) + 3 * np.eye(8)
    A = D[:, None] * A if side == "rows" else A * D
    found = flow.singular_vectors(product(A, BLOCKS), "state", "h", 1000, anchor=anchor)
    logs, left, right = exact_vectors(A, 40000, slice(None), SPANS["h"])
    np.testing.assert_allclose(found.logs, logs, rtol=0, atol=5e-10)
    # At worst 3.4e-12: from the end, the rows of the frame that h selects are nearly parallel.
    assert distance(found, left, right) < (1e-11 if (side, anchor) == ("columns", "end") else 2e-13)


@pytest.mark.parametrize("steps", [1, 2, 5, 20])
def test_short_products_are_as_their_dense_svd(steps: int) -> None:
    A = ginibre(4, steps, 8)
    found = flow.singular_vectors(A, "state", "state", steps)
    _, left, right = exact_vectors(A, 2000, slice(None), slice(None))
    gaps = np.diff(-found.logs)
    error = 2e-14 / gaps.min()
    assert error < 3e-13
    assert distance(found, left, right) < error
    P = np.linalg.multi_dot([np.eye(8), *A[::-1]])
    np.testing.assert_allclose(found.left * np.exp(found.logs) @ found.right.T, P, rtol=0, atol=1e-13)


@pytest.mark.parametrize("transpose", [False, True])
def test_a_jordan_block(transpose: bool) -> None:
    J = 0.9 * np.eye(6) + np.eye(6, k=1)
    A = np.tile(J.T if transpose else J, (1000, 1, 1))
    found = flow.singular_vectors(A, "state", "state", 1000)
    _, left, right = exact_vectors(A, 4000, slice(None), slice(None))
    assert distance(found, left, right) < 2e-13


def test_a_cluster_of_equal_values_has_the_right_span() -> None:
    rng = np.random.default_rng(3)
    U, V = (np.linalg.qr(rng.standard_normal((7, 7)))[0] for _ in range(2))
    logs = np.array([200.0, 200.0, 200.0, 3.0, 3.0, -300.0, -300.0])
    half = np.exp(logs / 2)
    A = np.array([(V * half).T, np.diag(half), U])  # product U diag(e^logs) Vᵀ
    found = flow.singular_vectors(A, "state", "state", 3)
    np.testing.assert_allclose(found.logs, logs, rtol=0, atol=1e-12)
    for cluster in (slice(0, 3), slice(3, 5), slice(5, 7)):
        for vectors, exact in ((found.left, U), (found.right, V)):
            projector = vectors[:, cluster] @ vectors[:, cluster].T
            np.testing.assert_allclose(projector, exact[:, cluster] @ exact[:, cluster].T, rtol=0, atol=1e-14)
    W = U.T @ found.left[:, :3]  # and left and right belong together within a cluster
    np.testing.assert_allclose(W[:3], V[:, :3].T @ found.right[:, :3], rtol=0, atol=1e-14)


def test_logs_are_those_of_singular_spectrum_and_k_takes_the_leading_ones() -> None:
    kernel = ls.Kernel(ls.LSTM)
    p = kernel.parameters(hidden=40, inputs=2, rng=0)
    run = ls.run(kernel, p, np.random.default_rng(1).standard_normal((300, 2)))
    every = ls.singular_vectors(run, "state", "c", 200)
    np.testing.assert_allclose(every.logs, ls.singular_spectrum(run, "state", "c", 200), rtol=0, atol=1e-13)
    few = ls.singular_vectors(run, "state", "c", 200, k=3)
    assert few.left.shape == (80, 3)
    assert few.right.shape == (40, 3)
    for name in ("logs", "left", "right"):
        np.testing.assert_array_equal(getattr(few, name), getattr(every, name)[..., :3])
    for side in (every.left, every.right):
        np.testing.assert_allclose(side.T @ side, np.eye(40), rtol=0, atol=1e-14)
    assert few.logs.certificate is not None
    assert few.logs.certificate.steps == 200
    whole = ls.singular_vectors(run, "state", "state", 200).logs.certificate
    assert whole is not None
    assert 0 <= whole.determinant_gap < 1e-5
    assert repr(few) == "<SingularVectors: 3 of them, left (80, 3), right (40, 3)>"


@pytest.mark.parametrize("anchor", ["end", "start"])
def test_a_tangent_goes_where_the_vectors_say(anchor: str) -> None:
    """Back-propagation and forward pushes of an LSTM, whose tangent action needs no matrices, as a second route."""
    kernel = ls.Kernel(ls.LSTM)
    p = kernel.parameters(hidden=40, inputs=2, rng=0)
    run = ls.run(kernel, p, np.random.default_rng(1).standard_normal((20, 2)))
    found = ls.singular_vectors(run, "c", "h", 15, k=2, anchor=anchor)
    V = np.zeros((80, 2))
    V[:40] = found.right
    for t in range(5, 20) if anchor == "end" else range(15):
        V = kernel.jacobian(p, run.inputs[t], run.previous[t]) @ V
    np.testing.assert_allclose(V[40:] / np.exp(found.logs), found.left, rtol=0, atol=1e-8)
    assert np.abs(V[40:] / np.exp(found.logs) - found.left).max() > 0


def test_signs_are_reproducible() -> None:
    A = ginibre(5, 50, 6)
    found = flow.singular_vectors(A, "state", "state", 50)
    largest = np.abs(found.right).argmax(axis=0)
    assert (found.right[largest, np.arange(6)] > 0).all()
    A[0] *= -1.0
    turned = flow.singular_vectors(A, "state", "state", 50)
    np.testing.assert_allclose(turned.right, found.right, rtol=0, atol=1e-13)
    np.testing.assert_allclose(turned.left, -found.left, rtol=0, atol=1e-13)
    tie = np.array([[1.0, -1 - 1e-15], [1.0, 1.0]])  # its right vectors are (1, ±1)/√2, or the unit vectors
    pairs = flow.singular_vectors([tie @ np.array([[1, 1], [1, -1]]) * [1, 3]], "state", "state", 1)
    assert (pairs.right.sum(axis=0) > 0).all()


def test_lost_directions_are_completed_to_an_orthonormal_set() -> None:
    A = ginibre(6, 60, 6)
    U, s, V = np.linalg.svd(A[30])
    A[30] = (U[:, :4] * s[:4]) @ V[:4]
    found = flow.singular_vectors(A, "state", "state", 60)
    assert np.isneginf(found.logs[4:]).all()
    assert np.isfinite(found.logs[:4]).all()
    _, left, right = exact_vectors(A, 4000, slice(None), slice(None))
    assert distance(found, left[:, :4], right[:, :4]) < 1e-12
    for side in (found.left, found.right):
        np.testing.assert_allclose(side.T @ side, np.eye(6), rtol=0, atol=1e-14)
    nothing = flow.singular_vectors(np.zeros((3, 4, 4)), "state", "state", 2, k=2)
    assert np.isneginf(nothing.logs).all()
    np.testing.assert_array_equal(nothing.right, np.eye(4)[:, :2])


def test_parts_that_do_not_act_on_each_other_have_their_own_vectors_and_zeros_elsewhere() -> None:
    A = np.zeros((500, 5, 5))
    A[:, :2, :2] = 3 * ginibre(8, 500, 2)
    A[:, 2:, 2:] = 0.1 * ginibre(9, 500, 3)
    run = product(A, {"fast": slice(0, 2), "slow": slice(2, 5)})
    own = flow.singular_vectors(A[:, 2:, 2:], "state", "state", 500)
    for of, wrt in (("slow", "state"), ("state", "slow")):
        found = flow.singular_vectors(run, of, wrt, 500)
        for side, name, vectors in ((found.left, of, own.left), (found.right, wrt, own.right)):
            rows = slice(2, 5) if name == "state" else slice(0, 3)
            np.testing.assert_allclose(side[rows], vectors, rtol=0, atol=1e-12)
            assert side.sum() == side[rows].sum()
    none = flow.singular_vectors(run, "slow", "fast", 500)
    assert np.isneginf(none.logs).all()
    np.testing.assert_array_equal(none.left, np.eye(3)[:, :2])
    np.testing.assert_array_equal(none.right, np.eye(2))


def test_a_batch_is_its_members() -> None:
    A = ginibre(11, 40 * 6, 4).reshape(40, 2, 3, 4, 4)
    A[20, 1, 2] = np.outer([1, 2, 3, 4], [1, -1, 1, 2])
    blocks = {"h": slice(0, 2), "c": slice(2, 4)}
    many = flow.singular_vectors(product(A, blocks), "state", "c", 40)
    assert many.logs.shape == (2, 3, 2)
    assert many.left.shape == (2, 3, 4, 2)
    assert many.right.shape == (2, 3, 2, 2)
    for i, j in np.ndindex(2, 3):
        one = flow.singular_vectors(product(A[:, i, j], blocks), "state", "c", 40)
        live = np.isfinite(one.logs)
        assert live.sum() == (1 if (i, j) == (1, 2) else 2)
        np.testing.assert_allclose(many.logs[i, j], one.logs, rtol=0, atol=1e-11)
        np.testing.assert_allclose(many.left[i, j][:, live], one.left[:, live], rtol=0, atol=1e-12)
        np.testing.assert_allclose(many.right[i, j][:, live], one.right[:, live], rtol=0, atol=1e-12)


def toy(steps: int) -> tuple[Toy, flow.Trajectory]:
    rng = np.random.default_rng(13)
    system = Toy(rng.standard_normal((2, 2)) / 3, rng.standard_normal((2, 2)) / 3)
    return system, flow.run(system, None, rng.uniform(-1, 1, (steps, 4)), np.ones(4))


@pytest.mark.parametrize("horizon", [1, 4, 6])
@pytest.mark.parametrize("of", ["h", "c", "state"])
def test_path_total_adds_the_effect_within_the_step(of: str, horizon: int) -> None:
    system, run = toy(6)
    rows = {"h": slice(0, 2), "c": slice(2, 4), "state": slice(0, 4)}[of]
    P = system.within(None, run.inputs[5 - horizon], None, "c") if horizon < 6 else np.eye(4)[:, 2:]
    for x in run.inputs[6 - horizon :]:
        P = system.jacobian(None, x, None) @ P
    found = flow.singular_vectors(run, of, "c", horizon, path="total")
    np.testing.assert_allclose(found.left * np.exp(found.logs) @ found.right.T, P[rows], rtol=0, atol=1e-14)
    np.testing.assert_allclose(found.logs, np.log(np.linalg.svd(P[rows])[1]), rtol=0, atol=1e-13)
    assert found.right.shape == (2, 2)


def test_path_total_reaches_a_state_that_acts_within_its_own_step_only() -> None:
    class Memoryless(LinearMaps):
        """h' = h/2, c' = 0.7 h, and h takes in 0.3 of the c of its own step."""

        def within(self, parameters: object, x: np.ndarray, state: np.ndarray, wrt: str) -> np.ndarray:
            return np.broadcast_to([[0.3], [1.0]], (*x.shape[:-1], 2, 1))

    system = Memoryless([[[0.5, 0.0], [0.7, 0.0]]] * 5, {"h": slice(0, 1), "c": slice(1, 2)})
    run = flow.run(system, None, np.arange(5.0)[:, None], np.zeros(2))
    found = flow.singular_vectors(run, "h", "c", 3, path="total")
    np.testing.assert_allclose(found.logs, np.log(0.3 / 8), rtol=1e-14)
    assert found.left[0, 0] == found.right[0, 0] == 1.0


def test_a_run_that_is_read_once_goes_forward_only() -> None:
    A = ginibre(12, 100, 5)
    found = flow.singular_vectors(iter(A), "state", "state", 90, anchor="start")
    stored = flow.singular_vectors(A, "state", "state", 90, anchor="start")
    np.testing.assert_allclose(found.right, stored.right, rtol=0, atol=1e-13)
    with pytest.raises(ValueError, match=r"horizon = 101: the run has only 100 steps"):
        flow.singular_vectors(iter(A), "state", "state", 101, anchor="start")
    with pytest.raises(ValueError, match="anchor 'end' goes back in time"):
        flow.singular_vectors(iter(A), "state", "state", 90)


def test_bad_arguments_are_refused() -> None:
    _, run = toy(6)
    for arguments, message in [
        ({"horizon": 0}, "horizon = 0: expected an integer from 1 to T = 6"),
        ({"horizon": 7}, "horizon = 7: expected an integer from 1 to T = 6"),
        ({"k": 0}, "k = 0: expected an integer from 1 to 2"),
        ({"k": 3}, "k = 3: expected an integer from 1 to 2, the size of the smaller block"),
        ({"path": "direct"}, "path 'direct' has no singular vectors but the unit vectors"),
        ({"path": "ful"}, "unknown path 'ful'.*Did you mean 'full'"),
        ({"wrt": "q"}, r"wrt = 'q'.*Known: state, h, c"),
        ({"anchor": "middle"}, "unknown anchor 'middle'"),
        ({"accuracy": 0.0}, "accuracy = 0: expected a positive number"),
    ]:
        with pytest.raises(ValueError, match=message):
            flow.singular_vectors(run, **{"of": "state", "wrt": "c", "horizon": 3, **arguments})  # type: ignore[arg-type]
    for bad in (2.5, True, [3], None):
        with pytest.raises(TypeError, match=r"horizon = .*expected an integer"):
            flow.singular_vectors(run, "h", "c", bad)  # type: ignore[arg-type]


def test_the_sweeps_give_the_same_values_with_vectors_as_without() -> None:
    rng = np.random.default_rng(7)
    for trial in range(20):
        size = int(rng.integers(1, 12))
        T = np.triu(rng.standard_normal((size, size)), 1) + np.eye(size)
        exponent = rng.integers(-800 if trial % 2 else -20, 1, size)
        mantissa = rng.uniform(0.5, 1, size)
        plain, count = log_singular_values(mantissa, exponent, T)
        sides = Sides(np.eye(size), np.eye(size))
        found, again = log_singular_values(mantissa, exponent, T, sides)
        assert count == again
        np.testing.assert_allclose(found, plain, rtol=0, atol=2e-15 * size + 1e-13)
        middle = (mantissa * 2.0**exponent)[:, None] * T
        np.testing.assert_allclose((sides.left * np.exp(found)) @ sides.right.T, middle, rtol=0, atol=1e-13)


def test_columns_whose_squares_underflow_are_factored_too() -> None:
    rng = np.random.default_rng(8)
    A = rng.standard_normal((5, 3))
    A[1:] *= 1e-180
    reflectors: list[Any] = []
    R, _, _, order = pivoted(A, np.ones(3), np.zeros(3, dtype=np.int64), 0.0, reflectors)
    assert len(R) == 3
    small = A[1:, order] * 1e180 - np.outer(A[1:, order[0]] * 1e180, A[0, order] / A[0, order[0]])
    exact = np.linalg.qr(small[:, 1:], mode="r")
    np.testing.assert_allclose(np.abs(R[1:, 1:] * 1e180), np.abs(exact), rtol=1e-13, atol=1e-13)
