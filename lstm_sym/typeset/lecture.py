"""``derivation``: how a Jacobian is derived, step by step, each with the rule that it uses."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from lstm_sym.calculus.derive import jacobian
from lstm_sym.calculus.tables import JacobianTable
from lstm_sym.calculus.values import Jacobian
from lstm_sym.calculus.writer import Writer
from lstm_sym.cell import Cell, Node
from lstm_sym.cell.order import ancestors
from lstm_sym.notation import STANDARD, Notation, a_notation
from lstm_sym.notation.widths import TEXT_WIDTH, broken, width
from lstm_sym.notation.wrapping import terminal_width, wrapped
from lstm_sym.typeset.pens import LatexPen, Pen, UnicodePen
from lstm_sym.typeset.steps import Block, Derivative, blocks

#: The left-hand side (or ''), the addends and the rules of a line, as texts.
Line: TypeAlias = tuple[str, list[str], list[str]]

#: Room that rules and the space before them take in print, in points.
_RULES, _GAP = 125.0, 20.0


@dataclass(frozen=True, repr=False)
class Derivation:
    """The definitions, the chain rule at every node on the way, and what follows; the last line is ``result``.

    ``str`` and ``repr`` fit the terminal; ``latex()`` is one ``align*``, and a notebook shows it.
    """

    cell: Cell
    result: Jacobian | JacobianTable
    notation: Notation = STANDARD

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The steps, one group a node; what several blocks of a table need is derived once."""
        values = [self.result] if isinstance(self.result, Jacobian) else list(self.result)
        return tuple(dict.fromkeys(block for value in values for block in blocks(value)))

    def latex(self, equation: bool = True, notation: Notation | None = None) -> str:
        r"""The derivation as an ``align*``: definitions, then the steps, the rules in a column of their own.

        Without ``equation`` the steps alone. ``notation`` takes the place of the one that it was made with.
        """
        pen = LatexPen(Writer(self.cell, self.notation if notation is None else a_notation(notation)))
        rows = [pen.definition(node) for node in self._defined()] if equation else []
        groups = [self._lines(pen, block) for block in self.blocks]
        left = max(width(first) for (first, _, _), *_ in groups)
        room = TEXT_WIDTH - left - _RULES - _GAP
        body = [_broken_definition(row, TEXT_WIDTH - left) for row in rows]
        text = " \\\\\n".join(body) + (" \\\\[2ex]\n" if body else "")
        text += " \\\\[1ex]\n".join(" \\\\\n".join(_latex_rows(group, room)) for group in groups)
        return "\\begin{align*}\n" + text + "\n\\end{align*}"

    def _defined(self) -> list[Node]:
        """The nodes whose equations the derivation uses, in their order."""
        values = [self.result] if isinstance(self.result, Jacobian) else list(self.result)
        needed = {step.left.of for block in self.blocks for step in block if step.left}
        needed |= {node.name for v in values if v.is_zero for node in ancestors(self.cell, [v.of])}
        return [node for node in self.cell.nodes if node.name in needed]

    def _lines(self, pen: Pen, block: Block) -> list[Line]:
        """(left-hand side, addends, rules) of the lines that differ from the one before."""
        found: list[Line] = []
        for step in block:
            addends = [pen.addend(addend) for addend in step.addends] or ["0"]
            if found and found[-1][1] == addends:
                continue
            left = pen.derivative(step.left) if step.left else ""
            found.append((left, addends, [pen.rule(rule) for rule in step.rules]))
        return found

    def _repr_latex_(self) -> str:
        return self.latex().replace(r"\text{\footnotesize ", r"\text{")  # MathJax has one size of text

    def __str__(self) -> str:
        return _terminal(self, terminal_width())

    __repr__ = __str__

    def __hash__(self) -> int:
        return hash((self.cell, self.result, self.notation))


def derivation(cell: Cell, of: Any, wrt: Any, path: str = "partial", notation: Notation = STANDARD) -> Derivation:
    """How ∂of/∂wrt is derived: definitions, chain rule over the graph, local derivatives, substitution, result.

    >>> import lstm_sym as ls
    >>> ls.derivation(ls.RNN, "h", "h")
    ∂h′/∂h, step by step
    <BLANKLINE>
      a_h = W_xh·x + W_hh·h + b_h
      h′ = tanh(a_h)
    <BLANKLINE>
      ∂a_h/∂h = W_hh                      affine map
    <BLANKLINE>
      ∂h′/∂h = diag(tanh′(a_h))·∂a_h/∂h   chain rule through tanh
             = diag(1−h′²)·W_hh           tanh′ = 1−tanh²

    Args:
        cell, of, wrt, path: as for ``jacobian``; "state" derives every block.
        notation: how its LaTeX is written.

    Returns:
        A ``Derivation``; its ``result`` is what ``jacobian`` returns.

    Raises:
        UnknownNameError: a name that is not in the cell, or an unknown path.
        ValueError: ``wrt`` is a weight matrix.
    """
    a_notation(notation)
    value = jacobian(cell, of, wrt, path)
    if not isinstance(value, (Jacobian, JacobianTable)):
        raise ValueError(f"wrt = {wrt!r} is no vector: a derivation is by a vector, ask for what it feeds.")
    return Derivation(cell, value, notation)


