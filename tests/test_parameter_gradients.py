"""Derivatives by parameters: over one step, as Kronecker products, and through time."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from conftest import CELLS, GRU, PEEPHOLE
from test_adjoint import LIBRARY, ODD, STACKED, problem, run_of

import lstm_sym as ls
from lstm_sym import cells
from lstm_sym.calculus.weights.immediate import ColumnJacobian, ParameterJacobian
from lstm_sym.calculus.weights.sensitivities import Sensitivity


def by_matrix(cell):
    """Every state, and the last output, by every weight and every number that units share."""
    of = (*cell.states, *cell.outputs[-1:])
    return [ls.jacobian(cell, o, p) for o in of for p in cell.parameters if p in (*cell.weights, *cell.constants)]


# --- text ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "of", "wrt", "kronecker", "gradient"),
    [
        (ls.LSTM, "f", "W_hf", "hᵀ ⊗ diag(f⊙(1−f))", "(diag(f⊙(1−f))·δ)·hᵀ"),
        (ls.LSTM, "a_f", "W_xf", "xᵀ ⊗ I", "δ·xᵀ"),
        (ls.LSTM, "c", "W_ho", "0", "0"),
        (ls.LSTM, "y", "W_hy", "h′ᵀ ⊗ I", "δ·h′ᵀ"),
        (
            ls.GRU,
            "h",
            "W_hr",
            "hᵀ ⊗ diag((1−n²)⊙(1−z))·W_qn·diag(h⊙r⊙(1−r))",
            "(diag(h⊙r⊙(1−r))·W_qnᵀ·diag((1−n²)⊙(1−z))·δ)·hᵀ",
        ),
        (
            ls.AntisymmetricRNN,
            "h",
            "W_hh",
            "hᵀ ⊗ diag(ε·(1−r²)) − diag(ε·(1−r²)) ⊗ hᵀ",
            "(diag(ε·(1−r²))·δ)·hᵀ − h·(diag(ε·(1−r²))·δ)ᵀ",
        ),
        (ls.LeakyRNN, "h", "alpha", "r−h", "(r−h)ᵀ·δ"),
        (ls.LeakyRNN, "y", "alpha", "W_hy·(r−h)", "(W_hy·(r−h))ᵀ·δ"),
    ],
)
def test_both_forms(cell, of, wrt, kronecker, gradient):
    value = ls.jacobian(cell, of, wrt)
    assert str(value) == kronecker
    assert value.equation().split(" = ")[1] == kronecker
    assert value.equation("gradient").split(" = ")[1] == gradient
    assert value.is_zero == (kronecker == "0")


def test_left_hand_sides_and_latex():
    value = ls.jacobian(ls.LSTM, "c", "W_hf")
    assert value.equation() == "∂⁺cₜ/∂vec W_hf = hᵀ ⊗ diag(c⊙f⊙(1−f))"
    assert value.equation("gradient") == "(∂⁺cₜ/∂W_hf)ᵀ·δ = (diag(c⊙f⊙(1−f))·δ)·hᵀ"
    diagonal = r"\operatorname{diag}(c_{t-1} \odot f_t \odot (1 - f_t))"
    assert ls.latex(value) == rf"h_{{t-1}}^{{\top}} \otimes {diagonal}"
    left = r"\frac{\partial^{+} c_t}{\partial \operatorname{vec} W_{hf}}"
    assert ls.latex(value, equation=True) == rf"{left} = h_{{t-1}}^{{\top}} \otimes {diagonal}"
    row = value.latex(form="gradient", notation=ls.Notation(vectors="row"))
    assert row == rf"h_{{t-1}}^{{\top}}\, (\delta\, {diagonal})"
    with pytest.raises(ValueError, match="Known: kronecker, gradient"):
        value.equation("kroneker")


def test_immediate_and_total_are_kept_apart_by_name():
    immediate, total = (ls.jacobian(ls.LSTM, "state", "W_hf", path=path) for path in ("immediate", "total"))
    assert isinstance(total, Sensitivity)
    assert str(immediate).count("∂⁺") == 2
    assert str(total) == (
        "LSTM, through time: s = (h, c)\n"
        "  dsₜ/dvec W_hf = Jₜ·dsₜ₋₁/dvec W_hf + ∂⁺sₜ/∂vec W_hf,   ds₀/dvec W_hf = 0\n"
        "  Jₜ = ∂sₜ/∂sₜ₋₁\n"
        "  ∂⁺hₜ/∂vec W_hf = hᵀ ⊗ diag(c⊙f⊙o⊙(1−f)⊙(1−m²))\n"
        "  ∂⁺cₜ/∂vec W_hf = hᵀ ⊗ diag(c⊙f⊙(1−f))"
    )
    assert str(ls.jacobian(ls.LSTM, "y", "b_f", path="total")) == (
        "LSTM, through time: s = (h, c)\n"
        "  dyₜ/db_f = Jₜ·dsₜ₋₁/db_f + ∂⁺yₜ/∂b_f\n"
        "  Jₜ = ∂yₜ/∂sₜ₋₁\n"
        "  ∂⁺yₜ/∂b_f = W_hy·diag(c⊙f⊙o⊙(1−f)⊙(1−m²))"
    )
    assert r"\frac{\mathrm{d} s_t}{\mathrm{d} \operatorname{vec} W_{hf}} &= " in ls.latex(total)
    assert isinstance(ls.jacobian(ls.LSTM, "c", "b_f", path="immediate"), type(ls.jacobian(ls.LSTM, "c", "b_f")))
    direct = ls.jacobian(GRU, "h", "W_hr", path="direct")
    assert direct.is_zero
    assert not ls.jacobian(GRU, "h", "W_hr").is_zero


# --- proof --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", [*CELLS, ls.AntisymmetricRNN, ls.LeakyRNN, ls.JANET], ids=lambda cell: cell.name)
def test_exact_against_sympy(cell):
    claims = by_matrix(cell)
    proof = ls.verify(cell, claims)
    assert proof.parameters == len(claims) > 0
    assert f"by weights   {len(claims)} immediate" in str(proof)


def test_a_wrong_place_is_refused():
    value = ls.jacobian(ls.AntisymmetricRNN, "h", "W_hh")
    for places in (value.places[:1], value.places[::-1][:1]):
        wrong = ParameterJacobian(value.cell, value.of, value.wrt, value.path, places)
        with pytest.raises(ls.VerificationError, match="∂⁺h/∂W_hh at n = 2 is wrong"):
            ls.verify(ls.AntisymmetricRNN, wrong)
    column = ls.jacobian(ls.LeakyRNN, "h", "alpha")
    wrong = ColumnJacobian(column.cell, "h", "alpha", "partial", tuple(term @ term for term in column.terms))
    with pytest.raises(ls.VerificationError, match="∂⁺h/∂alpha"):
        ls.verify(ls.LeakyRNN, wrong)
    with pytest.raises(ValueError, match="direct part"):
        ls.verify(ls.LSTM, ls.jacobian(ls.LSTM, "c", "W_hf", path="direct"))


def test_kronecker_product_as_sympy_has_it():
    n, m = 2, 3
    W, v, J = (sp.Matrix(*shape, lambda i, j, s=s: sp.Symbol(f"{s}{i}{j}")) for s, shape in
               (("W", (n, m)), ("v", (m, 1)), ("J", (4, n))))  # fmt: skip
    assert (J * W * v).jacobian(W.T.reshape(n * m, 1)) == sp.kronecker_product(v.T, J)
    u, K = sp.Matrix(n, 1, sp.symbols("u:2")), sp.Matrix(4, m, sp.symbols("k:12"))
    assert (K * W.T * u).jacobian(W.T.reshape(n * m, 1)) == sp.kronecker_product(K, u.T)


# --- numbers ------------------------------------------------------------------------------------------------------

EVERY = [*LIBRARY, PEEPHOLE, cells.FGR, ODD, STACKED]


def entry(array, k):
    """The place of the k-th entry, columns stacked."""
    return np.unravel_index(k, array.shape, order="F")


@pytest.mark.parametrize("cell", EVERY, ids=lambda cell: cell.name)
def test_immediate_derivatives_are_complex_steps(cell):
    kernel, p, x, start = problem(cell, rng=4, steps=3, batch=(2,))
    states = kernel.unroll(p, x, start)
    before, values = np.concatenate([start[None], states[:-1]]), run_of(kernel, p, x, start)
    rng = np.random.default_rng(5)
    for name in cell.parameters:
        k = rng.integers(p[name].size)
        changed = np.array(p[name], dtype=complex)
        changed[entry(changed, k)] += 1e-40j
        stepped = kernel.evaluate({**p, name: changed}, x, before)
        for of in (*cell.states, *cell.outputs):
            value = ls.jacobian(cell, of, name)
            found = value.evaluate({**values, **p})
            expected = stepped[of].imag * 1e40
            np.testing.assert_allclose(
                np.broadcast_to(found[..., k], expected.shape),
                expected,
                rtol=1e-12,
                atol=1e-14,
                err_msg=f"{of} {name}",
            )
            if isinstance(value, ParameterJacobian):
                delta = rng.standard_normal(expected.shape)
                pulled = value.gradient(delta, {**values, **p})
                np.testing.assert_allclose(
                    pulled[(..., *entry(changed, k))], (delta * expected).sum(-1), rtol=1e-11, atol=1e-13
                )


@pytest.mark.parametrize("cell", EVERY, ids=lambda cell: cell.name)
def test_forwards_through_time_is_backwards_through_time(cell):
    kernel, p, x, start = problem(cell, rng=6, steps=6)
    values, rng = run_of(kernel, p, x, start), np.random.default_rng(7)
    for of in ("state", *cell.outputs):
        seen = values[of] if of != "state" else np.concatenate([values[s] for s in cell.states], axis=-1)
        loss = {of: rng.standard_normal(seen.shape)}
        back = kernel.gradient(p, x, loss, start).parameters
        for name in cell.parameters:
            forward = ls.jacobian(cell, of, name, path="total").evaluate({**values, **p})
            found = np.einsum("ta,tak->k", loss[of], forward)
            expected = np.ravel(back[name], order="F")
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13 * max(1, np.abs(expected).max()))


def test_kernels_evaluate_them():
    kernel, p, x, start = problem(ls.LSTM, steps=3, batch=(2,))
    values = kernel.evaluate(p, x, start)
    for of, wrt in (("c", "W_hf"), ("state", "W_xo"), ("c", "W_ho"), ("y", "W_hy")):
        expected = ls.jacobian(ls.LSTM, of, wrt).evaluate({**values, **p})
        found = kernel.jacobian(p, x, start, of, wrt)
        assert found.shape == (3, 2, *expected.shape[-2:])
        np.testing.assert_array_equal(found, np.broadcast_to(expected, found.shape))


def test_batches_run_side_by_side():
    kernel, p, x, start = problem(ls.LSTM, steps=4, batch=(2,))
    values = run_of(kernel, p, x, start)
    total = ls.jacobian(ls.LSTM, "state", "W_hf", path="total").evaluate({**values, **p})
    assert total.shape == (4, 2, 8, 16)
    alone = {name: array[:, 1] for name, array in values.items()}
    alone = ls.jacobian(ls.LSTM, "state", "W_hf", path="total").evaluate({**alone, **p})
    np.testing.assert_allclose(total[:, 1], alone, rtol=0, atol=1e-15)


def test_clear_errors():
    value = ls.jacobian(ls.LSTM, "c", "W_hf")
    with pytest.raises(ValueError, match="no value for W_hf: its shape is needed"):
        value.evaluate(c_prev=[1.0], f=[0.5], h_prev=[0.1])
    with pytest.raises(ValueError, match="no value for h_prev"):
        value.evaluate(c_prev=[1.0], f=[0.5], W_hf=[[1.0]])
    with pytest.raises(ValueError, match="expected a last axis of 1"):
        value.gradient([1.0, 2.0], c_prev=[1.0], f=[0.5], h_prev=[0.1], W_hf=[[1.0]])
    n = 1500
    big = {"c_prev": np.ones(n), "f": np.full(n, 0.5), "h_prev": np.ones(n), "W_hf": np.zeros((n, n))}
    with pytest.raises(ValueError, match="would take 25 GiB: use gradient"):
        value.evaluate(big)
    assert value.gradient(np.ones(n), big).shape == (n, n)
    with pytest.raises(ValueError, match="time first"):
        ls.jacobian(ls.RNN, "state", "b_h", path="total").evaluate(h=[0.5], W_hh=[[1.0]])
