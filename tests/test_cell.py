"""Declaring cells: what is read, what is refused and how, what is printed."""

from __future__ import annotations

import pytest

import lstm_sym as ls
from lstm_sym.cell import Affine, Elementwise

GOOD = "h = tanh(W_xh @ x + W_hh @ h_prev + b_h)"


def declare(text: str, states: str = "h", **options: str) -> ls.Cell:
    return ls.Cell("test", text, states=states, **options)


def test_forward_equations_print_as_written(golden):
    golden("equations.txt", "\n\n".join(map(repr, (ls.RNN, ls.LSTM, ls.RNN(activation="identity")))) + "\n")


def test_latex_of_forward_equations(golden):
    golden("forward.tex", f"{ls.latex(ls.RNN)}\n\n{ls.latex(ls.LSTM)}\n")


def test_graph_has_two_kinds_of_node_and_preactivations_by_name():
    assert [node.name for node in ls.LSTM.nodes] == "a_f f a_i i a_g g c a_o o m h y".split()
    assert isinstance(ls.LSTM.node["a_f"], Affine)
    assert ls.LSTM.node["a_f"].products == (("W_xf", "x"), ("W_hf", "h_prev"))
    assert isinstance(ls.LSTM.node["c"], Elementwise)
    assert ls.LSTM.parameters[:3] == ("W_xf", "W_hf", "W_xi")
    assert ls.LSTM.parameters[-5:] == ("b_f", "b_i", "b_g", "b_o", "b_y")


def test_sizes_are_inferred_and_named():
    sizes = ls.LSTM.sizes
    assert {sizes[name] for name in ("h", "c", "f", "h_prev", "b_o")} == {"hidden"}
    assert (sizes["x"], sizes["y"]) == ("inputs", "outputs")
    assert (ls.LSTM.weights["W_hy"].rows, ls.LSTM.weights["W_hy"].columns) == ("outputs", "hidden")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("h = tanh(W_hh @ q + b_h)", "'q' is not a vector defined above"),
        ("h = tanh(W_hh @ h_prev) + c_pre", "'c_pre' is not defined above"),
        ("g = tanh(W @ h_prev + U @ x)", "no equation updates the state 'h'"),
        (GOOD + "\ng = sigmoid(h)", "'g' is never used"),
        (GOOD + "\nh = h_prev", "'h' is defined twice"),
        ("h = tanh(W_hh @ h_prev + b_h)", "'x' is never used"),
        ("h = tanh(W_xh @ x + b_h)", "'h_prev' is never used"),
        ("h = h_prev * x", "combined elementwise"),
        ("h = tanh(W @ x + W @ h_prev)", "W is used as hidden×inputs and, in a_h, as hidden×hidden"),
        ("lambda = tanh(W @ h_prev + U @ x)\nh = lambda", "no Python keyword"),
        ("tanh = W @ h_prev + U @ x\nh = tanh", "has a meaning already"),
        ("numpy = W @ h_prev + U @ x\nh = numpy", "has a meaning already"),
        ("my gate = W @ h_prev + U @ x\nh = my", "is not a name"),
        ("h = __import__('os').system('true')", "is not understood"),
        ("h = eval(h_prev)", "'eval' is not a known function"),
        ("h = (lambda: h_prev)()", "is not understood"),
        ("h = 'h_prev'", "is not a real number"),
        ("h = h_prev.shape", "is not understood"),
        ("h = tanh(W @ (h_prev * h_prev) + U @ x)", "give the vector a line of its own"),
        ("h = tanh(h_prev @ h_prev)", "where the name of a weight matrix is expected"),
        ("h = h_prev ** 1000", "an exponent must be an integer"),
        ("h = 9 ** 99 * h_prev", "a number is larger"),
        ("h = 1e999 * h_prev", "a number is larger"),
        ("h = h_prev / 0", "divides by zero"),
        ("h = tanh(W @ x + U @ h_prev) + max(h_prev)", "max of 1 arguments: expected 2"),
        ("h = tanh(W.U @ x + h_prev)", "where the name of a weight matrix is expected"),
        ("h = h_prev % 2", "the operator Mod"),
        ("h = ((h_prev", "cannot be read"),
        ("h == h_prev", "is not 'name = expression'"),
        ("# nothing", "has no equations"),
        ("α = W @ h_prev + U @ x\nh = α", "Spell Greek letters out"),
        ("c_prev = W @ h_prev + U @ x\nh = c_prev", "the ending _prev"),
        ("a_h = W @ x\nh = tanh(U @ h_prev + a_h)", "'a_h' is never used|may not be defined by hand"),
    ],
)
def test_a_bad_declaration_names_the_fault(text, message):
    with pytest.raises(ls.CellError, match=message):
        declare(text)


