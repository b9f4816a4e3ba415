"""What every tangent action of a run of steps has: the state's slices, the diagonals over time, the dtype."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy as sp

from lstm_sym.cell import Cell, Weight
from lstm_sym.functions import Array
from lstm_sym.kernels.parameters import Parameters
from lstm_sym.kernels.tangents.forms import Form


class Steps:
    """The steps t = 0 … T − 1 with their numbers; ``batch`` is (T, ...)."""

    def __init__(
        self, cell: Cell, form: Form, parameters: Parameters, values: Mapping[str, Array], batch: tuple[int, ...]
    ) -> None:
        numbers = form.coefficients(values, parameters)
        arrays = [np.asarray(number).dtype for number in numbers.values() if np.ndim(number)]
        self.form, self.parameters, self.batch = form, parameters, batch
        self.dtype = np.result_type(parameters.dtype, *arrays)
        self._numbers = {d: self._over_time(number) for d, number in numbers.items()}
        self.slices: dict[str, slice] = {}
        start = 0
        for state in cell.states:
            self.slices[state] = slice(start, start := start + parameters.sizes[cell.sizes[state]])
        self.size = start

    def __len__(self) -> int:
        return self.batch[0]

    def _over_time(self, number: Any) -> Any:
        """A diagonal's numbers as (T, ..., 1, n); constants as they are."""
        if np.ndim(number) == 0:
            return number
        return np.broadcast_to(number, (*self.batch, np.shape(number)[-1]))[..., None, :]

    def diagonal(self, expression: sp.Expr) -> Any:
        """(T, ..., 1, n), or a number; None for 0."""
        return None if expression == 0 else self._numbers[expression]

    def matrix(self, weight: Weight) -> Array:
        """The weight, or its transpose, as [out, in]."""
        array = self.parameters[weight.name]
        return array.T if weight.transposed else array

    def empty(self, rows: Array) -> Array:
        """A frame for the result of acting on ``rows``."""
        shape = (*np.broadcast_shapes(self.batch[1:], rows.shape[:-2]), *rows.shape[-2:])
        return np.empty(shape, np.result_type(self.dtype, rows))


def at(numbers: Any, t: int) -> Any:
    """A diagonal's numbers at step t; constants as they are."""
    return numbers[t] if np.ndim(numbers) else numbers
