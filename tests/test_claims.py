"""``check`` and ``diag``: right claims in any form are right, wrong ones are refuted and called by their name."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
import sympy as sp
from conftest import CELLS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lstm_sym as ls
from lstm_sym import cells
from lstm_sym.calculus import Jacobian, Term
from lstm_sym.calculus.explicit import through_gates
from lstm_sym.checks import UnknownNameError
from lstm_sym.claims.mistakes import TELLING, catalogue
from lstm_sym.functions import sigmoid
from lstm_sym.notation import lagged

s, r = ls.LSTM.symbols, ls.RNN.symbols
A = (
    ls.diag(s.c_prev * s.f * (1 - s.f)) @ s.W_hf
    + ls.diag(s.g * s.i * (1 - s.i)) @ s.W_hi
    + ls.diag(s.i * (1 - s.g**2)) @ s.W_hg
)
SHIPPED = [getattr(cells, name) for name in cells.__all__]
EVERY = {cell.name: cell for cell in SHIPPED} | {f"{cell.name}, declared in tests": cell for cell in CELLS}
BLOCKS = [(cell, of, wrt) for cell in EVERY.values() for of in cell.states for wrt in (*cell.states, *cell.inputs)]


def block_name(block):
    cell, of, wrt = block
    return f"{cell.name} {of} {wrt}"


# --- right claims -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of", "wrt", "path", "claim"),
    [
        ("c", "h", "partial", A),
        ("c", "c", "partial", s.f),
        ("c", "c", "total", s.f + A @ ls.diag(s.o_prev * (1 - s.m_prev**2))),
        ("c", "c", "total", ls.diag(s.f) + A * ls.diag(s.o_prev * sp.sech(s.c_prev) ** 2)),
        ("h", "h", "partial", ls.diag(s.m * s.o * (1 - s.o)) @ s.W_ho + ls.diag(s.o * (1 - s.m**2)) @ A),
        ("h", "c", "direct", ls.diag(s.o * (1 - s.m**2) * s.f)),
        ("h", "c", "direct", s.f * (s.o - s.h * s.m)),
        ("f", "c", "partial", 0),
        ("y", s.h, "partial", s.W_hy),
        ("f", "h", "partial", -(ls.diag(s.f**2 - s.f) @ s.W_hf)),
        ("f", "h", "partial", (s.W_hf.transpose() @ ls.diag(s.f * (1 - s.f))).T),
        ("f", "h", "partial", ls.diag(1 / (2 + sp.exp(s.a_f) + sp.exp(-s.a_f))) @ s.W_hf),
        ("f", "h", "partial", ls.diag(sp.Symbol("f") * (1.0 - sp.Symbol("f"))) @ s.W_hf),
        ("c", "h", "partial", ls.jacobian(ls.LSTM, "c", "h")),
    ],
)
def test_right_claims_are_proved(of, wrt, path, claim):
    verdict = ls.check(ls.LSTM, of, wrt, claim, path)
    assert verdict
    assert verdict.right
    assert verdict.proved
    assert str(verdict).startswith("right: ")
    assert "proved at n = 2 and 3" in verdict.evidence


def test_what_the_proof_cannot_see_is_said():
    """sech of the cell state by exponentials is right, but its proof would need to know that."""
    verdict = ls.check(ls.LSTM, "m", s.c, 4 / (sp.exp(s.c) + sp.exp(-s.c)) ** 2)
    assert verdict.right
    assert not verdict.proved
    assert "not proved" in verdict.evidence


def test_a_difference_below_rounding_is_still_a_difference():
    verdict = ls.check(ls.LSTM, "c", "c", s.f * (1 + sp.Rational(1, 10**13)))
    assert not verdict.right
    assert "the expanded entries differ" in verdict.evidence


@pytest.mark.parametrize("cell", EVERY.values(), ids=list(EVERY))
def test_the_truth_is_right(cell):
    of, wrt = cell.states[0], cell.states[-1]
    verdict = ls.check(cell, of, wrt, ls.jacobian(cell, of, wrt))
    assert verdict.right
    assert verdict.proved


def rearranged(jacobian: Jacobian, rng: random.Random) -> ls.claims.Formula:
    """The same formula in another form: expanded or factored diagonals, torn apart, shuffled, scaled and back."""
    total = ls.diag(0)
    terms = [term for term in jacobian.readable for term in torn(term, rng)]
    rng.shuffle(terms)
    for term in terms:
        product = ls.diag(1)
        for place, diagonal in enumerate(term.diagonals):
            product = product @ ls.diag(rng.choice([sp.expand, sp.factor, sp.together, sp.S])(diagonal))
            if place < len(term.weights):
                weight = sp.Symbol(term.weights[place].name, commutative=False)
                product = product @ (weight.transpose() if term.weights[place].transposed else weight)
        total = rng.choice([total + product, product + total, total - -product, (total.T + product.T).T])
    return total


def torn(term: Term, rng: random.Random) -> list[Term]:
    k = rng.randrange(len(term.diagonals))
    parts = sp.Add.make_args(sp.expand(term.diagonals[k])) if rng.random() < 0.5 else (term.diagonals[k],)
    share = sp.Rational(rng.randrange(1, 9), 10)
    parts = [q * part for part in parts for q in ((share, 1 - share) if rng.random() < 0.3 else (1,))]
    return [Term((*term.diagonals[:k], part, *term.diagonals[k + 1 :]), term.weights) for part in parts]


CHEAP = [block for block in BLOCKS if block[0].name not in ("sLSTM", "projection LSTM", "peephole LSTM")]


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.sampled_from(CHEAP), st.integers(0, 2**32), st.sampled_from(["partial", "total", "direct"]))
def test_rearranged_formulas_are_right(block, seed, path):
    cell, of, wrt = block
    truth = ls.jacobian(cell, of, wrt, path)
    assert ls.check(cell, of, wrt, rearranged(truth, random.Random(seed)), path).proved


# --- mistakes, written by hand ------------------------------------------------------------------------------------

F, G, I = s.f * (1 - s.f), 1 - s.g**2, s.i * (1 - s.i)
OLDER = ls.diag(s.o_prev * (1 - s.m_prev**2))
WRONG = {
    "the path through hₜ₋₁ dropped": ("c", "c", "total", s.f),
    "the total derivative for the partial one": ("c", "c", "partial", s.f + A @ OLDER),
    "cₜ held fixed": ("h", "h", "partial", ls.diag(s.m * s.o * (1 - s.o)) @ s.W_ho),
    "the whole transposed": ("c", "h", "partial", A.T),
    "the weights transposed": ("c", "h", "partial", replace(A, terms=tuple(
        Term(t.diagonals, tuple(w.T for w in t.weights)) for t in A.terms))),
    "a weight transposed": ("f", "h", "partial", ls.diag(F) @ s.W_hf.transpose()),
    "a diagonal on the wrong side of its weight": ("f", "h", "partial", s.W_hf @ ls.diag(F)),
    "σ for σ′": ("f", "h", "partial", ls.diag(s.f) @ s.W_hf),
    "σ′ forgotten": ("f", "h", "partial", s.W_hf),
    "tanh for tanh′": ("g", "h", "partial", ls.diag(s.g) @ s.W_hg),
    "the slope of another activation": ("f", "h", "partial", ls.diag(1 - s.f**2) @ s.W_hf),
    "a slope without one of its factors": ("f", "h", "partial", ls.diag(1 - s.f) @ s.W_hf),
    "a sign within a slope": ("g", "h", "partial", ls.diag(1 + s.g**2) @ s.W_hg),
    "a square forgotten in a slope": ("g", "h", "partial", ls.diag(1 - s.g) @ s.W_hg),
    "a product where a sum belongs": ("c", s.i, "partial", s.g * s.f * s.c_prev),
    "the new state for the old one": ("c", "h", "partial", A + ls.diag((s.c - s.c_prev) * F) @ s.W_hf),
    "an old value for a new one": ("h", "c", "partial", s.o_prev * (1 - s.m**2) * s.f),
    "the wrong time step": ("c", "c", "total", s.f + A @ ls.diag(s.o * (1 - s.m**2))),
    "the weight of another vector": ("f", "h", "partial", ls.diag(F) @ s.W_xf),
    "another gate's weight": ("c", "h", "partial", A + ls.diag(s.c_prev * F) @ (ls.diag(1) @ s.W_hi - s.W_hf)),
    "one gate for another": ("f", "h", "partial", ls.diag(F) @ s.W_hi),
    "two gates exchanged": ("c", "h", "partial", ls.diag(s.c_prev * F) @ s.W_hi + ls.diag(s.g * I) @ s.W_hf
        + ls.diag(s.i * G) @ s.W_hg),
    "a path dropped": ("c", "h", "partial", A - ls.diag(s.g * I) @ s.W_hi),
    "everything dropped": ("c", "h", "partial", 0),
    "a sign error": ("c", "h", "partial", A - 2 * ls.diag(s.i * G) @ s.W_hg),
    "a constant factor": ("c", "h", "partial", 2 * A),
    "a path dropped and a sign error": ("c", "h", "partial", ls.diag(s.g * I) @ s.W_hi - ls.diag(s.i * G) @ s.W_hg),
    "a factor missing": ("c", "h", "partial", A + ls.diag((1 - s.c_prev) * F) @ s.W_hf),
    "a weight missing": ("f", "h", "partial", F),
    "one quantity for another": ("h", "c", "partial", s.o * (1 - s.c_prev**2) * s.f),
    "another derivative": ("c", "h", "partial", ls.jacobian(ls.LSTM, "h", "h")),
    "σ for σ′, and tanh for tanh′": ("c", "h", "partial", ls.diag(s.c_prev * s.f) @ s.W_hf
        + ls.diag(s.g * s.i) @ s.W_hi + ls.diag(s.i * s.g) @ s.W_hg),
    "the whole transposed, and a path dropped": ("c", "h", "partial", (A - ls.diag(s.g * I) @ s.W_hi).T),
    "σ for σ′, and a diagonal on the wrong side of its weight": ("f", "h", "partial", s.W_hf @ ls.diag(s.f)),
    None: ("f", "h", "partial", ls.diag(s.f**5) @ s.W_hf),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_the_known_mistakes_are_called_by_their_names(name):
    of, wrt, path, claim = WRONG[name]
    verdict = ls.check(ls.LSTM, of, wrt, claim, path)
    assert not verdict.right
    assert (verdict.mistake and verdict.mistake.name) == name
    assert ("no known mistake" in str(verdict)) == (name is None)
    if name != "the weight of another vector":
        confirm(verdict, claim)


def confirm(verdict, claim) -> None:
    """The counter-example's numbers, computed again from its values."""
    example = verdict.counterexample
    found = verdict.claimed.evaluate(example.values)[example.place]
    true = verdict.truth.evaluate(example.values)[example.place]
    assert found == pytest.approx(example.claimed, rel=1e-12, abs=1e-15)
    assert true == example.true
    assert abs(found - true) > 1e-6