# --- LaTeX --------------------------------------------------------------------------------------------------------


def _broken_definition(row: str, room: float) -> str:
    left, right = row.split(" &= ", 1)
    first, *others = broken(right, room, room - 20.0)
    return " \\\\\n".join([f"{left} &= {first}", *(rf"&\qquad {other}" for other in others)])


def _latex_rows(group: list[Line], room: float) -> Iterator[str]:
    """The lines of a block as rows of an ``align*``: equation && rule."""
    for left, addends, rules in group:
        pieces = _packed(addends, room)
        notes = _packed_rules(rules)
        for k in range(max(len(pieces), len(notes))):
            start = f"{left} &= " if k == 0 else r"&\quad "
            equation = start + pieces[k] if k < len(pieces) else "&"
            yield equation + (rf" && \text{{\footnotesize {notes[k]}}}" if k < len(notes) else "")


def _packed(addends: list[str], room: float) -> list[str]:
    """Addends in lines as full as they may be, one too long for a line broken."""
    lines: list[str] = []
    for k, addend in enumerate(addends):
        signed = addend if k == 0 else f"- {addend[1:]}" if addend.startswith("-") else f"+ {addend}"
        if lines and width(f"{lines[-1]} {signed}") <= room:
            lines[-1] += f" {signed}"
            continue
        first, *others = broken(signed, room, room - 20.0)
        lines += [first, *(rf"\qquad {other}" for other in others)]
    return lines


def _packed_rules(rules: list[str]) -> list[str]:
    lines: list[str] = []
    for rule in rules:
        if lines and width(rf"\text{{{lines[-1]}, {rule}}}") * 0.8 <= _RULES:
            lines[-1] += f", {rule}"
        else:
            lines.append(rule)
    return lines


# --- a terminal ---------------------------------------------------------------------------------------------------


def _terminal(value: Derivation, columns: int) -> str:
    pen = UnicodePen(value.cell)
    title = _title(value, pen)
    definitions = [line for node in value._defined() for line in _indented(pen.definition(node), columns)]
    groups = [value._lines(pen, block) for block in value.blocks]
    notes = max(len(", ".join(rules)) for group in groups for _, _, rules in group)
    longest = max(len(text) for group in groups for text in _written(group, pen))
    column = min(longest + 5, max(columns - notes, columns // 2))
    texts = ["\n".join(_rows(group, pen, column, columns)) for group in groups]
    return "\n\n".join([title, "\n".join(definitions), *texts] if definitions else [title, *texts])


def _title(value: Derivation, pen: UnicodePen) -> str:
    if isinstance(value.result, Jacobian):
        left = Derivative(value.result.of, value.result.wrt, value.result.path)
        return f"{pen.derivative(left)}, step by step"
    return f"the state Jacobian of the {value.cell.name}, block by block"


def _indented(definition: str, columns: int) -> list[str]:
    first, *others = wrapped(definition, columns - 6, columns - 2)
    return [f"  {first}", *(f"      {other}" for other in others)]


def _written(group: list[Line], pen: Pen) -> Iterator[str]:
    """The lines of a block, equality signs below one another."""
    margin = " " * len(group[0][0])
    return (f"{left or margin} = {pen.added(addends)}" for left, addends, _ in group)


def _rows(group: list[Line], pen: Pen, column: int, columns: int) -> Iterator[str]:
    """A block in the terminal: the rule stands behind a line, or, where there is no room, above it."""
    indent = " " * (2 + len(group[0][0]) + 1)
    for text, (_, _, rules) in zip(_written(group, pen), group, strict=True):
        note = ", ".join(rules)
        if len(text) + 5 <= column or len(text) + 5 + len(note) <= columns:
            yield f"  {text:<{max(column - 2, len(text) + 3)}}{note}"
            continue
        first, *others = wrapped(text, columns - len(indent), columns - 2)
        yield from _above(rules, column, columns)
        yield from (f"  {first}", *(indent + other for other in others))


def _above(rules: list[str], column: int, columns: int) -> Iterator[str]:
    """Rules in lines of their own, from ``column`` on, or further left where they need it."""
    lines = textwrap.wrap(", ".join(rules) + ":", columns - 2)
    start = min(column, columns - max(map(len, lines)))
    return (" " * start + line for line in lines)
