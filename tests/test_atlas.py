"""The index page of a folder of figures: what it shows, that nothing gets out of it, and equal bytes."""

from __future__ import annotations

import math
import re
from html import escape
from importlib.resources import files
from itertools import pairwise

import pytest
from atlas_pages import HOSTILE, Reading, record, write
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

import lstm_sym as ls
from lstm_sym.atlas import index
from lstm_sym.atlas.entries import ORDER, Mark
from lstm_sym.atlas.equations import equation
from lstm_sym.atlas.glyphs import GlyphSheet, drawing
from lstm_sym.atlas.numbers import number, short
from lstm_sym.atlas.parsing import parsed
from lstm_sym.atlas.pieces import Formula, Grid, Labelled
from lstm_sym.atlas.prose import prose
from lstm_sym.atlas.rewriting import rewritten
from lstm_sym.commands.drawing import analyses

CELLS = [getattr(ls, name) for name in ("RNN", "LSTM", "GRU", "PeepholeLSTM", "SLSTM")]


def read(folder):
    page = Reading(index(folder).read_text(encoding="utf-8"))
    page.assert_closed_in()
    return page


# --- the page -----------------------------------------------------------------------------------------------------


def test_the_page_has_every_figure_in_the_order_of_the_atlas_and_others_by_name(tmp_path):
    for name in ("zebra", "gru_phase_diagram", "ape", "gradient_reach", "singular_value_waterfall"):
        write(tmp_path, name, figure=False)
    page = read(tmp_path)
    names = [section["id"] for section in page.all("section")]
    assert names == ["gradient_reach", "singular_value_waterfall", "gru_phase_diagram", "ape", "zebra"]
    assert [a["href"] for a in page.all("a")][1:6] == [f"#{name}" for name in names]


def test_the_order_is_that_of_the_analyses_that_are_installed():
    assert set(analyses()) - {"trained_on_sunspots"} <= set(ORDER)
    assert len(set(ORDER)) == 11


def test_an_entry_says_all_that_its_record_does(tmp_path):
    write(tmp_path, "gradient_reach")
    page = read(tmp_path)
    (image,) = page.all("img")
    assert image["alt"] == "Gradient reach: what it shows. A line."
    assert image["src"] == data_uri(tmp_path / "gradient_reach.png")
    assert [source["srcset"] for source in page.all("source")] == [data_uri(tmp_path / "gradient_reach.dark.png")]
    assert "(prefers-color-scheme: dark)" in page.all("source")[0]["media"]
    width, height = (int(image[side]) for side in ("width", "height"))
    assert width / height == pytest.approx(3.4 / 2.4, rel=0.01)
    for text in (
        "What it shows.",
        "Gradients of size",
        "Some.",
        "hidden",
        "0.5, 1",
        "one\ntwo",
        "0.1.0",
        "It is a line.",
    ):
        assert text in page.text
    for file in ("png", "pdf", "npz", "json"):
        assert {"href": f"./gradient_reach.{file}"} in page.all("a")
    assert "lstm-sym figures gradient_reach --quick" in page.text
    (formula,) = [div for div in page.all("div") if div.get("role") == "math"]
    assert formula["aria-label"] == record("x")["equations"]["direct"]


def data_uri(path):
    from base64 import b64encode

    return "data:image/png;base64," + b64encode(path.read_bytes()).decode()


def test_equal_folders_give_equal_bytes(tmp_path):
    for folder, names in (("one", ["ape", "gradient_reach"]), ("two", ["gradient_reach", "ape"])):
        (tmp_path / folder).mkdir()
        for name in names:
            write(tmp_path / folder, name)
        index(tmp_path / folder)
    pages = [(tmp_path / folder / "index.html").read_bytes() for folder in ("one", "two")]
    assert pages[0] == pages[1]
    assert index(tmp_path / "one").read_bytes() == pages[0]
    assert {path.suffix for path in (tmp_path / "one").iterdir()} == {".html", ".json", ".npz", ".pdf", ".png"}


