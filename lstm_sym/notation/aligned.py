r"""Equations as rows of an ``align``, numbered and labelled, no line wider than the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from lstm_sym.notation.widths import INDENT, TEXT_WIDTH, broken, width

#: What the label ends in ('' for none), and the lines of the equation: "left &= right", "&\quad + more".
Row: TypeAlias = tuple[str, Sequence[str]]

#: Room for the number of an equation.
_TAG = 30.0
#: How far widths may be off.
_MARGIN = 8.0


def align(rows: Iterable[Row], prefix: str = "", room: float = TEXT_WIDTH, numbered: bool = True) -> str:
    r"""An ``align`` of the rows; each is labelled eq:<prefix>:<label> on its last line, where it is numbered.

    Without ``prefix`` there are no labels, without ``numbered`` it is an ``align*``. Lines wider than ``room``
    points are broken before a sign.
    """
    rows = list(rows)
    left = max((width(line.split("&")[0]) for _, lines in rows for line in lines), default=0.0)
    inside = room - left - _TAG * numbered - _MARGIN
    found = []
    for label, lines in rows:
        *before, last = [piece for line in lines for piece in fitted(line, inside)]
        found += [rf"{line} \nonumber" if numbered else line for line in before]
        found.append(rf"{last} \label{{eq:{prefix}:{label}}}" if prefix and label and numbered else last)
    name = "align" if numbered else "align*"
    return f"\\begin{{{name}}}\n" + " \\\\\n".join(found) + f"\n\\end{{{name}}}"


def fitted(line: str, room: float) -> list[str]:
    """A line, its right-hand side broken so that no piece is wider than ``room``."""
    left, sign, right = line.partition("&")
    if not sign or width(right) <= room:
        return [line]
    indent = rf"&{INDENT}" if left else rf"&\quad{INDENT}"
    first, *others = broken(right, room, room - width(indent))
    return [f"{left}&{first}", *(indent + other for other in others)]
