"""Dense matrices of Jacobian blocks, stacked as the states are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lstm_sym.calculus.derive import jacobian, within_step
from lstm_sym.calculus.determinants import eliminated, new_on_new
from lstm_sym.calculus.numbers import Coefficients, Dense, flattened
from lstm_sym.calculus.tables import JacobianTable
from lstm_sym.calculus.terms import Terms
from lstm_sym.cell import Cell
from lstm_sym.checks import unknown_name
from lstm_sym.functions import Array
from lstm_sym.kernels.parameters import Parameters

#: Floats of matrices that are written at a time: a row of many steps is one product, and memory is still in cache.
MATRICES = 1_048_576
#: Matrices that are written at a time at least: a row of each is one small matrix product.
LEAST = 4


@dataclass(frozen=True)
class Blocks:
    """A table of sums of terms; ``rows`` and ``columns`` are the vectors whose sizes the blocks have."""

    cell: Cell
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    terms: Mapping[tuple[str, str], Terms]
    coefficients: Coefficients

    def at(self, parameters: Parameters) -> Assembly:
        """The matrices for these parameters, ready to be written for any values."""
        return Assembly(self, parameters)

    def dense(self, parameters: Parameters, values: Mapping[str, Array], batch: tuple[int, ...]) -> Array:
        """The whole matrix, (*batch, Σ rows, Σ columns)."""
        assembly = self.at(parameters)
        out = np.zeros((*batch, *assembly.shape), np.result_type(parameters.dtype, *values.values()))
        assembly.write(out, values)
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


class Assembly:
    """Dense matrices of ``blocks`` for the parameters of one network."""

    def __init__(self, blocks: Blocks, parameters: Parameters) -> None:
        self._coefficients, self._parameters = blocks.coefficients, parameters
        rows, columns = (_slices(blocks.cell, names, parameters) for names in (blocks.rows, blocks.columns))
        self.shape = (rows[blocks.rows[-1]].stop, columns[blocks.columns[-1]].stop)
        self._parts = [
            (rows[row], columns[column], Dense(terms, parameters)) for (row, column), terms in blocks.terms.items()
        ]

    def write(self, out: Array, values: Mapping[str, Array]) -> None:
        """Write the matrices to ``out`` (*batch, Σ rows, Σ columns), contiguous and zero."""
        numbers = flattened(self._coefficients(values, self._parameters), out.shape[:-2])
        flat = out.reshape(-1, *self.shape)
        shapes = [(len(flat), row.stop - row.start) for row, _, _ in self._parts]
        factors = [part[2].factors(numbers, s, out.dtype) for part, s in zip(self._parts, shapes, strict=True)]
        run = max(LEAST, MATRICES // (self.shape[0] * self.shape[1]))
        for start in range(0, len(flat), run):
            part = slice(start, start + run)
            now = {d: array[part] if np.ndim(array) else array for d, array in numbers.items()}
            for (row, column, dense), factor in zip(self._parts, factors, strict=True):
                dense.write(flat[part, row, column], now, factor[:, part])


def _slices(cell: Cell, names: tuple[str, ...], parameters: Parameters) -> dict[str, slice]:
    """Where each of the vectors stands among them."""
    start, found = 0, {}
    for name in names:
        found[name] = slice(start, start := start + parameters.sizes[cell.sizes[name]])
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
