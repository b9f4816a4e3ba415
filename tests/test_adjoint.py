"""Back-propagation as equations: their text, their proof, their code, and the numbers that kernels make of them."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import numpy as np
import pytest
from conftest import CELLS, PEEPHOLE, PROJECTION

import lstm_sym as ls
from lstm_sym import cells
from lstm_sym.calculus.adjoints.deltas import Delta, ParameterSum, Product

LIBRARY = [getattr(cells, name) for name in cells.__all__]
STACKED = ls.stack(ls.LSTM, ls.GRUResetAfter)
#: Elementwise nodes that read inputs, an output that reads a gate, sums in two activations, a weight used twice.
SUMS = ls.Cell(
    "sums",
    """
    f = sigmoid(W_xf @ x + U @ h_prev + p * q_prev + b_f)
    q = U.T @ h_prev + f * q_prev
    h = f * h_prev + alpha * sigmoid(V @ q + p * h_prev) * tanh(V.T @ q + alpha * f)
    """,
    states="h q",
    vectors="p",
    constants={"alpha": 0.3},
)
#: A pre-activation that stands inside a function, and beside it.
BESIDE = ls.Cell(
    "beside", "e = V @ h_prev + W_xe @ x\nh = (0.5 + e) * sin(e + p)\ny = tanh(alpha) * h", states="h", outputs="y",
    vectors="p", constants={"alpha": 0.3},
)  # fmt: skip
WITHIN = ls.Cell(
    "within", "e = U.T @ h_prev + W_xe @ x\nh = sin(sigmoid(U.T @ h_prev + b_1 - e) + (e + alpha))", states="h",
    constants={"alpha": 0.3},
)  # fmt: skip
LSTM = ls.LSTM.replace(g="tanh(W_xg @ x)", o="sigmoid(W_ho @ h_prev + b_o)", name="smaller LSTM")
ODD = ls.Cell(
    "odd",
    """
    e = tanh(x) * u
    f = sigmoid(W_ef @ e + U @ h_prev + p * q_prev + v * h_prev + b_f)
    g = tanh(W_xg @ x + f * q_prev + b_g) * (W_ug @ u)
    q = U.T @ h_prev + f * g + b_q
    r = exp(-q ** 2) * f
    h = f * h_prev + (1 - f) * g + alpha * sigmoid(V @ r + p * h_prev) * tanh(V.T @ r + alpha * g)
    y = W_gy @ g + W_hy @ h
    s = f * h ** 2
    """,
    states="h q",
    inputs="x u",
    outputs="y s",
    vectors="p v",
    constants={"alpha": 0.3},
)


def problem(cell, rng=0, steps=5, batch=()):
    """(kernel, parameters, inputs, initial state), no parameter zero."""
    rng, kernel = np.random.default_rng(rng), ls.Kernel(cell)
    sizes = {name: 2 for name in ("projection",) if name in cell.sizes.values()}
    p = kernel.parameters(hidden=4, inputs=3, outputs=2, rng=rng, **sizes)
    for name in cell.vector_parameters:
        if name not in cell.constants:
            p[name] = 0.4 * rng.standard_normal(p[name].shape)
    bound = kernel.bind(p)
    m = sum(bound.sizes[cell.sizes[name]] for name in cell.inputs)
    start = 0.3 * rng.standard_normal((*batch, kernel.state_size(p))) + (cell is ls.SLSTM)
    return kernel, p, rng.standard_normal((steps, *batch, m)), start


def run_of(kernel, p, x, start):
    """Every vector of the run, the states before each step among them."""
    states = kernel.unroll(p, x, start)
    return kernel.evaluate(p, x, np.concatenate([start[None], states[:-1]]))


# --- text ---------------------------------------------------------------------------------------------------------


def test_the_lstm_reads_as_in_the_text_books(golden):
    adjoint = ls.adjoint(ls.LSTM)
    golden("adjoint_lstm.txt", f"{adjoint}\n")
    golden("adjoint_lstm.tex", ls.latex(adjoint) + "\n")
    golden("adjoint_lstm.py.txt", adjoint.source)


@pytest.mark.parametrize(
    ("cell", "name", "text"),
    [
        (ls.PeepholeLSTM, "p_f", "∂L/∂p_f = Σₜ cₜ₋₁⊙δa_fₜ"),
        (ls.PeepholeLSTM, "p_o", "∂L/∂p_o = Σₜ cₜ⊙δa_oₜ"),
        (ls.PeepholeLSTM, "c", "δcₜ = p_o⊙δa_oₜ + oₜ⊙(1−mₜ²)⊙δhₜ + p_f⊙δa_fₜ₊₁ + p_i⊙δa_iₜ₊₁ + fₜ₊₁⊙δcₜ₊₁"),
        (ls.PeepholeLSTM, "c_prev", "∂L/∂c₀ = p_f⊙δa_f₁ + p_i⊙δa_i₁ + f₁⊙δc₁"),
        (ls.ProjectionLSTM, "q", "δqₜ = W_qhᵀ·δhₜ"),
        (ls.ProjectionLSTM, "c", "δcₜ = oₜ⊙(1−mₜ²)⊙δqₜ + fₜ₊₁⊙δcₜ₊₁"),
        (ls.ProjectionLSTM, "W_qh", "∂L/∂W_qh = Σₜ δhₜ·qₜᵀ"),
        (ls.GRU, "q", "δqₜ = W_qnᵀ·δa_nₜ"),
        (ls.GRU, "a_r", "δa_rₜ = hₜ₋₁⊙rₜ⊙(1−rₜ)⊙δqₜ"),
        (ls.GRU, "W_qn", "∂L/∂W_qn = Σₜ δa_nₜ·qₜᵀ"),
        (ls.GRUResetAfter, "q", "δqₜ = rₜ⊙δa_nₜ"),
        (ls.GRUResetAfter, "a_r", "δa_rₜ = qₜ⊙rₜ⊙(1−rₜ)⊙δa_nₜ"),
        (ls.LeakyRNN, "alpha", "∂L/∂α = Σₜ Σₖ [(rₜ−hₜ₋₁)⊙δhₜ]ₖ"),
        (ls.LeakyRNN, "a_r", "δa_rₜ = α·(1−rₜ²)⊙δhₜ"),
        (ls.AntisymmetricRNN, "W_hh", "∂L/∂W_hh = Σₜ (δa_rₜ·hₜ₋₁ᵀ + hₜ₋₁·(δa_r_2ₜ)ᵀ)"),
        (ls.AntisymmetricRNN, "h_prev", "∂L/∂h₀ = W_hhᵀ·δa_r₁ + W_hh·δa_r_2₁ − γ·δa_r_3₁ + δh₁"),
        (ls.IndRNN, "u_h", "∂L/∂u_h = Σₜ hₜ₋₁⊙δa_hₜ"),
        (ls.SLSTM, "n", "δnₜ = −cₜ⊙oₜ/nₜ²⊙δhₜ + fₜ₊₁⊙δnₜ₊₁"),
        (STACKED, "c_l1", "δc⁽¹⁾ₜ = o⁽¹⁾ₜ⊙(1−m⁽¹⁾ₜ²)⊙δh⁽¹⁾ₜ + f⁽¹⁾ₜ₊₁⊙δc⁽¹⁾ₜ₊₁"),
    ],
)
def test_single_equations(cell, name, text):
    assert str(ls.adjoint(cell)[name]) == text


def test_the_equations_are_objects():
    adjoint = ls.adjoint(ls.LSTM)
    delta, total = adjoint["c"], adjoint["W_hf"]
    assert isinstance(delta, Delta)
    assert [(term.source, term.later) for term in delta] == [("h", False), ("c", True)]
    assert isinstance(total, ParameterSum)
    assert list(total) == [Product("a_f", "h_prev")]
    assert adjoint[ls.LSTM["a_f"]] is adjoint["a_f"]
    names = [equation.name for equation in adjoint]
    assert len(names) == len(set(names)) == len(adjoint)
    assert set(names) >= {*ls.LSTM.parameters, *ls.LSTM.inputs, "h", "c", "h_prev", "c_prev", "a_f", "a_o", "y"}
    with pytest.raises(ValueError, match="Did you mean 'a_f'"):
        adjoint["a_ff"]
    with pytest.raises(TypeError, match="Cell"):
        ls.adjoint("LSTM")


def test_what_the_loss_reads_can_be_said():
    assert ls.adjoint(ls.LSTM).loss == ("y", "h")
    adjoint = ls.adjoint(ls.LSTM, loss="c, f")
    assert adjoint.loss == ("c", "f")
    assert str(adjoint["f"]) == "δfₜ = ∂ℓₜ/∂fₜ + cₜ₋₁⊙δcₜ"
    assert str(adjoint["a_f"]) == "δa_fₜ = fₜ⊙(1−fₜ)⊙δfₜ"
    assert "ℓ" not in str(adjoint["h"])
    with pytest.raises(ValueError, match="vector of LSTM for a loss"):
        ls.adjoint(ls.LSTM, loss="q")


def test_latex_in_any_notation():
    adjoint = ls.adjoint(ls.AntisymmetricRNN)
    latex = {n.vectors: adjoint["W_hh"].latex(notation=n) for n in (ls.Notation(), ls.Notation(vectors="row"))}
    right = r"\sum_t (\delta a_{r,t}\, h_{t-1}^{\top} + h_{t-1}\, (\delta a_{r2,t})^{\top})"
    assert latex["column"] == r"\frac{\partial L}{\partial W_{hh}} = " + right
    right = r"\sum_t (h_{t-1}^{\top}\, \delta a_{r,t} + (\delta a_{r2,t})^{\top}\, h_{t-1})"
    assert latex["row"] == r"\frac{\partial L}{\partial W_{hh}} = " + right
    row = ls.adjoint(ls.RNN)["h"].latex(notation=ls.Notation(vectors="row", weights="W-U"))
    assert row.endswith(r"\delta y_t\, V_y^{\top} + \delta a_{h,t+1}\, U_h^{\top}")
    assert ls.latex(ls.adjoint(ls.LSTM)["c"], notation=ls.Notation(time=False, bold=True)) == (
        r"\delta \mathbf{c}_t = \mathbf{o}_t \odot (1 - \mathbf{m}_t^2) \odot \delta \mathbf{h}_t"
        r" + \mathbf{f}_{t+1} \odot \delta \mathbf{c}_{t+1}"
    )
    with pytest.raises(ValueError, match="label"):
        adjoint.latex(label="a}b")
    tags = [tag for tag, _ in adjoint.rows()]
    assert len(set(tags)) == len(tags)
    assert all(rf"\label{{eq:anti:{tag}}}" in adjoint.latex(label="anti") for tag in tags)


# --- proof --------------------------------------------------------------------------------------------------------


SMALL = [ls.RNN, ls.AntisymmetricRNN, ls.LeakyRNN, ls.IndRNN, ls.MinGRU, *CELLS[-4:-1]]


@pytest.mark.parametrize("cell", SMALL, ids=lambda cell: cell.name)
def test_a_step_back_is_the_transposed_jacobian_exactly(cell):
    assert "a step back is Jᵀ" in str(ls.verify(cell, ls.adjoint(cell)))


@pytest.mark.parametrize(
    "cell", [LSTM, PEEPHOLE, PROJECTION, SUMS, BESIDE, WITHIN, ls.stack(ls.RNN, ls.RNN)], ids=lambda cell: cell.name
)
def test_and_so_it_is_with_gates(cell):
    ls.verify(cell, ls.adjoint(cell), sizes=[2])


@pytest.mark.parametrize("vector", ["p_o", "c_prev"])
def test_a_wrong_adjoint_is_refused(vector):
    adjoint = ls.adjoint(PEEPHOLE)
    readers = tuple(
        (
            node,
            {
                name: slope
                for name, slope in passes.items()
                if (node.name, name) not in {("a_o", "p_o"), ("c", vector)}
            },
        )
        for node, passes in adjoint.readers
    )
    with pytest.raises(ls.VerificationError, match=f"∂L/∂{vector} at n = 2 is wrong"):
        ls.verify(PEEPHOLE, replace(adjoint, readers=readers), sizes=[2])


# --- code and numbers ---------------------------------------------------------------------------------------------


def gradients(adjoint):
    """The function in ``adjoint.source``."""
    names: dict[str, object] = {}
    exec(adjoint.source, names)
    return names["gradients"]


@pytest.mark.parametrize(
    "cell", [*CELLS, *LIBRARY, cells.FGR, ODD, BESIDE, WITHIN, STACKED], ids=lambda cell: cell.name
)
def test_the_printed_code_gives_the_gradient_of_the_kernel(cell):
    kernel, p, x, start = problem(cell)
    run, adjoint = run_of(kernel, p, x, start), ls.adjoint(cell)
    rng = np.random.default_rng(1)
    loss = {name: rng.standard_normal(run[name].shape) for name in adjoint.loss}
    by_parameter, by_input, by_state = gradients(adjoint)(p, run, loss)
    found = kernel.gradient(p, x, loss, start)
    for name, expected in found.parameters.items():
        np.testing.assert_allclose(
            by_parameter[name], expected, rtol=0, atol=2e-14 * max(1, np.abs(expected).max())
        )
    by_input = np.concatenate([by_input[name] for name in cell.inputs], axis=-1)
    np.testing.assert_allclose(by_input, found.inputs, rtol=0, atol=1e-14)
    np.testing.assert_allclose(
        np.concatenate([by_state[s] for s in cell.states]), found.initial, rtol=0, atol=1e-14
    )


def test_names_that_the_code_needs_itself():
    cell = ls.Cell(
        "clash",
        "np = W_tp @ t + total * run_prev\nname = W_pa @ np\nrun = sigmoid(name) * run_prev + np\nloss = V @ run",
        states="run",
        inputs="t",
        outputs="loss",
        vectors="total",
    )
    kernel, p, x, start = problem(cell)
    run = run_of(kernel, p, x, start)
    loss = {name: np.ones_like(run[name]) for name in ls.adjoint(cell).loss}
    by_parameter, _, _ = gradients(ls.adjoint(cell))(p, run, loss)
    for name, expected in kernel.gradient(p, x, loss, start).parameters.items():
        np.testing.assert_allclose(by_parameter[name], expected, rtol=1e-13)


@pytest.mark.parametrize("batch", [(), (2, 1)], ids=str)
@pytest.mark.parametrize("cell", [*LIBRARY, cells.FGR, ODD, BESIDE, WITHIN, STACKED], ids=lambda cell: cell.name)
def test_kernel_gradient_is_the_complex_step_of_the_loss(cell, batch):
    kernel, p, x, start = problem(cell, rng=2, steps=4, batch=batch)
    rng = np.random.default_rng(3)
    some = [*cell.outputs, *cell.states, *(node.name for node in cell.nodes[:3])]
    run = run_of(kernel, p, x, start)
    loss = {name: rng.standard_normal(run[name].shape) for name in dict.fromkeys(some)}

    def value(parameters, inputs, initial):
        run = run_of(kernel, parameters, inputs, initial)
        return sum(np.sum(loss[name] * run[name]) for name in loss)

    found = kernel.gradient(p, x, loss, start)
    size = max(np.abs(gradient).max() for gradient in found.parameters.values())
    for name, gradient in found.parameters.items():
        along = rng.standard_normal(np.shape(p[name]))
        expected = value({**p, name: p[name] + 1e-40j * along}, x, start).imag * 1e40
        np.testing.assert_allclose(np.sum(gradient * along), expected, rtol=1e-12, atol=1e-13 * size, err_msg=name)
    along, across = rng.standard_normal(x.shape), rng.standard_normal(start.shape)
    expected = value(p, x + 1e-40j * along, start + 1e-40j * across).imag * 1e40
    np.testing.assert_allclose(np.sum(found.inputs * along) + np.sum(found.initial * across), expected, rtol=1e-12)


# --- against PyTorch ----------------------------------------------------------------------------------------------

TORCH = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
#: The rows of torch's stacked weights, in its order, by the name of the gate here.
GATES = {"LSTM": "ifgo", "GRU": "rzn"}


def from_torch(module, kind, layer=0, suffix=""):
    """Our names → torch's arrays: parameters as they are, or gradients; biases of both kinds are one here."""
    H, gates = module.hidden_size, GATES[kind]
    found = {}
    for k, gate in enumerate(gates):
        rows = slice(k * H, (k + 1) * H)
        found[f"W_x{gate}{suffix}"] = (f"weight_ih_l{layer}", rows)
        found[f"W_h{gate}{suffix}"] = (f"weight_hh_l{layer}", rows)
        found[f"b_{gate}{suffix}"] = (f"bias_ih_l{layer}", rows)
    if kind == "GRU":
        found["b_q"] = (f"bias_hh_l{layer}", slice(2 * H, 3 * H))
    return found