@pytest.mark.parametrize(
    ("claim", "name"),
    [
        (r.W_hh.transpose() @ ls.diag(1 - r.h**2), "the whole transposed"),
        (r.W_hh @ ls.diag(1 - r.h**2), "a diagonal on the wrong side of its weight"),
        (ls.diag(1 - r.h**2) @ r.W_hh.transpose(), "a weight transposed"),
        (ls.diag(1 - r.h_prev**2) @ r.W_hh, "the old state for the new one"),
        (ls.diag(r.h) @ r.W_hh, "tanh for tanh′"),
        (ls.diag(r.h * (1 - r.h)) @ r.W_hh, "the slope of another activation"),
        (
            r.W_hh @ ls.diag(1 - r.h_prev**2),
            "the old state for the new one, and a diagonal on the wrong side of its weight",
        ),
    ],
)
def test_the_plain_network(claim, name):
    verdict = ls.check(ls.RNN, "h", "h", claim)
    assert verdict.mistake.name == name
    if name == "the whole transposed":
        assert "1211.5063" in verdict.mistake.explanation


def test_a_gate_before_the_product_stands_on_the_right():
    t = ls.GRU.symbols
    wrong = (
        ls.diag(t.z)
        + ls.diag((t.h_prev - t.n) * t.z * (1 - t.z)) @ t.W_hz
        + ls.diag((1 - t.z) * (1 - t.n**2) * t.r) @ t.W_qn
        + ls.diag((1 - t.z) * (1 - t.n**2)) @ t.W_qn @ ls.diag(t.h_prev * t.r * (1 - t.r)) @ t.W_hr
    )
    verdict = ls.check(ls.GRU, "h", "h", wrong)
    assert verdict.mistake.name == "a diagonal on the wrong side of its weight"
    assert "W·diag(r)" in verdict.mistake.explanation


