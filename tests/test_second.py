"""Second derivatives: proved exactly as formulas, and as numbers equal along independent routes."""

from __future__ import annotations

from dataclasses import replace

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from conftest import PROJECTION, RATIO
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import lstm_sym as ls
import lstm_sym.cells as shipped
from lstm_sym.calculus.curvature.second import Hessian, HessianTable
from lstm_sym.calculus.explicit import through_gates
from lstm_sym.calculus.proofs.verification import compare_entries
from lstm_sym.calculus.proofs.writtenout import WrittenOut
from lstm_sym.calculus.terms import Term
from lstm_sym.calculus.values import Jacobian
from lstm_sym.cell import Affine, Elementwise
from lstm_sym.functions import positive

CELLS = [getattr(shipped, name) for name in shipped.__all__ if isinstance(getattr(shipped, name), ls.Cell)]
CELLS.append(ls.stack(ls.RNN, shipped.MGU, name="two layers"))


def setting(cell, batch=(), n=16, seed=0, gain=2.0):
    """(kernel, parameters, x, state, and three vectors of the state's size), all random, no bias zero."""
    rng = np.random.default_rng(seed)
    kernel = ls.Kernel(cell)
    p = kernel.parameters(n, 3, rng=rng, gain=gain)
    p |= {name: rng.standard_normal(a.shape) for name, a in p.items() if a.ndim == 1}
    S = kernel.state_size(p)
    x, state, *vectors = (rng.standard_normal((*batch, size)) for size in (3, S, S, S, S))
    return kernel, p, x, state, vectors


def close(found, expected, tolerance):
    """Equal to within ``tolerance`` of the largest entry."""
    assert found.shape == expected.shape
    assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max(initial=0.0))


def jacobian_along(kernel, p, x, state, v):
    """d/dε J(state + ε v), by complex step: exact to rounding, from first derivatives alone."""
    return kernel.jacobian(p, x, state + 1e-30j * v).imag / 1e-30


# --- formulas ---------------------------------------------------------------------------------------------------


def test_the_text_book_formulas():
    assert str(ls.hessian(ls.LSTM, "c", "h", "c")) == "diag(f⊙(1−f))·[(W_hf·u)⊙v]"
    assert str(ls.hessian(ls.LSTM, "c", "c", "h")) == "diag(f⊙(1−f))·[u⊙(W_hf·v)]"
    assert str(ls.hessian(ls.LSTM, "h", "c")) == "−2·diag(f²⊙m⊙o⊙(1−m²))·[u⊙v]"
    assert str(ls.hessian(ls.RNN, "h", "h")) == "−2·diag(h′⊙(1−h′²))·[(W_hh·u)⊙(W_hh·v)]"
    assert str(ls.hessian(ls.RNN, "y", "h")) == "−2·W_hy·diag(h′⊙(1−h′²))·[(W_hh·u)⊙(W_hh·v)]"
    assert str(ls.hessian(ls.LSTM, "c", ls.LSTM["f"], "c")) == "[u⊙v]"


def test_one_elementwise_layer_collapses_to_one_term_for_each_pair_of_weights():
    f, i, g, c = (ls.LSTM[name] for name in ("f", "i", "g", "c_prev"))
    found = {
        tuple(part.weights[0].name for part in (term.left, term.right)): (term.factor, term.symmetric)
        for term in ls.hessian(ls.LSTM, "c", "h")
    }
    expected = {
        ("W_hf", "W_hf"): (c * f * (1 - f) * (1 - 2 * f), False),
        ("W_hi", "W_hi"): (g * i * (1 - i) * (1 - 2 * i), False),
        ("W_hg", "W_hg"): (-2 * g * i * (1 - g**2), False),
        ("W_hi", "W_hg"): (i * (1 - i) * (1 - g**2), True),
    }
    assert {pair: (sp.expand(d), s) for pair, (d, s) in found.items()} == {
        pair: (sp.expand(d), s) for pair, (d, s) in expected.items()
    }
    assert all(term.outer.is_direct for term in ls.hessian(ls.LSTM, "c", "h"))


