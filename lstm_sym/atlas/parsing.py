r"""The structure of a formula, as far as a page needs it to break lines: rows, cells, terms, and matrices.

Between terms a line may well be broken, before their sign; within a term only where there is no other way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from lstm_sym.atlas.rewriting import commands, past_argument, past_spaces, tokens


@dataclass(frozen=True)
class Formula:
    """A piece that stays in one line; ``spaced``: with a space in front."""

    latex: str
    spaced: bool = False


@dataclass(frozen=True)
class Words:
    """Words between formulas."""

    text: str


@dataclass(frozen=True)
class Grid:
    """Rows of cells between brackets, such as a matrix; an ``aligned`` one has its columns right, left, …"""

    rows: tuple[tuple[Flow, ...], ...]
    left: str = ""
    right: str = ""
    aligned: bool = False


@dataclass(frozen=True)
class Labelled:
    """A piece with a label under a brace."""

    body: Flow
    label: Flow


Piece: TypeAlias = Formula | Words | Grid | Labelled
Term: TypeAlias = tuple[Piece, ...]
Flow: TypeAlias = tuple[Term, ...]

RELATIONS = {
    "=",
    "<",
    ">",
    *commands("le leq ge geq lt gt ne neq in ll gg approx equiv propto sim simeq to implies iff"),
}
_SIGNS = {"+", "-", "−", *commands("pm mp cup")}
_PRODUCTS = commands("odot circ cdot otimes times")
_SPACES = {r"\quad": "\u2003", r"\qquad": "\u2003\u2003"}
_OPENING, _CLOSING = {"(", "[", r"\{"}, {")", "]", r"\}"}
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
        line = _Line()
        while self._place < len(self._signs):
            sign = self._next()
            if sign == end or sign == "&" or sign.startswith(r"\\"):
                return line.done(), sign
            self._read(sign, line)
        if end:
            raise ValueError(f"{end} is missing.")
        return line.done(), ""

    def _read(self, sign: str, line: _Line) -> None:
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

    def _fenced(self, line: _Line) -> None:
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


class _Line:
    """Terms as they are written down, sign by sign."""

    def __init__(self) -> None:
        self._terms: list[list[Piece]] = [[]]
        self._run = ""
        self._spaced = False
        self._depth = 0
        self._before = ""
        self._continued = False
        self._new_formula = False  # behind a wide space: its left-hand side stays with its relation

    def done(self) -> Flow:
        """The terms."""
        self._end_piece()
        return tuple(tuple(term) for term in self._terms if term)

    def add(self, piece: Piece) -> None:
        """Something that is no formula in one line."""
        self._end_piece()
        self._terms[-1].append(piece)
        self._before = "x"

    def write(self, latex: str) -> None:
        """Signs that stay with those before them; what is above or below a matrix is a piece of its own."""
        if latex[0] in "^_" and not self._run and self._terms[-1] and isinstance(self._terms[-1][-1], Grid):
            self._terms[-1].append(Formula(latex))
            return
        self._run += latex
        self._before = "x"

    def sign(self, sign: str) -> None:
        """One sign, and what it means for breaking lines."""
        outside = self._depth == 0
        self._depth = max(0, self._depth + (sign in _OPENING) - (sign in _CLOSING))
        binary = self._before not in {"", *_SIGNS, *RELATIONS, *_PRODUCTS, *_OPENING, ","}
        if outside and sign in RELATIONS and self._before:
            if self._new_formula:
                self._end_piece()
            else:
                self._begin_term(spaced=False)
            self._new_formula = False
        elif outside and sign in _SIGNS and binary:
            self._begin_term(spaced=True)
            sign = rf"{sign}\hspace{{0.22}}"
        elif sign in _PRODUCTS and binary:
            self._end_piece(spaced=True)
            sign = rf"{sign}\hspace{{0.22}}"
        elif outside and sign in _SIGNS and self._continued and not self._before:
            sign = rf"{sign}\hspace{{0.22}}"
        elif outside and sign in _SPACES:
            self._begin_term(spaced=False)
            self._terms[-1].append(Words(_SPACES[sign]))
            self._continued = True
            self._new_formula = bool(self._before)
            return
        elif outside and sign == r"\,":
            self._end_piece(spaced=bool(self._before))
            return
        self._run += sign if not sign.isspace() else " "
        if not sign.isspace():
            self._before = sign.partition(r"\hspace")[0]

    def _begin_term(self, spaced: bool) -> None:
        self._end_piece(spaced)
        self._terms.append([])

    def _end_piece(self, spaced: bool = False) -> None:
        if self._run.strip():
            self._terms[-1].append(Formula(self._run.strip(), self._spaced))
            self._spaced = False
        self._run, self._spaced = "", spaced or self._spaced


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
