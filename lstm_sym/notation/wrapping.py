"""Unicode formulas in lines that fit: broken before a sign, at the outermost that leaves full lines."""

from __future__ import annotations

import os
import shutil
import sys

_COST = {"+": 0.0, "−": 0.0, "=": 0.8, "≤": 0.0, "·": 1.2, "⊙": 0.8, "/": 2.0}


def terminal_width(otherwise: int = 80) -> int:
    """The columns of the terminal that is written to, or COLUMNS; where there is neither, ``otherwise``."""
    if "COLUMNS" not in os.environ and not (hasattr(sys.stdout, "isatty") and sys.stdout.isatty()):
        return otherwise  # shutil would ask the terminal behind a doctest or a pipe
    return shutil.get_terminal_size((80, 24)).columns


def wrapped(text: str, room: int, first: int | None = None) -> list[str]:
    """``text`` in pieces of at most ``room`` signs, the first of at most ``first``; unbreakable ones stay longer.

    What goes on within a term is indented.
    """
    pieces, rest, width, depth = [], text, room if first is None else first, 0
    while len(rest) > width and (cut := _best_cut(rest, width)):
        pieces.append(rest[:cut].rstrip())
        depth += rest[:cut].count("(") - rest[:cut].count(")")
        outermost = rest[cut] in "+−=≤" and not depth
        rest, width = "  " * (not outermost) + rest[cut:].lstrip(), room
    return [*pieces, rest]


def in_terminal(text: str) -> str:
    """``text`` with every line that is wider than the terminal broken; what continues an equation is indented."""
    columns, lines = terminal_width(), []
    for line in text.split("\n"):
        indent = " " * (len(line) - len(line.lstrip()) + 2 * (" = " in line))
        first, *others = wrapped(line, max(columns - len(indent), 20), columns)
        lines += [first, *(indent + other for other in others)]
    return "\n".join(lines)


def hanging(head: str, text: str, width: int, indent: int = 2) -> str:
    """``head`` and ``text``; lines that continue begin below the text, two columns before their sign."""
    column = len(head) if len(head) + 30 < width else indent + 2
    pieces = wrapped(text, max(width - column, 20), width - len(head))
    return "\n".join([head + pieces[0], *(" " * column + piece for piece in pieces[1:])])


def _best_cut(text: str, width: int) -> int:
    best, place, depth = 9e9, 0, 0
    for k, sign in enumerate(text[: width + 1]):
        depth += (sign in "([") - (sign in ")]")
        if sign in _COST and text[:k].strip() and k <= width:
            spaced = 0.0 if text[k - 1] == " " else 0.5
            score = depth + _COST[sign] + spaced + 2.0 * (1.0 - k / width)
            if score <= best:
                best, place = score, k
    return place