def test_which_path_is_missing_is_said():
    verdict = ls.check(ls.LSTM, "c", "h", A - ls.diag(s.g * I) @ s.W_hi)
    assert verdict.mistake.explanation == "what comes through the input gate i is missing"
    assert verdict.difference == (("missing", "diag(g⊙i⊙(1−i))·W_hi"),)
    wrong = ls.check(ls.LSTM, "f", "h", ls.diag(s.f) @ s.W_hf)
    assert wrong.difference == (("differs", "diag(f)·W_hf, where it should be diag(f⊙(1−f))·W_hf"),)
    extra = ls.check(ls.LSTM, "f", "h", ls.diag(F) @ s.W_hf + s.o)
    assert extra.difference == (("too much", "diag(o)"),)


def test_the_report_of_the_classic_mistake_teaches():
    text = str(ls.check(ls.LSTM, "c", "c", s.f, path="total"))
    assert text.startswith("wrong: dcₜ/dcₜ₋₁ is not diag(f)\n  mistake    the path through hₜ₋₁ dropped\n")
    assert "missing    diag(c⊙f⊙(1−f))·W_hf·diag(oₜ₋₁⊙(1−mₜ₋₁²))" in text
    assert "n = 2 (inputs 3, outputs 4), seed 2: entry [" in text
    assert all(len(line) <= 112 for line in text.splitlines())


