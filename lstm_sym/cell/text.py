"""A cell's forward equations in Unicode and as LaTeX, in the order in which their author wrote them."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING

from lstm_sym.cell.graph import TRANSPOSE, Affine, Elementwise, Node
from lstm_sym.cell.naming import Names, names
from lstm_sym.notation import (
    STANDARD,
    TIMED,
    Notation,
    Style,
    a_notation,
    derivation_style,
    scalar,
    unicode_timeless,
    with_parameters,
)
from lstm_sym.notation.aligned import align
from lstm_sym.notation.widths import TEXT_WIDTH
from lstm_sym.notation.wrapping import wrapped

if TYPE_CHECKING:
    from lstm_sym.cell.declare import Cell

_SUM, _MINUS, _PRODUCT, _POWER, _ATOM = range(5)


class _Writer:
    """Writes a parsed right-hand side; each visit returns the text and how tightly its outermost sign binds.

    ``weight`` writes a factor "W" or "W.T", ``apply`` stands between it and its vector.
    """

    def __init__(self, cell: Cell, style: Style, weight: Callable[[str], str], apply: str) -> None:
        self._cell, self._style, self._weight, self._apply = cell, style, weight, apply

    def write(self, text: str) -> str:
        return self._visit(ast.parse(text, mode="eval").body)[0]

    def node(self, node: Node) -> str:
        """What defines a node: its line as written, or, where that defines several, what is this one's own."""
        line = next((line for line in self._cell.lines if line.target == node.name), None)
        if isinstance(node, Elementwise):
            return (
                scalar(node.expression, self._style) if line is None or "@" in line.text else self.write(line.text)
            )
        products = [(self._weight(w), self._style.symbol(vector)) for w, vector in node.products]
        return self._affine(node, [self._applied(*pair) for pair in products])

    def _affine(self, node: Affine, products: list[str]) -> str:
        return " + ".join([*products, *map(self._style.symbol, node.biases)])

    def _visit(self, tree: ast.expr) -> tuple[str, int]:
        match tree:
            case ast.Constant(value=number):
                return str(number), _ATOM
            case ast.Name(id=name):
                return self._style.symbol(name), _ATOM
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self._style.minus.strip() + self._at_least(_PRODUCT, operand), _MINUS
            case ast.UnaryOp(operand=operand):
                return self._visit(operand)
            case ast.Call(func=ast.Name(id=function), args=arguments):
                function = self._cell.choices.get(function, function)
                inner = [self._visit(argument) for argument in arguments]
                if function == "identity":
                    return inner[0]
                if function == "step":
                    return self._style.indicator(inner[0][0]), _ATOM
                return self._style.call(function, ", ".join(text for text, _ in inner)), _ATOM
            case ast.BinOp(op=ast.Add()):
                return self._sum(_addends(tree)), _SUM
            case ast.BinOp(left=left, op=ast.MatMult(), right=right):
                return self._applied(self._weight(_factor(left)), self._at_least(_ATOM, right)), _PRODUCT
            case ast.BinOp(left=left, op=operator, right=right):
                return self._binary(left, operator, right)
        raise TypeError(f"cannot write {ast.unparse(tree)}")

    def _sum(self, addends: list[ast.expr]) -> str:
        return " + ".join(self._at_least(_MINUS if k else _SUM, addend) for k, addend in enumerate(addends))

    def _applied(self, weight: str, vector: str) -> str:
        return weight + self._apply + vector

    def _binary(self, left: ast.expr, operator: ast.operator, right: ast.expr) -> tuple[str, int]:
        match operator:
            case ast.Mult():
                if self._is_number(right) and not self._is_number(left):
                    left, right = right, left
                sign = self._style.scale if self._is_number(left) else self._style.times
                return sign.join((self._at_least(_PRODUCT, left), self._at_least(_PRODUCT, right))), _PRODUCT
            case ast.Div() if self._style.latex:
                return self._style.fraction(self._visit(left)[0], self._visit(right)[0]), _ATOM
            case ast.Div():
                return self._style.fraction(self._at_least(_PRODUCT, left), self._at_least(_POWER, right)), _PRODUCT
            case ast.Pow():
                base = self._at_least(_ATOM, left)
                if isinstance(right, ast.Constant) and isinstance(right.value, int):
                    return self._style.power(base, right.value), _POWER
                return f"{base}^{{{self._visit(right)[0]}}}", _POWER
            case _:
                return f"{self._visit(left)[0]} {self._style.minus.strip()} {self._at_least(_MINUS, right)}", _SUM

    def _is_number(self, tree: ast.expr) -> bool:
        """Whether a factor is one number for all units: it stands in front, without ⊙."""
        if isinstance(tree, ast.Constant):
            return True
        read = {name.id for name in ast.walk(tree) if isinstance(name, ast.Name)}
        return bool(read) and read <= self._cell.constants.keys()

    def _at_least(self, tightness: int, tree: ast.expr) -> str:
        text, binds = self._visit(tree)
        return text if binds >= tightness else f"({text})"


