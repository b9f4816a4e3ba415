"""The cell library: one contract that every shipped cell keeps, stacks of them, and what is special to some."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

import lstm_sym as ls
from lstm_sym import cells
from lstm_sym.cell import stacking

NAMES = [*cells.__all__, *cells.ablations_of_greff]
STACKS = {
    "two LSTM layers": ls.stack(ls.LSTM, ls.LSTM),
    "residual GRUs": ls.stack(ls.GRU, ls.GRU, residual=True),
    "mixed": ls.stack(ls.IndRNN, ls.ProjectionLSTM),
}
BATCHES = [(), (1,), (3,), (2, 3), (0,)]
STEP = 1e-30


@pytest.fixture(params=NAMES)
def shipped(request):
    return getattr(cells, request.param)


def drawn(kernel, rng, batch, hidden=16, **sizes):
    """Parameters and a point at which every cell is defined: a normaliser is positive."""
    p = kernel.parameters(hidden, 5, rng=rng, **sizes)
    for name in kernel.cell.vector_parameters:
        if name not in kernel.cell.constants and name in p:
            p[name] = p[name] + 0.3 * rng.standard_normal(p[name].shape)
    x, state = rng.standard_normal((*batch, 5)), rng.standard_normal((*batch, kernel.state_size(p)))
    if "n" in kernel.cell.states:
        n = kernel.blocks(p)["n"]
        state[..., n] = 0.5 + np.abs(state[..., n])
    return p, x, state


def by_complex_step(kernel, p, x, state):
    columns = [kernel.step(p, x, state + 1j * STEP * e).imag / STEP for e in np.eye(state.shape[-1])]
    return np.stack(columns, axis=-1)


def test_every_cell_is_named_described_and_found(shipped):
    assert shipped.name
    assert len(shipped.reference) > 20
    assert cells.named(shipped.name) is shipped
    assert all(cells.named(alias.upper()) is shipped for alias in shipped.aliases)


def test_every_cell_is_proved_at_two_and_three(shipped):
    proof = ls.verify(shipped)
    assert proof.sizes == (2, 3)
    assert proof.entries > 100


@pytest.mark.parametrize("batch", BATCHES, ids=str)
def test_jacobian_against_complex_step(shipped, batch):
    kernel = ls.Kernel(shipped)
    p, x, state = drawn(kernel, np.random.default_rng(7), batch)
    ours, theirs = kernel.jacobian(p, x, state), by_complex_step(kernel, p, x, state)
    assert ours.shape == (*batch, state.shape[-1], state.shape[-1])
    assert np.abs(ours - theirs).max(initial=0.0) <= 1e-12 * np.abs(theirs).max(initial=0.0)


def test_kernels_agree_with_the_jacobian(shipped):
    kernel, rng = ls.Kernel(shipped), np.random.default_rng(3)
    p, x, state = drawn(kernel, rng, (4,), hidden=5)
    J, v = kernel.jacobian(p, x, state), rng.standard_normal(state.shape)
    scale = np.abs(J).max()
    assert np.abs(kernel.jvp(p, x, state, v) - np.einsum("bij,bj->bi", J, v)).max() <= 1e-13 * scale
    assert np.abs(kernel.vjp(p, x, state, v) - np.einsum("bij,bi->bj", J, v)).max() <= 1e-13 * scale
    steps = kernel.tangents(p, x, state, width=2)
    pushed = steps.push(2, np.stack([v[2], v[3]]))
    assert np.abs(pushed - np.stack([J[2] @ v[2], J[2] @ v[3]])).max() <= 1e-13 * scale


def test_gradient_through_time_against_complex_step(shipped):
    kernel, rng = ls.Kernel(shipped), np.random.default_rng(5)
    p, _, start = drawn(kernel, rng, (), hidden=3, outputs=2)
    x = rng.standard_normal((6, 5))
    weight = {name: rng.standard_normal((6, p["b_y"].size if name == "y" else 3)) for name in ("y", "h")}

    def loss(run):
        return float(sum((run[name] * w).sum() for name, w in weight.items()).real), weight

    found = kernel.gradient(p, x, loss, start)
    for name, array in p.items():
        for place in list(np.ndindex(array.shape))[:7]:
            moved = {key: value.astype(complex) for key, value in p.items()}
            moved[name][place] += 1j * STEP
            states = kernel.unroll(moved, x, start)
            before = np.concatenate([start[None] + 0j, states[:-1]])
            values = kernel.evaluate(moved, x, before)
            exact = sum((values[key] * w).sum() for key, w in weight.items()).imag / STEP
            assert abs(found.parameters[name][place] - exact) <= 1e-12 * max(
                1.0, np.abs(found.parameters[name]).max()
            )


def test_texts_are_short_and_whole(shipped):
    table = ls.jacobian(shipped, "state", "state")
    assert shipped.name == "LSTM, full gate recurrence" or len(ls.latex(table)) <= 2000  # five states
    assert all(line.target in repr(shipped) or "log" in line.target for line in shipped.lines)
    for text in (repr(shipped), str(table), shipped.latex(), shipped._repr_latex_(), table.latex(equation=True)):
        assert text
        assert "_prev" not in text


@pytest.mark.parametrize("cell", STACKS.values(), ids=STACKS.keys())
def test_stacks_keep_the_contract(cell):
    assert ls.verify(cell, sizes=(2,)).entries > 50
    kernel = ls.Kernel(cell)
    for batch in BATCHES:
        p, x, state = drawn(kernel, np.random.default_rng(11), batch, hidden=6)
        ours, theirs = kernel.jacobian(p, x, state), by_complex_step(kernel, p, x, state)
        assert np.abs(ours - theirs).max(initial=0.0) <= 1e-12 * np.abs(theirs).max(initial=0.0)


def test_the_state_jacobian_of_a_stack_is_block_triangular():
    table = ls.jacobian(STACKS["two LSTM layers"], "state", "state")
    assert table.rows == ("h_l1", "c_l1", "h_l2", "c_l2")
    assert all(table[r, c].is_zero for r in ("h_l1", "c_l1") for c in ("h_l2", "c_l2"))
    expected = "diag(c⁽²⁾⊙f⁽²⁾⊙(1−f⁽²⁾))·W⁽²⁾_hf + diag(g⁽²⁾⊙i⁽²⁾⊙(1−i⁽²⁾))·W⁽²⁾_hi + diag(i⁽²⁾⊙(1−g⁽²⁾²))·W⁽²⁾_hg"
    assert str(table["c_l2", "h_l2"]) == expected


def test_a_stack_steps_as_its_layers_do():
    two, one = ls.Kernel(STACKS["two LSTM layers"]), ls.Kernel(ls.LSTM)
    p = two.parameters(4, 3, rng=0)
    layers = [{name[:-3]: array for name, array in p.items() if name.endswith(f"_l{k}")} for k in (1, 2)]
    x = np.random.default_rng(0).standard_normal((10, 3))
    below = one.unroll(layers[0], x)
    above = one.unroll(layers[1], below[:, :4])
    assert np.allclose(two.unroll(p, x), np.concatenate([below, above], axis=-1), rtol=0, atol=1e-15)
    assert np.array_equal(p["b_f_l2"], np.ones(4))


def test_a_residual_stack_adds_what_it_reads():
    kernel = ls.Kernel(STACKS["residual GRUs"])
    p = kernel.parameters(4, 3, rng=0, outputs=2)
    values = kernel.evaluate(p, np.ones(3), np.ones(8))
    assert np.array_equal(values["u_l2"], values["h_l2"] + values["h_l1"])
    assert np.allclose(values["y"], p["W_hy"] @ values["u_l2"] + p["b_y"], rtol=0, atol=1e-15)


def test_refused_stacks():
    with pytest.raises(ls.CellError, match="no cells"):
        ls.stack()
    with pytest.raises(ls.CellError, match="is a stack"):
        ls.stack(STACKS["two LSTM layers"], ls.LSTM)
    two_inputs = ls.Cell("two", "h = tanh(W_xh @ x + W_vh @ v + W_hh @ h_prev)", states="h", inputs="x v")
    with pytest.raises(ls.CellError, match="several inputs"):
        ls.stack(ls.RNN, two_inputs)
    with pytest.raises(TypeError, match="expected a Cell"):
        ls.stack("LSTM")
    assert doctest.testmod(stacking).failed == 0


# --- what is special to some cells ------------------------------------------------------------------------------


def test_projection_has_a_size_of_its_own():
    kernel = ls.Kernel(ls.ProjectionLSTM)
    p = kernel.parameters(hidden=6, inputs=3, projection=2, rng=0)
    assert p["W_qh"].shape == (2, 6)
    assert p["W_hf"].shape == (6, 2)
    assert kernel.jacobian(p, np.zeros(3), np.zeros(8)).shape == (8, 8)
    with pytest.raises(ValueError, match="projection = 0"):
        kernel.parameters(hidden=6, inputs=3, projection=0)


def test_constants_are_numbers_in_the_parameters_and_symbols_in_print():
    assert str(ls.jacobian(ls.LeakyRNN, "h", "h")) == "(1−α)·I + diag(α·(1−r²))·W_hh"
    kernel = ls.Kernel(ls.LeakyRNN(alpha=0.25))
    p = kernel.parameters(2, 1, rng=0)
    assert p["alpha"] == 0.25
    assert kernel.parameters(2, 1, rng=0, alpha=1.0)["alpha"] == 1.0
    rnn = ls.Kernel(ls.RNN)
    shared = {name: p[name] for name in ("W_xh", "W_hh", "b_h")}
    x, h = np.array([0.3]), np.array([0.1, -0.2])
    assert np.allclose(kernel.step({**p, "alpha": 1.0}, x, h), rnn.step(shared, x, h), rtol=0, atol=1e-16)
    with pytest.raises(ValueError, match="expected one number"):
        kernel.step({**p, "alpha": np.ones(2)}, x, h)
    assert kernel.parameters(2, 1, rng=0, dtype=np.float32)["W_hh"].dtype == np.float32
    single = kernel.parameters(2, 1, rng=0, dtype=np.float32)
    assert kernel.step(single, np.float32([0.3]), np.float32([0.1, 0.2])).dtype == np.float32


def test_antisymmetric_steps_are_near_the_identity():
    kernel = ls.Kernel(ls.AntisymmetricRNN)
    p = kernel.parameters(8, 2, rng=0, epsilon=1e-3, gamma=0.0)
    J = kernel.jacobian(p, np.zeros(2), np.zeros(8))
    antisymmetric = p["W_hh"] - p["W_hh"].T
    assert np.allclose(J, np.eye(8) + 1e-3 * antisymmetric, rtol=0, atol=1e-16)
    assert np.abs(np.linalg.eigvals(antisymmetric).real).max() < 1e-14


def test_slstm_is_the_unstabilised_cell():
    kernel, rng = ls.Kernel(ls.SLSTM), np.random.default_rng(4)
    p, x, state = drawn(kernel, rng, (), hidden=4)
    _, c, n, m = np.split(state, 4)
    values = kernel.evaluate(p, x, state)
    f, i = 1 / (1 + np.exp(-values["a_l"])), np.exp(values["k"])
    C, N = f * c * np.exp(m) + i * values["z"], f * n * np.exp(m) + i
    assert np.allclose(values["h"], values["o"] * C / N, rtol=1e-14)
    assert np.allclose(values["n"] * np.exp(values["m"]), N, rtol=1e-14)
    far = kernel.step({**p, "b_i": np.full(4, 700.0), "b_f": np.full(4, -700.0)}, x, state)
    assert np.isfinite(far).all()


def test_the_ablations_of_greff_are_what_they_say():
    assert "i" not in cells.NIG.node
    assert str(ls.jacobian(cells.NFG, "c", "c")) == "diag(1+g⊙i⊙p_i⊙(1−i))"
    assert str(ls.jacobian(cells.NIAF, "g", "h")) == "W_hg"
    assert str(ls.jacobian(cells.NOAF, "h", cells.NOAF["c"])) == "diag(o⊙(1+c′⊙p_o⊙(1−o)))"
    assert cells.NP.vector_parameters == ("b_f", "b_i", "b_g", "b_o", "b_y")
    assert cells.FGR.states == ("h", "c", "i", "f", "o")
    assert len([name for name in cells.FGR.weights if name[2] in "ifo" and name[3] in "ifo"]) == 9


def test_replace_refuses_what_makes_no_cell():
    with pytest.raises(ValueError, match="Did you mean 'f'"):
        ls.LSTM.replace(ff=1)
    with pytest.raises(ls.CellError, match="not understood"):
        ls.LSTM.replace(i="__import__('os').system('true')")
    with pytest.raises(ls.CellError, match="cannot be read"):
        ls.LSTM.replace(i="f +")
    with pytest.raises(TypeError, match="real"):
        ls.LSTM.replace(i=None)
    with pytest.raises(ls.CellError, match="right-hand side of one equation"):
        ls.LSTM.replace(i="f\ng = f")
    assert ls.LSTM.replace(f=0.5).name == "LSTM (f = 0.5)"
    assert "W_xi" not in ls.LSTM.replace(i="1 - f").weights


# --- layer normalisation needs no node of its own: the mean is a matrix with all entries 1/n ---------------------

NORMALISED = ls.Cell(
    "layer-normalised RNN",
    """
    a = W_xh @ x + W_hh @ h_prev       # pre-activation
    d = a - M_aa @ a                   # centred
    q = d * d
    v = M_aa @ q                       # variance
    s = sqrt(v + 1e-5)                 # standard deviation
    r = d / s                          # normalised
    h = tanh(g_r * r + b_h)            # hidden state
    """,
    states="h",
    vectors="g_r",
    reference="J. L. Ba, J. R. Kiros, G. E. Hinton, Layer normalization, arXiv 1607.06450, eq. 4",
)


def test_layer_normalisation_is_two_products_with_the_averaging_matrix():
    assert str(ls.jacobian(NORMALISED, "r", "a")) == (
        "diag(1/s) − diag(1/s)·M_aa − diag(0.5·d/s³)·M_aa·diag(2·d) + diag(0.5·d/s³)·M_aa·diag(2·d)·M_aa"
    )
    assert (
        ls.verify(NORMALISED, [ls.jacobian(NORMALISED, "h", "h"), ls.jacobian(NORMALISED, "r", "a")]).entries > 20
    )
    kernel, rng = ls.Kernel(NORMALISED), np.random.default_rng(0)
    p, x, state = drawn(kernel, rng, (3,))
    p["M_aa"] = np.full((16, 16), 1 / 16)
    assert np.abs(kernel.jacobian(p, x, state) - by_complex_step(kernel, p, x, state)).max() <= 1e-13
    values = kernel.evaluate(p, x, state)
    local, r, s = kernel.jacobian(p, x, state, "r", "a"), values["r"], values["s"]
    rank_one = r[:, :, None] * r[:, None, :] / 16  # (I − 11ᵀ/n − rrᵀ/n)/s, but for the 1e-5
    assert np.abs(local - (np.eye(16) - 1 / 16 - rank_one) / s[:, :, None]).max() <= 1e-14
