"""What sweeps compute at one point: against closed forms and the functions below, and refusals."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose

import lstm_sym as ls
from lstm_sym import cells
from lstm_sym.checks import UnknownNameError
from lstm_sym.flow import StateNotFiniteError
from lstm_sym.quantities import (
    QUANTITIES,
    gradient_reach,
    leading_exponent,
    leading_exponents,
    options_of,
    parameters_of,
    zero_state_exponent,
)

LONG = {"hidden": 20, "steps": 3000, "transient": 3000, "initial": 1e-9}


def test_a_linear_network_has_the_exponents_of_its_matrix():
    linear = ls.RNN(activation="identity")
    weights = 0.9 * np.random.default_rng(5).standard_normal((6, 6)) / np.sqrt(6)
    found = leading_exponents(linear, hidden=6, W_hh=weights, k=6, steps=4000, transient=500, rng=1)
    assert_allclose(found, np.sort(np.log(np.abs(np.linalg.eigvals(weights))))[::-1], atol=2e-3)
    assert_allclose(found.sum(), np.linalg.slogdet(weights)[1], atol=1e-10)


@pytest.mark.parametrize("cell", ["RNN", "LSTM", "GRU", "JANET", "LeakyRNN"])
@pytest.mark.parametrize("rng", [0, 1])
def test_below_criticality_the_exponent_is_that_of_the_zero_state(cell, rng):
    """A vector that turns with a complex pair makes the mean growth over T steps differ by O(1/T)."""
    found = leading_exponent(cell, gain=0.5, rng=rng, **LONG)
    assert found < 0
    assert found == pytest.approx(zero_state_exponent(cell, hidden=20, gain=0.5, rng=rng), abs=2e-3)


@pytest.mark.parametrize(("cell", "bias"), [("LSTM", "b_f"), ("GRU", "b_z"), ("GRU", "b_r"), ("LSTM", "b_o")])
@pytest.mark.parametrize("value", [-1.5, 0.0, 2.0])
def test_the_zero_state_has_the_eigenvalues_of_the_closed_form(cell, bias, value):
    biases = {"b_f": 0.0, bias: value} if cell == "LSTM" else {bias: value}
    kernel = ls.Kernel(getattr(ls, cell))
    p = kernel.parameters(12, 1, rng=np.random.default_rng(3), gain=1.7, **biases)
    closed = ls.zero_state(kernel.cell, **biases).spectrum(p)
    found = zero_state_exponent(cell, hidden=12, gain=1.7, rng=3, **biases)
    assert found == pytest.approx(np.log(np.abs(closed[0])), abs=1e-12)


def test_reach_is_that_of_the_run_and_the_direct_path_is_exact():
    lags = [1, 7, 50]
    found = gradient_reach("LSTM", lags=lags, of="c", wrt="c", path="direct", W_xf=0, W_hf=0, b_f=2.0, rng=1)
    assert_allclose(found, -np.logaddexp(0, -2.0) * np.array(lags), rtol=1e-12)
    kernel, rng = ls.Kernel(ls.GRU), np.random.default_rng(4)
    p = kernel.parameters(5, 2, rng=rng, gain=1.5, b_z=1.0)
    x = 0.7 * rng.standard_normal((30, 2))
    orbit = ls.run(kernel, p, x, initial=0.1 * rng.standard_normal(5))
    options = {"hidden": 5, "inputs": 2, "gain": 1.5, "b_z": 1.0, "input_strength": 0.7, "transient": 10}
    assert_allclose(
        gradient_reach("GRU", lags=[3, 20], rng=4, **options),
        ls.gradient_norms(orbit, "h", "h")[[2, 19]],
        rtol=1e-14,
    )
    one = gradient_reach("GRU", lags=20, rng=4, **options)
    assert one.shape == ()
    assert float(one) == ls.gradient_norms(orbit, "h", "h")[19]


def test_inputs_of_no_strength_are_none_and_strong_ones_tame_chaos():
    chaos = leading_exponent("RNN", hidden=80, gain=2.5, rng=2)
    driven = leading_exponent("RNN", hidden=80, inputs=80, gain=2.5, input_strength=4.0, rng=2)
    assert driven < 0 < chaos
    assert leading_exponent("RNN", hidden=80, gain=2.5, input_strength=0.0, rng=2) == chaos


def test_the_same_seed_gives_the_same_number_and_a_generator_goes_on():
    assert leading_exponent(hidden=8, steps=50, rng=7) == leading_exponent(hidden=8, steps=50, rng=7)
    generator = np.random.default_rng(7)
    first, second = (leading_exponent(hidden=8, steps=50, rng=generator) for _ in range(2))
    assert first == leading_exponent(hidden=8, steps=50, rng=7) != second


def test_the_first_of_several_exponents_is_the_leading_one():
    several = leading_exponents("LSTM", hidden=6, k=12, gain=2.0, rng=1)
    assert several.shape == (12,)
    assert np.all(np.diff(several) <= 0)
    assert several[0] == pytest.approx(leading_exponent("LSTM", hidden=6, gain=2.0, rng=1), abs=1e-7)


def test_everything_goes_to_a_worker_and_back():
    for quantity in QUANTITIES.values():
        assert pickle.loads(pickle.dumps(quantity)) is quantity
    assert pickle.loads(pickle.dumps(leading_exponents("RNN", hidden=3, steps=5, rng=0))).shape == (1,)


def test_options_and_parameters_are_listed():
    assert options_of(leading_exponents)[:3] == ("hidden", "inputs", "steps")
    assert "k" in options_of(leading_exponents)
    assert "k" not in options_of(leading_exponent)
    assert parameters_of("LSTM")[-4:] == ("b_f", "b_i", "b_g", "b_o")
    assert not {"W_hy", "b_y"} & set(parameters_of("LSTM"))
    assert "alpha" in parameters_of(ls.LeakyRNN)
    assert parameters_of("ProjectionLSTM")[-1] == "projection"


def test_every_shipped_cell_has_an_exponent():
    for name in cells.__all__:
        found = leading_exponents(name, hidden=4, inputs=2, steps=40, transient=10, input_strength=1.0, rng=0)
        assert found.shape == (1,)
        assert found[0] < 1.0
    assert leading_exponents("ProjectionLSTM", hidden=5, projection=2, k=7, steps=9, rng=0).shape == (7,)


@pytest.mark.parametrize("quantity", QUANTITIES.values(), ids=QUANTITIES)
@pytest.mark.parametrize("name", ["b_ff", "hiden", "W_hy", "rng_", "cell_", "__class__"])
def test_a_wrong_name_lists_the_known_ones(quantity, name):
    with pytest.raises(UnknownNameError, match=r"Known: .*hidden"):
        quantity("LSTM", **{name: 1.0})


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"cell": "LSTN"}, "Did you mean 'LSTM'"),
        ({"hidden": 0}, "hidden = 0"),
        ({"hidden": 2.5}, "hidden = 2.5: expected an integer"),
        ({"hidden": 10**9}, "hidden = 1000000000"),
        ({"inputs": 0}, "inputs = 0"),
        ({"steps": 0}, "steps = 0: expected an integer from 1"),
        ({"steps": 10**9}, "steps = 1000000000"),
        ({"steps": True}, "steps = True"),
        ({"transient": -1}, "transient = -1: expected an integer from 0"),
        ({"gain": float("nan")}, "gain"),
        ({"gain": "1"}, "gain"),
        ({"input_strength": -1.0}, "input_strength = -1"),
        ({"initial": float("inf")}, "initial"),
        ({"b_f": float("nan")}, "b_f"),
        ({"b_f": [1.0, 2.0]}, "b_f has shape"),
        ({"rng": -1}, "rng = -1"),
        ({"k": 17, "hidden": 8}, "k = 17"),
        ({"accuracy": 0.0}, "accuracy"),
        ({"steps": 10**7, "inputs": 10**4, "input_strength": 1.0, "hidden": 2}, "GiB"),
    ],
)
def test_refusals(wrong, says):
    with pytest.raises((ValueError, TypeError), match=says):
        leading_exponents(**{"hidden": 4, "steps": 10, **wrong})


@pytest.mark.parametrize(("lags", "says"), [([], "lags is empty"), ([0], "lags = 0"), (1.5, "lags = 1.5")])
def test_refused_lags(lags, says):
    with pytest.raises((ValueError, TypeError), match=says):
        gradient_reach("RNN", hidden=3, lags=lags)


def test_one_exponent_is_one():
    with pytest.raises(TypeError, match="leading_exponents gives more"):
        leading_exponent("RNN", k=2)


def test_an_explosion_is_an_error_that_a_sweep_can_record():
    with pytest.raises(StateNotFiniteError):
        leading_exponent(ls.RNN(activation="identity"), gain=10.0, steps=2000, rng=0)