def test_equations_read_well():
    assert ls.hessian(ls.LSTM, "c", "h", "c").equation() == "∂²cₜ/∂hₜ₋₁∂cₜ₋₁[u, v] = diag(f⊙(1−f))·[(W_hf·u)⊙v]"
    assert ls.hessian(ls.LSTM, "c", "c").equation() == "∂²cₜ/∂cₜ₋₁²[u, v] = 0   (exactly)"
    assert ls.hessian(ls.LSTM, "c", "b_f", "c").equation().startswith("∂²cₜ/∂b_f∂cₜ₋₁[u, v] = ")
    assert ls.hessian(ls.RNN, "h", "h").latex(equation=True) == (
        r"\frac{\partial^2 h_t}{\partial h_{t-1}^2}[u, v] = "
        r"-2\, \operatorname{diag}(h_t \odot (1 - h_t^2))\, \bigl[(W_{hh}\, u) \odot (W_{hh}\, v)\bigr]"
    )
    taken = ls.RNN.replace(u="W_xh @ x + W_hh @ h_prev + b_h", h="tanh(u)", name="u is a vector here")
    assert "[p, q]" in ls.hessian(taken, "h", "h").equation()


def test_every_gate_has_its_part_of_the_sum(cell):
    kernel, p, x, state, _ = setting(cell, (2,), n=4)
    values = kernel.evaluate(p, x, state) | p
    curved = [node.name for node in cell.nodes if isinstance(node, Elementwise)]
    for block in ls.hessian(cell, "state", "state").distinct:
        parts = [ls.hessian(cell, block.of, cell[block.wrt], cell[block.wrt2], gate=gate) for gate in curved]
        total = sum(part.evaluate(values) for part in parts)
        assert_allclose(np.broadcast_to(total, block.evaluate(values).shape), block.evaluate(values), atol=1e-13)
    with pytest.raises(ValueError, match="expected a whole second derivative"):
        ls.verify(cell, ls.hessian(cell, cell.states[0], cell.states[0], gate=curved[0]))
    with pytest.raises(KeyError, match="unknown elementwise quantity"):
        ls.hessian(cell, cell.states[0], cell.states[0], gate="a_q")


def test_the_parts_of_an_lstm():
    parts = {g: ls.hessian(ls.LSTM, "h", "h", gate=g) for g in "figcomh"}
    assert [len(part) for part in parts.values()] == [1, 1, 1, 1, 1, 6, 3]
    assert str(parts["o"]) == "diag(m⊙o⊙(1−2·o)⊙(1−o))·[(W_ho·u)⊙(W_ho·v)]"
    assert parts["o"].equation().startswith("∂²hₜ/∂hₜ₋₁²|o[u, v] = ")
    assert (
        parts["o"]
        .latex(equation=True)
        .startswith(r"\left.\frac{\partial^2 h_t}{\partial h_{t-1}^2}\right|_{o_t}[u, v] = ")
    )


def test_the_hessian_of_a_weighted_sum_as_a_matrix():
    matrix = ls.hessian(ls.LSTM, "c", "h", "c").matrix
    assert matrix.equation() == "Σₐ δₐ ∂²(cₜ)ₐ/∂hₜ₋₁∂cₜ₋₁ = W_hfᵀ·diag(f⊙(1−f)⊙δ)"
    assert str(ls.hessian(ls.LSTM, "c", "f", "c").matrix) == "diag(δ)"
    assert str(ls.hessian(ls.LSTM, "c", "c").matrix) == "0"
    output = ls.hessian(ls.RNN, "y", "h").matrix
    assert str(output) == "−2·W_hhᵀ·diag(h′⊙(1−h′²)⊙(W_hyᵀ·δ))·W_hh"
    assert ls.latex(output, equation=True) == (
        r"\sum_a \delta_a \frac{\partial^2 (y_t)_a}{\partial h_{t-1}^2} = "
        r"-2\, W_{hh}^{\top}\, \operatorname{diag}(h_t \odot (1 - h_t^2) \odot (W_{hy}^{\top}\, \delta))\, W_{hh}"
    )
    assert ls.latex(output, notation=ls.Notation(vectors="row")) == (
        r"-2\, W_{hh}\, \operatorname{diag}(h_t \odot (1 - h_t^2) \odot (\delta\, W_{hy}^{\top}))\, W_{hh}^{\top}"
    )


