"""Covariant Lyapunov vectors against closed forms, and their edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from flow_systems import Henon, LinearMaps, product

import lstm_sym as ls
import lstm_sym.flow as flow


def misfit(found: flow.CovariantVectors, jacobians: np.ndarray) -> tuple[float, float]:
    """How far J_t v(t) / |J_t v(t)| is from v(t + 1), sign included, and log|J_t v(t)| from the exponents."""
    pushed = jacobians[found.first : found.first + len(found.exponents)] @ found.vectors
    lengths = np.linalg.norm(pushed, axis=-2, keepdims=True)
    gap = pushed[:-1] / lengths[:-1] - found.vectors[1:]
    return float(np.abs(gap).max()), float(np.abs(np.log(lengths[..., 0, :]) - found.exponents).max())


def parallel(u: np.ndarray, v: np.ndarray) -> float:
    """How far unit columns are from parallel: the length of the difference up to sign."""
    signs = np.sign(np.sum(u * v, axis=-2, keepdims=True))
    return float(np.linalg.norm(u - signs * v, axis=-2).max())


def henon(steps: int = 4000) -> tuple[flow.Trajectory, np.ndarray]:
    run = flow.run(Henon(), None, steps, initial=[0.1, 0.1])
    return run, Henon().jacobian(None, None, run.previous)


def eigen(seed: int, values: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """A matrix of these eigenvalues, and its eigenvectors, of length one."""
    X = np.random.default_rng(seed).standard_normal((len(values), len(values)))
    X = X / np.linalg.norm(X, axis=0)
    return X @ np.diag(values) @ np.linalg.inv(X), X


def test_of_a_constant_map_they_are_the_eigenvectors() -> None:
    values = [2.0, -1.5, 1.0, 0.7, -0.3]
    W, X = eigen(0, values)
    found = flow.covariant_vectors(np.tile(W, (1500, 1, 1)))
    assert found.first == 150
    assert found.vectors.shape == (1200, 5, 5)
    assert parallel(found.vectors, X) < 1e-13
    np.testing.assert_allclose(found.exponents, np.tile(np.log(np.abs(values)), (1200, 1)), rtol=0, atol=1e-13)
    assert found.unsettled.max() < 1e-14
    signs = np.sign(np.sum(found.vectors[1:] * found.vectors[:-1], axis=-2))
    np.testing.assert_array_equal(signs, np.broadcast_to(np.sign(values), signs.shape))


def test_of_a_periodic_product_they_are_its_eigenvectors_at_each_phase() -> None:
    A, B = np.random.default_rng(2).standard_normal((2, 4, 4))
    values, X = np.linalg.eig(B @ A)
    assert np.isrealobj(values)
    order = np.argsort(-np.abs(values))
    size, X = np.abs(values[order]), X[:, order]
    assert (size[1:] / size[:-1]).max() < 0.9
    found = flow.covariant_vectors(np.array([A, B] * 2000))
    assert found.first % 2 == 0
    Y = A @ X
    assert parallel(found.vectors[::2], X) < 1e-12
    assert parallel(found.vectors[1::2], Y / np.linalg.norm(Y, axis=0)) < 1e-12
    np.testing.assert_allclose(
        found.exponents[::2] + found.exponents[1::2], np.tile(np.log(size), (1600, 1)), atol=1e-12
    )


def test_henon_has_its_two_directions_and_they_do_not_touch() -> None:
    run, J = henon()
    found = flow.covariant_vectors(run)
    turned, grown = misfit(found, J)
    assert turned < 2e-13
    assert grown < 1e-13
    assert found.unsettled.max() < 1e-14
    V = found.vectors
    area = np.log(np.abs(V[:, 0, 0] * V[:, 1, 1] - V[:, 0, 1] * V[:, 1, 0]))  # log sine of the angle
    assert np.degrees(np.arcsin(np.exp(area.min()))) > 1e-3
    assert np.degrees(np.arcsin(np.exp(area.max()))) > 80
    # An area grows by the determinant: exponents and angle together make log 0.3, at every step.
    np.testing.assert_allclose(
        found.exponents[:-1].sum(axis=1) + area[1:] - area[:-1], np.log(0.3), rtol=0, atol=1e-11
    )


def test_the_fixed_point_of_henon_has_its_eigenvectors() -> None:
    a, b = Henon.a, Henon.b
    x = (b - 1 + np.sqrt((1 - b) ** 2 + 4 * a)) / (2 * a)
    J = Henon().jacobian(None, None, np.array([x, b * x]))
    roots = -a * x + np.array([-1, 1]) * np.sqrt((a * x) ** 2 + b)
    found = flow.covariant_vectors(np.tile(J, (100, 1, 1)), transient=40, settle=40)
    exact = np.array([roots, [b, b]])
    assert parallel(found.vectors, exact / np.linalg.norm(exact, axis=0)) < 1e-14
    np.testing.assert_allclose(found.exponents[7], np.log(np.abs(roots)), rtol=0, atol=1e-14)


@pytest.mark.parametrize(("hidden", "k"), [(4, None), (4, 3), (16, None)])
def test_F33_the_vectors_of_an_lstm_are_covariant(hidden: int, k: int | None) -> None:
    kernel = ls.Kernel(ls.LSTM)
    p = kernel.parameters(hidden=hidden, inputs=2, rng=0, gain=1.5)
    run = ls.run(kernel, p, np.random.default_rng(1).standard_normal((1000, 2)))
    found = ls.covariant_vectors(run, k=k)
    assert found.vectors.shape == (800, 2 * hidden, k or 2 * hidden)
    assert max(misfit(found, kernel.jacobian(p, run.inputs, run.previous))) < 1e-10
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=-2), 1, rtol=0, atol=1e-14)


def test_local_exponents_average_to_the_lyapunov_spectrum_of_the_stretch() -> None:
    run, _ = henon(6000)
    found = flow.covariant_vectors(run, transient=200, steps=5000, settle=100)
    assert (found.first, len(found.exponents)) == (200, 5000)
    stretch = flow.Trajectory(run.system, None, run.inputs[:5200], run.initial, run.states[:5200])
    spectrum = flow.lyapunov_spectrum(stretch, transient=200)
    mean = found.exponents.mean(axis=0)
    assert mean[0] == pytest.approx(spectrum[0], abs=1e-13)  # the first vectors of both are one and the same
    V = found.vectors[[0, -1]]
    area = np.log(np.abs(V[:, 0, 0] * V[:, 1, 1] - V[:, 0, 1] * V[:, 1, 0]))
    assert abs(mean[1] - spectrum[1]) < 1.5 * np.abs(area).sum() / 5000
    assert mean[1] != spectrum[1]


def test_a_random_product_has_the_known_exponents_and_settles_as_the_gaps_say() -> None:
    A = np.random.default_rng(5).standard_normal((3000, 4, 4))
    found = flow.covariant_vectors(A, transient=300, settle=300)
    np.testing.assert_allclose(found.exponents.mean(axis=0), flow.lyapunov_spectrum(A[300:2700]), rtol=0, atol=1e-3)
    assert found.unsettled.max() < 1e-13
    assert max(misfit(found, A)) < 1e-10
    short = flow.covariant_vectors(A, transient=300, steps=2000, settle=20)
    growth = found.exponents[2000:2020].sum(axis=0)
    expected = np.exp(-np.min(-np.diff(growth)))
    assert 1e-3 < expected < 1e-1
    assert 0.01 * expected < short.unsettled.max() < 10 * expected
    late = short.vectors[-1] - found.vectors[1999] * np.sign(
        np.sum(short.vectors[-1] * found.vectors[1999], axis=0)
    )
    assert 0 < np.linalg.norm(late, axis=0).max() < 10 * short.unsettled.max()
    assert parallel(short.vectors[:1900], found.vectors[:1900]) < 1e-12
    early = flow.covariant_vectors(A, transient=5, steps=2000, settle=300)
    assert early.unsettled[:3].max() > 1e-4
    assert early.unsettled[3] < 1e-13  # the whole space is there from the start, and the last needs no frame
    assert flow.covariant_vectors(A[:30], transient=10, settle=0).unsettled.max() > 0.1


def test_fewer_vectors_are_the_leading_ones_and_every_thins_them_out() -> None:
    A = np.random.default_rng(6).standard_normal((400, 5, 5))
    whole = flow.covariant_vectors(A)
    for k in (1, 3):
        few = flow.covariant_vectors(A, k=k)
        np.testing.assert_allclose(few.vectors, whole.vectors[..., :k], rtol=0, atol=1e-11)
        np.testing.assert_allclose(few.exponents, whole.exponents[:, :k], rtol=0, atol=1e-11)
    thin = flow.covariant_vectors(A, every=7)
    assert thin.vectors.shape == (46, 5, 5)
    np.testing.assert_array_equal(thin.vectors, whole.vectors[::7])
    np.testing.assert_array_equal(thin.exponents, whole.exponents)
    assert (thin.first, thin.every, whole.every) == (40, 7, 1)
    assert repr(thin).startswith("<CovariantVectors: 5 of 5, before steps 40 … 359, unsettled by ")


def test_one_vector_is_the_leading_direction() -> None:
    found = flow.covariant_vectors(np.full((10, 1, 1), -0.5))
    np.testing.assert_array_equal(np.abs(found.vectors), np.ones((8, 1, 1)))
    np.testing.assert_array_equal(np.sign(found.vectors[:, 0, 0]), [1, -1] * 4)
    np.testing.assert_allclose(found.exponents, np.log(0.5), rtol=0, atol=1e-16)


def test_a_batch_is_its_members() -> None:
    A = np.random.default_rng(7).standard_normal((200, 2, 3, 4, 4))
    many = flow.covariant_vectors(A, k=3)
    assert many.vectors.shape == (160, 2, 3, 4, 3)
    assert many.exponents.shape == (160, 2, 3, 3)
    assert many.unsettled.shape == (2, 3, 3)
    for i, j in np.ndindex(2, 3):
        one = flow.covariant_vectors(A[:, i, j], k=3)
        np.testing.assert_allclose(many.vectors[:, i, j], one.vectors, rtol=0, atol=1e-11)
        np.testing.assert_allclose(many.exponents[:, i, j], one.exponents, rtol=0, atol=1e-11)


@pytest.mark.parametrize("step", [3, 50, 97])
def test_a_step_that_loses_a_direction_is_refused_by_its_number(step: int) -> None:
    A = np.random.default_rng(8).standard_normal((100, 4, 4))
    A[step, :, 3] = A[step, :, 0] / 3
    with pytest.raises(ValueError, match=rf"step {step} \(from 0\) is singular: it leaves 3 of the 4 directions"):
        flow.covariant_vectors(A)
    few = flow.covariant_vectors(A, k=3)
    assert misfit(few, A)[0] < 1e-9
    A[step] = 0.0
    with pytest.raises(ValueError, match=rf"step {step} \(from 0\) leaves none"):
        flow.covariant_vectors(A, k=1)


def test_a_saturated_unit_is_no_lost_direction_where_the_closed_form_knows_it() -> None:
    rng = np.random.default_rng(9)
    A = rng.standard_normal((200, 4, 4)) + 2 * np.eye(4)
    A[::5, 2] *= 1e-25  # a row that all but vanishes, as in a saturated unit
    run = product(A, closed=True)
    found = flow.covariant_vectors(run)
    assert np.isfinite(found.exponents).all()
    spectrum = flow.lyapunov_spectrum(product(A[20:180], closed=True))
    np.testing.assert_allclose(found.exponents.mean(axis=0), spectrum, rtol=0, atol=0.2)
    assert misfit(flow.covariant_vectors(run, k=3), A)[0] < 1e-10
    assert spectrum[3] < -10


def test_the_transient_and_what_follows_may_be_chosen() -> None:
    A = np.random.default_rng(10).standard_normal((50, 3, 3))
    found = flow.covariant_vectors(A, transient=0, settle=0)
    assert (found.first, found.vectors.shape) == (0, (50, 3, 3))
    assert misfit(found, A)[0] < 1e-11
    part = flow.covariant_vectors(A, transient=7, steps=11, settle=3)
    assert (part.first, part.vectors.shape, part.exponents.shape) == (7, (11, 3, 3), (11, 3))
    seen: list[Any] = []
    flow.covariant_vectors(A, transient=7, steps=11, settle=3, progress=lambda *done: seen.append(done))
    assert seen[-1] == (21, 21)


def test_a_run_that_is_read_once_needs_all_lengths() -> None:
    A = np.random.default_rng(11).standard_normal((50, 3, 3))
    found = flow.covariant_vectors(iter(A), transient=5, steps=30, settle=10)
    stored = flow.covariant_vectors(A, transient=5, steps=30, settle=10)
    np.testing.assert_allclose(found.vectors, stored.vectors, rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match=r"steps = None: the length .* is not known"):
        flow.covariant_vectors(iter(A), transient=5, settle=10)
    with pytest.raises(ValueError, match="transient \\+ steps \\+ settle = 51: the run has only 50 steps"):
        flow.covariant_vectors(iter(A), transient=5, steps=36, settle=10)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 0}, "k = 0: expected an integer from 1 to the state size S = 3"),
        ({"k": 4}, "k = 4"),
        ({"every": 0}, "every = 0: expected an integer from 1"),
        ({"transient": -1}, "transient = -1: expected at least 0. The run has T = 20 steps"),
        ({"settle": -1}, "settle = -1: expected at least 0"),
        ({"steps": 0}, "steps = 0: expected at least 1"),
        ({"transient": 18}, "0 steps are left: expected at least 1"),
        ({"transient": 10, "steps": 10}, r"transient \+ steps \+ settle = 10 \+ 10 \+ 2: expected at most T = 20"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    run = product(np.tile(np.diag([3.0, 2.0, 1.0]), (20, 1, 1)))
    with pytest.raises(ValueError, match=message):
        flow.covariant_vectors(run, **arguments)
    with pytest.raises(TypeError, match=r"= 2.5: expected an integer"):
        flow.covariant_vectors(run, **dict.fromkeys(arguments, 2.5))


def test_a_jacobian_that_is_not_finite_is_refused() -> None:
    A = np.tile(np.eye(2), (20, 1, 1))
    system = LinearMaps(A)
    system.matrices[12, 0, 1] = np.nan
    run = flow.run(system, None, np.arange(20.0)[:, None], np.zeros(2))
    with pytest.raises(ValueError, match="Jacobian of step 12"):
        flow.covariant_vectors(run)


def test_dead_units_are_named_as_a_singular_step() -> None:
    kernel = ls.Kernel(ls.RNN(activation="relu"))
    run = ls.run(kernel, kernel.parameters(4, 2, rng=1), np.random.default_rng(3).standard_normal((40, 2)))
    with pytest.raises(ValueError, match=r"step \d+ \(from 0\) is singular: it leaves \d of the 2 directions"):
        ls.covariant_vectors(run, k=2)
