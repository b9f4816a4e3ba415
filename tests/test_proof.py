"""``verify``: what it proves, and that planted errors do not pass."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sympy as sp

import lstm_sym as ls
from lstm_sym.calculus import Jacobian, Term
from lstm_sym.calculus.proofs.verification import all_jacobians

CLAIM = ls.jacobian(ls.LSTM, "c", "h")


def test_every_cell_is_proved(cell):
    proof = ls.verify(cell)
    expected = list(all_jacobians(cell))
    assert sum(proof.jacobians.values()) == len(expected)
    assert proof.entries > 2 * len(expected)
    assert proof.sizes == (2, 3)


def test_certificate_reads_well():
    text = str(ls.verify(ls.RNN))
    assert "RNN: proved exactly, against SymPy's Matrix.jacobian" in text
    assert "169 equal, 0 different" in text
    assert "log|det| = Σ log|1−h′²| + log|det W_hh|" in text


def planted(change) -> Jacobian:
    first, *rest = CLAIM.terms
    return replace(CLAIM, terms=(change(first), *rest))


ERRORS = {
    "a diagonal on the wrong side": planted(lambda t: Term(t.diagonals[::-1], t.weights)),
    "a wrong transpose": planted(lambda t: Term(t.diagonals, (replace(t.weights[0], transposed=True),))),
    "a missing path": replace(CLAIM, terms=CLAIM.terms[1:]),
    "σ where σ′ belongs": planted(lambda t: Term((ls.LSTM["c_prev"] * ls.LSTM["f"], sp.S.One), t.weights)),
    "a wrong sign": planted(lambda t: Term((-t.diagonals[0], sp.S.One), t.weights)),
    "the wrong weight": planted(lambda t: Term(t.diagonals, CLAIM.terms[1].weights)),
    "the path through h dropped from the total": replace(
        ls.jacobian(ls.LSTM, "c", "c", path="total"), terms=ls.jacobian(ls.LSTM, "c", "c").terms
    ),
    "the frozen-c block taken for dh/dh": replace(
        ls.jacobian(ls.LSTM, "h", "h"), terms=ls.jacobian(ls.LSTM, "h", "h").terms[-1:]
    ),
    "the whole transposed": replace(ls.jacobian(ls.RNN, "h", "h").T, transposed=False),
    "a product where a sum belongs": replace(
        ls.jacobian(ls.LSTM, "c", "i"), terms=(Term((ls.LSTM["g"] * ls.LSTM["c_prev"],)),)
    ),
    "a direct path that is not": replace(ls.jacobian(ls.LSTM, "c", "c", path="direct"), terms=CLAIM.terms[:1]),
}


@pytest.mark.parametrize("claim", ERRORS.values(), ids=ERRORS.keys())
def test_planted_errors_are_found(claim):
    with pytest.raises(ls.VerificationError, match=r"is wrong. Claimed: .*\n  entry \[\d, \d\] claimed"):
        ls.verify(claim.cell, claims=[claim])


def test_a_misplaced_diagonal_would_pass_at_one_so_one_is_refused():
    with pytest.raises(ValueError, match="at least 2"):
        ls.verify(ls.RNN, sizes=(1,))
    with pytest.raises(ValueError, match="at least 2"):
        ls.verify(ls.RNN, sizes=())


def test_right_claims_pass_in_any_form():
    rearranged = replace(CLAIM, terms=CLAIM.terms[::-1])
    expanded = planted(lambda t: t.map(sp.expand))
    assert ls.verify(ls.LSTM, claims=[rearranged, expanded, CLAIM.T]).entries == 3 * (4 + 9)


@pytest.mark.usefixtures("fresh_slopes")
@pytest.mark.parametrize("rule", ["slope_from_value", "closed_form"])
def test_a_wrong_slope_rule_is_found(monkeypatch, rule):
    from lstm_sym.functions import sigmoid

    monkeypatch.setattr(sigmoid, rule, staticmethod(lambda v: v**2))
    with pytest.raises(ls.VerificationError):
        ls.verify(ls.RNN(activation="sigmoid"))


def test_a_wrong_determinant_is_found(monkeypatch):
    from lstm_sym.calculus.proofs import verification as proof

    right = ls.log_determinant(ls.LSTM)
    monkeypatch.setattr(proof, "log_determinant", lambda cell: replace(right, diagonals=right.diagonals[:1]))
    with pytest.raises(ls.VerificationError, match="determinant"):
        ls.verify(ls.LSTM, sizes=(2,))
