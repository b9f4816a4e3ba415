"""A claim that is a function: called with the numbers of a point, what it returns checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lstm_sym.calculus.tables import JacobianTable
from lstm_sym.calculus.text import unicode_name
from lstm_sym.calculus.values import Jacobian
from lstm_sym.checks import numeric
from lstm_sym.claims.points import Point, Values
from lstm_sym.functions import Array

#: The rows and columns of the result that are claimed, at a point.
Part = Callable[[Array, Point], Array]


@dataclass(frozen=True, eq=False)
class Claimed:
    """``function`` as a claim about ``question``: called with a point it gives the matrix, whatever its shape."""

    question: Jacobian
    function: Callable[[Any], Any]
    part: Part | None = None

    @property
    def name(self) -> str:
        """How a report calls it."""
        called = getattr(self.function, "__name__", type(self.function).__name__)
        name = "the given function" if called == "<lambda>" else f"the function {called}"
        return f"the block of {name}" if self.part else name

    def __call__(self, point: Point) -> Array:
        """The matrix at a point; what is no matrix of finite real numbers is refused."""
        what = f"{self.name}, claimed for {unicode_name(self.question)}, at {point},"
        try:
            with np.errstate(under="ignore"):
                returned = self.function(Values(point))
        except Exception as error:
            shapes = _shapes(error)
            raise ValueError(f"{what} raised {type(error).__name__}: {str(error).rstrip(' .')}.{shapes}") from error
        if returned is None:
            raise ValueError(f"{what} returned nothing: does it lack a return?")
        array = numeric(f"what {what} returned", returned)
        if array.dtype.kind == "c":
            raise TypeError(f"{what} returned complex numbers: expected real ones.")
        if not np.isfinite(array).all():
            place = [int(k) for k in np.argwhere(~np.isfinite(array))[0]]
            raise ValueError(f"{what} returned {array[tuple(place)]} at entry {place}: expected finite numbers.")
        return self.part(array, point) if self.part else array


def _shapes(error: Exception) -> str:
    """A hint where sizes did not fit."""
    if "broadcast" not in str(error) and "matmul" not in str(error) and "aligned" not in str(error):
        return ""
    return " Vectors are (n,), weights (rows, columns), and inputs and outputs have sizes other than n."


def block_of(table: JacobianTable, place: tuple[str, str]) -> Part:
    """How to cut one block out of the whole matrix."""

    def cut(whole: Array, point: Point) -> Array:
        sides = ([table[r, table.columns[0]].shape[0] for r in table.rows], table.rows, place[0])
        other = ([table[table.rows[0], c].shape[1] for c in table.columns], table.columns, place[1])
        spans, shape = [], []
        for sizes, names, name in (sides, other):
            ends = np.cumsum([0, *(point.sizes[size] for size in sizes)])
            k = names.index(name)
            spans.append(slice(int(ends[k]), int(ends[k + 1])))
            shape.append(int(ends[-1]))
        if whole.shape != tuple(shape):
            raise ValueError(
                f"the whole matrix has shape {whole.shape} at {point}: expected {tuple(shape)}, the states stacked"
                f" as ({', '.join(table.rows)}) by ({', '.join(table.columns)})."
            )
        return whole[tuple(spans)]

    return cut
