"""The adding problem: the task, its theory, training by either network, the plot, and what the quick run shows."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from lstm_sym.analyses import learning_the_adding_problem as learning
from numpy.testing import assert_allclose, assert_array_equal

from lstm_sym.figures import panels
from lstm_sym.figures.learning import plot_learning
from lstm_sym.theory.adding import error_of_memory
from lstm_sym.training import adding_problem

SMALL = {"hidden": 5, "steps": 8, "batch": 4, "updates": 100, "test_seed": 3}


def test_predicting_the_mean_costs_a_sixth_and_half_a_memory_half_of_it():
    assert error_of_memory(0, 100) == pytest.approx(1 / 6, rel=1e-15)
    assert error_of_memory(50, 100) == pytest.approx(1 / 12, rel=1e-15)
    assert error_of_memory(100, 100) == 0
    for memory in range(101):
        assert error_of_memory(memory, 100) == pytest.approx((1 - memory / 100) / 6, abs=1e-15)


@pytest.mark.parametrize("steps", [8, 9])
@pytest.mark.parametrize("memory", [0, 1, 3, 4, 5, 7, 8])
def test_the_error_of_a_memory_is_its_mean_over_all_places_of_the_marks(memory, steps):
    places = itertools.product(range(steps // 2), range(steps // 2, steps))
    costs = [sum(place < steps - memory for place in pair) / 12 for pair in places]
    assert error_of_memory(memory, steps) == pytest.approx(np.mean(costs), abs=1e-15)
    inputs, targets = adding_problem(np.random.default_rng(memory), steps, 20_000)
    errors = learning.errors_with_memory(memory, inputs, targets)
    assert abs(errors.mean() - np.mean(costs)) < 4.5 * errors.std() / np.sqrt(len(errors)) + 1e-12


@pytest.mark.parametrize(("memory", "steps"), [(0, 1), (-1, 10), (11, 10)])
def test_memories_that_cannot_be_are_refused(memory, steps):
    with pytest.raises(ValueError, match="expected"):
        error_of_memory(memory, steps)
    with pytest.raises(TypeError, match="expected an integer"):
        error_of_memory(0.5, 10)


@pytest.fixture(scope="module")
def small():
    return {name: learning.train(name, rng=np.random.default_rng(1), **SMALL) for name in learning.CELLS}


def test_training_gives_the_same_arrays_for_both_networks(small):
    shapes = [{key: np.shape(value) for key, value in found.items()} for found in small.values()]
    assert shapes[0] == shapes[1]
    looks = len(learning.CHECKPOINTS)
    assert shapes[0]["loss"] == (101,)
    assert shapes[0]["error"] == (looks,)
    assert shapes[0]["exponents"] == (looks, 2)
    assert shapes[0]["full"] == shapes[0]["direct"] == (looks, 8)


@pytest.mark.parametrize("name", learning.CELLS)
def test_trained_networks_pass_through_two_routes(small, name):
    found = small[name]
    assert found["slope"] == pytest.approx(found["slope by complex step"], rel=1e-12)
    assert found["sum of exponents"] == pytest.approx(found["log determinant"], abs=1e-10)
    assert found["sum of exponents"] < found["exponents"][-1].sum() < 0


def test_only_the_cell_has_a_direct_path(small):
    assert np.isneginf(small["RNN"]["direct"]).all()
    direct = small["LSTM"]["direct"]
    assert (np.diff(direct, axis=1) < 0).all()
    assert (direct <= 1e-12).all()


def test_training_is_reproducible_and_random_in_its_generator(small):
    again, other = (learning.train("RNN", rng=np.random.default_rng(k), **SMALL) for k in (1, 2))
    assert all(np.array_equal(again[key], small["RNN"][key]) for key in again)
    assert not np.array_equal(other["loss"], again["loss"])


@pytest.mark.parametrize("updates", [100, 500, 2500, 101])
def test_checkpoints_begin_before_and_end_after_training(updates):
    found = learning.checkpoints(updates)
    assert (found[0], found[-1]) == (0, updates)
    assert sorted(set(found)) == found


def test_errors_are_averaged_over_stretches_of_training():
    losses = np.random.default_rng(0).random((2, 3, 101))
    middles, means = learning.smooth(losses)
    assert means.shape == (2, 3, len(middles))
    assert_allclose(means[..., 0], losses[..., :3].mean(axis=-1))
    assert_allclose(middles[[0, -1]], [1.0, 99.5])


def test_the_quick_run_meets_its_landmarks(quick):
    run = quick("learning_the_adding_problem")
    assert len(run.landmarks()) == 7
    for row in run.landmarks():
        allowed = 4.5 if row["what"].startswith("mean square") else 1.0
        assert abs(row["difference"]) <= allowed * row["error"], row["what"]


def test_in_the_quick_run_the_lstm_learns_and_its_gradient_lasts(quick):
    run = quick("learning_the_adding_problem")
    error, exponents, full = (run.arrays[name] for name in ("error", "exponents", "full"))
    assert error.shape == (2, 2, len(learning.CHECKPOINTS))
    rnn, lstm = error[..., -1]
    assert (lstm < 0.03).all()
    assert (lstm < rnn / 3).all()
    assert (exponents[1, :, -1, 0] > exponents[0, :, -1, 0]).all()
    assert (exponents[..., 0] >= exponents[..., 1]).all()
    assert (full[1, :, -1, -1] > full[1, :, 0, -1]).all()  # the LSTM's reach has grown


@pytest.mark.parametrize("arguments", [["--steps", "4"], ["--updates", "99"], ["--hidden", "1"]])
def test_too_small_a_task_is_one_line(arguments, tmp_path, capsys):
    assert learning.main(["--quick", "--out", str(tmp_path), *arguments]) == 2
    captured = capsys.readouterr().err
    assert captured.count("\n") == 1
    assert "expected at least" in captured


def test_learning_curves_are_medians_and_ranges_with_named_guides():
    figure, axes = panels()
    ax = plot_learning(
        [0, 1, 2], {"a": [[1.0, 0.5, 0.1], [2.0, 0.5, 0.2], [4.0, 0.6, 0.3]]}, axes[0, 0], {"chance": 0.7}
    )
    assert ax is axes[0, 0]
    assert_array_equal(ax.lines[0].get_ydata(), [2.0, 0.5, 0.2])
    assert ax.get_yscale() == "log"
    assert_array_equal(ax.lines[1].get_ydata(), [0.7, 0.7])
    assert [text.get_text() for text in ax.texts] == ["chance"]
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (0.1, 4.0)
    figure.canvas.draw()


@pytest.mark.parametrize("values", [[np.nan, np.nan], [0.0, 0.0], [[np.nan, 1.0], [1.0, np.inf]]])
def test_nothing_to_draw_is_said_in_the_figure(values):
    ax = plot_learning([0, 1], {"a": values})
    assert any("nothing to draw" in text.get_text() for text in ax.texts)
    ax.figure.canvas.draw()


def test_what_is_not_positive_is_left_out():
    ax = plot_learning([0, 1, 2], {"a": [0.0, 0.5, np.nan]})
    assert_array_equal(ax.lines[0].get_xdata(), [1.0])
    assert not ax.texts
