"""What a hurried user gets wrong: every mistake is one clear message, and nothing is lost or faked."""

from __future__ import annotations

import os
import stat

import numpy as np
import pytest

import lstm_sym as ls
from lstm_sym.files import write_text
from lstm_sym.kernels.parameters import exactly_singular

KERNEL = ls.Kernel(ls.LSTM)
P = KERNEL.parameters(3, 2, rng=0)
ORBIT = ls.run(KERNEL, P, np.zeros((10, 2)))
DC_DH = ls.jacobian(ls.LSTM, "c", "h")
VALUES = {**{name: ORBIT[name][3] for name in ("f", "i", "g")}, "c_prev": ORBIT["c"][2], **P}
for name in [name for name in VALUES if name.startswith("b_")]:
    VALUES.pop(name)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ls.jacobian("LSTM", "c", "c"), TypeError, "expected a Cell, for example lstm_sym.LSTM"),
        (lambda: ls.verify(None), TypeError, "expected a Cell"),
        (lambda: ls.log_determinant("LSTM"), TypeError, "expected a Cell"),
        (lambda: ls.horizon_product(3, "h", "h"), TypeError, "expected a Cell"),
        (lambda: ls.sheet("LSTM"), TypeError, "expected a Cell"),
        (lambda: ls.verify(ls.RNN, []), ValueError, "no claims were given"),
        (lambda: ls.verify(ls.RNN, [DC_DH]), ValueError, "a claim is about LSTM: expected claims about RNN"),
        (lambda: ls.verify(ls.RNN, ["h"]), TypeError, "a claim is a str"),
        (lambda: ls.gradient_norms(None, "h", "h"), TypeError, "expected a Trajectory"),
        (lambda: ls.singular_spectrum(P, "h", "h", 1), TypeError, "expected a Trajectory"),
        (lambda: ls.lyapunov_spectrum(np.eye(3)), TypeError, "expected a Trajectory"),
        (lambda: ls.compare(KERNEL), TypeError, "expected a trajectory of a Kernel"),
        (lambda: ls.run(ls.LSTM, P, 5), TypeError, "expected a Kernel"),
        (lambda: ls.run(KERNEL, P, [[1.0, 2.0], [3.0]]), ValueError, "inputs is not a rectangular array"),
        (lambda: ls.run(KERNEL, P, np.ma.masked_array(np.ones((3, 2)), mask=True)), ValueError, "masked"),
        (lambda: KERNEL.parameters(None, 2), TypeError, "hidden = None: expected an integer"),
        (lambda: KERNEL.parameters(3, None), TypeError, "inputs = None"),
        (lambda: KERNEL.parameters(3, 2, dtype=int), TypeError, "expected float32 or float64"),
        (lambda: KERNEL.parameters(3, 2, W_hy=7.0), ValueError, "W_hy = 7.0 needs a size: give outputs="),
        (lambda: KERNEL.parameters(3, 2, b_f=1j), TypeError, "b_f is complex"),
        (lambda: KERNEL.parameters(3, 2, rng="a"), TypeError, "rng = 'a': expected a numpy.random.Generator"),
        (lambda: KERNEL.parameters(3, 2, gain=[1, 2]), TypeError, "expected one real number"),
        (lambda: KERNEL.jacobian(P, np.ones(2), np.zeros(6), "y", "h"), ValueError, "y needs the output layer"),
        (lambda: ls.Kernel(ls.RNN).bind(KERNEL.bind(P)), ValueError, "bound to LSTM, the kernel is of RNN"),
        (lambda: KERNEL.jvp(P, np.zeros((3, 2)), np.zeros(6), np.zeros((4, 6))), ValueError, "do not broadcast"),
        (lambda: DC_DH.evaluate({**VALUES, "f": [np.nan, 1, 1]}), ValueError, r"f\[0\] is nan"),
        (lambda: DC_DH.evaluate(VALUES, foo=1), ValueError, "unknown quantity of LSTM 'foo'"),
        (lambda: DC_DH.evaluate({**VALUES, "W_hf": np.ones(3)}), ValueError, "W_hf has shape"),
        (lambda: DC_DH.evaluate({**VALUES, "f": np.ones((2, 3)), "i": np.ones((4, 3))}), ValueError, "broadcast"),
        (lambda: DC_DH.evaluate([1]), TypeError, "expected a dict by name"),
        (lambda: DC_DH.subs(f=float("nan")), ValueError, "f is nan"),
        (lambda: DC_DH.subs(f=True), TypeError, "expected a number or a SymPy expression"),
        (lambda: DC_DH.to_sympy(0), ValueError, "n = 0"),
        (lambda: DC_DH.to_sympy("__import__('os')"), TypeError, "expected an integer"),
        (lambda: KERNEL.gradient(P, 4, lambda run: 3.0), TypeError, "a loss returns"),
        (lambda: KERNEL.gradient(P, 4, lambda run: ("x", {})), TypeError, "the loss has dtype"),
        (lambda: KERNEL.gradient(P, 4, {"h": np.zeros((7, 4, 3))}), ValueError, r"expected \(4, 3\)"),
        (lambda: KERNEL.gradient(P, 4, {"state": np.zeros(5)}), ValueError, r"expected \(4, 6\)"),
        (lambda: ls.latex(ls.RNN, label="}\\input{x}"), ValueError, "letters, digits"),
        (lambda: ls.Cell("a", "h = tanh(W_h @ h_prev + W_x @ x)", states="h h"), ls.CellError, "names 'h' twice"),
        (lambda: ls.Cell(None, "h = x", states="h"), TypeError, "expected two texts"),
        (lambda: ls.Cell("a", "h = h_prev**2", states="h", inputs=""), ls.CellError, "no weights and no biases"),
        (
            lambda: ls.Cell("a", "h = log(0) * h_prev + b_h", states="h", inputs=""),
            ls.CellError,
            "not a finite real",
        ),
        (lambda: ls.Cell("a", "h = exp(1000) * h_prev + b_h", states="h", inputs=""), ls.CellError, "larger than"),
        (
            lambda: ls.Cell("a", "h = h_prev ** 0.5 + b_h", states="h", inputs=""),
            ls.CellError,
            "must be an integer",
        ),
        (
            lambda: ls.Cell("a", "h = tanh(W_h @ h_prev + W_x @ x)", states="h", choices={"q": ("tanh",)}),
            ls.CellError,
            "no equation calls the choice 'q'",
        ),
    ],
)
def test_mistakes_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_complex_runs_step_but_have_no_spectra():
    orbit = ls.run(KERNEL, P, np.ones((4, 2)) * (1 + 0.5j))
    for question in (
        lambda: ls.gradient_norms(orbit, "c", "c"),
        lambda: ls.singular_spectrum(orbit, "c", "c", 1),
        lambda: ls.lyapunov_spectrum(orbit),
    ):
        with pytest.raises(ValueError, match="the trajectory is complex"):
            question()


