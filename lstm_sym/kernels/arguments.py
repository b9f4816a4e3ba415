"""What a kernel is called with: parameters drawn, bound and checked; where states stand in the stacked state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lstm_sym.cell import Cell, a_cell
from lstm_sym.checks import finite, fits, integer
from lstm_sym.checks import size as checked_size
from lstm_sym.functions import Array
from lstm_sym.kernels.parameters import Parameters, draw
from lstm_sym.notation import layer_of


class Arguments:
    """The parameters, inputs and states of one cell, as its kernel takes them."""

    def __init__(self, cell: Cell) -> None:
        self.cell = a_cell(cell)

    def parameters(
        self,
        hidden: int,
        inputs: int,
        rng: np.random.Generator | int | None = None,
        gain: float = 1.0,
        *,
        outputs: int | None = None,
        dtype: Any = np.float64,
        **values: Any,
    ) -> dict[str, Array]:
        """Random parameters, a dict by equation name.

        Weights from states, W_h…, are N(0, gain²/hidden), weights from inputs N(0, 1/inputs), biases 0 except the
        forget gate's, b_f = 1 (Gers et al. 2000). Any of them is overridden by name with a number or an array:
        ``b_f=3.0``, ``W_hf=array``. A cell whose states differ in size takes these by name, ``projection=4``; all
        are ``hidden`` otherwise. The output layer is included where ``outputs`` says its size.

        Raises:
            ValueError: a size below 1 or absurdly large, an unknown name, a shape that does not fit, a NaN.
        """
        for name in self.cell.parameters:
            if name in ("b_f", f"b_f_l{layer_of(name)}"):
                values.setdefault(name, 1.0)
        named = dict.fromkeys(self.cell.sizes.values())
        sizes: dict[str, int | None] = dict.fromkeys(named, checked_size("hidden", hidden))
        sizes |= {self.cell.sizes[name]: checked_size("inputs", inputs) for name in self.cell.inputs}
        states = {self.cell.sizes[name] for name in self.cell.states}
        sizes |= {self.cell.sizes[y]: outputs for y in self.cell.outputs if self.cell.sizes[y] not in states}
        sizes |= {name: checked_size(name, values.pop(name)) for name in named if name in values}
        return draw(self.cell, sizes, rng, gain, dtype, values)

    def bind(self, parameters: Mapping[str, Any]) -> Parameters:
        """``parameters`` checked, copied and packed; use it in place of the dict to check only once."""
        if not isinstance(parameters, Parameters):
            return Parameters(self.cell, parameters)
        if parameters.cell is not self.cell:
            raise ValueError(
                f"these parameters are bound to {parameters.cell.name}, the kernel is of {self.cell.name}."
            )
        return parameters

    def state_size(self, parameters: Mapping[str, Any]) -> int:
        """S, the total size of the stacked state."""
        return self._size(self.bind(parameters), self.cell.states)

    def blocks(self, parameters: Mapping[str, Any]) -> dict[str, slice]:
        """Where each state stands in the stacked state."""
        sizes, start, found = self.bind(parameters).sizes, 0, {}
        for state in self.cell.states:
            found[state] = slice(start, start := start + sizes[self.cell.sizes[state]])
        return found

    def _size(self, bound: Parameters, names: tuple[str, ...]) -> int:
        return sum(bound.sizes[self.cell.sizes[name]] for name in names)

    def prepare(
        self, parameters: Mapping[str, Any], inputs: Any, initial: Any = None
    ) -> tuple[Parameters, Array, Array]:
        """Checked (parameters, inputs (T, ..., m), initial (..., S)); an integer T means T steps of zero input.

        ``initial`` defaults to zeros.
        """
        bound = self.bind(parameters)
        m, S = self._size(bound, self.cell.inputs), self._size(bound, self.cell.states)
        if isinstance(inputs, (int, np.integer)):
            steps = integer("inputs", inputs)
            if steps < 1:
                raise ValueError(f"inputs = {steps}: expected at least one time step.")
            fits(f"inputs = {steps} steps: the inputs and states", steps, m + S)
            inputs = np.zeros((steps, m), bound.dtype)
        inputs = self._vector("inputs", inputs, m, "(T, ..., inputs)")
        if inputs.ndim < 2 or not len(inputs):
            raise ValueError(f"inputs has shape {inputs.shape}: expected (T, ..., {m}) with T at least 1.")
        start = np.zeros(S, bound.dtype) if initial is None else self._vector("initial", initial, S, self._layout())
        agree("inputs", inputs.shape[1:-1], "initial", start.shape[:-1])
        return bound, inputs, start

    def _layout(self) -> str:
        return f"(..., S), stacked as ({', '.join(self.cell.states)})"

    def _vector(self, what: str, value: Any, size: int, meaning: str) -> Array:
        array = finite(what, value)
        if array.ndim == 0 or array.shape[-1] != size:
            raise ValueError(f"{what} has shape {array.shape}: expected a last axis of {size}, {meaning}.")
        return array

    def _checked(self, parameters: Mapping[str, Any], x: Any, state: Any) -> tuple[Parameters, Array, Array]:
        bound = self.bind(parameters)
        x = self._vector("x", x, self._size(bound, self.cell.inputs), "(..., inputs)")
        state = self._vector("state", state, self._size(bound, self.cell.states), self._layout())
        agree("x", x.shape[:-1], "state", state.shape[:-1])
        return bound, x, state


def agree(a: str, shape: tuple[int, ...], b: str, other: tuple[int, ...]) -> None:
    """ValueError unless the leading axes of two arguments broadcast."""
    try:
        np.broadcast_shapes(shape, other)
    except ValueError:
        raise ValueError(f"{a} has leading axes {shape}, {b} has {other}: they do not broadcast.") from None
