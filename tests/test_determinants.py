"""Log-determinants: closed forms derived from the structure against dense LU factorisations, for every cell."""

from __future__ import annotations

import numpy as np
import pytest

import lstm_sym as ls
from lstm_sym import cells

ROTATION = ls.Cell(
    "diagonal pair",
    """
    f = sigmoid(W_xf @ x + b_f)
    i = sigmoid(W_xi @ x + b_i)
    a = f * a_prev + i * b_prev
    b = f * b_prev - i * a_prev + tanh(a_prev)
    """,
    states="a b",
)
DELAY = ls.Cell(  # the bias that is shared says that h and k have one size
    "delay",
    """
    h = tanh(W_kh @ k_prev + W_xh @ x + b_h)
    k = W_hk @ h_prev + b_h
    """,
    states="h k",
)
SHADOW = ls.Cell(
    "shadow",
    """
    c = tanh(W_cc @ c_prev + W_hc @ h_prev + W_xc @ x)
    h = W_ch @ c
    """,
    states="h c",
)
NARROW = ls.Cell(
    "three on one",
    """
    a = tanh(W_xa @ x + W_ca @ c_prev + b_n)
    b = sigmoid(W_cb @ c_prev + b_n)
    c = tanh(W_ac @ a_prev + W_bc @ b_prev + W_cc @ c_prev + b_n)
    """,
    states="a b c",
)
STACKS = [ls.stack(ls.LSTM, ls.LSTM), ls.stack(ls.RNN, ls.LSTM, ls.MinGRU)]
SHIPPED = [getattr(cells, name) for name in cells.__all__]
CELLS = [*SHIPPED, *STACKS, ROTATION, DELAY, SHADOW, NARROW, cells.FGR, cells.NOAF, ls.IndRNN(activation="tanh")]
CLOSED = [cell for cell in CELLS if ls.log_determinant(cell) and not ls.log_determinant(cell).singular]
OPEN = [cell for cell in CELLS if ls.log_determinant(cell) is None]


def setting(cell, n, batch=(), seed=0):
    """A kernel with mild parameters, inputs and states; no gate is near saturation, no max is at a tie."""
    kernel, rng = ls.Kernel(cell), np.random.default_rng(seed)
    p = kernel.parameters(n, 2, rng=rng)
    p |= {name: 0.5 * rng.standard_normal(p[name].shape) for name in p if p[name].ndim == 1}
    if cell is ls.SLSTM:  # every unit keeps its stabiliser, or the determinant is exactly zero
        p |= {"b_f": p["b_f"] + 2, "b_i": p["b_i"] - 6}
    if cell.choices.get("activation") == "relu":
        p |= {"b_h": np.full(n, 5.0)}
    x = 0.5 * rng.standard_normal((*batch, 2))
    state = 0.5 + 0.5 * rng.random((*batch, kernel.state_size(p)))
    return kernel, p, x, state


@pytest.mark.parametrize("cell", CLOSED, ids=lambda cell: cell.name)
@pytest.mark.parametrize("n", range(2, 9))
def test_closed_forms_are_the_determinants_of_the_dense_jacobian(cell, n):
    kernel, p, x, state = setting(cell, n, (3,))
    dense = np.linalg.slogdet(kernel.jacobian(p, x, state))[1]
    assert np.isfinite(dense).all()
    assert np.allclose(kernel.log_determinant(p, x, state), dense, rtol=0, atol=1e-10)
    assert np.array_equal(kernel.logabsdet(p, x, state), kernel.log_determinant(p, x, state))


@pytest.mark.parametrize("cell", OPEN, ids=lambda cell: cell.name)
@pytest.mark.parametrize("n", range(2, 9))
def test_without_a_closed_form_there_is_a_number_all_the_same(cell, n):
    kernel, p, x, state = setting(cell, n, (3, 2))
    assert kernel.log_determinant is None
    dense = np.linalg.slogdet(kernel.jacobian(p, x, state))[1]
    assert kernel.logabsdet(p, x, state).shape == (3, 2)
    assert np.allclose(kernel.logabsdet(p, x, state), dense, rtol=0, atol=1e-10)
    single = kernel.logabsdet(p, x[0, 0], state[0, 0])
    assert single.shape == ()
    assert single == pytest.approx(dense[0, 0], abs=1e-10)


def test_which_cells_have_a_closed_form():
    assert {cell.name for cell in OPEN} == {
        *("projection LSTM", "GRU", "GRU (reset after)", "MGU", "JANET", "UGRNN", "minimalRNN"),
        *("leaky RNN", "antisymmetric RNN"),
    }