def test_its_printed_factors_multiply_to_its_numbers(cell):
    """Σ number·leftᵀ·diag(weight ⊙ outerᵀδ)·right, each factor by itself, against the tensor."""
    kernel, p, x, state, (_, _, delta) = setting(cell, n=4)
    values = kernel.evaluate(p, x, state) | p

    def dense(of, wrt, factor):
        return Jacobian(cell, of, wrt, "partial", (factor,)).evaluate(values)

    for block in ls.hessian(cell, "state", "state").distinct:
        d = delta[: len(values[block.of])]
        total = np.zeros((len(values[block.wrt]), len(values[block.wrt2])))
        layers = [term.at for term in block for _ in term.pairs]
        for at, (number, (left, weight, outer, right)) in zip(layers, block.matrix.products(), strict=True):
            middle = dense(at, at, Term((weight,))) * (dense(at, block.of, outer) @ d)
            total += float(number) * dense(block.wrt, at, left) @ middle @ dense(at, block.wrt2, right)
        assert_allclose(total, block.contract(d, values), rtol=1e-13, atol=1e-13)
        assert_allclose(total, block.matrix.evaluate(d, values), rtol=1e-13, atol=1e-13)


def test_any_notation():
    h = ls.hessian(ls.LSTM, "c", "h", "c")
    rows = ls.Notation(vectors="row", product="circ", bold=True, weights="W-U", diagonal="D")
    products, diagonal = h.latex(notation=rows).split(r"\, \mathbf{D}")
    assert products == r"\bigl[(\mathbf{u}\, \mathbf{U}_f) \circ \mathbf{v}\bigr]"
    assert diagonal == r"(\mathbf{f}_t \circ (1 - \mathbf{f}_t))"
    document = ls.latex(ls.hessian(ls.LSTM, "state", "state"), standalone=True)
    assert document.count(r"\begin{align*}") == document.count(r"\begin{document}") == 1
    alpha = ls.hessian(shipped.LeakyRNN, "h", "h")
    assert str(alpha) == "−2·α·diag(r⊙(1−r²))·[(W_hh·u)⊙(W_hh·v)]"
    with pytest.raises(TypeError, match="Notation"):
        h.latex(notation="bold")


def test_a_table_shows_each_pair_once_and_counts_the_zeros():
    table = ls.hessian(ls.LSTM, "state", "state")
    assert isinstance(table, HessianTable)
    assert len(table.blocks) == 8
    assert len(table.distinct) == 6
    text = str(table)
    assert text.count("∂²") == 5
    assert text.endswith("\n1 of 6 are exactly 0")
    assert "                  − 2·diag(g⊙i⊙(1−g²))·[(W_hg·u)⊙(W_hg·v)]\n" in text
    assert table.latex().count("&=") == 5
    assert table.latex().count(r"&\quad") == 9 + 3 + 3
    assert table["c", "h", "c"] == ls.hessian(ls.LSTM, "c", "h", "c")
    row = ls.hessian(ls.LSTM, "c", "h", "state")
    assert list(row.blocks) == [("c", "h", "h"), ("c", "h", "c")]
    with pytest.raises(ValueError, match=r"unknown block \('c', 'h', 'f'\)"):
        table["c", "h", "f"]


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_what_is_printed_is_what_is_proved(cell):
    """Factored, and split into the cases of an indicator: the same diagonal in each case, for any size."""
    for block in ls.hessian(cell, "state", "state").distinct:
        for term, shown in zip(block.terms, block.readable, strict=True):
            assert (term.left.weights, term.right.weights) == (shown.left.weights, shown.right.weights)
            plain = through_gates(cell, term.factor)
            flags = sorted(plain.atoms(positive), key=sp.default_sort_key)
            for case in range(2 ** len(flags)):
                values = {flag: sp.Integer(case >> k & 1) for k, flag in enumerate(flags)}
                assert sp.expand(plain.xreplace(values) - shown.factor.xreplace(values)) == 0


