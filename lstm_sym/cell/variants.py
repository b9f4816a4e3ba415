"""Variants of a cell: the same text with some equations replaced, and what is no longer read left out."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from lstm_sym.cell.equations import Line, split_lines
from lstm_sym.cell.graph import CellError
from lstm_sym.checks import real_scalar

_ZERO, _ONE = 0.0, 1.0


def replaced(cell: str, lines: Sequence[Line], equations: Mapping[str, str | float]) -> list[Line]:
    """``lines`` with new right-hand sides by target; a number takes its target's place wherever that is read."""
    texts = {target: text for target, text in equations.items() if isinstance(text, str)}
    if bad := [target for target, value in equations.items() if isinstance(value, bool)]:
        raise TypeError(f"{bad[0]} = {equations[bad[0]]}: expected the text of an equation, or a number.")
    numbers = {target: real_scalar(target, v) for target, v in equations.items() if target not in texts}
    fresh = {target: _line(cell, target, text) for target, text in texts.items()}
    found = [_with_role(fresh.pop(line.target, line), line) for line in lines if line.target not in numbers]
    for line in fresh.values():
        readers = [place for place, other in enumerate(found) if line.target in reads(other)]
        found.insert(readers[0] if readers else len(found), line)
    return [replace(line, text=_substituted(line.text, numbers)) for line in found] if numbers else found


def pruned(lines: Sequence[Line], kept: Iterable[str]) -> list[Line]:
    """``lines`` without those that neither ``kept`` nor another line reads."""
    needed, found = set(kept), []
    for line in reversed(lines):
        if line.target in needed:
            found.append(line)
            needed |= reads(line)
    return found[::-1]


def reads(line: Line) -> set[str]:
    """The names that a line reads, functions among them."""
    try:
        tree = ast.parse(line.text, mode="eval")
    except SyntaxError:
        return set()  # whoever reads the line says what is wrong with it
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def as_text(lines: Iterable[Line]) -> str:
    """The lines as the text of a declaration."""
    return "\n".join(f"{line.target} = {line.text}" + f"   # {line.role}" * bool(line.role) for line in lines)


def still_read(names: Iterable[str], lines: Sequence[Line]) -> tuple[str, ...]:
    """Those of ``names`` that some line reads."""
    found = {name for line in lines for name in reads(line)}
    return tuple(name for name in names if name in found)


def _line(cell: str, target: str, text: str) -> Line:
    first, *more = split_lines(cell, f"{target} = {text}")
    if more or first.target != target:
        raise CellError(f"{cell}: replace({target}={text[:60]!r}): expected the right-hand side of one equation.")
    return first


def _with_role(new: Line, old: Line) -> Line:
    """A replaced equation keeps the role of the old one, unless it says its own."""
    return new if new.role else replace(new, role=old.role)


def _substituted(text: str, numbers: Mapping[str, float]) -> str:
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError:
        return text
    if not any(isinstance(node, ast.Name) and node.id in numbers for node in ast.walk(tree)):
        return text
    return ast.unparse(ast.fix_missing_locations(_Substitution(numbers).visit(tree)))


class _Substitution(ast.NodeTransformer):
    """Names become numbers, and products with one and sums with zero become what they are."""

    def __init__(self, numbers: Mapping[str, float]) -> None:
        self._numbers = numbers

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id not in self._numbers:
            return node
        number = self._numbers[node.id]
        return ast.Constant(int(number) if number.is_integer() else number)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        left, right = _value(node.left), _value(node.right)
        match node.op:
            case ast.Mult() if _ZERO in (left, right):
                return ast.Constant(0)
            case ast.Mult() | ast.Div() if right == _ONE:
                return node.left
            case ast.Mult() if left == _ONE:
                return node.right
            case ast.Add() | ast.Sub() if right == _ZERO:
                return node.left
            case ast.Add() if left == _ZERO:
                return node.right
            case ast.Sub() if left == right == _ONE:
                return ast.Constant(0)
        return node


def _value(tree: ast.expr) -> object:
    return tree.value if isinstance(tree, ast.Constant) else None
