"""RNN against LSTM: the rows are the products that flow computes, and only like is compared with like."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import lstm_sym as ls

X = np.random.default_rng(0).standard_normal((100, 2))


def orbit(cell, hidden=6, inputs=X):
    kernel = ls.Kernel(cell)
    return ls.run(kernel, kernel.parameters(hidden, inputs.shape[-1], rng=0), inputs)


def test_rows_are_formulas_with_their_numbers():
    rnn, lstm = orbit(ls.RNN), orbit(ls.LSTM)
    table = ls.compare(rnn, lstm)
    assert list(table.rows) == ["RNN full h", "LSTM direct c", "LSTM full c", "LSTM full state"]
    assert_array_equal(table["RNN full h"].norms, ls.gradient_norms(rnn, "h", "h"))
    assert_array_equal(table["LSTM direct c"].norms, ls.gradient_norms(lstm, "c", "c", path="direct"))
    assert_array_equal(table["LSTM full state"].spectrum([7]), ls.singular_spectrum(lstm, "state", "state", [7]))
    assert table["LSTM full c"].formula.equation() == "∂c_T/∂c_{T−k} = [∏ J]_cc"
    lines = repr(table).splitlines()
    assert len(lines) == 5
    assert lines[0].split()[-3:] == ["1", "10", "100"]
    assert float(lines[1].split()[-1]) == pytest.approx(table["RNN full h"].norms[99] / np.log(10), abs=0.005)


@pytest.mark.parametrize(
    ("others", "message"),
    [
        (lambda: [orbit(ls.LSTM, hidden=7)], "LSTM has 7 hidden units, the first network 6"),
        (lambda: [orbit(ls.LSTM, inputs=X + 1)], "different inputs"),
        (lambda: [orbit(ls.LSTM, inputs=X[:50])], "different inputs"),
    ],
)
def test_only_like_is_compared(others, message):
    with pytest.raises(ValueError, match=message):
        ls.compare(orbit(ls.RNN), *others())


def test_something_must_be_given():
    with pytest.raises(ValueError, match="nothing to compare"):
        ls.compare()