# --- proofs -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", [*CELLS, RATIO, PROJECTION], ids=lambda cell: cell.name)
def test_every_cell_is_proved_against_sympy(cell):
    written = WrittenOut(cell, 2)
    entries = [compare_entries(written, claim) for claim in ls.hessian(cell, "state", "state").distinct]
    assert sum(entries) >= 8 * len(entries) >= 8


def test_by_inputs_gates_preactivations_and_biases_too():
    LSTM, GRU = ls.LSTM, shipped.GRU
    claims = [
        *(ls.hessian(LSTM, "h", a, b) for a, b in (("x", "h"), ("x", "c"), ("a_f", "a_o"), ("a_f", "c"))),
        *(ls.hessian(LSTM, "h", a, b) for a, b in ((LSTM["c"], "o"), ("f", "a_f"), ("f", "h"), ("b_i", "b_g"))),
        *(ls.hessian(LSTM, of, "h") for of in ("f", "a_f", "m", "y")),
    ]
    proof = ls.verify(LSTM, claims, sizes=(2,))
    assert proof.hessians == len(claims)
    assert "Hessians     12" in str(proof)
    assert "Jacobians" not in str(proof)
    assert "sigmoid″, tanh″" in str(proof)
    ls.verify(GRU, [ls.hessian(GRU, "h", "x", "h"), ls.hessian(GRU, "h", "q"), ls.hessian(GRU, "y", "h")], (2,))
    ls.verify(LSTM, ls.hessian(LSTM, "c", "state"), sizes=(3,))
    assert ls.hessian(LSTM, "a_f", "h").is_zero
    assert ls.hessian(LSTM, "f", "f").is_zero


def planted(change) -> Hessian:
    """∂²h/∂h² of the GRU, a sum of nine terms some of which have weights on both sides, with one changed."""
    right = ls.hessian(shipped.GRU, "h", "h")
    place, term = next((k, t) for k, t in enumerate(right.terms) if t.outer.weights)
    return replace(right, terms=(*right.terms[:place], *change(term), *right.terms[place + 1 :]))


ERRORS = {
    "a missing term": planted(lambda t: []),
    "a wrong sign": planted(lambda t: [replace(t, outer=Term((sp.S.NegativeOne,)) @ t.outer)]),
    "a mirror image dropped": planted(lambda t: [replace(t, symmetric=False)]),
    "a wrong transpose": planted(
        lambda t: [replace(t, outer=replace(t.outer, weights=(t.outer.weights[0].T,)))],
    ),
    "a diagonal on the wrong side": planted(
        lambda t: [replace(t, outer=replace(t.outer, diagonals=t.outer.diagonals[::-1]))]
    ),
}


@pytest.mark.parametrize("claim", ERRORS.values(), ids=ERRORS.keys())
def test_planted_errors_are_found(claim):
    with pytest.raises(ls.VerificationError, match=r"∂²hₜ/∂hₜ₋₁²\[u, v\] at n = 2 is wrong"):
        ls.verify(claim.cell, claim)