def compared(module, cell, places, states, proj=None):
    """The largest relative difference, of T = 50 steps, 3 sequences: by parameters, inputs, initial state."""
    import torch

    torch.manual_seed(0)
    module = module.double()
    for name, parameter in module.named_parameters():
        if name.startswith("bias_hh") and isinstance(module, torch.nn.LSTM):
            parameter.data.zero_()  # torch has two biases a gate, which are one here
        if name.startswith("bias_hh") and isinstance(module, torch.nn.GRU):
            parameter.data[: 2 * module.hidden_size] = 0.0
    p = {ours: getattr(module, name).detach().numpy()[rows].copy() for ours, (name, rows) in places.items()}
    kernel = ls.Kernel(cell)
    T, B = 50, 3
    x = torch.randn(T, B, module.input_size, dtype=torch.float64, requires_grad=True)
    starts = [torch.randn(module.num_layers, B, n, dtype=torch.float64, requires_grad=True) for n in states]
    weights = torch.randn(T, B, states[0], dtype=torch.float64)
    out, _ = module(x, starts[0] if len(starts) == 1 else tuple(starts))
    (torch.sin(out) * weights).sum().backward()

    top = "h" if module.num_layers == 1 else f"h_l{module.num_layers}"

    def loss(run):
        return float((np.sin(run[top]) * weights.numpy()).sum()), {top: np.cos(run[top]) * weights.numpy()}

    order = [start[layer] for layer in range(module.num_layers) for start in starts]
    found = kernel.gradient(p, x.detach().numpy(), loss, torch.cat(order, -1).detach().numpy())
    pairs = [(found.inputs, x.grad.numpy())]
    pairs += [(g, getattr(module, places[n][0]).grad.numpy()[places[n][1]]) for n, g in found.parameters.items()]
    grads = [start.grad[layer] for layer in range(module.num_layers) for start in starts]
    pairs.append((found.initial, torch.cat(grads, -1).numpy()))
    return max(np.abs(ours - theirs).max() / np.abs(theirs).max() for ours, theirs in pairs)


@TORCH
def test_lstm_against_torch():
    import torch

    assert compared(torch.nn.LSTM(5, 7), ls.LSTM, from_torch(torch.nn.LSTM(5, 7), "LSTM"), [7, 7]) < 1e-12


@TORCH
def test_projection_against_torch():
    import torch

    module = torch.nn.LSTM(5, 7, proj_size=4)
    places = from_torch(module, "LSTM") | {"W_qh": ("weight_hr_l0", slice(None))}
    assert compared(module, ls.ProjectionLSTM, places, [4, 7]) < 1e-12


@TORCH
def test_gru_against_torch():
    import torch

    module = torch.nn.GRU(5, 7)
    assert compared(module, ls.GRUResetAfter, from_torch(module, "GRU"), [7]) < 1e-12


@TORCH
def test_two_layers_against_torch():
    import torch

    module = torch.nn.LSTM(5, 7, num_layers=2)
    places = from_torch(module, "LSTM", 0, "_l1") | from_torch(module, "LSTM", 1, "_l2")
    assert compared(module, ls.stack(ls.LSTM, ls.LSTM), places, [7, 7]) < 1e-12
