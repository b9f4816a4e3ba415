"""A line of a formula as it is read, sign by sign: where its terms begin, and where they may be broken."""

from __future__ import annotations

from lstm_sym.atlas.pieces import Flow, Formula, Grid, Piece, Words
from lstm_sym.atlas.rewriting import commands

_RELATIONS = commands("le leq ge geq lt gt ne neq in ll gg approx equiv propto sim simeq to implies iff")
_RELATIONS |= {"=", "<", ">"}
_SIGNS = commands("pm mp cup") | {"+", "-", "−"}
_PRODUCTS = commands("odot circ cdot otimes times")
_SPACES = {r"\quad": "\u2003", r"\qquad": "\u2003\u2003"}
_OPENING, _CLOSING = {"(", "[", r"\{"}, {")", "]", r"\}"}


class Line:
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
        binary = self._before not in {"", *_SIGNS, *_RELATIONS, *_PRODUCTS, *_OPENING, ","}
        if outside and sign in _RELATIONS and self._before:
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