def test_an_empty_batch_gives_empty_answers():
    orbit = ls.run(KERNEL, P, np.zeros((5, 0, 2)))
    assert ls.lyapunov_spectrum(orbit).shape == (0, 6)
    assert ls.gradient_norms(orbit, "c", "c").shape == (5, 0)
    assert ls.singular_spectrum(orbit, "c", "c", [1, 5]).shape == (2, 0, 3)
    assert "nan" in repr(ls.compare(orbit))


def test_a_cell_without_inputs_works_throughout():
    cell = ls.Cell("autonomous", "h = tanh(W_hh @ h_prev + b_h)", states="h", inputs="")
    kernel = ls.Kernel(cell)
    p = kernel.parameters(3, 1, rng=0)
    orbit = ls.run(kernel, p, 7, initial=[0.1, 0.2, 0.3])
    assert orbit.inputs.shape == (7, 0)
    assert kernel.gradient(p, 7, {"h": 1.0}).inputs.shape == (7, 0)
    assert np.isfinite(ls.lyapunov_spectrum(orbit)).all()


def test_a_weight_may_be_tied_across_states():
    text = "h = tanh(W_x @ x + W_h @ h_prev)\nq = sin(W_h @ h)\nk = k_prev * 0.4 + q"
    cell = ls.Cell("tied", text, states="h k")
    assert cell.sizes["k"] == cell.sizes["h"] == "hidden"
    assert ls.verify(cell).entries > 0


