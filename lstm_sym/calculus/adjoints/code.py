"""The equations of back-propagation as NumPy code that can be read, and run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import sympy as sp
from sympy.printing.numpy import NumPyPrinter

from lstm_sym.calculus.adjoints.deltas import Delta, ParameterSum, Passed, Product
from lstm_sym.calculus.explicit import through_gates
from lstm_sym.notation import lagged

if TYPE_CHECKING:
    from lstm_sym.calculus.adjoints.backpropagation import Adjoint
    from lstm_sym.calculus.adjoints.deltas import Delta, ParameterSum, Passed

#: Functions that NumPy lacks, as they are defined where they are used.
_HELPERS = {
    "sigmoid": "def sigmoid(a):\n    return (1 + np.tanh(a / 2)) / 2",
    "relu": "def relu(a):\n    return np.maximum(a, 0)",
    "positive": "def positive(a):\n    return np.where(a > 0, 1.0, 0.0)",
    "logsigmoid": "def logsigmoid(a):\n    return -np.logaddexp(0, -a)",
}
_WORDS = ("np", "gradients", "parameters", "run", "loss", "total", "inputs", "t", "name", "array", *_HELPERS)


class _Printer(NumPyPrinter):
    """Names a function as the code's reader knows it."""

    def __init__(self, local: Callable[[str], str]) -> None:
        self._local = local
        functions = {**{name: name for name in _HELPERS}, "maximum": "np.maximum"}
        super().__init__({"user_functions": functions, "fully_qualified_modules": False})

    def _print_Symbol(self, symbol: sp.Symbol) -> str:
        return self._local(symbol.name)

    def _numpy(self, expression: sp.Expr) -> str:
        return f"np.{type(expression).__name__}({self._print(expression.args[0])})"

    _print_tanh = _print_exp = _print_log = _print_sin = _print_cos = _numpy

    def _print_Pow(self, expression: sp.Expr, rational: bool = False) -> str:
        return str(super()._print_Pow(expression, rational=rational)).replace("sqrt(", "np.sqrt(")


class _Source:
    """Writes one function."""

    def __init__(self, adjoint: Adjoint) -> None:
        self._adjoint, self._cell = adjoint, adjoint.cell
        self._printer = _Printer(self._local)
        names = (*(node.name for node in adjoint.nodes), *self._cell.states)
        self._taken = {*_WORDS, *(f"delta_{name}" for name in names), *(f"later_{name}" for name in names)}

    def _local(self, name: str) -> str:
        """A quantity's name as a variable: its own, unless the function needs that for something else."""
        return name + "_" * (name in self._taken)

    def text(self) -> str:
        """The whole of it."""
        body = self._body()
        used = [name for name in _HELPERS if any(f"{name}(" in line for line in body)]
        parts = ["import numpy as np", *(_HELPERS[name] for name in used), "\n".join(body)]
        return "\n\n\n".join(parts) + "\n"

    def _body(self) -> list[str]:
        cell, adjoint = self._cell, self._adjoint
        steps = self._step()
        read = set(re.findall(r"\w+", re.sub(r'"\w+"', "", "\n".join(steps))))
        vectors, parameters = (
            [(self._local(name), name) for name in names if self._local(name) in read]
            for names in (cell.vectors, cell.parameters)
        )
        entering, given = ", ".join(map(lagged, cell.states)), ", ".join(map(_quoted, cell.inputs))
        return [
            "def gradients(parameters, run, loss):",
            f'    """Back-propagation through time of the {cell.name}: the derivatives of L = Σ_t ℓ_t.',
            "",
            "    parameters: arrays by name. run: the vectors of every step by name, (T, n), and the states that",
            f"    entered it, {entering}. loss: ∂ℓ_t/∂v_t by name, (T, n), for {', '.join(adjoint.loss)}.",
            "    Returns ∂L/∂W by name, ∂L/∂x by name, (T, m), and ∂L/∂(initial state) by name.",
            '    """',
            *(f'    {local} = parameters["{name}"]' for local, name in parameters),
            "    total = {name: np.zeros_like(array) for name, array in parameters.items()}",
            f"    inputs = {{name: np.zeros_like(run[name]) for name in ({given},)}}",
            *(f'    later_{state} = np.zeros_like(run["{state}"][0])' for state in cell.states),
            f'    for t in reversed(range(len(run["{cell.states[0]}"]))):',
            *(f'        {local} = run["{name}"][t]' for local, name in vectors),
            *(f"        {line}" for line in steps),
            f"    return total, inputs, {{{', '.join(f'{_quoted(s)}: later_{s}' for s in cell.states)}}}",
        ]

    def _step(self) -> list[str]:
        """A step backwards."""
        adjoint, cell = self._adjoint, self._cell
        lines = [self._delta(delta) for delta in adjoint.deltas if delta.name not in cell.inputs]
        lines += [
            f'inputs["{d.name}"][t] = {self._terms(d.terms)}' for d in adjoint.deltas if d.name in cell.inputs
        ]
        for equation in adjoint.sums:
            lines += [f'total["{equation.name}"] += {part}' for part in self._shares(equation)]
        pairs = zip(cell.states, adjoint.initial, strict=True)
        return lines + [f"later_{state} = {self._terms(delta.terms)}" for state, delta in pairs]

    def _delta(self, delta: Delta) -> str:
        first = [f'loss["{delta.name}"][t]'] * delta.seeded
        first += [f"later_{delta.name}"] * (delta.name in self._cell.states)
        now = self._terms(term for term in delta.terms if not term.later)
        return f"delta_{delta.name} = {' + '.join([*first, *([now] if now != '0' else [])]) or '0'}"

    def _terms(self, terms: Iterable[Passed]) -> str:
        return " + ".join(map(self._passed, terms)) or "0"

    def _passed(self, term: Passed) -> str:
        if term.factor.weights:
            (weight,) = term.factor.weights
            return f"{self._local(weight.name)}{'.T' * weight.transposed} @ delta_{term.source}"
        factor = through_gates(self._cell, term.factor.diagonals[0])
        if factor in (1, -1):
            return f"{'-' * (factor == -1)}delta_{term.source}"
        text = re.sub(r"(?<!\*)([*/])(?!\*)", r" \1 ", self._printer.doprint(factor))
        return f"({text}) * delta_{term.source}" if factor.is_Add else f"{text} * delta_{term.source}"

    def _shares(self, equation: ParameterSum) -> list[str]:
        found = []
        for term in equation.terms:
            if isinstance(term, Product):
                pair = [f"delta_{term.source}", self._local(term.vector)]
                found.append(f"np.outer({', '.join(reversed(pair) if term.transposed else pair)})")
            else:
                part = self._passed(term)
                found.append(f"np.sum({part})" if equation.name in self._cell.constants else part)
        return found


def _quoted(name: str) -> str:
    return f'"{name}"'


def source(adjoint: Adjoint) -> str:
    """``Adjoint.source``."""
    return _Source(adjoint).text()
