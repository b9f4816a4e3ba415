"""The kernels as source for other languages: the numbers of the NumPy kernel, wherever a runtime is installed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys

import mpmath
import numpy as np
import pytest
import sympy as sp
from conftest import CELLS
from generated import FUNCTIONS, c_forms, imported_text, loaded

import lstm_sym as ls
from lstm_sym import cells, functions
from lstm_sym.functions import FORMS, sigmoid
from lstm_sym.targets import TARGETS, c_texts
from lstm_sym.targets.libraries import LIBRARIES
from lstm_sym.targets.names import in_comment, in_docstring, prefix, renamed
from lstm_sym.targets.printers import ArrayPrinter, CPrinter

SHIPPED = [getattr(cells, name) for name in cells.__all__]
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
#: A step function, whose derivative is zero, before a weight and before a state.
STEPS = ls.Cell(
    "steps",
    """
    p = step(W_hp @ h_prev + W_xp @ x)
    q = W_pq @ p + b_q
    e = step(h_prev)
    h = 0.5 * h_prev + tanh(q) * e
    s = e + 0.1 * max(s_prev, x_s)
    """,
    states="h s",
    vectors="x_s",
)
LAYERS = ls.stack(ls.LSTM, cells.GRU)
EVERY = [*SHIPPED, *(c for c in CELLS if c not in SHIPPED), cells.FGR, cells.NOG, AWKWARD, CHAIN, STEPS, LAYERS]


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


def compare_runs(module, kernel, p, inputs, initial, seeds=None):
    """A run, and the gradient of a loss that has a derivative by every quantity of it."""
    rng = np.random.default_rng(2)
    states = kernel.unroll(p, inputs, initial)
    close(module.unroll(p, inputs, initial), states)
    if seeds is None:
        one = kernel.evaluate(p, np.zeros(inputs.shape[-1]), np.ones(states.shape[-1]))
        one = {node.name: one[node.name] for node in kernel.cell.nodes} | {"state": states}
        seeds = {name: rng.standard_normal((*states.shape[:-1], v.shape[-1])) for name, v in one.items()}
    expected = kernel.gradient(p, inputs, seeds, initial)
    found, by_inputs, by_initial = module.gradient(p, inputs, seeds, initial)
    assert set(found) == set(p)
    for name in p:
        close(found[name], expected.parameters[name])
    close(by_inputs, expected.inputs)
    close(by_initial, expected.initial)


@pytest.mark.parametrize("saturated", [False, True], ids=["moderate", "saturated"])
@pytest.mark.parametrize("cell", EVERY, ids=named)
def test_every_function_gives_the_numbers_of_the_kernel(target, code, cell, saturated):
    module, (kernel, p, x, state) = code(cell, target), problem(cell, saturated=saturated)
    compare_steps(module, kernel, p, x, state)
    inputs = np.random.default_rng(3).standard_normal((5, x.shape[-1]))
    compare_runs(module, kernel, p, inputs, state)


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


def test_a_step_in_c_may_write_over_its_state(code):
    module, (kernel, p, x, state) = code(ls.LSTM, "c"), problem(ls.LSTM)
    close(module.step_in_place(p, x, state), kernel.step(p, x, state))


# --- against the libraries' own differentiation -------------------------------------------------------------------


def linear_loss(evaluate, unroll, concatenate, seeds):
    """Σ seeds · quantities of a run, as a function of parameters, inputs and initial state."""

    def loss(p, inputs, initial):
        states = unroll(p, inputs, initial)
        run = evaluate(p, inputs, concatenate([initial[None], states[:-1]]))
        return sum((seed * run[name]).sum() for name, seed in seeds.items())

    return loss


@pytest.mark.parametrize("cell", [*SHIPPED, AWKWARD, CHAIN, STEPS, LAYERS], ids=named)
def test_torch_differentiates_the_step_to_what_is_generated(code, cell):
    torch = pytest.importorskip("torch")
    module = code(cell, "torch").module
    _, p, x, state = problem(cell)
    p = {name: torch.tensor(array, requires_grad=True) for name, array in p.items()}
    x, start = torch.tensor(x), torch.tensor(state, requires_grad=True)
    J = torch.autograd.functional.jacobian(lambda s: module.step(p, x, s), start)
    close(J, module.jacobian(p, x, start).detach(), tolerance=1e-12)
    inputs = torch.randn((5, len(x)), dtype=torch.float64, requires_grad=True)
    one = module.evaluate(p, x, start)
    seeds = {node.name: torch.randn((5, *one[node.name].shape), dtype=torch.float64) for node in cell.nodes}
    loss = linear_loss(module.evaluate, module.unroll, torch.cat, seeds)(p, inputs, start)
    loss.backward()
    with torch.no_grad():
        found, by_inputs, by_initial = module.gradient(p, inputs, seeds, start)
    for name, array in p.items():
        close(found[name], torch.zeros_like(array) if array.grad is None else array.grad, tolerance=1e-12)
    close(by_inputs, inputs.grad, tolerance=1e-12)
    close(by_initial, start.grad, tolerance=1e-12)


@pytest.mark.parametrize("cell", [*SHIPPED, AWKWARD, CHAIN, STEPS, LAYERS], ids=named)
def test_jax_differentiates_the_step_to_what_is_generated(code, cell):
    jax = pytest.importorskip("jax")
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        module, jnp = code(cell, "jax").module, jax.numpy
        _, p, x, state = problem(cell)
        p = {name: jnp.asarray(array) for name, array in p.items()}
        J = jax.jacrev(module.step, argnums=2)(p, x, state)
        close(J, jax.jit(module.jacobian)(p, x, state), tolerance=1e-12)
        rng = np.random.default_rng(7)
        inputs, one = rng.standard_normal((5, len(x))), module.evaluate(p, x, state)
        seeds = {node.name: rng.standard_normal((5, *one[node.name].shape)) for node in cell.nodes}
        loss = linear_loss(module.evaluate, module.unroll, jnp.concatenate, seeds)
        expected = jax.jit(jax.grad(loss, argnums=(0, 1, 2)))(p, inputs, state)
        found = jax.jit(module.gradient)(p, inputs, seeds, state)
        for name in p:
            close(found[0][name], expected[0][name], tolerance=1e-12)
        for ours, theirs in zip(found[1:], expected[1:], strict=True):
            close(ours, theirs, tolerance=1e-12)
    finally:
        jax.config.update("jax_enable_x64", before)


# --- the functions ------------------------------------------------------------------------------------------------

SINGLE = [name for name in FORMS if name not in ("maximum", "tanh")]
POINTS = np.concatenate([s * np.geomspace(1e-8, 700, 57) for s in (-1, 1)] + [np.array([0.0, 350.0, -350.0])])


@pytest.fixture(scope="module")
def forms(target, tmp_path_factory):
    """The target's functions of one argument, from arrays to arrays."""
    folder = tmp_path_factory.mktemp("forms")
    if target == "c":
        return c_forms(SINGLE, folder)
    into = (
        np.asarray if target == "numpy" else pytest.importorskip({"jax": "jax.numpy"}.get(target, target)).asarray
    )
    library = LIBRARIES[target]
    module = imported_text("\n\n".join([library.imports, *library.functions(set(FORMS))]), target, folder)
    return {name: lambda a, name=name: np.asarray(getattr(module, name)(into(a))) for name in SINGLE}


