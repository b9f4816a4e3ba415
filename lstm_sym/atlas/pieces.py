"""The pieces of a formula on a page: what stays in one line, what is a grid, and where a line may be broken.

Between terms a line may well be broken, before their sign; within a term only where there is no other way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


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
