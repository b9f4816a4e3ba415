"""LaTeX: golden texts, refusals, and documents that compile."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
import sympy as sp

import lstm_sym as ls
from lstm_sym.files import write_text

pdflatex = shutil.which("pdflatex")


def compiled(tmp_path, text):
    (tmp_path / "sheet.tex").write_text(text, encoding="utf-8")
    command = [pdflatex, "-interaction=nonstopmode", "-halt-on-error", "sheet.tex"]
    for _ in range(2):  # twice, for the labels
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    assert (tmp_path / "sheet.pdf").stat().st_size > 10_000
    return done.stdout


def test_equation_sheet(golden):
    golden("sheet.tex", ls.sheet(ls.RNN, ls.LSTM))


@pytest.mark.skipif(pdflatex is None, reason="pdflatex is not installed: apt-get install texlive-latex-recommended")
def test_standalone_documents_compile_without_overfull_lines(tmp_path):
    for text in (ls.sheet(ls.RNN, ls.LSTM), ls.latex(ls.LSTM, standalone=True)):
        log = compiled(tmp_path, text)
        assert "multiply defined" not in log
        overfull = [float(width) for width in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log)]
        assert max(overfull, default=0.0) <= 10.0


@pytest.mark.skipif(pdflatex is None, reason="pdflatex is not installed: apt-get install texlive-latex-recommended")
def test_every_cell_has_a_sheet_that_compiles(cell, tmp_path):
    compiled(tmp_path, ls.sheet(cell))


@pytest.mark.skipif(pdflatex is None, reason="pdflatex is not installed: apt-get install texlive-latex-recommended")
def test_single_values_compile_standalone(tmp_path):
    values = [
        ls.jacobian(ls.RNN, "h", "h"),
        ls.log_determinant(ls.LSTM),
        ls.horizon_product(ls.LSTM, "c", "c", "total"),
    ]
    for value in values:
        compiled(tmp_path, ls.latex(value, standalone=True))


def test_labels_are_unique_and_sheets_refuse_to_repeat_them():
    text = ls.sheet(ls.RNN, ls.LSTM)
    labels = re.findall(r"\\label\{(.*?)\}", text)
    assert len(labels) == len(set(labels)) > 30
    with pytest.raises(ValueError, match="labels would coincide"):
        ls.sheet(ls.RNN, ls.RNN)
    with pytest.raises(ValueError, match="no cell"):
        ls.sheet()


def test_a_fragment_has_no_preamble():
    assert "documentclass" not in ls.sheet(ls.RNN, standalone=False)
    assert ls.latex(ls.RNN, label="paper").count(r"\label{eq:paper:") == 2
    assert "label" not in ls.latex(ls.RNN, label="")


def test_state_jacobian_of_any_size_is_short(cell):
    assert len(ls.latex(ls.jacobian(cell, "state", "state"))) <= 2000


def test_expressions_and_matrices():
    f, c = ls.LSTM["f"], ls.LSTM["c_prev"]
    assert ls.latex(c * f * (1 - f)) == r"c_{t-1} \odot f_t \odot (1 - f_t)"
    assert ls.latex(sp.Symbol("alpha_prev")) == r"\alpha_{t-1}"
    assert ls.latex(sp.Symbol("reset_gate")) == r"\mathit{reset}_{\mathit{gate},t}"
    assert "matrix" in ls.latex(ls.jacobian(ls.RNN, "h", "h").to_sympy(2))


@pytest.mark.parametrize("value", ["x**2", "__import__('os')", 3, None, [ls.RNN]])
def test_text_and_strangers_are_refused(value):
    with pytest.raises(TypeError, match="no LaTeX for a"):
        ls.latex(value)


def test_files_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    target = write_text(tmp_path / "a.tex", "first")
    monkeypatch.setattr("os.replace", lambda *a: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_text(target, "second")
    assert target.read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["a.tex"]
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        write_text(tmp_path / "none" / "a.tex", "text")