class _LatexWriter(_Writer):
    """The same in a notation: rows on the left of their weights, sums of products as one product."""

    def __init__(self, called: Names) -> None:
        super().__init__(called.cell, called.style(), called.weight, " ")
        self._names = called

    def _applied(self, weight: str, vector: str) -> str:
        pair = (vector, weight) if self._names.notation.row else (weight, vector)
        return " ".join(pair)

    def _sum(self, addends: list[ast.expr]) -> str:
        products = [a for a in addends if isinstance(a, ast.BinOp) and isinstance(a.op, ast.MatMult)]
        pairs = [(_factor(p.left), p.right.id) for p in products if isinstance(p.right, ast.Name)]
        stacked = self._names.stacked(pairs)
        if stacked is None:
            return super()._sum(addends)
        first = self._side_by_side(*stacked)
        others = [addend for addend in addends if addend not in products]
        return " + ".join([first, *(self._at_least(_MINUS, addend) for addend in others)])

    def _affine(self, node: Affine, products: list[str]) -> str:
        stacked = self._names.stacked(node.products)
        return super()._affine(node, products if stacked is None else [self._side_by_side(*stacked)])

    def _side_by_side(self, weight: str, vectors: list[str]) -> str:
        inner = ", ".join(map(self._names.vector, vectors))
        return self._applied(weight, f"[{inner}]")


def _addends(tree: ast.expr) -> list[ast.expr]:
    if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Add):
        return [*_addends(tree.left), *_addends(tree.right)]
    return [tree]


def _factor(tree: ast.expr) -> str:
    """The weight in front of @, "W" or "W.T"."""
    match tree:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name(id=name)):
            return name + TRANSPOSE
    raise TypeError(f"cannot write {ast.unparse(tree)}")


def unicode_weight(factor: str) -> str:
    """W_hh, or W_hhᵀ for "W_hh.T"."""
    return unicode_timeless(factor.removesuffix(TRANSPOSE)) + "ᵀ" * factor.endswith(TRANSPOSE)


def definition_unicode(cell: Cell, node: Node) -> str:
    """A node's equation as a derivation reads it, without time: f = σ(a_f), c′ = f⊙c + i⊙g."""
    style = with_parameters(derivation_style(cell.states), cell.parameters, numbers=cell.constants)
    return f"{style.symbol(node.name)} = {_Writer(cell, style, unicode_weight, apply='·').node(node)}"


def definition_latex(cell: Cell, node: Node, notation: Notation) -> str:
    r"""A node's equation, f_t &= \sigma(a_{f,t})."""
    called = names(cell, notation)
    return f"{called.vector(node.name)} &= {_LatexWriter(called).node(node)}"


def equations_unicode(cell: Cell, columns: int = 0) -> str:
    """One equation a line with its time indices, roles aligned behind them; broken to fit ``columns``, if given."""
    style = with_parameters(TIMED, cell.parameters, numbers=cell.constants)
    writer = _Writer(cell, style, unicode_weight, apply="·")
    equations = [f"{TIMED.symbol(line.target)} = {writer.write(line.text)}" for line in cell.lines]
    width = max(map(len, equations)) + 3
    if not columns or width + max(len(line.role) for line in cell.lines) + 2 <= columns:
        texts = [f"{text:<{width}}{line.role}" for text, line in zip(equations, cell.lines, strict=True)]
        return "\n".join(f"  {text}".rstrip() for text in texts)
    width = min(width, max(columns // 2, columns - 40))
    pairs = zip(equations, cell.lines, strict=True)
    return "\n".join(row.rstrip() for text, line in pairs for row in _two_columns(text, line.role, width, columns))


def _two_columns(equation: str, role: str, width: int, columns: int) -> list[str]:
    """An equation and its role, each in its column; a role begins behind the end of its equation."""
    first, *others = wrapped(equation, columns - 6, columns - 2)
    lines = [f"  {first}", *(f"    {other}" for other in others)]
    notes = textwrap.wrap(role, columns - width - 2) or [""]
    if len(lines[-1]) + 3 > width + 2:
        lines.append("")
    lines[-1] = f"{lines[-1]:<{width + 2}}{notes[0]}"
    return [line for line in [*lines, *(" " * (width + 2) + note for note in notes[1:])] if line.strip()]


def equations_latex(
    cell: Cell, label: str | None = None, notation: Notation = STANDARD, room: float = TEXT_WIDTH
) -> str:
    """One ``align`` of the forward equations; each is labelled eq:<label>:<name> unless ``label`` is ''."""
    called = names(cell, a_notation(notation))
    writer = _LatexWriter(called)
    prefix = slug(cell.name) if label is None else label
    if not re.fullmatch(r"[A-Za-z0-9:._-]*", prefix):
        raise ValueError(f"label = {label!r}: expected letters, digits and : . _ - only.")
    rows = [(line.target, [f"{called.vector(line.target)} &= {writer.write(line.text)}"]) for line in cell.lines]
    return align(rows, prefix, room)


def slug(name: str) -> str:
    """A name as it may stand in a LaTeX label or a file name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
