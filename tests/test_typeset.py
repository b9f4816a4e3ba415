"""LaTeX: golden texts, refusals, and documents that compile."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
import sympy as sp
from conftest import CELLS

import lstm_sym as ls
from lstm_sym import cells
from lstm_sym.files import write_text
from lstm_sym.notation.widths import broken, width
from lstm_sym.typeset import document

pdflatex = shutil.which("pdflatex")


def compiled(tmp_path, text, smallest=10_000):
    (tmp_path / "sheet.tex").write_text(text, encoding="utf-8")
    command = [pdflatex, "-interaction=nonstopmode", "-halt-on-error", "sheet.tex"]
    for _ in range(2):  # twice, for the labels
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    assert (tmp_path / "sheet.pdf").stat().st_size > smallest
    return done.stdout


def test_equation_sheet(golden):
    golden("sheet.tex", ls.sheet(ls.RNN, ls.LSTM))


@pytest.mark.skipif(pdflatex is None, reason="pdflatex is not installed")
def test_standalone_documents_compile_without_overfull_lines(tmp_path):
    for text in (ls.sheet(ls.RNN, ls.LSTM), ls.latex(ls.LSTM, standalone=True)):
        log = compiled(tmp_path, text)
        assert "multiply defined" not in log
        overfull = [float(width) for width in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log)]
        assert max(overfull, default=0.0) <= 10.0


NOTATIONS = [
    ls.Notation(),
    ls.Notation(weights="W-U", gates="Gamma", bold=True, diagonal="D"),
    ls.Notation(weights="concatenated", time=False, product="circ", vectors="row", gates="Gamma", bold=True),
]
#: Cells that between them have layers, several states, a transposed weight, constants, peepholes, fractions.
WIDE = [ls.PeepholeLSTM, ls.SLSTM, ls.AntisymmetricRNN, ls.GRU, ls.ProjectionLSTM, ls.stack(ls.LSTM, ls.RNN)]


def joined(texts):
    """One document of many fragments, their labels told apart."""
    return document("\n\n".join(re.sub(r"\\label\{", rf"\\label{{{k}:", text) for k, text in enumerate(texts)))


def body(text):
    return text.split(r"\begin{document}")[1].split(r"\end{document}")[0]


def assert_fits(log):
    overfull = [float(width) for width in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log)]
    assert max(overfull, default=0.0) <= 10.0
    assert "multiply defined" not in log
    assert r"Overfull \vbox" not in log


needs_pdflatex = pytest.mark.skipif(
    pdflatex is None, reason="pdflatex is not installed: apt-get install texlive-latex-recommended"
)


@needs_pdflatex
@pytest.mark.parametrize("notation", NOTATIONS, ids=lambda n: n.weights)
def test_the_sheets_of_all_cells_fit_the_page_in_any_notation(tmp_path, notation):
    every = [*CELLS[:4], *(getattr(cells, name) for name in cells.__all__), WIDE[-1]]
    assert_fits(compiled(tmp_path, joined(ls.sheet(cell, standalone=False, notation=notation) for cell in every)))


@needs_pdflatex
@pytest.mark.parametrize("notation", NOTATIONS, ids=lambda n: n.weights)
def test_single_values_fit_the_page_in_any_notation(tmp_path, notation):
    texts = []
    for cell in WIDE:
        first, last = cell.states[0], cell.states[-1]
        values = [ls.jacobian(cell, "state", "state", path=path) for path in ("partial", "total", "direct")]
        values += [values[0].T, ls.jacobian(cell, "state", "x"), ls.log_determinant(cell)]
        values += [ls.horizon_product(cell, last, last, path) for path in ("full", "direct", "total")]
        values += [ls.horizon_product(cell, first, last).recursion(), ls.adjoint(cell)]
        values += [ls.bound(cell, "state", "state"), ls.paths(cell, first, first), ls.hessian(cell, first, last)]
        values += [ls.derivation(cell, first, first), ls.derivation(cell, last, last, path="total")]
        texts += [body(ls.latex(v, standalone=True, notation=notation)) for v in values if v is not None]
    assert_fits(compiled(tmp_path, joined(texts)))


@needs_pdflatex
def test_a_narrow_column_is_kept_to(tmp_path):
    for centimetres in (8.6, 12.0):
        assert_fits(compiled(tmp_path, ls.sheet(ls.RNN, ls.LSTM, ls.GRU, ls.SLSTM, width=centimetres)))


@needs_pdflatex
@pytest.mark.parametrize("notation", NOTATIONS, ids=lambda n: n.weights)
def test_cells_side_by_side_stay_on_the_page(tmp_path, notation):
    every = [ls.RNN, ls.LSTM, ls.GRU, *WIDE[:2], ls.MinGRU, ls.MinLSTM]
    assert_fits(compiled(tmp_path, ls.sheet(*every, sections="side by side", notation=notation)))


@pytest.mark.parametrize(
    "formula",
    [
        r"\frac{\partial c_t}{\partial h_{t-1}} = \operatorname{diag}(f_t \odot (1 - f_t))\, W_{hf}",
        r"\mathbf{h}_t = \boldsymbol{\Gamma}_{o,t} \circ \tanh(\mathbf{c}_t)",
        r"\prod_{t=T}^{T-k+1} \bigl(\operatorname{diag}(z_t) + W_{hh}\bigr)",
        r"\left\lVert \begin{pmatrix} a & b \\ c_t & d \end{pmatrix} \right\rVert \le \lVert W_{hh} \rVert_\infty",
    ],
)
@needs_pdflatex
def test_widths_are_estimated_to_a_tenth(tmp_path, formula):
    measure = rf"\newlength{{\w}}\settowidth{{\w}}{{$\displaystyle {formula}$}}\typeout{{WIDTH \the\w}}"
    log = compiled(tmp_path, document(measure + r"\rule{1pt}{1pt}" + "x" * 10), smallest=1)
    true = float(re.search(r"WIDTH ([\d.]+)pt", log)[1])
    assert 0.96 * true <= width(formula) <= 1.1 * true


def test_a_line_is_broken_at_the_outermost_sign_that_fills_it():
    assert broken("a + (b + c) + d", 50.0) == ["a + (b + c)", "+ d"]
    assert broken(r"\operatorname{diag}(aaaa \odot bbbb + cccc)\, W", 80.0) == [
        r"\operatorname{diag}(aaaa \odot bbbb",
        r"+ cccc)\, W",
    ]
    assert broken(r"\frac{a + b + c + d}{e}", 10.0) == [r"\frac{a + b + c + d}{e}"]


def test_sections_are_chosen():
    text = ls.sheet(ls.LSTM, sections=["bounds", "forward"], standalone=False)
    assert re.findall(r"subsection\*\{(.*?)\}", text) == ["Forward pass", "Bounds"]
    assert ls.sheet(ls.RNN, ls.LSTM, sections="side by side").count(r"\begin{minipage}") == 2
    assert "Log-determinant" not in ls.sheet(ls.GRU)
    with pytest.raises(ValueError, match=r"Did you mean 'recursions'.*forward, gates"):
        ls.sheet(ls.LSTM, sections="recursion")
    with pytest.raises(ValueError, match="expected some of forward"):
        ls.sheet(ls.LSTM, sections=[])
    with pytest.raises(ValueError, match="at least 8"):
        ls.sheet(ls.LSTM, width=3)


def test_whatever_has_latex_is_taken():
    class Theirs:
        def latex(self, equation=False, notation=None):
            return f"x = {notation.weights}" if equation else "x"

    assert ls.latex(Theirs()) == "x"
    assert ls.latex(Theirs(), equation=True, notation=ls.Notation("W-U")) == "x = W-U"
    for stranger, name in ((Theirs, "type"), (ls, "module")):
        with pytest.raises(TypeError, match=f"no LaTeX for a {name}"):
            ls.latex(stranger)


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


@pytest.mark.parametrize("name", ["", *cells.__all__])
def test_state_jacobian_of_any_size_is_short(cell, name):
    value = ls.jacobian(getattr(cells, name) if name else cell, "state", "state")
    assert len(ls.latex(value)) <= 2000


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
