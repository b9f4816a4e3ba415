"""Training: vectors of parameters, squared errors, clipping, Adam against closed forms."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import lstm_sym as ls
from lstm_sym.training import (
    Adam,
    adding_problem,
    clipped,
    descent,
    flat,
    shaped,
    squared_error,
    value_and_gradient,
)


def test_vectors_are_cut_into_the_arrays_they_came_from():
    like = ls.Kernel(ls.LSTM).parameters(hidden=3, inputs=2, rng=0, outputs=1)
    vector = flat(like)
    back = shaped(vector, like)
    assert list(back) == list(like)
    assert all(np.array_equal(back[name], like[name]) for name in like)
    for length in (len(vector) - 1, len(vector) + 1):
        with pytest.raises(ValueError, match=rf"expected \({len(vector)},\)"):
            shaped(np.zeros(length), like)


@pytest.mark.parametrize("cell", [ls.RNN, ls.LSTM])
def test_the_gradient_is_that_of_the_loss_by_complex_step(cell):
    kernel, rng = ls.Kernel(cell), np.random.default_rng(1)
    like = kernel.parameters(hidden=5, inputs=2, rng=rng, outputs=1)
    x, target = rng.standard_normal((12, 4, 2)), rng.standard_normal((4, 1))
    weights = rng.random((12, 1, 1))
    vector = flat(like)
    value, slope = value_and_gradient(kernel, vector, like, x, squared_error(target, weights))
    direction = rng.standard_normal(len(vector))
    run = ls.run(kernel, shaped(vector + 1e-30j * direction, like), x)
    loss = np.sum(weights * (run["y"] - target) ** 2)
    assert value == pytest.approx(loss.real, rel=1e-14)
    assert slope @ direction == pytest.approx(loss.imag / 1e-30, rel=1e-12)


def test_outputs_without_weight_do_not_count():
    y, weights = np.arange(6.0).reshape(3, 2, 1), np.array([0.0, 0.0, 0.5])[:, None, None]
    value, by = squared_error([[1.0], [1.0]], weights)({"y": y})
    assert value == 0.5 * (9 + 16)
    assert_array_equal(by["y"][:2], np.zeros((2, 2, 1)))
    assert_array_equal(by["y"][2], [[3.0], [4.0]])


def test_clipping_keeps_the_direction_and_leaves_short_gradients_alone():
    gradient = np.random.default_rng(0).standard_normal(50)
    short = clipped(gradient, 0.25)
    assert np.linalg.norm(short) == pytest.approx(0.25, rel=1e-15)
    assert short @ gradient == pytest.approx(0.25 * np.linalg.norm(gradient), rel=1e-14)
    assert clipped(gradient, 100.0) is gradient
    assert_array_equal(clipped(np.zeros(3), 1.0), np.zeros(3))


def test_adam_is_the_weighted_mean_over_the_weighted_root_mean_square():
    """The recursion against the sums that it abbreviates: m̂ = Σ β₁^(t−s) g_s / Σ β₁^(t−s), v̂ likewise."""
    gradients = np.random.default_rng(0).standard_normal((7, 3)) * [1.0, 1e-6, 1e6]
    method, vector = Adam(rate=0.01, mean_decay=0.8, square_decay=0.95), np.zeros(3)
    for t, gradient in enumerate(gradients, start=1):
        before = vector
        vector, method = method.update(vector, gradient)
        first, second = (decay ** np.arange(t)[::-1, None] for decay in (0.8, 0.95))
        mean = (first * gradients[:t]).sum(axis=0) / first.sum()
        square = (second * gradients[:t] ** 2).sum(axis=0) / second.sum()
        assert_allclose(before - vector, 0.01 * mean / (np.sqrt(square) + 1e-8), rtol=1e-9)
    assert method.updates == 7


def test_a_constant_gradient_moves_every_parameter_by_the_rate():
    path = descent(lambda v: (0.0, np.array([2.0, -3.0])), np.zeros(2), rate=0.01, clip=10.0)
    vectors = np.stack([vector for _, vector in islice(path, 101)])
    assert_allclose(vectors, np.arange(101)[:, None] * [-0.01, 0.01], rtol=1e-7)


def test_descent_finds_a_minimum_and_does_not_touch_its_start():
    start, centre = np.array([3.0, -2.0]), np.array([1.0, 0.5])
    path = descent(lambda v: (float((v - centre) @ (v - centre)), 2 * (v - centre)), start, rate=0.02)
    values = [value for value, _ in islice(path, 2000)]
    assert values[0] == pytest.approx(10.25)
    assert values[-1] < 1e-12
    assert_array_equal(start, [3.0, -2.0])


@pytest.mark.parametrize(("name", "number"), [("rate", 0.0), ("rate", -1.0), ("clip", 0.0), ("rate", np.nan)])
def test_rates_and_clips_that_are_not_positive_are_refused(name, number):
    with pytest.raises(ValueError, match=name):
        next(descent(lambda v: (0.0, v), np.zeros(2), **{"rate": 0.1, name: number}))


def test_a_gradient_that_is_not_finite_is_refused():
    path = descent(lambda v: (0.0, np.array([1.0, np.inf])), np.zeros(2), rate=0.1)
    next(path)
    with pytest.raises(ValueError, match=r"the gradient\[1\] is inf"):
        next(path)


@pytest.mark.parametrize("steps", [8, 9])
def test_one_number_of_each_half_is_marked_and_the_target_is_their_sum(steps):
    inputs, targets = adding_problem(np.random.default_rng(0), steps, 500)
    marks, numbers = inputs[..., 1], inputs[..., 0]
    assert set(np.unique(marks)) == {0.0, 1.0}
    assert_array_equal(marks[: steps // 2].sum(axis=0), np.ones(500))
    assert_array_equal(marks[steps // 2 :].sum(axis=0), np.ones(500))
    assert (marks.sum(axis=1) > 0).all()  # every place is marked at times
    assert 0 <= numbers.min() < 0.01 < 0.99 < numbers.max() < 1
    first, second = (numbers.T[marks.T == 1].reshape(500, 2)).T
    assert_array_equal(targets[:, 0], first + second)


@pytest.mark.parametrize(("steps", "batch"), [(1, 3), (0, 3), (4, 0)])
def test_sequences_that_cannot_be_marked_are_refused(steps, batch):
    with pytest.raises(ValueError, match="expected"):
        adding_problem(np.random.default_rng(0), steps, batch)
