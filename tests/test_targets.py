"""The kernels as source for other languages: the numbers of the NumPy kernel, wherever a runtime is installed."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import CELLS
from generated import loaded

import lstm_sym as ls
from lstm_sym import cells
from lstm_sym.targets import TARGETS

SHIPPED = [getattr(cells, name) for name in cells.__all__]
EVERY = [*SHIPPED, *(cell for cell in CELLS if cell not in SHIPPED), cells.FGR, cells.NOG]
PYTHON = [target for target in TARGETS if target != "c"]
#: Relative to the largest number, of a row where rows are compared.
TOLERANCE = 1e-13

#: Everything that a language might stumble over: reserved words, names of modules, of helpers and of constants.
AWKWARD = ls.Cell(
    'int main; */ \\ """ \'awkward\'',
    """
    register = sigmoid(W_double @ x0 + W_hE @ E_prev + b_register)   # */ ends a comment; \"\"\" ends a text \\
    I = sigmoid(W_I @ x0 + p * double_1_prev + b_I)
    jnp = tanh(W_N @ x0 + W_EN @ E_prev + b_N)
    np = jnp * register / 3
    torch = W_torch @ np + W_torch.T @ I
    double_1 = register * double_1_prev + N * I * np
    main = tanh(double_1) * torch ** 3
    d0 = 1 / (2 + main ** 2)
    v = x0_l * N ** 2
    E = I * d0 + 0.1 * s0 * E_prev + v * main
    jax = W_y @ E + b_jax
    static = jax * jax
    """,
    states="E double_1",
    inputs="x0",
    outputs="static",
    vectors="p s0 x0_l",
    constants={"N": 0.5},
    reference="/* \n \\",
)

#: Weights in a chain with diagonals between them, a transposed one among them, two inputs, and sizes of their own.
CHAIN = ls.Cell(
    "chain",
    """
    k = tanh(W_hk @ h_prev + b_k)
    e = W_kh @ k
    q = alpha * e * h_prev
    r = W_qr @ q + W_xr @ x + W_zr @ z
    h = tanh(W_qr.T @ r) / 3 + 0.25 * h_prev
    a = W_xa @ x + u_a * a_prev
    """,
    states="h a",
    inputs="x z",
    vectors="u_a",
    constants={"alpha": 0.75},
)


@pytest.fixture(scope="module", params=TARGETS)
def target(request):
    yield from runtime(request.param)


@pytest.fixture(scope="module", params=PYTHON)
def python_target(request):
    yield from runtime(request.param)


def runtime(name):
    """The name of a target; JAX computes in double precision while it is in use."""
    if name != "jax":
        yield name
        return
    jax = pytest.importorskip("jax")
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield name
    jax.config.update("jax_enable_x64", before)


@pytest.fixture(scope="module")
def code(tmp_path_factory):
    """``code(cell, target)``: the generated code, made once."""
    folder, made = tmp_path_factory.mktemp("generated"), {}

    def get(cell, target):
        if (cell, target) not in made:
            made[cell, target] = loaded(cell, target, folder)
        return made[cell, target]

    return get


def named(cell):
    return cell.name


