"""``JacobianTable``: the Jacobian of stacked states as a table of blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy as sp

from lstm_sym.calculus import text
from lstm_sym.calculus.values import Jacobian
from lstm_sym.cell import Cell
from lstm_sym.checks import unknown_name
from lstm_sym.functions import Array
from lstm_sym.notation import STANDARD, Notation, a_notation
from lstm_sym.notation.wrapping import hanging, terminal_width


@dataclass(frozen=True, repr=False)
class JacobianTable:
    """Blocks ∂row/∂column in the order of the stacked state; ``table["c", "h"]`` is one block, a ``Jacobian``."""

    cell: Cell
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    path: str
    blocks: Mapping[tuple[str, str], Jacobian]

    def __getitem__(self, place: tuple[str, str]) -> Jacobian:
        if place in self.blocks:
            return self.blocks[place]
        raise unknown_name("block", place, map(str, self.blocks))

    def __iter__(self) -> Iterator[Jacobian]:
        return iter(self.blocks.values())

    def __hash__(self) -> int:
        return hash((self.cell, self.rows, self.columns, self.path))

    @property
    def T(self) -> JacobianTable:
        """The transpose of the whole table."""
        blocks = {(c, r): block.T for (r, c), block in self.blocks.items()}
        ordered = {(r, c): blocks[r, c] for r in self.columns for c in self.rows}
        return replace(self, rows=self.columns, columns=self.rows, blocks=ordered)

    def subs(self, values: Mapping[sp.Symbol | str, Any] | None = None, **named: Any) -> JacobianTable:
        """Every block with vectors replaced, see ``Jacobian.subs``."""
        return replace(self, blocks={place: block.subs(values, **named) for place, block in self.blocks.items()})

    def evaluate(self, values: Mapping[str, Any] | None = None, **named: Any) -> Array:
        """The whole matrix in numbers, (..., S, S), see ``Jacobian.evaluate``."""
        parts = {place: block.evaluate(values, **named) for place, block in self.blocks.items()}
        batch = np.broadcast_shapes(*(part.shape[:-2] for part in parts.values()))
        wide = {place: np.broadcast_to(part, (*batch, *part.shape[-2:])) for place, part in parts.items()}
        rows = [np.concatenate([wide[r, c] for c in self.columns], axis=-1) for r in self.rows]
        return np.concatenate(rows, axis=-2)

    def to_sympy(self, n: int | sp.Expr, **sizes: int | sp.Expr) -> sp.Matrix | sp.MatrixExpr:
        """SymPy's block matrix: explicit for an integer ``n``, see ``Jacobian.to_sympy``."""
        blocks = [[self.blocks[r, c].to_sympy(n, **sizes) for c in self.columns] for r in self.rows]
        if all(isinstance(block, sp.MatrixBase) for row in blocks for block in row):
            return sp.ImmutableMatrix(sp.Matrix.vstack(*(sp.Matrix.hstack(*map(sp.Matrix, row)) for row in blocks)))
        return sp.BlockMatrix(blocks)

    def latex(self, equation: bool = False, notation: Notation = STANDARD) -> str:
        """A ``pmatrix`` of the blocks (the block itself where there is one), or the whole equation."""
        a_notation(notation)
        if len(self.blocks) == 1:
            return next(iter(self)).latex(equation, notation)
        matrix = text.latex_table(self, notation)
        return f"{text.latex_table_name(self, notation)} = {matrix}" if equation else matrix

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.latex(equation=True)}$"

    def __str__(self) -> str:
        return text.unicode_table(self)

    def __repr__(self) -> str:
        ruled, columns = str(self), terminal_width()
        if max(map(len, ruled.split("\n"))) <= columns:
            return ruled
        return "\n".join(hanging(f"{text.unicode_name(block)} = ", str(block), columns) for block in self)