def test_deep_nesting_is_refused_not_crashed():
    with pytest.raises(ls.CellError):
        declare("h = " + "(" * 900 + "h_prev" + ")" * 900)


@pytest.mark.parametrize("name", ["E", "I", "S", "Q", "N", "pi", "e", "nan", "s0", "d0", "x0", "array", "exp_1"])
def test_names_that_mean_something_elsewhere_give_right_numbers(name):
    import numpy as np

    text = "{0} = sigmoid(W_x @ x + W_h @ h_prev + b_1)\nh = {0} * h_prev + (1 - {0}) * tanh({0})"
    odd, plain = (ls.Kernel(declare(text.format(n))) for n in (name, "u"))
    p = plain.parameters(4, 3, rng=1)
    x, state = np.linspace(-1, 1, 3), np.linspace(-2, 2, 4)
    assert np.array_equal(odd.step(p, x, state), plain.step(p, x, state))
    assert np.array_equal(odd.jacobian(p, x, state), plain.jacobian(p, x, state))


def test_choices_make_variants_and_list_the_known_ones():
    assert ls.RNN(activation="relu").name == "RNN (relu)"
    assert ls.RNN(activation="relu")(activation="sigmoid").name == "RNN (sigmoid)"
    with pytest.raises(ValueError, match="Known: tanh, relu, sigmoid, identity"):
        ls.RNN(activation="swish")
    with pytest.raises(ValueError, match="Did you mean 'activation'"):
        ls.RNN(activaton="relu")


def test_symbols_by_name_and_a_typo_lists_the_known():
    assert ls.LSTM["f"] == ls.LSTM.symbols.f
    assert not ls.LSTM["W_hf"].is_commutative
    with pytest.raises(KeyError, match="Did you mean 'W_hf'"):
        ls.LSTM["W_hff"]


def test_a_cell_does_not_change():
    with pytest.raises(AttributeError, match="does not change"):
        ls.LSTM.name = "mine"


def test_notebook_display_is_aligned_latex():
    text = ls.LSTM._repr_latex_()
    assert text.startswith("$$\\begin{aligned}")
    assert "label" not in text


def test_a_size_that_no_parameter_tells_is_refused():
    with pytest.raises(ls.CellError, match="how many units 'k' has"):
        declare(GOOD + "\nk = 0.5 * k_prev", states="h k")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"constants": {"x": 0.5}}, "is an input or a state"),
        ({"constants": {"h": 0.5}}, "is an input or a state"),
        ({"constants": {"W_hh": 1.0}}, "are weight matrices"),
        ({"constants": {"alpha": True}}, "expected a number"),
        ({"constants": ["alpha"]}, "expected a dict"),
        ({"constants": {"alpha": float("nan")}}, "expected finite"),
        ({"constants": {"alpha": 1.0}}, "'alpha' is never used"),
        ({"sizes": {"a b": "h"}}, "expected a name of its own"),
        ({"sizes": {"inputs": "h"}}, "expected a name of its own"),
        ({"sizes": {3: "h"}}, "expected a name of its own"),
        ({"sizes": {"p": "q"}}, "is not a vector"),
        ({"sizes": ["p"]}, "expected a dict"),
    ],
)
def test_bad_constants_and_sizes_are_refused(options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        declare(GOOD, **options)


def test_names_that_print_would_not_tell_apart_are_refused():
    for name in ("f_", "f__g"):
        with pytest.raises(ls.CellError, match="print would not show it"):
            declare(f"{name} = sigmoid(W_xf @ x)\nh = {name} * h_prev")
    layered = declare("f_l2 = sigmoid(W_xf @ x)\nh = f_l2 * h_prev")
    with pytest.raises(ls.CellError, match="has a layer already"):
        ls.stack(layered, layered)
    with pytest.raises(ls.CellError, match="at most 200"):
        ls.Cell("x" * 10_000, GOOD, states="h")
    with pytest.raises(TypeError, match="text of an equation, or a number"):
        ls.LSTM.replace(i=True)