@pytest.mark.parametrize("name", SINGLE)
def test_functions_are_accurate_where_they_saturate(target, forms, name):
    function, a = getattr(functions, name), sp.Symbol("a", real=True)
    closed = sp.Heaviside(a, 0) if name in ("positive", "drelu") else function.closed_form(a)
    exact = sp.lambdify(a, closed, "mpmath")
    with mpmath.workdps(700):
        truth = np.array([float(exact(mpmath.mpf(float(point)))) for point in POINTS])
    found = forms[name](POINTS)
    normal = np.abs(truth) > 2.3e-308  # XLA gives 0 for what is smaller
    np.testing.assert_allclose(found[normal], truth[normal], rtol=2e-15, atol=0)
    np.testing.assert_allclose(found[~normal], truth[~normal], rtol=0, atol=2.3e-308)


def test_every_function_has_a_form_everywhere():
    for library in LIBRARIES.values():
        assert set(library.forms) == set(FORMS) - {"tanh"}
    assert set(FORMS) - {"tanh"} <= set(c_texts.FUNCTIONS)


# --- text ---------------------------------------------------------------------------------------------------------


def test_numbers_are_floating_point_in_every_language():
    a, b = sp.symbols("a b", real=True)
    expressions = {
        a / 3: ("(1.0/3.0)*a", "(1.0/3.0)*v[k]"),
        -sp.Rational(2, 7) * a: ("-2.0/7.0*a", "-2.0/7.0*v[k]"),
        sp.Rational(3, 4) * a: ("0.75*a", "0.75*v[k]"),
        1 / (1 + 2 * a): ("1.0/(2*a + 1)", "1.0/(2.0*v[k] + 1.0)"),
        a**2 / b**3: ("a**2/b**3", "(v[k]*v[k])/pow(w[k], 3.0)"),
        sp.sqrt(a) / sp.sqrt(b): ("np.sqrt(a)/np.sqrt(b)", "sqrt(v[k])/sqrt(w[k])"),
        sp.exp(-a) * sigmoid(b): ("np.exp(-a)*sigmoid(b)", "exp(-v[k])*sigmoid(w[k])"),
        a * 10**20: ("1e+20*a", "1e+20*v[k]"),
        a**-2: ("1.0/(a**2)", "1.0/((v[k]*v[k]))"),
    }
    python, c = ArrayPrinter("np", {"a": "a", "b": "b"}, set()), CPrinter({"a": "v[k]", "b": "w[k]"}, set())
    for expression, texts in expressions.items():
        assert (python.of(expression), c.of(expression)) == texts