def test_headings_tables_and_language_are_there_for_those_who_listen(tmp_path):
    write(tmp_path, "gradient_reach")
    write(tmp_path, "ape", figure=False)
    page = read(tmp_path)
    assert page.all("html") == [{"lang": "en"}]
    (policy,) = [
        meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'")
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(later <= before + 1 for before, later in pairwise(levels))
    assert all(cell["scope"] in ("row", "col") for cell in page.all("th"))
    assert all(image["alt"] for image in page.all("img"))
    assert len(page.all("caption")) == len(page.all("table")) > 0
    assert all(svg["aria-hidden"] == "true" for svg in page.all("svg"))
    assert {"main", "nav", "title"} <= {tag for tag, _ in page.tags}


@pytest.mark.parametrize("dark", [False, True])
def test_colours_are_in_contrast_with_the_paper(dark):
    style = (files("lstm_sym.atlas") / "page.css").read_text(encoding="utf-8")
    light, night = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[:2]
    colours = dict(re.findall(r"--(\w+): (#\w{6})", light + night * dark))
    assert len(colours) == 10
    for name in ("ink", "soft", "link", "good", "beyond", "far"):
        for ground in ("paper", "card", "code"):
            assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)


def contrast(one, other):
    """As WCAG 2 defines it."""

    def luminance(colour):
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_the_pages_of_real_figures_name_no_other_place(quick, tmp_path):
    run = quick("gradient_reach")
    for path in run.folder.glob("gradient_reach.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "gradient_reach.lock").unlink(missing_ok=True)
    page = read(tmp_path)
    text = index(tmp_path).read_text(encoding="utf-8")
    assert "http:" not in text
    assert "https:" not in text
    assert "equation source" not in text
    assert "4 landmarks, within the stated errors" in page.text


# --- landmarks ----------------------------------------------------------------------------------------------------


def landmark(computed, theory, error, **parts):
    return {"what": f"{computed}", "computed": computed, "theory": theory, "error": error, **parts}


def marks(folder, *rows):
    write(folder, "gradient_reach", figure=False, landmarks=list(rows))
    page = read(folder)
    kinds = [cell["class"] for cell in page.all("td") if cell.get("data-label") == "difference ÷ error"]
    said = re.findall(r'<td data-label="difference ÷ error" class="\w+"><span>(.*?)<span', page.raw)
    return kinds, said, page.text


def test_a_difference_beyond_the_stated_error_is_marked_with_its_multiple(tmp_path):
    rows = [landmark(1.0, theory, 0.2) for theory in (1.1, 1.3, 1.5, 2.0)]
    kinds, said, text = marks(tmp_path, *rows, landmark(1.0, 1.4, None))
    assert kinds == ["within", "near", "beyond", "far", "none"]
    assert said == ["0.5", "1.5", "2.5", "5.0", "—"]
    assert "5 landmarks, 3 beyond the stated error (up to 5.0\u00a0×), 1 without an error" in text


def test_landmarks_without_numbers_are_shown_and_marked(tmp_path):
    rows = [
        landmark(math.nan, 1.0, 0.1),
        landmark(None, 1.0, 0.1),
        landmark("1", 1.0, 0.1),
        landmark(math.inf, 1.0, 0.1),
    ]
    kinds, said, text = marks(tmp_path, *rows, {}, "no row", landmark(10**400, 0, 1))
    assert kinds == ["far"] * 6
    assert said == ["undefined"] * 3 + ["∞", "undefined", "∞"]
    assert "6 landmarks, 2 beyond the stated error (over 100\u00a0×), 4 undefined" in text


def test_multiples():
    assert Mark("", 2.0, 1.0, 1.0, 0.5).multiple == 2.0
    assert Mark("", 2.0, 1.0, -1.0, 0.5).multiple == 2.0
    assert Mark("", 1.0, 1.0, 0.0, 0.0).multiple == 0.0
    assert Mark("", 2.0, 1.0, 1.0, 0.0).multiple == math.inf
    assert math.isnan(Mark("", 2.0, 1.0, 1.0, math.nan).multiple)
    assert math.isnan(Mark("", 2.0, 1.0, 1.0, -1.0).multiple)


@pytest.mark.parametrize("value", [0.123456789, -12.3456789, 98765.4321, 1.23456789e-7, 2.5e12])
@pytest.mark.parametrize("relative", [1e-1, 1e-4, 1e-9])
def test_numbers_are_written_to_their_error(value, relative):
    error = abs(value) * relative
    written = number(value, error).replace("−", "-")
    back = float(written.replace(" × 10<sup>", "e").replace("</sup>", ""))
    assert abs(back - value) <= max(0.06 * error, 0.51e-7 * abs(value))
    digits = re.sub(r"e.*|[^0-9]", "", written.replace(" × 10<sup>", "e")).lstrip("0")
    assert len(digits) <= max(8, math.ceil(math.log10(abs(value))))


def test_numbers_that_are_none():
    assert [number(v) for v in (math.nan, math.inf, -math.inf, 0.0)] == ["—", "∞", "−∞", "0"]
    assert [short(v) for v in (math.nan, math.inf, 0.0, -0.5, 1234.0)] == ["—", "∞", "0", "−0.5", "1234"]


# --- records that are no records ----------------------------------------------------------------------------------


def test_hostile_texts_are_text(tmp_path):
    parts = dict.fromkeys(("title", "claim", "methods", "figure", "landmark", "command"), HOSTILE)
    rows = [{"what": HOSTILE, "computed": 1.0, "theory": HOSTILE, "difference": None, "error": [HOSTILE]}]
    nested = {HOSTILE: [{HOSTILE: HOSTILE}, [HOSTILE], None, True]}
    more = {"parameters": nested, "versions": nested, "equations": {HOSTILE: HOSTILE, "x": [HOSTILE]}}
    write(tmp_path, "gradient_reach", **parts, **more, landmarks=rows, remarks=[HOSTILE, 3])
    page = read(tmp_path)
    assert page.text.count('alert("1")') >= 12
    (image,) = page.all("img")
    assert image["alt"].startswith("</script>")


@pytest.mark.parametrize(
    "name", ["a b&c", "x\"onload='y", "<b>", "%2e%2e", "javascript:alert(1)", "ünï", "-", "§$%"]
)
def test_hostile_names_of_files(tmp_path, name):
    write(tmp_path, name, figure=False)
    write(tmp_path, "gradient_reach", figure=False)
    page = read(tmp_path)
    links = [a["href"] for a in page.all("a") if a["href"].startswith("./")]
    assert len(links) == 2
    assert not any(set(link) & set("<>\"' :") for link in links)


def test_names_that_make_one_anchor_are_told_apart(tmp_path):
    for name in ("a b", "a-b", "a&b", "figures", "left-out", "g0"):
        write(tmp_path, name, figure=False)
    (tmp_path / "broken.json").write_text("{")
    assert len(read(tmp_path).all("section")) == 7


def test_control_signs_and_lone_surrogates_do_not_reach_the_page(tmp_path):
    (tmp_path / "a.json").write_text(
        '{"name": "a", "title": "x\\u0000\\ud800y\\u001b", "equations": {"e": "\\udfff"}}'
    )
    assert "x��y�" in read(tmp_path).text


def test_huge_texts_are_shown_whole(tmp_path):
    long = "word" * 50_000
    write(
        tmp_path, "ape", figure=False, claim=long, equations={"e": "x+" * 30_000, "deep": "{" * 5000 + "}" * 5000}
    )
    assert long in read(tmp_path).text


def test_missing_parts_and_missing_files_are_no_error(tmp_path):
    (tmp_path / "ape.json").write_text(
        '{"name": "ape", "title": null, "claim": 3, "landmarks": {}, "remarks": "x"}'
    )
    (tmp_path / "bee.json").write_text('{"name": "bee", "title": "Bee"}')
    page = read(tmp_path)
    assert not page.all("img")
    assert "There is no readable ape.png beside the record." in page.text
    assert "not here: ape.png, ape.pdf, ape.npz" in page.text


@pytest.mark.parametrize(
    "data", [b"", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + b"\0" * 99]
)
def test_a_png_that_is_none_is_not_shown(tmp_path, data):
    write(tmp_path, "ape", figure=False)
    (tmp_path / "ape.png").write_bytes(data)
    assert "There is no readable ape.png" in read(tmp_path).text


def test_damaged_and_foreign_files_are_left_out_and_said_so(tmp_path):
    write(tmp_path, "ape", figure=False)
    damaged = {
        "cut": '{"name": "cut", "title',
        "list": "[1, 2]",
        "npm": '{"name": "left-pad", "version": "1.0.0"}',
        "deep": "[" * 100_000,
        "nameless": '{"title": "x"}',
    }
    for name, text in damaged.items():
        (tmp_path / f"{name}.json").write_text(text)
    (tmp_path / "latin.json").write_bytes(b'{"name": "\xe9"}')
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "loop.json").symlink_to("loop.json")
    (tmp_path / ".hidden.json").write_text("{")
    page = read(tmp_path)
    assert [section["id"] for section in page.all("section")] == ["ape", "left-out"]
    for name in (*damaged, "latin", "folder", "loop"):
        assert f"{name}.json: " in page.text
    assert ".hidden" not in page.text.partition("Left out")[2]


