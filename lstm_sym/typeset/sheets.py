"""Equation sheets: the mathematics of a cell as numbered, labelled equations."""

from __future__ import annotations

from collections.abc import Sequence

from lstm_sym.calculus.writer import Writer
from lstm_sym.cell import Cell, a_cell
from lstm_sym.cell.text import slug
from lstm_sym.checks import real_scalar, unknown_name
from lstm_sym.notation import STANDARD, Notation, a_notation
from lstm_sym.typeset.pages import document, escaped
from lstm_sym.typeset.sections import SECTIONS, text_of
from lstm_sym.typeset.sidebyside import side_by_side

#: The section about several cells together.
SIDE = "side by side"
_POINTS_IN_A_CENTIMETRE = 28.45


def sheet(
    *cells: Cell,
    standalone: bool = True,
    notation: Notation = STANDARD,
    sections: Sequence[str] | str | None = None,
    width: float = 16.0,
) -> str:
    r"""The equation sheet of some cells: their whole calculus, every equation numbered and labelled.

    >>> import lstm_sym as ls
    >>> print(ls.sheet(ls.RNN, sections="forward", standalone=False))
    \section*{RNN}
    <BLANKLINE>
    \subsection*{Forward pass}
    \begin{align}
    h_t &= \tanh(W_{xh} x_t + W_{hh} h_{t-1} + b_h) \label{eq:rnn:h} \\
    y_t &= W_{hy} h_t + b_y \label{eq:rnn:y}
    \end{align}
    <BLANKLINE>

    Labels are eq:<cell>:<what>; sums take one line a term, and lines wider than the text are broken at a sign.

    Args:
        cells: one cell or several.
        standalone: a document for pdflatex, else a fragment for ``\input``; both need only amsmath.
        notation: how the reader's paper writes its equations.
        sections: which, as a list or one name: "forward", "gates", "jacobian", "determinant", "total", "products",
            "recursions", "backpropagation", "gradients", "bounds", and, of several cells, "side by side": products
            and recursions over t − k steps, cell beside cell. All, unless they are given.
        width: of the text, in centimetres; for a fragment, what it will be put into.

    Raises:
        UnknownNameError: an unknown section; the message lists them.
        ValueError: two cells whose labels would coincide, no cell, or a width of less than 8 cm.
    """
    a_notation(notation)
    if not cells:
        raise ValueError("no cell given: sheet(ls.LSTM), or several cells.")
    slugs = [slug(a_cell(cell).name) for cell in cells]
    if len(set(slugs)) < len(slugs):
        raise ValueError(f"cells named {', '.join(cell.name for cell in cells)}: their labels would coincide.")
    if real_scalar("width", width) < 8:
        raise ValueError(f"width = {width:g} cm: too narrow for equations, expected at least 8.")
    chosen = _chosen(sections, len(cells))
    room = width * _POINTS_IN_A_CENTIMETRE
    writers = [Writer(cell, notation) for cell in cells]
    parts = [_cell_section(writer, chosen, room) for writer in writers]
    if SIDE in chosen:
        parts.append(side_by_side(writers, room))
    body = "\n\n".join(part for part in parts if part)
    return document(body, width) if standalone else body + "\n"


def _chosen(sections: Sequence[str] | str | None, cells: int) -> list[str]:
    """The sections to show, in the order of the sheet."""
    known = [*SECTIONS, SIDE]
    if sections is None:
        return known if cells > 1 else list(SECTIONS)
    given = [sections] if isinstance(sections, str) else list(sections)
    for name in given:
        if name not in known:
            raise unknown_name("section of a sheet", name, known)
    if not given:
        raise ValueError(f"sections = {sections!r}: expected some of {', '.join(known)}.")
    return [name for name in known if name in given]


def _cell_section(writer: Writer, chosen: Sequence[str], room: float) -> str:
    texts = [text_of(section, writer, room) for section in chosen if section in SECTIONS]
    shown = [text for text in texts if text]
    return "\n\n".join([rf"\section*{{{escaped(writer.cell.name)}}}", *shown]) if shown else ""
