"""Reading the text of a cell's equations.

The text is parsed with Python's grammar and walked node by node; nothing in it is ever executed. ``W @ v`` is a
matrix times a vector, everything else is elementwise.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field

import sympy as sp

from lstm_sym.cell.graph import TRANSPOSE, Affine, CellError, Elementwise, Node, unit
from lstm_sym.functions import ARGUMENTS, FUNCTIONS

LONGEST_LINE = 2_000
LARGEST_POWER = 100
LARGEST_NUMBER = 1e30


def _addends(tree: ast.expr) -> list[ast.expr]:
    """The addends of a sum, left to right: a + b + c is read as one sum of three."""
    if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Add):
        return [*_addends(tree.left), *_addends(tree.right)]
    return [tree]


def _factor(tree: ast.expr) -> str | None:
    """The weight in "W @ v" or "W.T @ v"; None for anything else."""
    match tree:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name(id=name), attr="T"):
            return name + TRANSPOSE
    return None


@dataclass(frozen=True)
class Line:
    """One equation: its target, its right-hand side as text, what the comment behind it says, its number."""

    target: str
    text: str
    role: str
    number: int


def split_lines(cell: str, text: str) -> list[Line]:
    """The equations of ``text``, one a line; blank lines and pure comments are passed over."""
    lines = []
    for number, raw in enumerate(text.splitlines(), start=1):
        code, _, comment = raw.partition("#")
        if not code.strip():
            continue
        target, equals, right = (part.strip() for part in code.partition("="))
        if len(raw) > LONGEST_LINE or not equals or not right or right.startswith("="):
            raise CellError(
                f"{cell}, line {number}: {code.strip()[:80]!r} is not 'name = expression', one equation a line."
            )
        lines.append(Line(target, right, comment.strip(), number))
    if not lines:
        raise CellError(f"{cell} has no equations.")
    return lines


@dataclass
class _Sum:
    """An affine sum while it is being read: Σ W v + Σ b."""

    products: list[tuple[str, str]] = field(default_factory=list)
    biases: list[str] = field(default_factory=list)


@dataclass
class LineReader:
    """Turns one line into nodes. ``vectors`` are readable names, ``parameters`` the declared vector parameters."""

    cell: str
    line: Line
    vectors: tuple[str, ...]
    parameters: tuple[str, ...]
    choices: Mapping[str, str]
    nodes: list[Node] = field(default_factory=list)

    def read(self) -> list[Node]:
        """The nodes of the line, the target's last; pre-activations come first, named a_<target>."""
        try:
            tree = ast.parse(self.line.text, mode="eval").body
            value = self._visit(tree)
        except (SyntaxError, RecursionError, MemoryError, ValueError) as error:
            if isinstance(error, CellError):
                raise
            raise self._error(f"cannot be read: {error}") from None
        if isinstance(value, _Sum) and value.products:
            self.nodes.append(Affine(self.line.target, tuple(value.products), tuple(value.biases)))
        else:
            self.nodes.append(Elementwise(self.line.target, self._scalar(value)))
        return self.nodes

    def _error(self, message: str) -> CellError:
        text = self.line.text if len(self.line.text) <= 80 else self.line.text[:77] + "..."
        return CellError(f"{self.cell}, line {self.line.number}, {self.line.target} = {text}: {message}")

    def _visit(self, tree: ast.expr) -> _Sum | sp.Expr:
        match tree:
            case ast.Constant(value=bool() | str() | bytes() | complex() | None):
                raise self._error(f"{tree.value!r} is not a real number.")
            case ast.Constant(value=int() | float() as number):
                return self._bounded(
                    sp.Rational(repr(number)) if abs(number) < LARGEST_NUMBER else sp.Float(number)
                )
            case ast.Name(id=name):
                return self._name(name)
            case ast.BinOp(left=left, op=ast.MatMult(), right=right):
                return self._matrix_product(left, right)
            case ast.BinOp(op=ast.Add()):
                return self._add([self._visit(addend) for addend in _addends(tree)])
            case ast.BinOp(left=left, op=operator, right=right):
                return self._elementwise(
                    operator, self._scalar(self._visit(left)), self._scalar(self._visit(right))
                )
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self._scalar(self._visit(operand))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self._visit(operand)
            case ast.Call(func=ast.Name(id=function), args=[_, *_], keywords=[]):
                return self._call(function, tree.args)
        raise self._error(
            f"{ast.unparse(tree)[:60]!r} is not understood. Use +, -, *, /, **, W @ v, W.T @ v and the functions"
            f" {', '.join(FUNCTIONS)}."
        )

    def _name(self, name: str) -> _Sum | sp.Expr:
        if name in self.vectors or name in self.parameters:
            return unit(name)
        if name.startswith("b_"):
            return _Sum(biases=[name])
        raise self._error(
            f"{name!r} is not defined above this line. Defined: {', '.join(self.vectors)}."
            " A bias is called b_…; any other vector parameter is declared in vectors=, a number in constants=."
        )

    def _matrix_product(self, left: ast.expr, right: ast.expr) -> _Sum:
        factor = _factor(left)
        if factor is None or factor in self.vectors or factor in self.parameters:
            raise self._error(
                f"{ast.unparse(left)!r} stands left of @, where the name of a weight matrix is expected."
            )
        if not isinstance(right, ast.Name):
            raise self._error(
                f"{factor} @ {ast.unparse(right)}: give the vector a line of its own, q = {ast.unparse(right)},"
                f" and write {factor} @ q."
            )
        if right.id not in self.vectors:
            raise self._error(f"{right.id!r} is not a vector defined above. Defined: {', '.join(self.vectors)}.")
        return _Sum(products=[(factor, right.id)])

    def _add(self, addends: list[_Sum | sp.Expr]) -> _Sum | sp.Expr:
        affine = _Sum()
        for addend in addends:
            if isinstance(addend, _Sum):
                affine.products += addend.products
                affine.biases += addend.biases
        scalars = [addend for addend in addends if not isinstance(addend, _Sum)]
        if not scalars:
            return affine
        if affine.products or affine.biases:
            scalars.append(self._scalar(affine))
        return sp.Add(*scalars)

    def _bounded(self, number: sp.Expr) -> sp.Expr:
        if not abs(number) <= LARGEST_NUMBER:
            raise self._error(f"a number is larger than {LARGEST_NUMBER:.0e}.")
        return number

    def _elementwise(self, operator: ast.operator, left: sp.Expr, right: sp.Expr) -> sp.Expr:
        match operator:
            case ast.Sub():
                return left - right
            case ast.Mult():
                return left * right
            case ast.Div():
                if right == 0:
                    raise self._error("divides by zero.")
                return left / right
            case ast.Pow():
                if not right.is_Integer or abs(right) > LARGEST_POWER:
                    raise self._error(f"an exponent must be an integer of at most {LARGEST_POWER} in size.")
                if left == 0 and right < 0:
                    raise self._error("divides by zero.")
                if left.is_number:
                    self._bounded(sp.Float(left) ** right)
                return left**right
        raise self._error(f"the operator {type(operator).__name__} is not understood. Use +, -, *, /, ** and @.")

    def _call(self, function: str, arguments: list[ast.expr]) -> sp.Expr:
        function = self.choices.get(function, function)
        if function not in FUNCTIONS:
            raise self._error(f"{function!r} is not a known function. Known: {', '.join(FUNCTIONS)}.")
        if len(arguments) != (count := ARGUMENTS.get(function, 1)):
            raise self._error(f"{function} of {len(arguments)} arguments: expected {count}.")
        value = FUNCTIONS[function](*(self._scalar(self._visit(argument)) for argument in arguments))
        return value if value.free_symbols else self._constant(value)

    def _constant(self, value: sp.Expr) -> sp.Expr:
        """A function of a number, as the number that it is."""
        number = sp.N(value, 30)
        if not (number.is_real and number.is_finite):
            raise self._error(f"{value} is not a finite real number.")
        return sp.Rational(repr(float(self._bounded(number))))

    def _scalar(self, value: _Sum | sp.Expr) -> sp.Expr:
        """``value`` as a per-unit expression; an affine sum becomes a pre-activation node of its own."""
        if not isinstance(value, _Sum):
            return value
        if not value.products:
            return sp.Add(*(unit(name) for name in value.biases))
        count = sum(isinstance(node, Affine) for node in self.nodes)
        name = f"a_{self.line.target}" + (f"_{count + 1}" if count else "")
        self.nodes.append(Affine(name, tuple(value.products), tuple(value.biases)))
        return unit(name)