def test_somebody_elses_index_is_kept(tmp_path):
    write(tmp_path, "ape", figure=False)
    (tmp_path / "index.html").write_text("mine")
    with pytest.raises(FileExistsError, match="was not made here"):
        index(tmp_path)
    assert (tmp_path / "index.html").read_text() == "mine"
    assert "lstm_sym atlas" in index(tmp_path, force=True).read_text(encoding="utf-8")
    assert index(tmp_path) == tmp_path / "index.html"


def test_no_folder_and_no_record_are_clear_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a folder"):
        index(tmp_path / "none")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(FileNotFoundError, match=r"no record of an analysis here.*bad.json: not valid JSON"):
        index(tmp_path)
    assert not (tmp_path / "index.html").exists()


# --- words --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("W_xf and b_{f}", "W<sub>xf</sub> and b<sub>f</sub>"),
        ("forget_bias, h_prev_x and __init__", "forget_bias, h_prev_x and __init__"),
        ("σ(b)^k, g^{N−1}, 10^−308", "σ(b)<sup>k</sup>, g<sup>N−1</sup>, 10<sup>−308</sup>"),
        ("T = 10 <b> ``x_y``", "T\u00a0=\u00a010 &lt;b&gt; <code>x_y</code>"),
        ("$b_f$", "b<sub>f</sub>"),
        ("x = -2 (-1.5), 1700-2008, log10 σ", "x\u00a0=\u00a0−2 (−1.5), 1700-2008, log<sub>10</sub> σ"),
    ],
)
def test_words_have_indices_and_exponents(text, html):
    assert prose(text) == html


