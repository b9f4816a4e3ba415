"""Dense matrices of Jacobian blocks, stacked as the states are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lstm_sym.calculus.derive import jacobian, within_step
from lstm_sym.calculus.determinants import eliminated, new_on_new
from lstm_sym.calculus.numbers import Coefficients, add_dense
from lstm_sym.calculus.tables import JacobianTable
from lstm_sym.calculus.terms import Terms
from lstm_sym.cell import Cell
from lstm_sym.checks import unknown_name
from lstm_sym.functions import Array
from lstm_sym.kernels.parameters import Parameters


@dataclass(frozen=True)
class Blocks:
    """A table of sums of terms; ``rows`` and ``columns`` are the vectors whose sizes the blocks have."""

    cell: Cell
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    terms: Mapping[tuple[str, str], Terms]
    coefficients: Coefficients

    def dense(self, parameters: Parameters, values: Mapping[str, Array], batch: tuple[int, ...]) -> Array:
        """The whole matrix, (*batch, Σ rows, Σ columns)."""
        numbers = self.coefficients(values, parameters)
        heights = [parameters.sizes[self.cell.sizes[name]] for name in self.rows]
        widths = [parameters.sizes[self.cell.sizes[name]] for name in self.columns]
        dtype = np.result_type(parameters.dtype, *(np.asarray(n).dtype for n in numbers.values() if np.ndim(n)))
        out = np.zeros((*batch, sum(heights), sum(widths)), dtype)
        top = 0
        for row, height in zip(self.rows, heights, strict=True):
            left = 0
            for column, width in zip(self.columns, widths, strict=True):
                block = out[..., top : top + height, left : left + width]
                add_dense(block, self.terms.get((row, column), ()), numbers, parameters)
                left += width
            top += height
        return out

    def diagonals(
        self, parameters: Parameters, values: Mapping[str, Array], batch: tuple[int, ...]
    ) -> dict[tuple[str, str], Array]:
        """The blocks as vectors (*batch, n), where all terms are direct; zero blocks left out."""
        numbers = self.coefficients(values, parameters)
        found = {}
        for (row, column), terms in self.terms.items():
            shape = (*batch, parameters.sizes[self.cell.sizes[row]])
            if terms:
                found[row, column] = np.broadcast_to(sum(numbers[term.diagonals[0]] for term in terms), shape)
        return found


def _blocks(
    cell: Cell, rows: tuple[str, ...], columns: tuple[str, ...], terms: Mapping[tuple[str, str], Terms]
) -> Blocks:
    every = [term for block in terms.values() for term in block]
    return Blocks(cell, rows, columns, terms, Coefficients("diagonals", every))


def jacobian_blocks(cell: Cell, of: str, wrt: str, path: str) -> Blocks:
    """The blocks of ``jacobian(cell, of, wrt, path)``."""
    value = jacobian(cell, of, wrt, path)
    if isinstance(value, JacobianTable):
        terms = {place: block.terms for place, block in value.blocks.items()}
        return _blocks(
            cell,
            value.rows,
            tuple(value[value.rows[0], c].wrt for c in value.columns),
            {(row, value[row, column].wrt): block for (row, column), block in terms.items()},
        )
    return _blocks(cell, (value.of,), (value.wrt,), {(value.of, value.wrt): value.terms})


def eliminated_blocks(cell: Cell) -> tuple[Blocks, Blocks] | None:
    """R and N of J = (I − N)⁻¹ R, or None where no new state reads another (J = R)."""
    reads = new_on_new(cell)
    if not reads:
        return None
    tables = (eliminated(cell), reads)
    first, second = (_blocks(cell, cell.states, cell.states, table) for table in tables)
    return first, second


def within_blocks(cell: Cell, wrt: str) -> Blocks:
    """d(all states)/d(wrt) in one and the same step."""
    if wrt not in cell.states:
        raise unknown_name(f"state of {cell.name}", wrt, cell.states)
    terms = {(state, wrt): found for state, found in within_step(cell, wrt).items()}
    return _blocks(cell, cell.states, (wrt,), terms)