# --- mistakes, made of the truth ----------------------------------------------------------------------------------


@pytest.mark.parametrize("block", BLOCKS, ids=block_name)
def test_a_mistake_of_every_kind_is_called_by_its_name(block):
    """One of each kind in every block: its name is found again, and numbers confirm that the claim is wrong."""
    cell, of, wrt = block
    question = ls.jacobian(cell, of, wrt)
    kinds = {}
    for mistake in catalogue(question, TELLING):
        kinds.setdefault(mistake.name, mistake)
    rng = random.Random(block_name(block))
    for mistake in rng.sample(list(kinds.values()), min(3, len(kinds))):
        verdict = ls.check(cell, of, wrt, ls.claims.Formula(mistake.formula.terms))
        if verdict.right:
            assert same_numbers(mistake.formula, question)
            continue
        if verdict.mistake.name != mistake.name:
            assert same_numbers(verdict.mistake.formula, mistake.formula)
        if verdict.counterexample:
            confirm(verdict, mistake.formula)


def same_numbers(a: Jacobian, b: Jacobian) -> bool:
    """Two formulas have the same numbers after four more random steps, drawn here."""
    kernel = ls.Kernel(a.cell)
    p = kernel.parameters(4, 3, rng=7, outputs=2)
    rng = np.random.default_rng(8)
    values, state = dict(p), rng.standard_normal(kernel.state_size(p))
    for lag in (3, 2, 1, 0):
        step = kernel.evaluate(p, rng.standard_normal(3), state)
        state = np.concatenate([step[name] for name in a.cell.states])
        values |= {lagged(name, lag): value for name, value in step.items() if name not in p}
    return np.allclose(a.evaluate(values), b.evaluate(values), rtol=1e-12)


# --- functions ----------------------------------------------------------------------------------------------------


def by_hand(v):
    A = (
        np.diag(v.c_prev * v.f * (1 - v.f)) @ v.W_hf
        + np.diag(v["g"] * v.i * (1 - v.i)) @ v.W_hi
        + np.diag(v.i * (1 - v.g**2)) @ v.W_hg
    )
    return np.diag(v.f) + A @ np.diag(v.o_prev * (1 - np.tanh(v.c_prev) ** 2))


