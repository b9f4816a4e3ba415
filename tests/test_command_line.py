"""The command line: what it prints, and that a user's mistake is one clear line, not a traceback."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from lstm_sym.__main__ import main
from lstm_sym.commands.drawing import analyses


def said(capsys, *arguments):
    status = main(arguments)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["equations"], "fₜ = σ(W_xf·xₜ + W_hf·hₜ₋₁ + b_f)"),
        (["equations", "--cell", "rnn", "--activation", "relu"], "hₜ = relu("),
        (["equations", "--latex"], r"\begin{align}"),
        (["jacobian", "c", "h"], "∂cₜ/∂hₜ₋₁ = diag(c⊙f⊙(1−f))·W_hf"),
        (["jacobian", "f", "c"], "exactly: fₜ does not depend on cₜ₋₁"),
        (["jacobian", "c", "c", "--path", "total"], "dcₜ/dcₜ₋₁ = diag(f) + "),
        (["jacobian", "state", "state"], "│ diag(f⊙o⊙(1−m²))"),
        (["jacobian", "state", "state", "--latex"], r"\begin{pmatrix}"),
        (["cells"], "MinGRU"),
        (["equations", "--cell", "reset_after"], "GRU (reset after)"),
        (["equations", "--layers", "2"], "f⁽²⁾ₜ = σ(W⁽²⁾_xf·h⁽¹⁾ₜ"),
        (["equations", "--latex", "-n", "weights=W-U", "-n", "bold=yes"], r"\mathbf{U}_f \mathbf{h}_{t-1}"),
        (["paths", "c", "c", "--path", "total"], "through hₜ₋₁, then the forget gate f"),
        (["derivation", "f", "h"], "σ′ = σ(1−σ)"),
        (["bound", "c", "h"], "¼‖c‖∞·‖W_hf‖ + ¼‖W_hi‖ + ‖W_hg‖"),
        (["adjoint", "--cell", "GRU"], "δqₜ = W_qnᵀ·δa_nₜ"),
        (["latex"], r"\section*{LSTM}"),
        (["latex", "--standalone", "--cell", "RNN"], r"\documentclass{article}"),
        (["verify", "--cell", "RNN"], "169 equal, 0 different"),
        (["source"], "import numpy as np"),
        (["source", "--target", "c", "--cell", "GRU"], "void gru_jacobian("),
    ],
)
def test_commands(capsys, arguments, expected):
    status, out, err = said(capsys, *arguments)
    assert (status, err) == (0, "")
    assert expected in out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["equations", "--cell", "LSTN"], "Did you mean 'LSTM'"),
        (["equations", "--cell", "mgruu"], "Did you mean 'MGU'"),
        (["equations", "--layers", "0"], "expected 1 to 9"),
        (["equations", "--latex", "-n", "bld=yes"], "unknown choice of a notation"),
        (["equations", "--latex", "-n", "weights=mine"], "Known: source-target, W-U, concatenated"),
        (["equations", "--activation", "relu"], "unknown choice of LSTM 'activation'"),
        (["equations", "--cell", "RNN", "--activation", "swish"], "Known: tanh, relu, sigmoid, identity"),
        (["jacobian", "q", "h"], "Known: state, a_f"),
        (["jacobian", "__import__('os')", "h"], "unknown quantity"),
        (["jacobian", "c", "h", "--path", "all"], "Known: partial, total, direct"),
        (["latex", "--out", "no/such/folder/x.tex"], "there is no folder"),
        (["source", "--target", "fortran"], "Known: numpy, jax, torch, c"),
        (["source", "--out", "no/such/folder/x.py"], "there is no folder"),
        (["figures", "../../etc/passwd"], "unknown analysis"),
    ],
)
def test_mistakes_are_one_line(capsys, arguments, expected):
    status, out, err = said(capsys, *arguments)
    assert (status, out) == (2, "")
    assert expected in err
    assert err.count("\n") == 1
    assert err.startswith(f"lstm-sym {arguments[0]}: ")


@pytest.mark.usefixtures("fresh_slopes")
def test_a_failed_proof_has_a_status_of_its_own(capsys, monkeypatch):
    from lstm_sym.functions import tanh

    monkeypatch.setattr(tanh, "slope_from_value", staticmethod(lambda v: 1 - v))
    status, _, err = said(capsys, "verify", "--cell", "RNN")
    assert status == 1
    assert "not proved" in err


@pytest.mark.parametrize("arguments", [[], ["fly"], ["jacobian", "c"]])
def test_usage_errors_exit_with_2(arguments):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2


def test_help_teaches(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert "lstm-sym jacobian c c --path total" in text
    with pytest.raises(SystemExit):
        main(["figures", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert analyses()
    assert all(name in text for name in analyses())


def test_sheet_to_a_file(capsys, tmp_path):
    status, out, _ = said(capsys, "latex", "--standalone", "--out", str(tmp_path / "sheet.tex"))
    assert status == 0
    assert out == f"wrote {tmp_path / 'sheet.tex'}\n"
    assert (tmp_path / "sheet.tex").read_text(encoding="utf-8").startswith(r"\documentclass")


def test_as_a_module_and_on_a_terminal_without_unicode():
    command = [sys.executable, "-m", "lstm_sym", "jacobian", "f", "h"]
    done = subprocess.run(command, capture_output=True, env={"PYTHONIOENCODING": "ascii"}, check=True)
    assert done.stdout.decode() == "?f?/?h??? = diag(f?(1?f))?W_hf\n"


def test_no_window_is_asked_for_whatever_the_backend(tmp_path):
    out = tmp_path / "swept"
    arguments = ["sweep", "zero-state", "--axis", "b_f=1,2", "--out", str(out)]
    command = [sys.executable, "-m", "lstm_sym", *arguments]
    subprocess.run(command, capture_output=True, env={**os.environ, "MPLBACKEND": "no such thing"}, check=True)
    assert (out / "curve.png").is_file()


@pytest.mark.parametrize("before", ["TkAgg", None])
def test_the_backend_that_was_asked_for_is_put_back(before, monkeypatch, capsys):
    monkeypatch.delenv("MPLBACKEND", raising=False)
    if before is not None:
        monkeypatch.setenv("MPLBACKEND", before)
    said(capsys, "jacobian", "c", "c")
    assert os.environ.get("MPLBACKEND") == before
