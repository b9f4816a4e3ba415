"""``PathSum``: a Jacobian as the sum of its paths, each with its name, printable and in numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from lstm_sym.calculus import text
from lstm_sym.calculus.tables import JacobianTable
from lstm_sym.calculus.terms import Terms
from lstm_sym.calculus.values import Jacobian
from lstm_sym.calculus.writer import Writer
from lstm_sym.cell import Cell
from lstm_sym.checks import unknown_name
from lstm_sym.functions import Array
from lstm_sym.notation import STANDARD, Notation, a_notation, lag_of, unicode_at_time, unicode_timeless
from lstm_sym.notation.widths import INDENT, TEXT_WIDTH, broken, width

DIRECT = "direct"
#: A role longer than this is a sentence and not a name.
LONGEST_ROLE = 32
#: Points that the signs of an aligned equation take.
SIGNS = 50.0


@dataclass(frozen=True, repr=False)
class Path:
    """One path of the Jacobian ``whole``: the ``stations`` that it passes, wrt's side first, and its ``terms``.

    ``label`` is what it is looked up by ("f", "h_prev, i", "direct"), ``title`` how a sentence would call it.
    """

    stations: tuple[str, ...]
    whole: Jacobian
    terms: Terms

    @property
    def label(self) -> str:
        """The stations, or "direct"."""
        return ", ".join(self.stations) or DIRECT

    @property
    def title(self) -> str:
        """Through the forget gate f; through hₜ₋₁, then the input gate i; through W_hh; directly."""
        return title(self.whole.cell, self.stations)

    @property
    def contribution(self) -> Jacobian:
        """The path's part as a ``Jacobian``, with all that one can do."""
        return replace(self.whole, terms=self.terms)

    def evaluate(self, values: Mapping[str, Any] | None = None, **named: Any) -> Array:
        """The part in numbers, (..., rows, columns), see ``Jacobian.evaluate``."""
        return self.contribution.evaluate(values, **named)

    def latex(self, equation: bool = False, notation: Notation = STANDARD) -> str:
        r"""LaTeX of the part; as ``equation`` with its name under it: \underbrace{…}_{\text{forget gate } f_t}."""
        part = self.contribution.latex(notation=notation)
        return rf"\underbrace{{{part}}}_{{{self.latex_title(notation)}}}" if equation else part

    def latex_title(self, notation: Notation = STANDARD, in_words: bool = True) -> str:
        r"""\text{reset gate } r_t \to \text{candidate } n_t, or the symbols alone: r_t \to n_t; \text{direct}."""
        writer = Writer(self.whole.cell, a_notation(notation))
        names = [_latex_called(writer, name, in_words and len(self.stations) < 3) for name in self.stations]
        return r" \to ".join(names) or rf"\text{{{DIRECT}}}"

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.latex(equation=True)}$"

    def __str__(self) -> str:
        return str(self.contribution)

    __repr__ = __str__


