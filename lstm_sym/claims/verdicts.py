"""What ``check`` answers: right, or wrong with the mistake, the difference and a counter-example."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from lstm_sym.calculus.tables import JacobianTable
from lstm_sym.calculus.text import unicode_name, unicode_term
from lstm_sym.calculus.values import Jacobian
from lstm_sym.checks import unknown_name
from lstm_sym.claims.mistakes import Mistake, TableMistake
from lstm_sym.claims.points import Point
from lstm_sym.functions import Array
from lstm_sym.notation import unicode_timeless

#: Columns of a report, and of the words at its left.
WIDTH, MARGIN = 112, 13


@dataclass(frozen=True, eq=False)
class CounterExample:
    """Numbers for which the claim fails: at entry ``place`` it says ``claimed`` where the truth is ``true``.

    ``values`` are all quantities of the steps by name, ``shown`` those that a report prints; ``n`` is the size.
    """

    point: Point
    place: tuple[int, int]
    claimed: float
    true: float
    shown: tuple[str, ...]

    @property
    def n(self) -> int:
        """The hidden size."""
        return next(iter(self.point.sizes.values()))

    @property
    def values(self) -> Mapping[str, Array]:
        """Every quantity by name, for ``Jacobian.evaluate`` and for a claimed function."""
        return self.point.values

    def __str__(self) -> str:
        digits = 4 if f"{self.claimed:.4g}" != f"{self.true:.4g}" else 17
        head = f"{self.point}: entry {list(self.place)} is claimed to be {self.claimed:.{digits}g},"
        lines = [f"{head} and is {self.true:.{digits}g}, with"]
        lines += [f"{unicode_timeless(name)} = {_numbers(self.values[name])}" for name in self.shown]
        return "\n".join(lines)

    __repr__ = __str__


def _numbers(array: Array) -> str:
    with np.printoptions(precision=4, suppress=True, floatmode="maxprec"):
        text = np.array2string(np.asarray(array), separator=", ", max_line_width=10_000)
    return " ".join(text.split())


@dataclass(frozen=True, eq=False)
class Verdict:
    """The verdict on a claimed formula; true in a condition if the claim is right.

    ``truth`` is the right formula, ``claimed`` the formula that was claimed (None for a function), ``evidence``
    how it was decided. Where it is wrong: the ``mistake`` (None if it is no known one), the ``difference`` in
    terms, and the ``counterexample`` (None where the shape does not fit, which ``evidence`` then says).
    """

    right: bool
    truth: Jacobian
    claim: str
    evidence: str
    claimed: Jacobian | None = None
    proved: bool = False
    mistake: Mistake | None = None
    difference: tuple[tuple[str, str], ...] = ()
    counterexample: CounterExample | None = None

    def __bool__(self) -> bool:
        return self.right

    def __str__(self) -> str:
        name = unicode_name(self.truth)
        if self.right:
            return "\n".join([f"right: {name} = {self.claim}", *_entry("because", self.evidence)])
        lines = [f"wrong: {name} is not {self.claim}"]
        if self.mistake:
            lines += _entry("mistake", self.mistake.name) + _entry("", self.mistake.explanation)
        else:
            lines += _entry("mistake", "no known mistake")
        lines += _entry("right is", "\n".join(_signed(self.truth)))
        for what, text in self.difference:
            lines += _entry(what, text)
        lines += _entry("example", str(self.counterexample)) if self.counterexample else []
        return "\n".join([*lines, *(_entry("because", self.evidence) if self.evidence else [])])

    __repr__ = __str__


def _signed(jacobian: Jacobian) -> list[str]:
    """The terms, a line each, + or − in front."""
    first, *others = [unicode_term(jacobian.cell, term) for term in jacobian] or ["0"]
    return [first, *(f"− {term[1:]}" if term.startswith("−") else f"+ {term}" for term in others)]


def _entry(word: str, text: str) -> list[str]:
    """A word at the left and the text beside it, wrapped."""
    wrapped = [
        part
        for line in text.split("\n")
        for part in textwrap.wrap(line, WIDTH - MARGIN, break_long_words=False, subsequent_indent="  ")
    ]
    return [f"  {word if k == 0 else '':<{MARGIN - 2}}{part}" for k, part in enumerate(wrapped)]


@dataclass(frozen=True, eq=False)
class TableVerdict:
    """The verdicts on the blocks of a table, ``v["c", "h"]`` on one; true in a condition if all are right."""

    truth: JacobianTable
    blocks: Mapping[tuple[str, str], Verdict]
    mistake: TableMistake | None = None

    @property
    def right(self) -> bool:
        """Whether every block is right."""
        return all(self.blocks.values())

    def __bool__(self) -> bool:
        return self.right

    def __getitem__(self, place: tuple[str, str]) -> Verdict:
        if place in self.blocks:
            return self.blocks[place]
        raise unknown_name("block", place, map(str, self.blocks))

    def __iter__(self) -> Iterator[Verdict]:
        return iter(self.blocks.values())

    def __str__(self) -> str:
        wrong = sum(not verdict for verdict in self)
        head = f"wrong: {wrong} of {len(self.blocks)} blocks" if wrong else f"right: all {len(self.blocks)} blocks"
        if self.mistake:
            head = "\n".join([head, *_entry("mistake", self.mistake.name), *_entry("", self.mistake.explanation)])
        return "\n".join([head, *map(str, self)])

    __repr__ = __str__
