r"""LaTeX as HTML: small inline SVGs of Computer Modern, which the browser breaks into lines as it does words.

Every term is a box of its own and every factor within it an SVG, so that a formula wraps at any width; matrices are
grids, and what cannot be drawn is shown as its source. Sizes are in em and colours the text's, so that a formula
follows the page into dark mode and into print.
"""

from __future__ import annotations

from html import escape

from lstm_sym.atlas.glyphs import GlyphSheet
from lstm_sym.atlas.parsing import parsed
from lstm_sym.atlas.pieces import Flow, Formula, Grid, Labelled, Piece, Term, Words
from lstm_sym.atlas.rewriting import rewritten

#: Longer formulas, or such with deeper braces, are shown as their source.
LONGEST, DEEPEST = 40_000, 25
#: What stands behind a matrix, above or below.
_SCRIPTS = {"^": " above", "_": " below"}
#: Brackets in a box of 10 by 100 that is stretched to the height of what is inside.
_BRACKETS = {
    "(": "M9 0C-1 25-1 75 9 100L9.7 100C2.5 75 2.5 25 9.7 0Z",
    ")": "M1 0C11 25 11 75 1 100L.3 100C7.5 75 7.5 25 .3 0Z",
    "[": "M3 0H9V1H4.2V99H9V100H3Z",
    "]": "M7 0H1V1H5.8V99H1V100H7Z",
    "{": "M9 0C3 0 6 40 1 50C6 60 3 100 9 100L9 98.5C5 98 8 60 3 50C8 40 5 2 9 1.5Z",
    "}": "M1 0C7 0 4 40 9 50C4 60 7 100 1 100L1 98.5C5 98 2 60 7 50C2 40 5 2 1 1.5Z",
    "|": "M4.4 0H5.6V100H4.4Z",
    "‖": "M2.4 0H3.6V100H2.4ZM6.4 0H7.6V100H6.4Z",
}


def equation(latex: str, sheet: GlyphSheet) -> str:
    r"""A displayed formula as HTML; where it cannot be drawn, its source in <code>.

    The outlines of its signs are left in ``sheet``, whose ``definitions()`` belong in the same page, once.

    >>> sheet = GlyphSheet()
    >>> equation(r"\frac{\partial c_t}{\partial c_{t-1}} = \operatorname{diag}(f_t)", sheet).count("<svg")
    2
    >>> equation(r"\unknown{x}", sheet)
    '<div class="equation source"><code>\\unknown{x}</code></div>'
    """
    known = dict(sheet.names)
    try:
        if len(latex) > LONGEST or _depth(latex) > DEEPEST:
            raise ValueError("too long, or too deep.")
        inside = _rows(parsed(latex), sheet)
    except Exception:  # the text may be anything, and so may be what mathtext makes of it
        sheet.names.clear()
        sheet.names.update(known)
        return f'<div class="equation source"><code>{escape(latex)}</code></div>'
    return f'<div class="equation" role="math" aria-label="{escape(latex)}">{inside}</div>'


def _rows(rows: tuple[tuple[Flow, ...], ...], sheet: GlyphSheet) -> str:
    if not rows:
        raise ValueError("nothing to draw.")
    if max(map(len, rows)) == 1:
        return "".join(f'<div class="line">{_flow(row[0], sheet)}</div>' for row in rows)
    return f'<div class="lines">{"".join(_aligned(row, sheet) for row in rows)}</div>'


def _aligned(row: tuple[Flow, ...], sheet: GlyphSheet) -> str:
    """The left-hand side, the right-hand side, and what is said about it behind."""
    left, *others = row
    behind = '<span class="gap"> </span>'.join(filter(None, (_flow(cell, sheet) for cell in others)))
    return f'<div class="left">{_flow(left, sheet)}</div><div class="right">{behind}</div>'


def _flow(flow: Flow, sheet: GlyphSheet) -> str:
    return "".join(_term(term, sheet) for term in flow)


def _term(term: Term, sheet: GlyphSheet) -> str:
    """A box that is moved into the next line as a whole where it fits in there."""
    space = " " if isinstance(term[0], Formula) and term[0].spaced else ""
    inside = "".join(_piece(piece, sheet) for piece in term)
    kind = "term beside" if any(isinstance(piece, Grid) for piece in term) else "term"
    return f'{space}<span class="{kind}">{inside.lstrip()}</span>' if len(term) > 1 else inside


def _piece(piece: Piece, sheet: GlyphSheet) -> str:
    match piece:
        case Formula(latex, spaced):
            return f"{' ' * spaced}{sheet.svg(rewritten(latex), _SCRIPTS.get(latex[0], ''))}"
        case Words(text):
            return f'<span class="words">{escape(text)}</span>'
        case Labelled(body, label):
            above = f'<span>{_flow(body, sheet)}</span><span class="brace"></span>'
            below = f'<span class="label">{_flow(label, sheet)}</span>' if label else ""
            return f'<span class="labelled">{above}{below}</span>'
        case Grid():
            return _grid(piece, sheet)


def _grid(grid: Grid, sheet: GlyphSheet) -> str:
    columns = max(map(len, grid.rows))
    rows = [row for row in grid.rows if any(row)]
    cells = [_flow(cell, sheet) for row in rows for cell in (*row, *((),) * (columns - len(row)))]
    wide = any(len(cell) > 1 for row in rows for cell in row)
    kind = "aligned" if grid.aligned else "wide" if wide or grid.left == "{" else "matrix"
    bare = "" if grid.left or grid.right else " bare"
    inside = "".join(f"<span>{cell}</span>" for cell in cells)
    body = f'<span class="cells {kind}" style="grid-template-columns:repeat({columns},auto)">{inside}</span>'
    return f'<span class="grid{bare}">{_bracket(grid.left)}{body}{_bracket(grid.right)}</span>'


def _bracket(sign: str) -> str:
    if not sign:
        return ""
    return (
        '<svg class="bracket" viewBox="0 0 10 100" preserveAspectRatio="none" aria-hidden="true">'
        f'<path d="{_BRACKETS[sign]}"/></svg>'
    )


def _depth(latex: str) -> int:
    depth = deepest = 0
    for sign in latex:
        depth += (sign == "{") - (sign == "}")
        deepest = max(deepest, depth)
    return deepest