# --- equations ----------------------------------------------------------------------------------------------------


def shown(cell):
    """All kinds of LaTeX of a cell."""
    of = cell.states[0]
    yield ls.latex(cell)
    yield ls.latex(ls.jacobian(cell, "state", "state"), equation=True)
    yield ls.latex(ls.adjoint(cell))
    yield ls.latex(ls.zero_state(cell), equation=True)
    yield ls.latex(ls.bound(cell, of, of), equation=True)
    yield ls.latex(ls.horizon_product(cell, of, of), equation=True)
    if ls.log_determinant(cell) is not None:
        yield ls.latex(ls.log_determinant(cell), equation=True)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_whatever_the_toolkit_writes_is_drawn(cell):
    sheet = GlyphSheet()
    for latex in shown(cell):
        html = equation(latex, sheet)
        assert "equation source" not in html, latex
        Reading(html)
    assert len(sheet.names) == sheet.definitions().count("<path") > 15


@pytest.mark.parametrize(
    "value",
    [
        ls.derivation(ls.LSTM, "c", "h"),
        ls.paths(ls.LSTM, "c", "c", path="total"),
        ls.hessian(ls.LSTM, "c", "h"),
        ls.limit(ls.jacobian(ls.LSTM, "c", "c", path="total"), f=1, i=0),
        ls.jacobian(ls.LSTM, "c", "W_hf"),
        ls.jacobian(ls.LSTM, "c", "h").to_sympy(2),
    ],
    ids=["derivation", "paths", "hessian", "limit", "weight", "sympy"],
)
def test_other_values_are_drawn(value):
    assert "equation source" not in equation(ls.latex(value), GlyphSheet())


@pytest.mark.parametrize(
    "latex",
    [
        r"\lambda_i = \log g + \tfrac12 \log\left(1 - \frac{i}{N}\right)",
        r"q = \int \phi^2(g\sqrt{q}\,z)\,\mathrm{d}\mu(z) = \mathbb{E}\bigl[\phi^2\bigr]",
        r"f(x) = \begin{cases} 1 & x > 0 \\ 0 & \text{otherwise}\end{cases}",
        r"\left[\begin{matrix}1 & 0\\0 & 1\end{matrix}\right]^{-1} \ne \left\|x\right\|_\infty",
        r"\sum_{k=1}^{N} \psi\!\left(\tfrac{N-k+1}{2}\right), \quad \langle x \rangle \approx 2",
        r"\begin{equation} a = b \label{eq:1} \end{equation}",
        r"\sqrt[3]{x} \le \|W\|_F \cdot e^{-\frac{x^2}{2}}",
    ],
)
def test_what_papers_write_is_drawn(latex):
    assert "equation source" not in equation(latex, GlyphSheet())


