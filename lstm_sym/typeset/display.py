"""A formula displayed on a page of its own: as it is where it fits, else in an ``align*``, broken at its signs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lstm_sym.calculus.tables import JacobianTable
from lstm_sym.calculus.text import latex_lines
from lstm_sym.calculus.writer import Writer
from lstm_sym.notation import Notation
from lstm_sym.notation.aligned import Row, align
from lstm_sym.notation.widths import TEXT_WIDTH, width
from lstm_sym.typeset.sections import symbolic

_MATRIX = re.compile(r"\\begin\{pmatrix\}(.*?)\\end\{pmatrix\}", re.DOTALL)
_ALIGNED = re.compile(r"\\begin\{aligned\}\n(.*)\n\\end\{aligned\}", re.DOTALL)
_RELATION = re.compile(r" (=|\\le|<|\\ge) ")
#: Letters that entries of a matrix may be called by.
_LETTERS = "BEMAQ"


def displayed(value: Any, text: str, notation: Notation) -> str:
    """``text``, the LaTeX of ``value``, as a display."""
    if r"\begin{align}" in text or r"\begin{align*}" in text:
        return text
    if (match := _ALIGNED.fullmatch(text)) is not None:
        lines = [line if width(line) <= TEXT_WIDTH else labels_behind(line) for line in match[1].split("\\\\\n")]
        return align([("", [line.strip()]) for line in lines], numbered=False)
    if width(text) <= TEXT_WIDTH:
        return "\\begin{equation*}\n" + text + "\n\\end{equation*}"
    if isinstance(value, JacobianTable):
        return align(_blocks(value, notation), numbered=False)
    return align(_rows(value, text), numbered=False)


def _blocks(table: JacobianTable, notation: Notation) -> Iterator[Row]:
    """The matrix with its blocks by name, then the blocks."""
    writer = Writer(table.cell, notation)
    letter = writer.matrix("J", "t")
    if table.path != "partial":
        letter = rf"{letter}^{{\mathrm{{{table.path}}}}}"
    letter = rf"{letter}{{}}^{{\top}}" if next(iter(table)).transposed else letter
    yield "", [f"{letter} &= {symbolic(table, notation)}"]
    for block in table:
        yield "", latex_lines(block, notation)


def _rows(value: Any, text: str) -> Iterator[Row]:
    """The formula with the entries of its matrices by name, then those entries; labels under braces behind."""
    entries: list[Row] = []
    letters = [letter for letter in _LETTERS if letter not in _letters_of(value)]

    def named(match: re.Match[str]) -> str:
        letter = letters.pop(0)
        rows = [row.split("&") for row in re.split(r"\\\\(?:\[[^]]*\])?", match[1])]
        names = [[f"{letter}_{{{r + 1}{c + 1}}}" for c in range(len(row))] for r, row in enumerate(rows)]
        for row, called in zip(rows, names, strict=True):
            entries.extend(
                ("", _sides(f"{name} = {entry.strip()}")) for name, entry in zip(called, row, strict=True)
            )
        return r"\begin{pmatrix} " + r" \\ ".join(" & ".join(row) for row in names) + r" \end{pmatrix}"

    yield "", _sides(_MATRIX.sub(named, labels_behind(text)))
    yield from entries


def labels_behind(text: str) -> str:
    r"""\underbrace{a}_{b} as a\ [b], which can be broken."""
    brace = r"\underbrace{"
    while (start := text.find(brace)) >= 0:
        middle = _closing(text, start + len(brace))
        end = _closing(text, middle + 3)
        under, label = text[start + len(brace) : middle], text[middle + 3 : end]
        text = rf"{text[:start]}{under}\ [{label}]{text[end + 1 :]}"
    return text


def _closing(text: str, place: int) -> int:
    """Where the brace that is open at ``place`` closes."""
    depth = 1
    while depth:
        depth += (text[place] == "{") - (text[place] == "}")
        place += 1
    return place - 1


def _sides(text: str) -> list[str]:
    """left &= right, or all of it behind the & where there is no relation, or a matrix on the left."""
    match = _RELATION.search(text)
    if match is None or r"\begin" in text[: match.start()]:
        return [f"&{text}"]
    return [f"{text[: match.start()]} &{match[0].lstrip()}{text[match.end() :]}"]


def _letters_of(value: Any) -> set[str]:
    cell = getattr(value, "cell", None)
    return {str(name)[:1] for name in Writer(cell).names.table.values()} if cell is not None else set()
