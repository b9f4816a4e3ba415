"""Notations: golden texts, names that are never alike, refusals."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from conftest import CELLS
from printed import Numbers, read, spelled

import lstm_sym as ls
from lstm_sym import cells as shipped
from lstm_sym.cell.naming import names
from lstm_sym.checks import UnknownNameError
from lstm_sym.notation.choices import OPTIONS

SHIPPED = [getattr(shipped, name) for name in shipped.__all__]
ALL = [*CELLS, *SHIPPED]
#: Every choice of weights, gates and time with the other ones that can bear on names.
NOTATIONS = [
    ls.Notation(weights=weights, gates=gates, time=time, bold=bold)
    for weights, gates, time, bold in itertools.product(
        OPTIONS["weights"], OPTIONS["gates"], OPTIONS["time"], OPTIONS["bold"]
    )
]

GREEK = ls.Cell(
    "layers and Greek letters",
    """
    phi_l1 = sigmoid(W_xphi_l1 @ x + W_hphi_l1 @ h_l1_prev + b_phi_l1)
    h_l1 = alpha * phi_l1 * h_l1_prev + (1 - alpha) * phi_l1
    reset_l2 = sigmoid(W_hreset_l2 @ h_l1 + W_sreset_l2 @ h_l2_prev)
    h_l2 = reset_l2 * tanh(U_hh_l2.T @ h_l2_prev + U_hh_l2 @ h_l2_prev) + eta_l2 * h_l1 ** 2
    """,
    states="h_l1 h_l2",
    vectors="eta_l2",
    constants={"alpha": 0.5},
)

STACK = ls.stack(ls.LSTM, ls.GRU)


def printed(cell, notation):
    """LaTeX of every quantity of one step: vectors at their times, parameters."""
    called = names(cell, notation)
    texts = {name: called.vector(name) for name in (*cell.vectors, *cell.vector_parameters)}
    return texts | {name: called.weight(name) for name in cell.weights}


@pytest.mark.parametrize("cell", [*ALL, GREEK, STACK], ids=lambda cell: cell.name)
def test_no_two_quantities_print_alike(cell):
    for notation in NOTATIONS:
        texts = printed(cell, notation)
        assert len(set(texts.values())) == len(texts), (notation, texts)


def test_names_with_a_meaning_are_told_apart():
    text = """
    k = tanh(W_xk @ x + W_hk @ h_prev + b_k)
    J = sigmoid(W_xJ @ x + b_J)
    h = J * h_prev + tau * k + I * L
    """
    cell = ls.Cell("odd names", text, states="h", vectors="I L", constants={"tau": 0.5})
    assert printed(cell, ls.Notation())["k"] == "k_t"
    assert printed(cell, ls.Notation())["I"] == r"\mathsf{I}"
    assert printed(cell, ls.Notation())["L"] == r"\mathsf{L}"
    assert printed(cell, ls.Notation())["J"] == r"\mathsf{J}_t"
    assert printed(cell, ls.Notation(time=False))["k"] == r"\mathsf{k}"
    assert r"\prod_{j=t}^{k+1}" in ls.sheet(cell, ls.RNN, sections="side by side")


def test_layers_greek_letters_transposes_and_numbers():
    assert printed(GREEK, ls.Notation()) == {
        "x": "x_t",
        "h_l1_prev": "h^{(1)}_{t-1}",
        "h_l2_prev": "h^{(2)}_{t-1}",
        "a_phi_l1": r"a^{(1)}_{\phi,t}",
        "phi_l1": r"\phi^{(1)}_t",
        "h_l1": "h^{(1)}_t",
        "a_reset_l2": r"a^{(2)}_{\mathit{reset},t}",
        "reset_l2": r"\mathit{reset}^{(2)}_t",
        "a_h_l2": "a^{(2)}_{h,t}",
        "h_l2": "h^{(2)}_t",
        "W_xphi_l1": r"W^{(1)}_{x\phi}",
        "W_hphi_l1": r"W^{(1)}_{h\phi}",
        "b_phi_l1": r"b^{(1)}_\phi",
        "W_hreset_l2": r"W^{(2)}_{\mathit{hreset}}",
        "W_sreset_l2": r"W^{(2)}_{\mathit{sreset}}",
        "U_hh_l2": "U^{(2)}_{hh}",
        "eta_l2": r"\eta^{(2)}",
        "alpha": r"\alpha",
    }


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"weights": "W_U"}, "Did you mean 'W-U'.*source-target, W-U, concatenated"),
        ({"time": 1}, "Known: True, False"),
        ({"bold": "yes"}, "Known: False, True"),
        ({"vectors": "rows"}, "column, row"),
    ],
)
def test_wrong_choices_list_the_known_ones(choice, message):
    with pytest.raises(UnknownNameError, match=message):
        ls.Notation(**choice)


def test_something_else_in_place_of_a_notation_is_refused():
    with pytest.raises(TypeError, match=r"expected a lstm_sym.Notation"):
        ls.latex(ls.LSTM, notation="W-U")


READ = [
    ls.Notation(),
    ls.Notation(weights="W-U", product="circ", bold=True, gates="Gamma"),
    ls.Notation(weights="concatenated", time=False, diagonal="D"),
    ls.Notation(vectors="row"),
    ls.Notation(weights="concatenated", vectors="row", bold=True, diagonal="D", gates="Gamma"),
    ls.Notation(weights="W-U", vectors="row", time=False),
]


@pytest.mark.parametrize("cell", [*ALL, GREEK, STACK], ids=lambda cell: cell.name)
@pytest.mark.parametrize("notation", READ, ids=lambda n: f"{n.weights} {n.vectors} {n.gates}")
def test_what_is_printed_is_right_under_its_own_convention(cell, notation):
    """Read back as numbers: the forward pass, and every Jacobian, of rows with the row convention's weights."""
    numbers = Numbers(cell)
    known = spelled(cell, notation, numbers)
    lines = ls.latex(cell, label="", notation=notation).split("\n")[1:-1]
    text = " ".join(line.removesuffix(r" \\").removeprefix(r"&\qquad ") for line in lines if "nonumber" not in line)
    for line in cell.lines:
        left = names(cell, notation).vector(line.target)
        right = text.split(f"{left} &= ", 1)[1].split(" &= ")[0]
        if right != text.split(" &= ")[-1]:
            right = right.rsplit(" ", 1)[0]
        np.testing.assert_allclose(read(right, known).array, numbers.values[line.target], rtol=1e-13)
    for state in cell.states:
        for wrt in (*cell.states, *cell.inputs):
            value = ls.jacobian(cell, state, wrt)
            if value.is_zero:
                continue
            found = read(value.latex(notation=notation), known).array
            expected = numbers.derivative(value.of, value.wrt)
            np.testing.assert_allclose(found, expected.T if notation.row else expected, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("columns", [60, 80, 132])
def test_what_the_prompt_shows_fits_the_terminal(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    for cell in [*SHIPPED, STACK]:
        values = [cell, ls.jacobian(cell, "state", "state"), ls.jacobian(cell, "state", "state").T]
        values += [ls.jacobian(cell, state, "state", path="total") for state in cell.states]
        values += [ls.jacobian(cell, cell.states[0], cell.states[0]), ls.log_determinant(cell)]
        values += [ls.horizon_product(cell, cell.states[0], cell.states[-1]).recursion()]
        for value in values:
            assert max(map(len, repr(value).split("\n"))) <= columns, repr(value)


def test_text_is_one_line_an_equation_and_the_prompt_only_breaks_it(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    value = ls.jacobian(ls.LSTM, "h", "h")
    assert "\n" not in str(value)
    assert repr(value).split() == str(value).split()
    assert repr(value).count("\n") == 2
    assert repr(ls.LSTM).split() == str(ls.LSTM).split()
    monkeypatch.delenv("COLUMNS")
    assert repr(ls.LSTM) == str(ls.LSTM)


#: As in text-books, in courses, in libraries that take rows, in papers that leave out the time.
FAMILIAR = {
    "W-U, bold": ls.Notation(weights="W-U", bold=True),
    "concatenated, Gamma": ls.Notation(weights="concatenated", gates="Gamma"),
    "rows": ls.Notation(weights="W-U", vectors="row"),
    "no time, circ, D": ls.Notation(time=False, product="circ", diagonal="D"),
}


def test_familiar_notations(golden):
    texts = []
    for name, notation in FAMILIAR.items():
        values = [ls.jacobian(ls.LSTM, "state", "state"), ls.jacobian(ls.RNN, "h", "h")]
        values += [ls.jacobian(ls.LSTM, "c", "c", path="total"), ls.horizon_product(ls.RNN, "h", "h")]
        texts += [f"% {name}", ls.latex(ls.LSTM, label="", notation=notation)]
        texts += [ls.latex(value, equation=True, notation=notation) for value in values]
    golden("notations.tex", "\n\n".join(texts) + "\n")