@pytest.mark.parametrize("unknown", [sp.gamma, sp.Heaviside, sp.Function("f")])
def test_what_no_target_can_say_is_refused(unknown):
    a = sp.Symbol("a", real=True)
    with pytest.raises(TypeError, match="no form for the function"):
        CPrinter({"a": "a"}, set()).of(unknown(a))
    with pytest.raises(TypeError, match="which generated code has no form for"):
        ArrayPrinter("np", {"a": "a"}, set()).of(a + sp.pi)


def test_names():
    assert renamed(["f", "int", "int_"], {"int"}) == {"f": "f", "int": "int__", "int_": "int_"}
    assert prefix("RNN (relu)") == "rnn_relu"
    assert prefix("2-unit σ") == "cell_2_unit"
    assert prefix("σ") == "cell"
    assert in_docstring('a """ b \\ c\0') == 'a \\"\\"\\" b \\\\ c '
    assert in_comment("*/ /* \\ ??/ \u202e") == "* / / * / ? ?/  "


@pytest.mark.parametrize("target", PYTHON)
@pytest.mark.parametrize("cell", [ls.LSTM, AWKWARD], ids=named)
def test_python_text_is_a_whole_module(target, cell):
    tree = ast.parse(ls.source(cell, target))
    imports = [a.name for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom) for a in n.names]
    assert imports == {"numpy": ["numpy"], "jax": ["jax", "jax.numpy"], "torch": ["torch"]}[target]
    defined = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert set(FUNCTIONS) < set(defined)
    assert all(ast.get_docstring(node) for node in tree.body if isinstance(node, ast.FunctionDef))
    assert cell.name in ast.get_docstring(tree, clean=False)
    assert max(map(len, ls.source(ls.LSTM, target).splitlines())) <= 120


def test_numpy_source_runs_without_this_package(tmp_path):
    (tmp_path / "lstm.py").write_text(ls.source(ls.LSTM), encoding="utf-8")
    code = "import sys, numpy as np; sys.modules['lstm_sym'] = sys.modules['sympy'] = sys.modules['scipy'] = None; "
    code += "import lstm; n = np.zeros((2, 2)); p = dict(W_xf=n, W_hf=n, W_xi=n, W_hi=n, W_xg=n, W_hg=n, W_xo=n, "
    code += "W_ho=n, b_f=n[0], b_i=n[0], b_g=n[0], b_o=n[0]); print(lstm.step(p, n[0], np.ones(4)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "[0.23105858 0.23105858 0.5        0.5       ]\n"


@pytest.mark.parametrize("target", TARGETS)
def test_the_text_is_what_it_was(golden, target):
    golden(f"target_{target}.txt", ls.source(ls.LSTM, target))


def test_a_kernel_is_as_good_as_a_cell_and_others_are_refused():
    assert ls.source(ls.Kernel(ls.RNN), "c") == ls.source(ls.RNN, "c")
    assert ls.source(ls.RNN) == ls.source(ls.RNN, "numpy")
    with pytest.raises(
        ValueError, match=re.escape("unknown target 'pytorch'. Did you mean 'torch'? Known: numpy, jax")
    ):
        ls.source(ls.RNN, "pytorch")
    with pytest.raises(TypeError, match="expected a Cell"):
        ls.source("LSTM", "c")


def test_single_precision_stays_single(python_target, code):
    single = np.float32
    kernel, p, x, state = problem(cells.LeakyRNN)
    p = {name: array.astype(single) for name, array in p.items()}
    module, inputs = code(cells.LeakyRNN, python_target), np.ones((3, 3), single)
    J = module.jacobian(p, x.astype(single), state.astype(single))
    assert J.dtype == single
    np.testing.assert_allclose(J, kernel.jacobian(p, x, state), rtol=0, atol=1e-6)
    found, by_inputs, _ = module.gradient(p, inputs, {"h": np.ones((3, 4), single)}, state.astype(single))
    assert {array.dtype for array in found.values()} == {by_inputs.dtype} == {np.dtype(single)}


def test_an_unknown_quantity_is_refused_by_the_generated_code(python_target, code):
    _, p, x, state = problem(ls.LSTM)
    with pytest.raises(KeyError, match=r"unknown quantity 'q'\. Known: state, x, h_prev"):
        code(ls.LSTM, python_target).gradient(p, x[None], {"q": x}, state)
