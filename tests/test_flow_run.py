"""Running a system: shapes, defaults, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from flow_systems import Constant, Henon, Toy

import lstm_sym.flow as flow


class Adder:
    """s' = a s + x, with the optional conveniences."""

    def step(self, a: Any, x: Any, state: Any) -> Any:
        return a * state + x

    def jacobian(self, a: Any, x: Any, state: Any) -> Any:
        return a * np.eye(state.shape[-1])


class Prepared(Adder):
    """Adder with a default initial state, zero input by default, and a fast loop."""

    def prepare(self, a: Any, inputs: Any, initial: Any) -> Any:
        if isinstance(inputs, int):
            inputs = np.zeros((inputs, 2))
        return float(a), np.asarray(inputs), np.zeros(2) if initial is None else initial

    def unroll(self, a: Any, inputs: Any, initial: Any) -> Any:
        return np.stack([a**t * initial for t in range(1, len(inputs) + 1)])


def test_a_run_records_every_state_and_the_states_before() -> None:
    x = np.arange(6.0).reshape(3, 2)
    run = flow.run(Adder(), 2.0, x, [1, 1])
    np.testing.assert_array_equal(run.states, [[2, 3], [6, 9], [16, 23]])
    np.testing.assert_array_equal(run.previous, [[1, 1], [2, 3], [6, 9]])
    assert len(run) == 3
    assert repr(run) == "<Trajectory: 3 steps of Adder, state size 2>"
    x[:] = 0
    assert run.inputs[2, 1] == 5
    with pytest.raises(ValueError, match="read-only"):
        run.states[0] = 0


def test_batches_broadcast_between_inputs_and_initial() -> None:
    run = flow.run(Adder(), 1.0, np.ones((4, 3, 2)), np.zeros((5, 1, 2)))
    assert run.states.shape == (4, 5, 3, 2)
    assert run.inputs.shape == (4, 5, 3, 2)
    assert run.previous.shape == run.states.shape
    assert flow.gradient_norms(
        flow.run(Adder(), 0.5, np.ones((4, 2)), np.zeros((5, 2))), "state", "state"
    ).shape == (4, 5)
    with pytest.raises(ValueError, match="do not broadcast"):
        flow.run(Adder(), 1.0, np.ones((4, 3, 2)), np.zeros((5, 2)))


def test_the_systems_own_preparation_and_loop_are_used() -> None:
    run = flow.run(Prepared(), 3, 4)
    np.testing.assert_array_equal(run.states, np.zeros((4, 2)))
    assert run.parameters == 3.0
    np.testing.assert_array_equal(flow.run(Prepared(), 2, 3, np.ones(2)).states[:, 0], [2, 4, 8])


def test_named_quantities() -> None:
    run = flow.run(Toy(np.eye(2), np.eye(2)), None, np.full((3, 4), 0.5), np.ones(4))
    np.testing.assert_array_equal(run["c"], run.states[:, 2:])
    np.testing.assert_array_equal(run["state"], run.states)
    np.testing.assert_array_equal(run["f"], np.full((3, 2), 0.5))
    with pytest.raises(ValueError, match=r"unknown quantity 'z'.*Known: state, h, c, a, f"):
        run["z"]
    with pytest.raises(KeyError, match="Known: state"):
        flow.run(Henon(), None, 2, np.zeros(2))["h"]


@pytest.mark.parametrize(
    ("inputs", "initial", "message"),
    [
        (0, np.zeros(2), "T = 0 steps: expected at least 1"),
        (-3, np.zeros(2), "T = -3"),
        (np.zeros((0, 2)), np.zeros(2), "T = 0"),
        (np.zeros(4), np.zeros(2), r"shape \(4,\)"),
        ([[0.0], [np.nan]], np.zeros(2), r"inputs\[1, 0\] is nan"),
        (3, None, "initial is None"),
        (3, [0.0, np.inf], r"initial\[1\] is inf"),
        (3, 1.0, "initial is a number"),
    ],
)
def test_bad_arguments_are_refused(inputs: Any, initial: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        flow.run(Henon(), None, inputs, initial)


@pytest.mark.parametrize("bad", [True, 2.5, None])
def test_a_number_of_steps_is_an_integer(bad: Any) -> None:
    with pytest.raises(TypeError, match="expected an integer"):
        flow.run(Henon(), None, bad, np.zeros(2))


def test_a_state_that_overflows_names_the_step() -> None:
    with pytest.raises(FloatingPointError, match="after step 3 "):
        flow.run(Constant(1e100 * np.eye(2)), None, 50, np.ones(2))


def test_a_state_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"step 0 gives a state of shape \(2, 3\): expected \(3,\)"):
        flow.run(Wrong(), None, 2, np.ones(3))


class Wrong(Constant):
    """Returns a batch where there was none."""

    def __init__(self) -> None:
        super().__init__(np.eye(3))

    def step(self, parameters: Any, x: Any, state: Any) -> Any:
        return np.ones((2, 3))