@dataclass(frozen=True, repr=False)
class PathSum:
    """The Jacobian ``whole`` as the sum of ``paths``; ``p["f"]`` is one of them, iterating gives all."""

    whole: Jacobian
    paths: tuple[Path, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The paths' names, direct first, the others in the order of the cell's equations."""
        return tuple(path.label for path in self.paths)

    def __getitem__(self, label: str | tuple[str, ...]) -> Path:
        """The path of that label: "r, n" or "r", "n"."""
        wanted = label_of(label)
        for path in self.paths:
            if path.label == wanted:
                return path
        raise unknown_name(f"path of {text.unicode_name(self.whole)}", wanted, self.labels)

    def __iter__(self) -> Iterator[Path]:
        return iter(self.paths)

    def __len__(self) -> int:
        return len(self.paths)

    def evaluate(self, values: Mapping[str, Any] | None = None, **named: Any) -> dict[str, Array]:
        """Every part in numbers by its label, each (..., rows, columns), see ``Jacobian.evaluate``."""
        return {path.label: path.evaluate(values, **named) for path in self.paths}

    def latex(self, equation: bool = False, notation: Notation = STANDARD) -> str:
        r"""The sum with every path's name under its part (\underbrace), or the whole equation, in lines if need be.

        Where a part is too wide for a line it is broken, and the name stands at the right.
        """
        parts = [path.latex(True, notation) for path in self.paths] or ["0"]
        name, whole = text.latex_name(self.whole, notation), " + ".join(parts)
        if not equation:
            return whole
        room = TEXT_WIDTH - width(name) - SIGNS
        if width(whole) <= room:
            return f"{name} = {whole}"
        fits = all(width(part) <= room for part in parts)
        rows = [f"{name} &= {parts[0]}", *map(text.continued, parts[1:])] if fits else self._rows(notation)
        return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"

    def align(self, notation: Notation = STANDARD) -> str:
        r"""An ``align*`` with a path a line, its name at the right: … && \text{forget gate } f_t."""
        return "\\begin{align*}\n" + " \\\\\n".join(self._rows(notation)) + "\n\\end{align*}"

    def _rows(self, notation: Notation) -> list[str]:
        """The lines of an ``align``; a part that is too wide takes several."""
        name = text.latex_name(self.whole, notation)
        if not self.paths:
            return [f"{name} &= 0"]
        parts, space = [path.latex(notation=notation) for path in self.paths], TEXT_WIDTH - width(name) - SIGNS
        for in_words in (True, False):
            titles = [path.latex_title(notation, in_words) for path in self.paths]
            room = space - max(map(width, titles))
            if max(map(width, parts)) <= room:
                break
        rows: list[str] = []
        for part, words in zip(parts, titles, strict=True):
            first, *others = broken(part, room)
            rows += [text.continued(first) if rows else f"{name} &= {first}", *(f"&{INDENT}{o}" for o in others)]
            rows[-1] += f" && {words}"
        return rows

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.latex(equation=True)}$"

    def __str__(self) -> str:
        if not self.paths:
            return self.whole.equation()
        rows = [(path.label, path.title, str(path)) for path in self.paths]
        label, name = (max(len(row[k]) for row in rows) for k in (0, 1))
        count = f"the sum of {len(rows)} paths" if len(rows) > 1 else "one path"
        lines = [f"  {a:<{label}}   {b:<{name}}   {c}" for a, b, c in rows]
        return "\n".join([f"{text.unicode_name(self.whole)}, {count}:", *lines])

    __repr__ = __str__


@dataclass(frozen=True, repr=False)
class PathTable:
    """The blocks of a ``JacobianTable`` as sums over paths: ``table["c", "h"]`` is a ``PathSum``."""

    whole: JacobianTable
    blocks: Mapping[tuple[str, str], PathSum]

    def __getitem__(self, place: tuple[str, str]) -> PathSum:
        if place in self.blocks:
            return self.blocks[place]
        raise unknown_name("block", place, map(str, self.blocks))

    def __iter__(self) -> Iterator[PathSum]:
        return iter(self.blocks.values())

    def __len__(self) -> int:
        return len(self.blocks)

    def __hash__(self) -> int:
        return hash(self.whole)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The labels of all blocks' paths, each once, direct first."""
        found = dict.fromkeys(label for block in self for label in block.labels)
        return tuple(sorted(found, key=lambda label: label != DIRECT))

    def evaluate(self, values: Mapping[str, Any] | None = None, **named: Any) -> dict[str, Array]:
        """By label, the whole matrix (..., S, S) of all that passes this way; they add up to the Jacobian."""
        return {label: self._only(label).evaluate(values, **named) for label in self.labels}

    def _only(self, label: str) -> JacobianTable:
        """The table with what the path of this label contributes to each block."""
        kept = {p: [path.terms for path in block if path.label == label] for p, block in self.blocks.items()}
        blocks = {p: replace(self.whole[p], terms=sum(terms, ())) for p, terms in kept.items()}
        return replace(self.whole, blocks=blocks)

    def latex(self, equation: bool = False, notation: Notation = STANDARD) -> str:
        """One ``align*`` a block, with ``equation`` or without; blocks that are zero left out."""
        return "\n".join(block.align(notation) for block in self if len(block))

    def __str__(self) -> str:
        return "\n\n".join(str(block) for block in self)

    __repr__ = __str__


def label_of(given: str | tuple[str, ...]) -> str:
    """The label "r, n" as it is, or from "r,n" or ("r", "n")."""
    names = given if isinstance(given, tuple) else str(given).split(",")
    return ", ".join(str(name).strip() for name in names)


def title(cell: Cell, stations: tuple[str, ...]) -> str:
    """Through the forget gate f; through the reset gate r, then the candidate n."""
    if not stations:
        return "directly"
    return "through " + ", then ".join(_called(cell, name) for name in stations)


def _called(cell: Cell, name: str) -> str:
    role, base = role_of(cell, name), name.removesuffix(".T")
    written = unicode_at_time(name) if lag_of(name)[1] else unicode_timeless(base) + "ᵀ" * (base != name)
    return f"the {role} {written}" if role else written


def role_of(cell: Cell, name: str) -> str:
    """What the comment behind an equation calls it: "forget gate"; '' for an old state, or where it has no name."""
    base, lag = lag_of(name)
    if lag and base in cell.states:
        return ""
    role = next((line.role for line in cell.lines if line.target == base), "")
    role = re.split("[:;,(]", role)[0].strip().removeprefix("the ")
    return "" if len(role) > LONGEST_ROLE or role.startswith("what ") else role


def _latex_called(writer: Writer, name: str, in_words: bool) -> str:
    if name.removesuffix(".T") in writer.cell.weights:
        return writer.weight(name)
    role, written = role_of(writer.cell, name), writer.vector(name)
    plain = in_words and re.fullmatch(r"[A-Za-z0-9 .'-]+", role)
    return rf"\text{{{role} }} {written}" if plain else written