def test_a_wrong_rule_for_the_second_slope_is_found(monkeypatch):
    from lstm_sym.functions import dsigmoid

    cell = ls.Cell("its own, since SymPy remembers", "k = sigmoid(W_kk @ k_prev + W_xk @ x)", states="k")
    claim = ls.hessian(cell, "k", "k")
    monkeypatch.setattr(dsigmoid, "fdiff", lambda self, argindex=1: self**2)
    with pytest.raises(ls.VerificationError):
        ls.verify(cell, claim, sizes=(2,))


def test_the_explicit_tensor_is_the_evaluated_one(cell):
    kernel, p, x, state, _ = setting(cell, n=2)
    values = kernel.evaluate(p, x, state) | p
    block = ls.hessian(cell, cell.states[0], cell.states[0], cell.states[-1])
    explicit = block.to_sympy(2)
    symbols = {s.name: s for s in explicit.free_symbols}
    numbers = {s: sp.Matrix(np.reshape(values[name], s.shape)) for name, s in symbols.items()}
    found = np.array([float(entry.subs(numbers).doit()) for entry in explicit._array]).reshape(explicit.shape)
    assert_allclose(found, block.evaluate(values), rtol=1e-12, atol=1e-14)


def test_the_explicit_tensor_of_a_product():
    f, W = sp.MatrixSymbol("f", 2, 1), sp.MatrixSymbol("W_hf", 2, 2)
    found = ls.hessian(ls.LSTM, "c", "h", "c").to_sympy(2)
    assert sp.expand(found[1, 0, 1] - f[1] * (1 - f[1]) * W[1, 0]) == 0
    assert found[1, 0, 0] == found[0, 1, 1] == 0


# --- numbers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [(), (1,), (4,), (3, 2), (0,)])
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_products_are_those_of_the_jacobians_derivative(cell, batch):
    kernel, p, x, state, (u, v, delta) = setting(cell, batch)
    change = jacobian_along(kernel, p, x, state, v)
    forward = kernel.hvp(p, x, state, u, v)
    close(forward, np.einsum("...ab,...b->...a", change, u), 1e-14)
    close(kernel.hessian_vector(p, x, state, delta, v), np.einsum("...a,...ab->...b", delta, change), 1e-14)
    assert_array_equal(forward, kernel.hvp(p, x, state, v, u))


def test_products_of_declared_cells_and_their_tensors(cell):
    kernel, p, x, state, (u, v, delta) = setting(cell, (5,), n=6)
    values = kernel.evaluate(p, x, state) | p
    tensor, S = ls.hessian(cell, "state", "state").evaluate(values), state.shape[-1]
    assert tensor.shape in {(5, S, S, S), (S, S, S)}  # a second derivative that is constant has no batch
    tensor = np.broadcast_to(tensor, (5, S, S, S))
    expected = np.stack([jacobian_along(kernel, p, x, state, e) for e in np.eye(S)], axis=-1)
    close(tensor, expected, 1e-14)
    assert_allclose(tensor, tensor.swapaxes(-1, -2), rtol=0, atol=1e-15 * max(1.0, np.abs(tensor).max()))
    close(kernel.hvp(p, x, state, u, v), np.einsum("...abc,...b,...c->...a", tensor, u, v), 1e-14)
    pulled = kernel.hessian_vector(p, x, state, delta, v)
    close(pulled, np.einsum("...a,...abc,...c->...b", delta, tensor, v), 1e-14)


def test_leading_axes_broadcast_as_in_jvp():
    kernel, p, x, state, (u, v, _) = setting(ls.LSTM, (4,))
    whole = kernel.hvp(p, x, state, u, v)
    for k in range(4):
        assert_allclose(kernel.hvp(p, x[k], state[k], u[k], v[k]), whole[k], rtol=1e-13, atol=1e-15)
    assert kernel.hvp(p, x[0], state[0], u[:, None], v[0]).shape == (4, 1, 32)
    assert kernel.hvp(p, x[:, None], state[0], u[:3], v[0]).shape == (4, 3, 32)
    assert kernel.hessian_vector(p, x[0], state[0], u[:, None], v).shape == (4, 4, 32)


