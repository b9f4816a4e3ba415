"""T-step formulas of two cells side by side: as products and as recursions, between the times k and t."""

from __future__ import annotations

from collections.abc import Sequence

from lstm_sym.calculus.horizon import horizon_product
from lstm_sym.calculus.writer import Writer
from lstm_sym.cell.text import slug
from lstm_sym.notation.aligned import Row, align
from lstm_sym.notation.widths import width
from lstm_sym.typeset.pages import escaped
from lstm_sym.typeset.sections import horizon_products

#: Cells of more states than this take the whole width.
_STATES = 2
#: Columns narrower than this, in points, would break every term.
_NARROWEST = 150.0
#: The height of a page, less a heading.
_PAGE = 620.0
#: What part of the width is left between two columns.
_BETWEEN = 0.03


def side_by_side(writers: Sequence[Writer], room: float) -> str:
    """A section with ∂s_t/∂s_k of every state of the cells, two cells abreast where they are small enough."""
    title = "\\section*{Derivatives over $t - k$ steps, side by side}"
    parts = [title]
    for pair in _pairs(writers, room):
        shares = _shares(pair)
        boxes = [_box(w, room * share, share) for w, share in zip(pair, shares, strict=True)]
        parts.append("\\noindent\n" + "\\hfill\n".join(boxes) if len(pair) > 1 else boxes[0])
    return "\n\n".join(parts)


def _pairs(writers: Sequence[Writer], room: float) -> list[Sequence[Writer]]:
    """Two by two, those that fit abreast."""
    found: list[list[Writer]] = []
    for writer in writers:
        if found and len(found[-1]) == 1 and _abreast([*found[-1], writer], room):
            found[-1].append(writer)
        else:
            found.append([writer])
    return list(found)


def _abreast(pair: Sequence[Writer], room: float) -> bool:
    """Whether two cells fit beside each other: columns that are wide enough, on one page."""
    shares = _shares(pair)
    if min(shares) * room < _NARROWEST or any(len(writer.cell.states) > _STATES for writer in pair):
        return False
    return all(_height(align(_rows(w), "", room * share)) < _PAGE for w, share in zip(pair, shares, strict=True))


def _height(text: str) -> float:
    """How high an ``align`` will be, about, in points."""
    return sum(36.0 if r"\prod" in line else 26.0 if r"\frac" in line else 15.0 for line in text.split("\n"))


def _shares(pair: Sequence[Writer]) -> list[float]:
    """How much of the width each has: as the longest of its lines wants, within bounds."""
    if len(pair) == 1:
        return [1.0]
    wants = [max(width(line) for _, lines in _rows(writer) for line in lines) for writer in pair]
    first = min(max(wants[0] / sum(wants), 0.4), 0.6) * (1 - _BETWEEN)
    return [round(first, 3), round(1 - _BETWEEN - first, 3)]


def _box(writer: Writer, room: float, share: float) -> str:
    name = rf"\subsection*{{{escaped(writer.cell.name)}}}"
    body = align(_rows(writer), f"{slug(writer.cell.name)}:side", room)
    if share == 1.0:
        return f"{name}\n{body}"
    return f"\\begin{{minipage}}[t]{{{share}\\linewidth}}\n{name}\n{body}\n\\end{{minipage}}"


def _running(writer: Writer) -> str:
    """A name for the times in between that no parameter has."""
    taken = {str(name) for name in writer.names.table.values()}
    return next(letter for letter in (r"\tau", "j", "s", r"\theta", "r") if letter not in taken)


def _rows(writer: Writer) -> list[Row]:
    """Products, then recursions."""
    rows: list[Row] = []
    for product in horizon_products(writer.cell):
        formula = product.between("t", "k", _running(writer)).latex(notation=writer.notation)
        rows.append((f"product-{product.of}-{product.path}", [formula.replace(" = ", " &= ", 1)]))
    for state in writer.cell.states:
        rows += horizon_product(writer.cell, state, state).recursion().rows(writer.notation)
    return rows