def test_a_function_is_decided_by_numbers():
    verdict = ls.check(ls.LSTM, "c", "c", by_hand, path="total")
    assert verdict.right
    assert "at 27 random points, n = 2, 3 and 5" in verdict.evidence
    assert "the function by_hand" in str(verdict)
    wrong = ls.check(ls.LSTM, "c", "c", by_hand)
    assert wrong.mistake.name == "the total derivative for the partial one"


@pytest.mark.parametrize(
    ("claim", "name"),
    [
        (lambda v: (1 - v.h**2) * v.W_hh, "a diagonal on the wrong side of its weight"),
        (lambda v: (np.diag(1 - v.h**2) @ v.W_hh).T, "the whole transposed"),
        (lambda v: np.diag(1 - v.h**2) @ v.W_xh, "the weight of another vector"),
        (lambda v: np.diag(v.h) @ v.W_hh, "tanh for tanh′"),
        (lambda v: -np.diag(1 - v.h**2) @ v.W_hh, "a sign error"),
        (lambda v: 1 - v.h**2, "a vector for its diagonal, and a weight missing"),
        (lambda v: v.W_hh @ v.W_hh, None),
    ],
)
def test_functions_are_recognised(claim, name):
    verdict = ls.check(ls.RNN, "h", "h", claim)
    assert not verdict.right
    assert (verdict.mistake and verdict.mistake.name) == name
    if verdict.counterexample:
        example = verdict.counterexample
        from types import SimpleNamespace

        assert claim(SimpleNamespace(**example.values))[example.place] == example.claimed
        assert example.true == verdict.truth.evaluate(example.values)[example.place]
    else:
        assert "was expected" in verdict.evidence


def test_a_transposed_rectangle_is_recognised():
    verdict = ls.check(ls.RNN, "h", "x", lambda v: (np.diag(1 - v.h**2) @ v.W_xh).T)
    assert verdict.mistake.name == "the whole transposed"
    assert "it has shape (3, 2)" in verdict.evidence
    assert "(2, 3), (hidden, inputs), was expected" in verdict.evidence


def test_a_function_cannot_change_the_values():
    def spoiling(v):
        v.f[...] = 0
        return np.diag(v.f)

    assert not ls.check(ls.LSTM, "c", "c", spoiling)
    assert ls.check(ls.LSTM, "c", "c", lambda v: np.diag(v.f))


# --- tables -------------------------------------------------------------------------------------------------------


def test_a_table_by_blocks():
    blocks = {
        ("h", "h"): ls.jacobian(ls.LSTM, "h", "h"),
        ("h", "c"): s.o * (1 - s.m**2) * s.f,
        ("c", "h"): A.T,
        ("c", "c"): s.f,
    }
    verdict = ls.check(ls.LSTM, "state", "state", blocks)
    assert not verdict
    assert [block.right for block in verdict] == [True, True, False, True]
    assert verdict["c", "h"].mistake.name == "the whole transposed"
    assert str(verdict).startswith("wrong: 1 of 4 blocks")
    assert ls.check(ls.LSTM, "state", "state", ls.jacobian(ls.LSTM, "state", "state"))
    with pytest.raises(ValueError, match="no claim for the block"):
        ls.check(ls.LSTM, "state", "state", {("c", "c"): s.f})
    with pytest.raises(UnknownNameError, match="block"):
        ls.check(ls.LSTM, "state", "state", {**blocks, ("f", "c"): 0})


def test_a_table_as_one_function():
    truth = ls.jacobian(ls.LSTM, "state", "state")
    assert ls.check(ls.LSTM, "state", "state", truth.evaluate)
    turned = ls.check(ls.LSTM, "state", "state", lambda v: truth.evaluate(v).T)
    assert turned.mistake.name == "the whole transposed"
    n_first = ls.check(ls.LSTM, "state", "state", lambda v: np.roll(truth.evaluate(v), len(v.h), (0, 1)))
    assert n_first.mistake.name == "the states in another order"
    with pytest.raises(ValueError, match=r"shape \(4, 4\).*|expected \(4, 4\)"):
        ls.check(ls.LSTM, "state", "state", lambda v: v.W_hf)


# --- refusals -----------------------------------------------------------------------------------------------------