def test_a_hessian_applied_contracted_and_evaluated_agree(cell):
    kernel, p, x, state, (_, v, delta) = setting(cell, (3,), n=4)
    values = kernel.evaluate(p, x, state) | p
    for block in ls.hessian(cell, "state", "state"):
        tensor = block.evaluate(values)
        a, b, c = tensor.shape[-3:]
        u = np.random.default_rng(5).standard_normal((3, b))
        expected = np.einsum("...abc,...b,...c->...a", tensor, u, v[:, :c])
        assert_allclose(block.apply(u, v[:, :c], values), expected, rtol=0, atol=1e-13)
        matrix = block.contract(delta[:, :a], values)
        assert matrix.shape == (3, b, c)
        assert_allclose(matrix, np.einsum("...a,...abc->...bc", delta[:, :a], tensor), rtol=0, atol=1e-13)


def test_gates_alone_serve_where_nothing_saturates():
    kernel, p, x, state, _ = setting(ls.LSTM, (3,), n=4)
    values = kernel.evaluate(p, x, state) | p
    gates = {name: array for name, array in values.items() if not name.startswith("a_")}
    for block in ls.hessian(ls.LSTM, "state", "state").distinct:
        assert_allclose(block.evaluate(gates), block.evaluate(values), rtol=0, atol=1e-14)


def test_single_precision_and_complex_numbers_are_kept():
    kernel, p, x, state, (u, v, _) = setting(ls.LSTM, (3,))
    small = {name: array.astype(np.float32) for name, array in p.items()}
    single = [array.astype(np.float32) for array in (x, state, u, v)]
    assert kernel.hvp(small, *single).dtype == np.float32
    assert kernel.hessian_vector(small, *single).dtype == np.float32
    close(kernel.hvp(small, *single).astype(float), kernel.hvp(p, x, state, u, v), 1e-5)
    third = kernel.hvp(p, x, state + 1e-30j * v, u, u).imag / 1e-30
    step = 1e-5 * v
    moved = [kernel.hvp(p, x, state + sign * step, u, u) for sign in (1, -1)]
    close(third, (moved[0] - moved[1]) / 2e-5, 1e-8)


# --- high precision ---------------------------------------------------------------------------------------------

EXACT = {
    "sigmoid": lambda a: 1 / (1 + mp.exp(-a)),
    "tanh": mp.tanh,
    "relu": lambda a: a if a > 0 else mp.mpf(0),
    "logsigmoid": lambda a: -mp.log1p(mp.exp(-a)),
    "maximum": max,
    "positive": lambda a: mp.mpf(a > 0),
}


def exact_step(kernel, p, x, state):
    """The new state in mpmath, unit by unit, from the cell's nodes and nothing else."""
    vectors = {"x": [mp.mpf(entry) for entry in x]}
    vectors |= {f"{name}_prev": state[place] for name, place in kernel.blocks(p).items()}

    def matrix(name):
        return p[name.removesuffix(".T")].T if name.endswith(".T") else p[name]

    for node in kernel.cell.nodes:
        if node.name in kernel.cell.outputs:
            continue
        if isinstance(node, Affine):
            parts = [[mp.fdot(map(mp.mpf, row), vectors[v]) for row in matrix(w)] for w, v in node.products]
            parts += [[mp.mpf(entry) for entry in p[bias]] for bias in node.biases]
            vectors[node.name] = [mp.fsum(units) for units in zip(*parts, strict=True)]
        else:
            n = max(len(vectors[name]) for name in node.reads if name in vectors)
            read = [vectors.get(name) or list(map(mp.mpf, np.broadcast_to(p[name], n))) for name in node.reads]
            function = sp.lambdify(
                [sp.Symbol(v, real=True) for v in node.reads], node.expression, [EXACT, "mpmath"]
            )
            vectors[node.name] = [function(*units) for units in zip(*read, strict=True)]
    return [entry for name in kernel.cell.states for entry in vectors[name]]