@pytest.mark.parametrize(
    "text",
    [
        "r = tanh(W_xr @ x + W_hr @ h_prev)\nc = 0.9 * c_prev + 0.1 * r\nh = 0.7 * c + 0.3 * h_prev",
        "z = W_hz @ h_prev + W_xz @ x\nc = c_prev * z\nh = h_prev * z + exp(-1) * c",
        "r = tanh(W_xr @ x + W_hr @ h_prev)\ns = sigmoid(W_cs @ c_prev)\nc = 0.9 * c_prev + s * r\nh = s * c",
    ],
)
def test_decimals_and_affine_factors_are_proved(text):
    proof = ls.verify(ls.Cell("test", text, states="h c"))
    assert proof.entries > 100


def test_a_singular_weight_is_recognised_exactly():
    for seed in range(40):
        p = KERNEL.parameters(4, 1, rng=seed)
        p["W_ho"][2] = p["W_ho"][1]
        assert KERNEL.log_determinant(p, [0.3], np.ones(8)) == -np.inf
        p["W_ho"][2, 0] *= 1 + 1e-10
        assert np.isfinite(KERNEL.log_determinant(p, [0.3], np.ones(8)))
    assert exactly_singular(np.array([[1.0, 2.0], [2.0, 4.0]]) * 2.0**-400)
    assert exactly_singular(np.zeros((3, 3)))
    assert not exactly_singular(np.array([[1.0, 2.0], [2.0, np.nextafter(4.0, 5.0)]]))
    assert not exactly_singular(np.diag([1e-300, 1e300, 3.0]))


def test_log_determinants_do_not_underflow_with_their_factors():
    rnn = ls.Kernel(ls.RNN)
    p = rnn.parameters(2, 1, rng=0, W_hh=np.eye(2), b_h=[400.0, 0.0], W_xh=0)
    expected = 2 * (np.log(2) - 400) + 0.0
    assert rnn.log_determinant(p, [0.0], np.zeros(2)) == pytest.approx(expected, abs=1e-10)
    q = KERNEL.parameters(1, 1, rng=0, b_f=-800.0, W_ho=1.0, W_xf=0, W_hf=0)
    assert np.isfinite(KERNEL.log_determinant(q, [0.5], [0.1, 0.2]))


def test_underflow_is_no_error_in_any_kernel():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        p = {name: 300 * rng.standard_normal(array.shape) for name, array in KERNEL.parameters(4, 2).items()}
        x, state = rng.standard_normal(2), rng.standard_normal(8)
        with np.errstate(all="raise"):
            KERNEL.step(p, x, state)
            KERNEL.jacobian(p, x, state)
            KERNEL.jvp(p, x, state, state)
            KERNEL.vjp(p, x, state, state)
            KERNEL.direct(p, x, state)
            KERNEL.log_determinant(p, x, state)
            KERNEL.gradient(p, np.stack([x, x, x]), {"h": 1.0}, state)


def test_only_ordinary_files_are_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not an ordinary file"):
        write_text(tmp_path / "pipe", "text")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    with pytest.raises(OSError, match="not an ordinary file"):
        write_text(tmp_path, "text")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_text(tmp_path / "real", "old")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_names_are_text_in_latex():
    cell = ls.Cell("50% of_my {cell} & \\more", "h = tanh(W_x @ x + W_h @ h_prev)", states="h")
    assert r"\section*{50\% of\_my \{cell\} \& \textbackslash{}more}" in ls.sheet(cell)