def test_a_lost_side_is_refused():
    with pytest.raises(ValueError, match=r"stands is lost.*Write ls.diag\(f\) @ W_hf"):
        ls.check(ls.LSTM, "f", "h", s.W_hf * s.f)
    with pytest.raises(ValueError, match=r"Write ls.diag\(f\*\(1 - f\)\) @ W_hf"):
        ls.check(ls.LSTM, "f", "h", s.f * (1 - s.f) * s.W_hf)
    with pytest.raises(ValueError, match="is lost"):
        ls.diag(s.f) + s.f * s.W_hf
    with pytest.raises(ValueError, match=r"write diag\(1 - f\) on the side"):
        ls.diag(s.f) @ s.W_hf * (1 - s.f)
    with pytest.raises(ValueError, match="a diagonal is made of vectors"):
        ls.diag(s.W_hf * s.f)


@pytest.mark.parametrize(
    ("claim", "error", "message"),
    [
        ("diag(f)", TypeError, "never parsed"),
        (np.eye(2), TypeError, "explicit matrix"),
        (sp.eye(2), TypeError, "explicit matrix"),
        (object(), TypeError, "expected a formula"),
        (True, TypeError, "expected a formula"),
        (float("nan"), ValueError, "finite"),
        (ls.diag(sp.Symbol("q")), UnknownNameError, "unknown vector of LSTM 'q'"),
        (ls.diag(s.f) @ sp.Symbol("W_hz", commutative=False), UnknownNameError, "Did you mean"),
        (ls.diag(sp.Function("sigma")(s.a_f)), ValueError, "sigma"),
        (ls.diag(sp.Symbol("W_hf")), ValueError, "weight matrix"),
        (ls.diag(sp.zoo), ValueError, "expected"),
        (ls.diag(sp.I * s.f), ValueError, "expected"),
        (ls.diag(sp.Symbol("f_prev9")), ValueError, "older than"),
        (s.W_hf**-1, ValueError, "no inverse"),
        (ls.jacobian(ls.RNN, "h", "h"), ValueError, "about RNN"),
        (lambda v: v.q, ValueError, "raised AttributeError: unknown quantity of LSTM 'q'"),
        (lambda v: v.W_xf @ v.W_xf, ValueError, "weights .rows, columns."),
        (lambda v: None, ValueError, "returned nothing"),
        (lambda v: np.full((len(v.f), len(v.f)), np.nan), ValueError, "is nan|returned nan"),
        (lambda v: "diag", TypeError, "dtype"),
        (lambda v: 1j * np.diag(v.f), TypeError, "complex"),
    ],
)
def test_what_is_no_claim_is_refused(claim, error, message):
    with pytest.raises(error, match=message):
        ls.check(ls.LSTM, "c", "c", claim)


def test_the_users_exception_is_chained():
    def broken(v):
        return 1 // 0

    with pytest.raises(ValueError, match=r"the function broken.*ZeroDivisionError") as caught:
        ls.check(ls.LSTM, "c", "c", broken)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_text_in_a_formula_is_refused():
    with pytest.raises(TypeError, match="never parsed"):
        ls.diag("f")
    with pytest.raises(TypeError):
        ls.diag(s.f) + "f"
    with pytest.raises(UnknownNameError):
        ls.check(ls.LSTM, "c", "k", 0)


def test_formulas_print():
    assert str(ls.diag(s.f) @ s.W_hf - 2 * ls.diag(1)) == "diag(fₜ)·W_hf − 2·I"
    assert str(0 - s.W_hf @ ls.diag(s.c_prev) + 0.5 * s.W_hy.transpose()) == "−W_hf·diag(cₜ₋₁) + 0.5·W_hyᵀ"
    assert (ls.diag(s.f) @ s.W_hf).latex() == r"\operatorname{diag}(f_t)\, W_{hf}"
    assert str(np.float64(2) * ls.diag(s.f)) == "2·diag(fₜ)"
    assert str(ls.diag(0) - ls.diag(s.c_prev)) == "−diag(cₜ₋₁)"


def test_activations_in_claims_are_those_of_the_cell():
    claim = ls.diag(sigmoid(s.a_f) * (1 - sigmoid(s.a_f))) @ s.W_hf
    assert ls.check(ls.LSTM, "f", "h", claim).proved
    assert through_gates(ls.LSTM, sigmoid(s.a_f)) == s.f