def exact_second(kernel, p, x, state, u, v):
    """∂²step[u, v] by a central difference in 120 digits, whose error is far below double precision."""
    with mp.workdps(120):
        step = mp.mpf(10) ** -30
        place, first, second = (np.array([mp.mpf(entry) for entry in array]) for array in (state, u, v))
        corners = [
            np.array(exact_step(kernel, p, x, list(place + step * (a * first + b * second))))
            for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1))
        ]
        exact = (corners[0] - corners[1] - corners[2] + corners[3]) / (4 * step**2)
        return np.array([float(entry) if abs(entry) > 1e-40 else 0.0 for entry in exact])


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_products_against_high_precision(cell):
    kernel, p, x, state, (u, v, _) = setting(cell, n=3, seed=1)
    close(kernel.hvp(p, x, state, u, v), exact_second(kernel, p, x, state, u, v), 1e-14)


@pytest.mark.parametrize("a", [-40.0, -12.0, -1.0, -1e-4, -1e-8, 1e-12, 1e-6, 0.3, 5.0, 19.0, 40.0, 300.0])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_second_slopes_are_accurate_where_they_vanish(activation, a):
    """σ″ and tanh″ near 0, where 1 − 2σ cancels, and under saturation: relative to themselves."""
    kernel = ls.Kernel(ls.RNN(activation=activation))
    p = kernel.parameters(1, 1, W_xh=1.0, W_hh=1.0, b_h=0.0)
    found = kernel.hvp(p, [0.0], [a], [1.0], [1.0])
    with mp.workdps(400):
        value = EXACT[activation](mp.mpf(a))
        expected = value * (1 - value) * (1 - 2 * value) if activation == "sigmoid" else -2 * value * (1 - value**2)
    assert_allclose(found, [float(expected)], rtol=3e-15)
    values = kernel.evaluate(p, [0.0], [a]) | p
    assert_allclose(ls.hessian(kernel.cell, "h", "h").evaluate(values), [[found]], rtol=1e-15)


@pytest.mark.parametrize("bias", [-40.0, -15.0, 15.0, 40.0])
def test_saturated_lstms_against_high_precision(bias):
    """Every entry to its own relative accuracy; the units are uncoupled, so that no sum cancels."""
    kernel, p, x, state, (u, v, _) = setting(ls.LSTM, n=3, seed=3)
    p |= {name: bias * np.ones(3) for name in ("b_f", "b_i", "b_g", "b_o")}
    found, expected = kernel.hvp(p, x, state, u, v), exact_second(kernel, p, x, state, u, v)
    assert np.abs(expected).min() < 1e-5
    assert_allclose(found, expected, rtol=1e-12)


# --- PyTorch ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_products_are_those_of_torch(name):
    torch = pytest.importorskip("torch")
    cell = ls.LSTM if name == "LSTM" else shipped.GRUResetAfter
    kernel, p, x, state, (_, v, delta) = setting(cell, n=8)
    module = getattr(torch.nn, f"{name}Cell")(3, 8, dtype=torch.float64)
    gates = ("i", "f", "g", "o") if name == "LSTM" else ("r", "z", "n")
    with torch.no_grad():
        module.weight_ih.copy_(torch.tensor(np.concatenate([p[f"W_x{gate}"] for gate in gates])))
        module.weight_hh.copy_(torch.tensor(np.concatenate([p[f"W_h{gate}"] for gate in gates])))
        module.bias_ih.copy_(torch.tensor(np.concatenate([p[f"b_{gate}"] for gate in gates])))
        module.bias_hh.zero_()
        if name == "GRU":
            module.bias_hh[16:] = torch.tensor(p["b_q"])

    def scalar(s):
        new = torch.cat(module(torch.tensor(x), (s[:8], s[8:]))) if name == "LSTM" else module(torch.tensor(x), s)
        return new @ torch.tensor(delta)

    _, expected = torch.autograd.functional.hvp(scalar, torch.tensor(state), torch.tensor(v))
    close(kernel.hessian_vector(p, x, state, delta, v), expected.numpy(), 1e-14)