def close(found, expected, rows=False, tolerance=TOLERANCE):
    """Equal up to ``tolerance`` times the largest entry, of each last axis with ``rows``, of the whole without."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype == np.float64
    if expected.size:
        scale = np.abs(expected).max(axis=-1 if rows else None, keepdims=True)
        assert (np.abs(found - expected) <= tolerance * scale + 1e-300).all(), np.abs(found - expected).max()


def problem(cell, lead=(), lead_state=None, saturated=False):
    """(kernel, parameters, x, state): biases in the tens and weights of 5 where saturated."""
    kernel, rng = ls.Kernel(cell), np.random.default_rng(len(cell.name))
    gain, bias = (5.0, 30.0) if saturated else (1.0, 0.5)
    sizes = {name: 2 for name in ("projection",) if name in cell.sizes.values()}
    p = kernel.parameters(4, 3, rng=rng, gain=gain, outputs=2 if cell.outputs else None, **sizes)
    for name in cell.vector_parameters:
        if name not in cell.constants:
            p[name] = bias * rng.standard_normal(p[name].shape)
    x = rng.standard_normal((*lead, 3 * len(cell.inputs)))
    sign = 1.0 if "n" in cell.states else rng.choice([-1.0, 1.0])  # a normaliser is positive
    spread = lead if lead_state is None else lead_state
    return kernel, p, x, sign * rng.uniform(0.5, 1.5, (*spread, kernel.state_size(p)))


def compare_steps(module, kernel, p, x, state):
    """Everything that a step has."""
    lead = np.broadcast_shapes(x.shape[:-1], state.shape[:-1])
    v = np.random.default_rng(1).standard_normal((*lead, state.shape[-1]))
    close(module.step(p, x, state), kernel.step(p, x, state), rows=True)
    close(module.jacobian(p, x, state), kernel.jacobian(p, x, state), rows=True)
    close(module.jvp(p, x, state, v), kernel.jvp(p, x, state, v))
    close(module.vjp(p, x, state, v), kernel.vjp(p, x, state, v))
    expected, found = kernel.evaluate(p, x, state), module.evaluate(p, x, state)
    assert set(found) == set(expected)
    for name, array in expected.items():  # a vector that depends on x alone may have the leading axes of x
        close(*np.broadcast_arrays(found[name], array))


def compare_runs(module, kernel, p, inputs, initial, tolerance=TOLERANCE, seeds=None):
    """A run, and the gradient of a loss that has a derivative by every quantity of it."""
    rng = np.random.default_rng(2)
    states = kernel.unroll(p, inputs, initial)
    close(module.unroll(p, inputs, initial), states, tolerance=tolerance)
    if seeds is None:
        one = kernel.evaluate(p, np.zeros(inputs.shape[-1]), np.ones(states.shape[-1]))
        one = {node.name: one[node.name] for node in kernel.cell.nodes} | {"state": states}
        seeds = {name: rng.standard_normal((*states.shape[:-1], v.shape[-1])) for name, v in one.items()}
    expected = kernel.gradient(p, inputs, seeds, initial)
    found, by_inputs, by_initial = module.gradient(p, inputs, seeds, initial)
    assert set(found) == set(p)
    for name in p:
        close(found[name], expected.parameters[name], tolerance=tolerance)
    close(by_inputs, expected.inputs, tolerance=tolerance)
    close(by_initial, expected.initial, tolerance=tolerance)


@pytest.mark.parametrize("saturated", [False, True], ids=["moderate", "saturated"])
@pytest.mark.parametrize("cell", EVERY, ids=named)
def test_every_function_gives_the_numbers_of_the_kernel(target, code, cell, saturated):
    module, (kernel, p, x, state) = code(cell, target), problem(cell, saturated=saturated)
    compare_steps(module, kernel, p, x, state)
    inputs = np.random.default_rng(3).standard_normal((5, x.shape[-1]))
    compare_runs(module, kernel, p, inputs, state, 1e-12 if saturated else TOLERANCE)
    if target == "c":
        assert module.untouched


@pytest.mark.parametrize(
    ("lead", "lead_state"),
    [((1,), (1,)), ((5,), (5,)), ((4, 1), (3,)), ((0,), (0,)), ((5,), ()), ((), (5,)), ((2, 0), (1,))],
    ids=str,
)
@pytest.mark.parametrize("cell", [ls.LSTM, cells.LeakyRNN, cells.MinLSTM, cells.SLSTM, AWKWARD, CHAIN], ids=named)
def test_leading_axes_broadcast(python_target, code, cell, lead, lead_state):
    module, (kernel, p, x, state) = code(cell, python_target), problem(cell, lead, lead_state)
    compare_steps(module, kernel, p, x, state)
    inputs = np.random.default_rng(4).standard_normal((3, *x.shape))
    compare_runs(module, kernel, p, inputs, state)


def test_a_run_from_zero_without_an_output_layer(target, code):
    kernel = ls.Kernel(ls.LSTM)
    p = kernel.parameters(4, 3, rng=0)
    inputs = np.random.default_rng(0).standard_normal((6, 3))
    seeds = {"h": np.ones((6, 4))}
    if target == "c":
        p = dict(p)
        compare_runs(code(ls.LSTM, target), kernel, p, inputs, np.zeros(8), seeds=seeds)
    else:
        compare_runs(code(ls.LSTM, target), kernel, p, inputs, None, seeds=seeds)
        assert "y" not in code(ls.LSTM, target).evaluate(p, inputs[0], np.zeros(8))


def test_names_that_mean_something_elsewhere(target, code):
    module, (kernel, p, x, state) = code(AWKWARD, target), problem(AWKWARD)
    compare_steps(module, kernel, p, x, state)
    compare_runs(module, kernel, p, np.random.default_rng(5).standard_normal((4, 3)), state)
