"""The parts of a cell: weights, and the two kinds of node that a cell's equations are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import sympy as sp


class CellError(ValueError):
    """A declaration that is not a cell: the message names the cell, the equation and the remedy.

    >>> import lstm_sym as ls
    >>> try:
    ...     ls.Cell("mine", "h = tanh(W_hh @ h_prv)", states="h")
    ... except ls.CellError as error:
    ...     print(error)
    mine, line 1, h = tanh(W_hh @ h_prv): 'h_prv' is not a vector defined above. Defined: x, h_prev.
    """


@dataclass(frozen=True)
class Weight:
    """A matrix parameter. ``rows`` and ``columns`` name sizes ("hidden", "inputs", …), as [out, in]."""

    name: str
    rows: str
    columns: str
    transposed: bool = False

    @property
    def T(self) -> Weight:
        """The transpose."""
        return Weight(self.name, self.columns, self.rows, not self.transposed)


#: What follows a weight's name where its transpose is meant, W_hh.T.
TRANSPOSE = ".T"


def base(factor: str) -> str:
    """The name of the weight in "W_hh" or "W_hh.T"."""
    return factor.removesuffix(TRANSPOSE)


@dataclass(frozen=True)
class Affine:
    """z = Σ W v + b: ``products`` pairs a weight, "W" or "W.T", with an earlier vector; ``biases`` are vectors."""

    name: str
    products: tuple[tuple[str, str], ...]
    biases: tuple[str, ...]

    @property
    def reads(self) -> tuple[str, ...]:
        """The vectors that this node reads, biases left out."""
        return tuple(vector for _, vector in self.products)


@dataclass(frozen=True)
class Elementwise:
    """v = expression, an ordinary scalar SymPy expression in the per-unit symbols of earlier vectors."""

    name: str
    expression: sp.Expr

    @property
    def reads(self) -> tuple[str, ...]:
        """The vectors (parameters among them) that this node reads, in alphabetical order."""
        return tuple(sorted(symbol.name for symbol in self.expression.free_symbols))


Node: TypeAlias = Affine | Elementwise


def unit(name: str) -> sp.Symbol:
    """The per-unit symbol of the vector called ``name``."""
    return sp.Symbol(name, real=True)