# --- properties -------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(-3, 3), st.sampled_from(CELLS))
def test_bilinear_symmetric_and_consistent(seed, a, cell):
    kernel, p, x, state, (u, v, w) = setting(cell, n=4, seed=seed, gain=1.0)
    H = lambda first, second: kernel.hvp(p, x, state, first, second)  # noqa: E731
    scale = max(1.0, np.abs(H(u, v)).max(), np.abs(H(w, v)).max()) * max(1.0, abs(a))
    assert_array_equal(H(u, v), H(v, u))
    assert_allclose(H(a * u + w, v), a * H(u, v) + H(w, v), rtol=0, atol=1e-13 * scale)
    pulled = kernel.hessian_vector(p, x, state, w, v)
    assert_allclose(pulled @ u, w @ H(u, v), rtol=0, atol=1e-12 * scale * max(1.0, np.abs(w).max()))


def test_a_step_without_curvature_has_none():
    kernel, p, x, state, (u, v, delta) = setting(ls.RNN(activation="relu"), (4,))
    assert_array_equal(kernel.hvp(p, x, state, u, v), np.zeros((4, 16)))
    assert_array_equal(kernel.hessian_vector(p, x, state, delta, v), np.zeros((4, 16)))
    assert ls.hessian(kernel.cell, "h", "h").is_zero


# --- refusals ---------------------------------------------------------------------------------------------------


def test_bad_names_are_refused():
    with pytest.raises(ValueError, match="W_hf"):
        ls.hessian(ls.LSTM, "c", "h", "W_hf")
    with pytest.raises(ValueError, match="alpha"):
        ls.hessian(shipped.LeakyRNN, "h", "alpha")
    with pytest.raises(KeyError, match="unknown quantity"):
        ls.hessian(ls.LSTM, "k", "h")
    with pytest.raises(KeyError, match="unknown quantity"):
        ls.hessian(ls.LSTM, "c", "h", "k")
    with pytest.raises(TypeError, match="expected a Cell"):
        ls.hessian("LSTM", "c", "h")


def test_bad_numbers_are_refused():
    kernel, p, x, state, (u, v, _) = setting(ls.LSTM, n=4)
    block, values = ls.hessian(ls.LSTM, "c", "h"), kernel.evaluate(p, x, state) | p
    with pytest.raises(ValueError, match=r"no value for W_hf, W_hg, W_hi, c_prev, f, g, i: ∂²cₜ/∂hₜ₋₁²\[u, v\] ="):
        block.evaluate({})
    with pytest.raises(ValueError, match="u has shape"):
        block.apply(u[:3], v[:4], values)
    with pytest.raises(ValueError, match="delta has shape"):
        block.contract(1.0, values)
    with pytest.raises(ValueError, match="v has shape"):
        kernel.hvp(p, x, state, u, v[:3])
    with pytest.raises(ValueError, match=r"v\[2\] is nan"):
        kernel.hessian_vector(p, x, state, u, np.where(np.arange(8) == 2, np.nan, v))
    with pytest.raises(ValueError, match=r"x and state and u has leading axes \(2,\), v has \(3,\)"):
        kernel.hvp(p, x, state, np.ones((2, 8)), np.ones((3, 8)))


def test_a_tensor_that_is_absurdly_large_is_refused():
    n = 1000
    block = ls.hessian(ls.RNN, "h", "h")
    with pytest.raises(ValueError, match=r"\(1000, 1000, 1000\) would take 7 GiB: apply it to vectors"):
        block.evaluate(a_h=np.zeros(n), W_hh=np.zeros((n, n)))
    assert block.apply(np.ones(n), np.ones(n), a_h=np.zeros(n), W_hh=np.eye(n)).shape == (n,)
