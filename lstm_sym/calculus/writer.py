"""``Writer``: LaTeX of what derivations are made of, for one cell in one notation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import sympy as sp

from lstm_sym.calculus.explicit import through_gates
from lstm_sym.calculus.terms import Term
from lstm_sym.cell import Cell, Weight
from lstm_sym.cell.naming import Names, names
from lstm_sym.notation import STANDARD, Notation, in_brackets, is_raised, scalar


@dataclass(frozen=True)
class Writer:
    """Everything in LaTeX goes through one of these: it knows the names, the layout and the signs of a notation.

    ``now`` is the time of what has no lag: "t", "t+1", "T-k". Where vectors are rows, every matrix here is the
    row convention's: ``times`` writes the factors of a column formula in reverse.
    """

    cell: Cell
    notation: Notation = STANDARD

    @property
    def names(self) -> Names:
        """The names of the cell's quantities."""
        return names(self.cell, self.notation)

    @property
    def timed(self) -> Writer:
        """The same with time indices, for formulas over several steps."""
        return replace(self, notation=replace(self.notation, time=True))

    def vector(self, name: str, now: str = "t") -> str:
        """A vector or a vector parameter by its code name: h_{t-1}, p_f."""
        return self.names.vector(name, now)

    def weight(self, weight: Weight | str) -> str:
        r"""A weight matrix, "W_hf" or transposed "W_hf.T": W_{hf}, U_f, W_{hh}^{\top}."""
        return self.names.weight(weight)

    def matrix(self, letter: str, subscript: str = "") -> str:
        """A matrix that is no parameter: J_t, I."""
        letter = rf"\mathbf{{{letter}}}" if self.notation.bold else letter
        return letter + (f"_{subscript}" if len(subscript) == 1 else f"_{{{subscript}}}" if subscript else "")

    def scalar(self, expression: sp.Expr, now: str = "t") -> str:
        r"""An expression per unit, slopes through their gates: c_{t-1} \odot f_t \odot (1 - f_t)."""
        if expression.has(sp.Function):
            expression = through_gates(self.cell, expression)
        return scalar(expression, self.names.style(now))

    def diagonal(self, expression: sp.Expr, now: str = "t") -> str:
        r"""The diagonal matrix of an expression per unit: \operatorname{diag}(f_t)."""
        return self.diagonal_of(self.scalar(expression, now))

    def diagonal_of(self, text: str) -> str:
        """The diagonal matrix of what is written already."""
        word = r"\operatorname{diag}" if self.notation.diagonal == "diag" else self.matrix("D")
        return word + in_brackets(text)

    def term(self, term: Term, now: str = "t") -> str:
        r"""d₀·W₁·d₁·…: \operatorname{diag}(f_t \odot (1 - f_t))\, W_{hf}; numbers in front."""
        number, rest = term.factored(self.cell.is_constant)
        matrices = []
        for place, diagonal in enumerate(rest.diagonals):
            if diagonal != 1:
                matrices.append(self.diagonal(diagonal, now))
            if place < len(rest.weights):
                matrices.append(self.weight(rest.weights[place]))
        return self.numbered(number, self.times(*matrices))

    def numbered(self, number: sp.Expr, product: str) -> str:
        """A number that is the same for all units times a matrix, the identity where that is ''."""
        product = product or self.matrix("I")
        if number in (1, -1):
            return product if number == 1 else f"-{product}"
        factor = self.scalar(number)
        return r"\, ".join([in_brackets(factor) if number.is_Add else factor, product])

    def sum(self, terms: Iterable[Term], now: str = "t") -> str:
        """The terms joined by +, or 0."""
        return self.added([self.term(term, now) for term in terms])

    def added(self, addends: Sequence[str]) -> str:
        """Addends joined by +, by − before one that begins with a minus sign; 0 if there are none."""
        text = "".join(f" - {a[1:]}" if a.startswith("-") else f" + {a}" for a in addends)
        return "-" + text[3:] if text.startswith(" -") else text[3:] or "0"

    def times(self, *factors: str) -> str:
        """Matrices multiplied: given in the order of a column formula, written in the layout of the notation."""
        return r"\, ".join(reversed(factors) if self.notation.row else factors)

    def applied(self, matrix: str, vector: str) -> str:
        """A matrix on a column, or a row on a matrix: W h or h W."""
        return f"{vector} {matrix}" if self.notation.row else f"{matrix} {vector}"

    def transposed(self, text: str) -> str:
        r"""The transpose of one factor."""
        return rf"({text})^{{\top}}" if is_raised(text) else rf"{text}^{{\top}}"

    def derivative(self, of: str, wrt: str, total: bool = False) -> str:
        r"""\frac{\partial c_t}{\partial h_{t-1}} of two vectors as they are written; d for a total derivative."""
        d = r"\mathrm{d}" if total else r"\partial"
        return rf"\frac{{{d} {of}}}{{{d} {wrt}}}"
