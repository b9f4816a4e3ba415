r"""The structure of a formula, as far as a page needs it to break lines: rows, cells, terms, and matrices."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lstm_sym.atlas.pieces import Flow, Grid, Labelled, Piece, Words
from lstm_sym.atlas.rewriting import past_argument, past_spaces, tokens
from lstm_sym.atlas.terms import Line

_BRACKETS = {
    "pmatrix": ("(", ")"),
    "bmatrix": ("[", "]"),
    "Bmatrix": ("{", "}"),
    "vmatrix": ("|", "|"),
    "Vmatrix": ("‖", "‖"),
    "cases": ("{", ""),
    **dict.fromkeys(("matrix", "smallmatrix", "array", "aligned", "split", "gathered"), ("", "")),
}
_DISPLAYS = "align|align\\*|aligned|split|equation|equation\\*|gather|gather\\*"
_DISPLAY = re.compile(rf"\s*\\begin\{{({_DISPLAYS})\}}(.*)\\end\{{\1\}}\s*", re.DOTALL)
_ALIGNED = {"aligned", "split", "gathered"}
_NORMS = {r"\|", r"\lVert", r"\Vert"}
_FENCES = {r"\{": "{", r"\}": "}", r"\lbrace": "{", r"\rbrace": "}", ".": "", r"\lVert": "‖", r"\rVert": "‖"}
_FENCES |= {r"\|": "‖", r"\lvert": "|", r"\rvert": "|", r"\Vert": "‖", r"\vert": "|"}


def parsed(latex: str) -> tuple[tuple[Flow, ...], ...]:
    r"""The rows of a displayed formula, each a tuple of cells.

    >>> [cell] = parsed(r"a = b + c")[0]
    >>> [piece.latex for term in cell for piece in term]
    ['a', '= b', '+\\hspace{0.22} c']

    Raises:
        ValueError: braces or environments that do not close, or environments that are not known.
    """
    whole = _DISPLAY.fullmatch(latex)
    body = latex if whole is None else whole[2]
    reader = _Reader(tokens(_joined(body)))
    rows = reader.rows("")
    return tuple(row for row in rows if any(row))


def _joined(body: str) -> str:
    r"""Lines that were broken for the width of a page (their rows end in \nonumber) in one again."""
    return re.sub(r"\\nonumber\s*\\\\(\[[^\]]*\])?\s*&(\\quad|\\qquad|\s)*", " ", body)


class _Reader:
    """Reads tokens from left to right."""

    def __init__(self, signs: Sequence[str]) -> None:
        self._signs = signs
        self._place = 0

    def rows(self, end: str) -> tuple[tuple[Flow, ...], ...]:
        r"""Rows and cells up to the token ``end``."""
        rows: list[list[Flow]] = [[]]
        while True:
            flow, stopped = self.flow(end)
            rows[-1].append(flow)
            if stopped == end:
                return tuple(map(tuple, rows))
            if stopped.startswith(r"\\"):
                rows.append([])

    def flow(self, end: str) -> tuple[Flow, str]:
        r"""The terms up to ``end``, & or \\, and which of these it was."""
        line = Line()
        while self._place < len(self._signs):
            sign = self._next()
            if sign == end or sign == "&" or sign.startswith(r"\\"):
                return line.done(), sign
            self._read(sign, line)
        if end:
            raise ValueError(f"{end} is missing.")
        return line.done(), ""

    def _read(self, sign: str, line: Line) -> None:
        if sign.startswith(r"\begin{"):
            line.add(self._environment(sign[7:-1]))
        elif sign.startswith(r"\end{"):
            raise ValueError(f"{sign} without its beginning.")
        elif sign == r"\left":
            self._fenced(line)
        elif sign == r"\underbrace":
            line.add(self._underbrace())
        elif sign == r"\text":
            for piece in _words(self._argument()):
                line.add(piece)
        elif sign in (r"\label", r"\tag"):
            self._argument()
        elif sign in "^_":
            line.write(f"{sign}{{{self._argument()}}}")
        elif sign == "{":
            self._place -= 1
            line.write(f"{{{self._argument()}}}")
        elif sign == "}":
            raise ValueError("a brace is closed that was not opened.")
        else:
            line.sign(sign)

    def _next(self) -> str:
        self._place += 1
        return self._signs[self._place - 1]

    def _argument(self) -> str:
        """The next argument, without its braces."""
        start = past_spaces(self._signs, self._place)
        self._place = past_argument(self._signs, start)
        signs = self._signs[start : self._place]
        return "".join(signs[1:-1] if signs[0] == "{" else signs)

    def _environment(self, name: str) -> Grid:
        if name not in _BRACKETS:
            raise ValueError(f"the environment {name} is not known here.")
        if name == "array":
            self._argument()
        return Grid(self.rows(rf"\end{{{name}}}"), *_BRACKETS[name], name in _ALIGNED)

    def _fenced(self, line: Line) -> None:
        r"""\left … \right: one piece, or a grid with one cell around what has a grid inside."""
        start, depth = self._place - 1, 1
        while depth:
            if self._place >= len(self._signs):
                raise ValueError(r"\right is missing.")
            sign = self._next()
            depth += (sign == r"\left") - (sign == r"\right")
        self._place = past_spaces(self._signs, self._place) + 1
        signs = self._signs[start : self._place]
        tall = signs[past_spaces(signs, 1)] in _NORMS or r"\underbrace" in signs
        if not tall and not any(sign.startswith(r"\begin{") for sign in signs):
            line.write("".join(signs))
            return
        first = past_spaces(signs, 1)
        inside = _Reader(signs[first + 1 : _last(signs, r"\right")]).rows("")
        line.add(Grid(inside, _fence(signs[first]), _fence(signs[-1])))

    def _underbrace(self) -> Labelled:
        body = _flow_of(self._argument())
        place = past_spaces(self._signs, self._place)
        if self._signs[place : place + 1] != ["_"]:
            return Labelled(body, ())
        self._place = place + 1
        return Labelled(body, _flow_of(self._argument()))


def _flow_of(latex: str) -> Flow:
    return _Reader(tokens(latex)).flow("")[0]


def _words(text: str) -> list[Piece]:
    """Words, with formulas between dollars."""
    found: list[Piece] = []
    plain = re.sub(r"\\(?:footnotesize|small|itshape|rm)\b\s*", "", text)
    for k, part in enumerate(re.split(r"(?<!\\)\$", plain)):
        if k % 2:
            found += [piece for term in _flow_of(part) for piece in term]
        elif part:
            found.append(Words(re.sub(r"\\([%&_#{}$ ,])", r"\1", part)))
    return found


def _last(signs: Sequence[str], sign: str) -> int:
    return max(k for k, one in enumerate(signs) if one == sign)


def _fence(sign: str) -> str:
    known = _FENCES.get(sign, sign)
    if known not in {"", *"()[]{}|‖"}:
        raise ValueError(f"{sign} cannot be as high as a matrix here.")
    return known