def test_closed_forms_as_text():
    assert str(ls.log_determinant(ls.LSTM)) == "Σ log|m⊙o⊙(1−o)| + Σ log|f| + log|det W_ho|"
    assert str(ls.log_determinant(ls.MinGRU)) == "Σ log|1−z|"
    assert str(ls.log_determinant(ls.MinLSTM)) == "Σ log|f/(f+i)|"
    assert str(ls.log_determinant(ls.IndRNN(activation="tanh"))) == "Σ log|u_h⊙(1−h′²)|"
    assert str(ls.log_determinant(DELAY)) == "Σ log|1−h′²| + log|det W_kh| + log|det W_hk|"
    assert str(ls.log_determinant(ls.SLSTM)).count("Σ log|f|") == 2  # after h: m, c, n are triangular
    stacked = str(ls.log_determinant(STACKS[0]))
    assert "log|det W⁽¹⁾_ho|" in stacked
    assert "log|det W⁽²⁾_ho|" in stacked


def test_a_part_of_diagonals_is_a_determinant_per_unit():
    closed = ls.log_determinant(ROTATION)
    assert closed.weights == ()
    (diagonal,) = closed.diagonals
    f, i, a = ROTATION["f"], ROTATION["i"], ROTATION["a_prev"]
    slope = dict(zip(("f", "i"), (0.75, 0.5), strict=True))
    value = diagonal.subs({f: slope["f"], i: slope["i"], a: 0.25}).evalf()
    assert float(value) == pytest.approx(0.75**2 + 0.5**2 - 0.5 * (1 - np.tanh(0.25) ** 2), abs=1e-15)


def test_layers_of_different_sizes_each_count_their_own_units():
    kernel = ls.Kernel(STACKS[1])
    sizes = sorted(set(kernel.cell.sizes.values()) - {"hidden", "inputs", "outputs"})
    p = kernel.parameters(4, 2, rng=1, **dict(zip(sizes, (3, 5), strict=False)))
    rng = np.random.default_rng(2)
    x, state = rng.standard_normal(2), rng.standard_normal(kernel.state_size(p))
    assert len({len(p[name]) for name in p if name.startswith("b_")}) > 1
    dense = np.linalg.slogdet(kernel.jacobian(p, x, state))[1]
    assert kernel.log_determinant(p, x, state) == pytest.approx(dense, abs=1e-10)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (SHADOW, "h′ hangs on the other new states alone"),
        (NARROW, "a′, b′ hang on the other new states and c alone"),
        (cells.FGR, "h′ hangs on the other new states alone"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_structurally_singular_cells_are_exactly_so(cell, reason):
    closed = ls.log_determinant(cell)
    assert str(closed) == f"−∞   (exactly: {reason})"
    assert closed.latex() == r"-\infty"
    kernel, p, x, state = setting(cell, 4, (3,))
    assert np.array_equal(kernel.logabsdet(p, x, state), np.full(3, -np.inf))
    values = np.linalg.svd(kernel.jacobian(p, x, state), compute_uv=False)
    assert (values[:, -4:] <= 1e-15 * values[:, :1]).all()  # four directions are lost
    assert (values[:, -5] > 1e-6 * values[:, 0]).all()  # and no more


def test_an_exact_zero_is_minus_infinity_by_either_route():
    kernel, p, x, _ = setting(ls.GRU, 3)
    shut = p | {"b_z": np.full(3, -1e4), "W_qn": np.zeros((3, 3))}
    assert kernel.logabsdet(shut, x, np.zeros(3)) == -np.inf
    kernel, p, x, state = setting(ls.LSTM, 3)
    twice = np.repeat(p["W_ho"][:1], 3, axis=0)
    assert kernel.logabsdet(p | {"W_ho": twice}, x, state) == -np.inf
    assert np.isfinite(kernel.logabsdet(p, x, state))


def test_the_numeric_route_keeps_its_accuracy_where_rows_are_nearly_parallel():
    """A projection of full size: log|det W_qh diag(m⊙o(1−o)) W_ho| + Σ log f, while the rows of J are parallel."""
    kernel, p, x, state = setting(ls.ProjectionLSTM, 4)
    p = p | {"b_o": np.full(4, 30.0)}
    values = kernel.evaluate(p, x, state)
    slope = np.exp(-values["a_o"]) / (1 + np.exp(-values["a_o"])) ** 2
    expected = np.log(values["f"]).sum() + np.log(np.abs(values["m"]) * slope).sum()
    expected += np.linalg.slogdet(p["W_qh"])[1] + np.linalg.slogdet(p["W_ho"])[1]
    assert kernel.logabsdet(p, x, state) == pytest.approx(expected, abs=1e-10)
    assert abs(np.linalg.slogdet(kernel.jacobian(p, x, state))[1] - expected) > 1e-6


@pytest.mark.parametrize("cell", [SHADOW, ROTATION, DELAY, NARROW], ids=lambda cell: cell.name)
def test_closed_forms_are_proved(cell):
    assert "log|det|" in ls.verify(cell, sizes=(2,)).determinant


def test_a_singular_cell_has_exponents_of_minus_infinity():
    kernel, p, _, _ = setting(SHADOW, 3)
    orbit = ls.run(kernel, p, np.random.default_rng(0).standard_normal((60, 2)))
    found = ls.lyapunov_spectrum(orbit)
    assert np.array_equal(np.isneginf(found), [False] * 3 + [True] * 3)