def test_the_drawing_is_where_matplotlib_has_it():
    latex = r"W_{hf}^{\mathsf{T}} + \sqrt{\sigma'(a)}"
    seen = drawing(latex)
    points = []
    for outline, x, y, scale in seen.glyphs:
        numbers = [float(n) for n in re.findall(r"-?\d+\.?\d*", outline)]
        points += [(x + scale * a, y - scale * b) for a, b in zip(numbers[::2], numbers[1::2], strict=True)]
    points += [(x + a * w, y + b * h) for x, y, w, h in seen.bars for a in (0, 1) for b in (0, 1)]
    path = TextPath((0, 0), f"${latex}$", size=100, prop=FontProperties(math_fontfamily="cm"))
    corners = [tuple(vertex) for vertex, code in zip(path.vertices, path.codes, strict=True) if code != 79]
    for axis in (0, 1):
        mine, theirs = ([point[axis] for point in found] for found in (points, corners))
        assert (min(mine), max(mine)) == pytest.approx((min(theirs), max(theirs)), abs=0.1)


def test_signs_are_kept_once_and_fractions_have_bars():
    sheet = GlyphSheet()
    assert equation("a a", sheet).count("<use") == 2
    assert len(sheet.names) == 1
    assert equation(r"\frac{a}{b}", sheet).count("<rect") == 1
    assert len(sheet.names) == 2
    known = dict(sheet.names)
    assert "<code>" in equation(r"x \unknown{y}", sheet)
    assert sheet.names == known


def test_lines_break_before_the_signs_between_terms():
    (row,) = parsed(ls.latex(ls.jacobian(ls.LSTM, "c", "h"), equation=True))
    (flow,) = row
    assert len(flow) == 4
    heads = [term[0].latex.partition(" ")[0].partition("\\hspace")[0] for term in flow]
    assert heads[1:] == ["=", "+", "+"]
    pieces = [piece.latex for piece in flow[1]]
    assert pieces[1].startswith(r"\odot")
    assert pieces[-1] == "W_{hf}"


def test_no_break_within_brackets_or_after_a_unary_minus():
    ((flow,),) = parsed(r"-x = (a - b) + \frac{c - d}{e} - (-2)")
    assert [" ".join(p.latex for p in term) for term in flow] == [
        "-x",
        "= (a - b)",
        r"+\hspace{0.22} \frac{c - d}{e}",
        r"-\hspace{0.22} (-2)",
    ]


def test_a_formula_behind_a_wide_space_keeps_its_left_hand_side():
    ((flow,),) = parsed(r"a = b, \quad \lambda \in S = T")
    heads = [next(piece.latex for piece in term if isinstance(piece, Formula)) for term in flow]
    assert heads == ["a", "= b,", r"\lambda", "= T"]


def test_rows_matrices_and_labels_are_seen():
    rows = parsed(
        "\\begin{align}\na &= b \\label{eq:a} \\\\\nc &= d + e \\nonumber \\\\\n&\\quad + f\n\\end{align}"
    )
    assert [len(row) for row in rows] == [2, 2]
    assert len(rows[1][1]) == 3
    ((flow,),) = parsed(r"J = \begin{pmatrix} a & b \\ c & d \end{pmatrix}")
    grid = flow[1][1]
    assert isinstance(grid, Grid)
    assert grid.rows[1][0] == ((Formula("c"),),)
    ((flow,),) = parsed(r"\underbrace{a + b}_{\text{gate } f}")
    assert isinstance(flow[0][0], Labelled)


def test_rewriting():
    assert rewritten(r"\tfrac12") == r"\frac{1}{2}"
    assert rewritten(r"\frac{a}{b}^{\frac{c}{d}}") == r"\dfrac{a}{b}^{\frac{c}{d}}"
    assert rewritten(r"\tfrac12 \log x") == r"\frac{1}{2} \,\log x"
    assert rewritten(r"= \log x") == r"= \log x"
    with pytest.raises(ValueError, match="brace"):
        rewritten(r"\frac{a")


@pytest.mark.parametrize(
    "latex",
    [
        "",
        " ",
        "{",
        "}",
        r"\frac{a}",
        r"\begin{pmatrix}",
        r"\end{pmatrix}",
        r"\begin{tikz}x\end{tikz}",
        "x^",
        r"\left(",
        "$",
        r"\left",
        "{" * 30 + "}" * 30,
        "x" * 50_000,
        r"\def\x{\x}\x",
        "&&&",
        r"\\\\",
        "\0",
        r"\underbrace",
        "a_b_c",
        HOSTILE,
    ],
)
def test_what_cannot_be_drawn_is_shown_as_its_source(latex):
    html = equation(latex, GlyphSheet())
    Reading(html)
    assert html == f'<div class="equation source"><code>{escape(latex)}</code></div>'
