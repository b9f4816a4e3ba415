"""What is printed, in numbers: cells by complex step, factors of derivations, and LaTeX read back."""

from __future__ import annotations

import re

import numpy as np
import sympy as sp

import lstm_sym as ls
from lstm_sym.cell import Affine, Weight
from lstm_sym.cell.naming import names
from lstm_sym.functions import FORMS, NUMPY_FORMS, Slope
from lstm_sym.typeset.steps import Derivative, Local

N, STEP = 2, 1e-25


class Numbers:
    """A cell at n = 2 with random numbers: derivatives by complex step, factors of derivations as matrices."""

    def __init__(self, cell: ls.Cell, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.cell = cell
        self.given = {name: rng.uniform(0.2, 1.0, N) for name in (*cell.inputs, *cell.vector_parameters)}
        self.given |= {name: rng.uniform(0.2, 1.0, N) for name in cell.vectors if name.endswith("_prev")}
        self.given |= {name: np.full(N, value) for name, value in cell.constants.items()}
        self.weights = {name: rng.standard_normal((N, N)) for name in cell.weights}
        self.values = self.run({})

    def run(self, moved):
        """All vectors of a step; those in ``moved`` have the values given there."""
        values = {**self.given, **moved}
        for node in self.cell.nodes:
            if node.name in moved:
                continue
            if isinstance(node, Affine):
                products = [self.weight(self.cell.factor(w)) @ values[v] for w, v in node.products]
                values[node.name] = sum(products) + sum(values[b] for b in node.biases)
            else:
                values[node.name] = self.scalar(node.expression, values)
        return values

    def weight(self, weight):
        matrix = self.weights[weight.name]
        return matrix.T if weight.transposed else matrix

    def scalar(self, expression, values):
        names = sorted(symbol.name for symbol in expression.free_symbols)
        slopes = {slope: slope.from_value for slope in expression.atoms(Slope)}
        function = sp.lambdify(
            [sp.Symbol(n, real=True) for n in names], expression.xreplace(slopes), [FORMS, "numpy"]
        )
        return np.broadcast_to(function(*(values[n] for n in names)), (N,))

    def derivative(self, of, wrt):
        columns = []
        for unit in np.eye(N):
            moved = self.run({wrt: self.values[wrt] + 1j * STEP * unit})
            columns.append(moved[of].imag / STEP)
        return np.stack(columns, -1)

    def factor(self, factor):
        if isinstance(factor, Derivative):
            return self.derivative(factor.of, factor.wrt)
        if isinstance(factor, Weight):
            return self.weight(factor)
        if isinstance(factor, Local):
            return np.diag(self.scalar(factor.expression, self.values))
        return sum(self.term(term) for term in factor)

    def term(self, term):
        matrix = np.diag(self.scalar(term.diagonals[0], self.values))
        for weight, diagonal in zip(term.weights, term.diagonals[1:], strict=True):
            matrix = matrix @ self.weight(weight) @ np.diag(self.scalar(diagonal, self.values))
        return matrix

    def line(self, step):
        total = np.zeros((N, N))
        for addend in step.addends:
            total = total + np.linalg.multi_dot([np.eye(N), np.eye(N), *map(self.factor, addend)])
        return total


# --- LaTeX read back ----------------------------------------------------------------------------------------------


class Value:
    """A number, a vector or a matrix; * is elementwise, @ the product, in which a number scales."""

    def __init__(self, array):
        self.array = np.asarray(array, float)

    def __matmul__(self, other):
        a, b = self.array, other.array
        return Value(a @ b if a.ndim and b.ndim else a * b)

    def _with(self, other, operation):
        return Value(operation(self.array, getattr(other, "array", other)))

    def __add__(self, other):
        return self._with(other, np.add)

    def __sub__(self, other):
        return self._with(other, np.subtract)

    def __rsub__(self, other):
        return Value(other - self.array)

    def __radd__(self, other):
        return Value(other + self.array)

    def __mul__(self, other):
        return self._with(other, np.multiply)

    def __rmul__(self, other):
        return Value(other * self.array)

    def __truediv__(self, other):
        return self._with(other, np.divide)

    def __pow__(self, power):
        return Value(self.array**power)

    def __neg__(self):
        return Value(-self.array)

    def __gt__(self, other):
        return self._with(other, np.greater)


def _elementwise(name):
    return lambda *values: Value(NUMPY_FORMS[name](*(value.array for value in values)))


FUNCTIONS = {
    "diag": lambda v: Value(np.diag(np.broadcast_to(v.array, (N,)))),
    "concat": lambda *vectors: Value(np.concatenate([v.array for v in vectors])),
    "indicator": lambda v: v,
    "exp": lambda v: Value(np.exp(v.array)),
    **{name: _elementwise(name) for name in ("sigmoid", "tanh", "relu", "logsigmoid", "maximum")},
}
#: LaTeX and what it means; the first that fits counts.
SIGNS = [
    (r"\\operatorname\{diag\}|\\mathbf\{D\}(?=\(|\\Big)|D(?=\(|\\Big)", "diag"),
    (r"\\operatorname\{relu\}", "relu"),
    (r"\\mathbf\{1\}\[", "indicator("),
    (r"\\log \\sigma", "logsigmoid"),
    (r"\\sigma", "sigmoid"),
    (r"\\tanh", "tanh"),
    (r"\\exp", "exp"),
    (r"\\max", "maximum"),
    (r" ?\\(odot|circ) ?", "*"),
    (r"\\, ", "@"),
    (r"\\,", "*"),
    (r"\\[Bb]ig[lr]", ""),
    (r"\^", "**"),
    (r"\[", "concat("),
    (r"\]|\}", ")"),
    (r"\{", "("),
    (r"\\mathbf\{I\}|I", "identity"),
    (r"\d+(\.\d+)?|[-+(),>]|\s+", None),
]


def read(latex, known):
    """The value of a formula; ``known`` maps what is printed to arrays."""
    spellings = sorted(known, key=len, reverse=True)
    place, code, operand = 0, "", False
    values = {"identity": Value(np.eye(N)), **FUNCTIONS}
    while place < len(latex):
        rest = latex[place:]
        if rest.startswith(r"\frac{"):
            above, behind = _group(rest, 5)
            below, behind = _group(rest, behind)
            values[name := f"v{len(values)}"] = read(above, known) / read(below, known)
            code, place, operand = code + name, place + behind, True
            continue
        spelling = next(
            (
                s
                for s in spellings
                if rest.startswith(s) and not re.match(r"\\?\w", rest[len(s) :][:1] * s[-1].isalpha())
            ),
            None,
        )
        if spelling is not None:
            values[name := f"v{len(values)}"] = Value(known[spelling])
            place += len(spelling)
            code += " @ " * operand + name
            operand = True
            continue
        found = next((re.match(pattern, rest), meaning) for pattern, meaning in SIGNS if re.match(pattern, rest))
        match, meaning = found
        text = match[0] if meaning is None else meaning
        if text[0:1].isdigit() and not code.endswith("**"):
            values[text := f"v{len(values)}"] = Value(match[0])
        if operand and text == "concat(":
            text = "@ concat("
        code, place = code + text, place + match.end()
        operand = operand if text.isspace() or not text else text in (")", "identity")
    return eval(code.strip(), {"__builtins__": {}}, values)


def _group(text, start):
    """(what is in the braces from ``start`` on, the place behind them)."""
    depth = 0
    for place in range(start, len(text)):
        depth += (text[place] == "{") - (text[place] == "}")
        if not depth:
            return text[start + 1 : place], place + 1
    raise ValueError(text)


def spelled(cell, notation, numbers):
    """What every quantity of a step is printed as, with its numbers; of rows, the transposed weights."""
    called = names(cell, notation)
    known = {called.vector(name): numbers.values[name] for name in cell.vectors}
    known |= {called.vector(name): numbers.given[name] for name in cell.vector_parameters}
    known |= {called.vector(name): cell.constants[name] for name in cell.constants}
    turned = {name: matrix.T if notation.row else matrix for name, matrix in numbers.weights.items()}
    known |= {called.weight(name): turned[name] for name in cell.weights}
    known |= {called.weight(f"{name}.T"): turned[name].T for name in cell.weights}
    for node in cell.nodes:
        if isinstance(node, Affine) and (stacked := called.stacked(node.products)) is not None:
            by_vector = {vector: turned[weight] for weight, vector in node.products}
            text, order = stacked
            known[text] = np.concatenate([by_vector[v] for v in order], axis=0 if notation.row else 1)
    return known
