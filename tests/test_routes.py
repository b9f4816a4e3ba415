"""Paths: their sum is the Jacobian, each is what is lost when its gates are held, names, printing, refusals."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
import sympy as sp
from conftest import CELLS, GRU, LEAKY, PEEPHOLE, PROJECTION

import lstm_sym as ls
from lstm_sym import cells
from lstm_sym.calculus.derive import accumulate
from lstm_sym.calculus.routes.sums import Path, PathSum
from lstm_sym.notation.widths import TEXT_WIDTH, width

STACK = ls.stack(ls.LSTM, ls.GRU)
EVERY = list({cell.name: cell for cell in (*CELLS, STACK, *(getattr(ls, name) for name in cells.__all__))}.values())
PATHS = ("partial", "total", "direct")


def expanded(terms):
    """A sum of terms multiplied out: {(weights, one monomial per diagonal): number}, the same for equal sums."""
    found = defaultdict(lambda: sp.S.Zero)
    for term in terms:
        products = {(): sp.S.One}
        for diagonal in term.diagonals:
            parts = [part.as_coeff_Mul() for part in sp.Add.make_args(sp.expand(diagonal))]
            products = {(*key, rest): n * number for key, n in products.items() for number, rest in parts}
        for key, number in products.items():
            found[term.weights, key] += number
    return {key: number for key, number in found.items() if number != 0}


def every_sum(cell, path):
    """The paths of every state and gate by every state and input."""
    for of in cell.node:
        for wrt in (*cell.states, *cell.inputs):
            yield ls.paths(cell, of, wrt, path)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("cell", EVERY, ids=lambda cell: cell.name)
def test_the_paths_add_up_to_the_jacobian(cell, path):
    for found in every_sum(cell, path):
        assert found.whole == ls.jacobian(cell, found.whole.of, found.whole.wrt.removesuffix("_prev"), path)
        assert expanded(t for part in found for t in part.terms) == expanded(found.whole.terms)
        assert len(set(found.labels)) == len(found)


@pytest.mark.parametrize("cell", EVERY, ids=lambda cell: cell.name)
def test_what_passes_a_gate_is_what_is_lost_when_it_is_held(cell):
    for found in every_sum(cell, "partial"):
        of, wrt = found.whole.of, found.whole.wrt
        for gate in {s for part in found for s in part.stations if s in cell.node}:
            passing = expanded(t for part in found if gate in part.stations for t in part.terms)
            held = accumulate(cell, wrt, frozenset({gate})).get(of, ())
            whole, rest = expanded(found.whole.terms), expanded(held)
            lost = {key: whole.get(key, 0) - rest.get(key, 0) for key in {*whole, *rest}}
            assert passing == {key: number for key, number in lost.items() if number != 0}


@pytest.mark.parametrize(
    ("cell", "of", "wrt", "path", "expected"),
    [
        (ls.LSTM, "c", "h", "partial", {"f": "diag(c⊙f⊙(1−f))·W_hf", "i": "diag(g⊙i⊙(1−i))·W_hi"}),
        (ls.LSTM, "c", "c", "total", {"direct": "diag(f)"}),
        (ls.LSTM, "h", "h", "partial", {"o": "diag(m⊙o⊙(1−o))·W_ho"}),
        (GRU, "h", "h", "partial", {"direct": "diag(1−z)", "n": "diag(z⊙(1−n²))·W_hn·diag(r)"}),
        (GRU, "h", "h", "partial", {"r, n": "diag(z⊙(1−n²))·W_hn·diag(h⊙r⊙(1−r))·W_hr"}),
        (ls.RNN, "h", "h", "partial", {"W_hh": "diag(1−h′²)·W_hh"}),
        (LEAKY, "h", "h", "direct", {"direct": "0.75·I"}),
        (PROJECTION, "h", "c", "partial", {"W_ch": "W_ch·diag(f)"}),
        (PEEPHOLE, "c", "c", "direct", {"direct": "diag(f)", "f": "diag(c⊙f⊙p_f⊙(1−f))"}),
    ],
)
def test_formulas_by_label(cell, of, wrt, path, expected):
    found = ls.paths(cell, of, wrt, path)
    assert {label: str(found[label]) for label in expected} == expected


def test_names():
    total = ls.paths(ls.LSTM, "c", "c", path="total")
    assert total.labels == ("direct", "h_prev, f", "h_prev, i", "h_prev, g")
    assert [path.title for path in total][:2] == ["directly", "through hₜ₋₁, then the forget gate f"]
    assert total["h_prev", "f"] is total["h_prev,f"] is total.paths[1]
    assert ls.paths(PEEPHOLE, "c", "c", path="total").labels[-1] == "o_prev, h_prev, g"
    assert ls.paths(ls.LSTM, "f", "c").labels == ()
    assert str(ls.paths(ls.LSTM, "f", "c")) == ls.jacobian(ls.LSTM, "f", "c").equation()


def test_no_comment_is_quoted_in_latex_that_is_not_plain_text():
    cell = ls.Cell(
        "noted",
        r"""
        f = sigmoid(W_xf @ x + W_hf @ h_prev)   # gate \input{secret} 100%
        h = f * h_prev                          # state
        """,
        states="h",
    )
    found = ls.paths(cell, "h", "h")
    assert found["f"].latex(equation=True).endswith("}_{f_t}")
    assert "secret" not in found.latex() + found.align()


def test_printing(golden):
    texts = []
    for cell, of, wrt, path in [
        (ls.LSTM, "c", "h", "partial"),
        (ls.LSTM, "c", "c", "total"),
        (ls.RNN, "h", "h", "partial"),
        (GRU, "h", "h", "partial"),
    ]:
        found = ls.paths(cell, of, wrt, path)
        texts += [str(found), found.latex(), found.latex(equation=True), found.align()]
    texts.append(str(ls.paths(ls.LSTM, "state", "state")))
    other = ls.Notation(weights="W-U", product="circ", bold=True, gates="Gamma", time=False)
    texts.append(ls.latex(ls.paths(ls.LSTM, "c", "h"), notation=other))
    texts.append(ls.latex(ls.paths(GRU, "h", "h"), equation=True, notation=ls.Notation(vectors="row")))
    golden("paths.txt", "\n".join(texts) + "\n")


@pytest.mark.parametrize("cell", EVERY, ids=lambda cell: cell.name)
def test_no_line_is_wider_than_the_page(cell):
    for found in ls.paths(cell, "state", "state"):
        for latex in (found.align(), found.latex(equation=True)):
            lines = [
                line.split("\\\\")[0] for line in latex.splitlines() if not line.startswith(("\\begin", "\\end"))
            ]
            assert max(map(width, lines)) < TEXT_WIDTH


def test_numbers_by_label_add_up():
    kernel = ls.Kernel(GRU)
    p = kernel.parameters(hidden=3, inputs=2, rng=0)
    values = kernel.evaluate(p, np.ones((4, 2)), np.random.default_rng(0).standard_normal((4, 3)))
    found = ls.paths(GRU, "h", "h")
    parts = found.evaluate({**p, **values})
    assert list(parts) == list(found.labels)
    whole = found.whole.evaluate({**p, **values})
    np.testing.assert_allclose(sum(parts.values()), whole, rtol=0, atol=1e-15)
    np.testing.assert_allclose(parts["direct"], np.eye(3) * (1 - values["z"])[:, None], rtol=0, atol=0)


def test_each_path_is_the_derivative_with_h_perturbed_on_it_alone():
    """Complex steps of LSTM and GRU written by hand, in which each gate is shown an h of its own."""
    eps, rng = 1e-30, np.random.default_rng(2)
    x, h, c = rng.standard_normal(2), rng.standard_normal(3), rng.standard_normal(3)

    def sigmoid(a):
        return 1 / (1 + np.exp(-a))

    def drive(p, gate, source, seen):
        return p[f"W_x{gate}"] @ x + p[f"W_{source}{gate}"] @ seen + p[f"b_{gate}"]

    def lstm(p, seen):
        f, i, o = (sigmoid(drive(p, gate, "h", seen[gate])) for gate in "fio")
        new = f * c + i * np.tanh(drive(p, "g", "h", seen["g"]))
        return o * np.tanh(new)

    def gru(p, seen):
        r, z = sigmoid(drive(p, "r", "h", seen["r, n"])), sigmoid(drive(p, "z", "h", seen["z"]))
        n = np.tanh(drive(p, "n", "h", r * seen["n"]))
        return (1 - z) * seen["direct"] + z * n

    for cell, step, state in ((ls.LSTM, lstm, np.concatenate([h, c])), (GRU, gru, h)):
        kernel = ls.Kernel(cell)
        p = kernel.parameters(hidden=3, inputs=2, rng=0)
        parts = ls.paths(cell, "h", "h").evaluate({**p, **kernel.evaluate(p, x, state)})
        for label, part in parts.items():
            columns = [
                step(p, {other: h + 1j * eps * e * (other == label) for other in parts}).imag / eps
                for e in np.eye(3)
            ]
            np.testing.assert_allclose(part, np.transpose(columns), rtol=0, atol=1e-15)


def test_a_table_has_all_blocks_and_its_numbers_add_up():
    table = ls.paths(ls.LSTM, "state", "state")
    assert table["c", "h"] == ls.paths(ls.LSTM, "c", "h")
    assert isinstance(table["h", "c"], PathSum)
    assert isinstance(table["h", "c"]["direct"], Path)
    assert table.labels == ("direct", "f", "i", "g", "o")
    assert len(table) == 4
    kernel = ls.Kernel(ls.LSTM)
    p = kernel.parameters(hidden=3, inputs=2, rng=0)
    x, state = np.ones(2), np.random.default_rng(0).standard_normal(6)
    parts = table.evaluate({**p, **kernel.evaluate(p, x, state)})
    np.testing.assert_allclose(sum(parts.values()), kernel.jacobian(p, x, state), rtol=0, atol=1e-15)


def test_refusals():
    found = ls.paths(ls.LSTM, "c", "h")
    with pytest.raises(KeyError, match=r"unknown path of ∂cₜ/∂hₜ₋₁ 'o'.*Known: f, i, g\."):
        found["o"]
    with pytest.raises(KeyError, match="Known: partial, total, direct"):
        ls.paths(ls.LSTM, "c", "h", path="full")
    with pytest.raises(KeyError, match="unknown quantity of LSTM"):
        ls.paths(ls.LSTM, "k", "h")
    with pytest.raises(ValueError, match="W_hf' is a weight matrix"):
        ls.paths(ls.LSTM, "c", "W_hf")
    with pytest.raises(TypeError, match="expected a Cell"):
        ls.paths("LSTM", "c", "h")
    with pytest.raises(KeyError, match="unknown block"):
        ls.paths(ls.LSTM, "state", "h")["c", "c"]
    steps = "".join(f"g{k} = tanh(u_h * s{k})\n s{k + 1} = g{k} * s{k}\n" for k in range(13))
    deep = ls.Cell("deep", "s0 = W_hh @ h_prev\n" + steps + "h = s13 * 2", states="h", inputs="", vectors="u_h")
    with pytest.raises(ValueError, match="more than 1024 paths lead from h_prev to"):
        ls.paths(deep, "h", "h")
