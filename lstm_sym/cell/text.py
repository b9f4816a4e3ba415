"""A cell's forward equations in Unicode and as LaTeX, in the order in which their author wrote them."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from lstm_sym.notation import LATEX, TIMED, Style, latex_timeless, with_parameters

if TYPE_CHECKING:
    from lstm_sym.cell.declare import Cell

_SUM, _MINUS, _PRODUCT, _POWER, _ATOM = range(5)


class _Writer:
    """Writes a parsed right-hand side; each visit returns the text and how tightly its outermost sign binds."""

    def __init__(self, cell: Cell, style: Style, parameter: Callable[[str], str], apply: str) -> None:
        self._cell, self._apply = cell, apply
        self._style = with_parameters(style, cell.parameters, parameter)

    def write(self, text: str) -> str:
        return self._visit(ast.parse(text, mode="eval").body)[0]

    def _visit(self, tree: ast.expr) -> tuple[str, int]:
        match tree:
            case ast.Constant(value=number):
                return str(number), _ATOM
            case ast.Name(id=name):
                return self._style.symbol(name), _ATOM
            case ast.Attribute(value=ast.Name(id=name)):
                mark = r"^{\top}" if self._style.latex else "ᵀ"
                return self._style.symbol(name) + mark, _ATOM
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self._style.minus.strip() + self._at_least(_PRODUCT, operand), _MINUS
            case ast.UnaryOp(operand=operand):
                return self._visit(operand)
            case ast.Call(func=ast.Name(id=function), args=arguments):
                function = self._cell.choices.get(function, function)
                inner = [self._visit(argument) for argument in arguments]
                if function == "identity":
                    return inner[0]
                return self._style.call(function, ", ".join(text for text, _ in inner)), _ATOM
            case ast.BinOp(left=left, op=operator, right=right):
                return self._binary(left, operator, right)
        raise TypeError(f"cannot write {ast.unparse(tree)}")

    def _binary(self, left: ast.expr, operator: ast.operator, right: ast.expr) -> tuple[str, int]:
        match operator:
            case ast.MatMult():
                return self._at_least(_ATOM, left) + self._apply + self._at_least(_ATOM, right), _PRODUCT
            case ast.Mult():
                sign = self._style.scale if isinstance(left, ast.Constant) else self._style.times
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
            case ast.Sub():
                return f"{self._visit(left)[0]} {self._style.minus.strip()} {self._at_least(_MINUS, right)}", _SUM
            case _:
                return f"{self._visit(left)[0]} + {self._at_least(_MINUS, right)}", _SUM

    def _at_least(self, tightness: int, tree: ast.expr) -> str:
        text, binds = self._visit(tree)
        return text if binds >= tightness else f"({text})"


def equations_unicode(cell: Cell) -> str:
    """One equation a line with its time indices, roles aligned behind them."""
    writer = _Writer(cell, TIMED, parameter=str, apply="·")
    equations = [f"{TIMED.symbol(line.target)} = {writer.write(line.text)}" for line in cell.lines]
    width = max(map(len, equations)) + 3
    return "\n".join(
        f"  {equation:<{width}}{line.role}".rstrip() for equation, line in zip(equations, cell.lines, strict=True)
    )


def equations_latex(cell: Cell, label: str | None = None) -> str:
    """One ``align`` of the forward equations; each is labelled eq:<label>:<name> unless ``label`` is ''."""
    writer = _Writer(cell, LATEX, parameter=latex_timeless, apply=" ")
    prefix = slug(cell.name) if label is None else label
    if not re.fullmatch(r"[A-Za-z0-9:._-]*", prefix):
        raise ValueError(f"label = {label!r}: expected letters, digits and : . _ - only.")
    rows = []
    for line in cell.lines:
        tag = rf" \label{{eq:{prefix}:{line.target}}}" if prefix else ""
        rows.append(f"{LATEX.symbol(line.target)} &= {writer.write(line.text)}{tag}")
    return "\\begin{align}\n" + " \\\\\n".join(rows) + "\n\\end{align}"


def slug(name: str) -> str:
    """A name as it may stand in a LaTeX label or a file name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
