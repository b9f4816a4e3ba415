"""Structured Jacobians in numbers: the diagonals are compiled once, the matrices are assembled from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from lstm_sym.calculus.terms import Term, Terms
from lstm_sym.cell import Cell
from lstm_sym.checks import finite, unknown_name
from lstm_sym.functions import Array, compiled
from lstm_sym.notation import lag_of

if TYPE_CHECKING:
    from lstm_sym.calculus.values import Jacobian


class Coefficients:
    """The distinct diagonals of some terms as one vectorised NumPy function.

    ``arguments`` are the vectors that it needs; calling it with their values gives each diagonal's numbers.
    ``names`` says how each diagonal is called in ``source``, whose lines are ``definitions``.
    """

    def __init__(self, name: str, terms: Iterable[Term]) -> None:
        distinct = dict.fromkeys(diagonal for term in terms for diagonal in term.diagonals)
        self._constants = {d: float(d) for d in distinct if d.is_number}
        self._diagonals = [d for d in distinct if not d.is_number]
        self.arguments = tuple(sorted({s.name for diagonal in self._diagonals for s in diagonal.free_symbols}))
        numeric = [_with_numbers(diagonal) for diagonal in self._diagonals]
        shared, reduced = sp.cse(numeric, symbols=self._fresh("s"), order="none", list=False)
        results = [symbol for symbol, _ in zip(self._fresh("d"), self._diagonals, strict=False)]
        self.definitions = [*shared, *zip(results, reduced, strict=True)]
        self.names = {d: symbol.name for d, symbol in zip(self._diagonals, results, strict=True)}
        self._function, self.source = compiled(name, self.arguments, self.definitions, results)

    def _fresh(self, letter: str) -> Iterator[sp.Symbol]:
        """letter0, letter1, …, but no argument's name."""
        names = (f"{letter}{k}" for k in count())
        return (sp.Symbol(name, real=True) for name in names if name not in self.arguments)

    def __call__(self, *sources: Mapping[str, Array]) -> dict[sp.Expr, Array | float]:
        """Every diagonal's numbers, (..., n), from the first source that has a name; constants are scalars."""
        numbers = self._function(*(next(s[name] for s in sources if name in s) for name in self.arguments))
        return {**self._constants, **dict(zip(self._diagonals, numbers, strict=True))}


def _with_numbers(diagonal: sp.Expr) -> sp.Expr:
    """Functions of numbers, σ(1), as numbers."""
    return diagonal.xreplace({f: sp.Float(f.evalf(17)) for f in diagonal.atoms(sp.Function) if f.is_number})


class Dense:
    """A sum of terms as a matrix, for any numbers of its diagonals; what depends on the weights is done once.

    Terms d·W, the common kind, are summed row by row as one small matrix product, (batch, terms)·(terms, columns),
    which goes straight into the result.
    """

    def __init__(self, terms: Terms, weights: Mapping[str, Array]) -> None:
        simple = [term for term in terms if len(term.weights) == 1 and term.diagonals[1] == 1]
        self._weights = weights
        self._direct = [term.diagonals[0] for term in terms if term.is_direct]
        self._chains = [term for term in terms if term.weights and term not in simple]
        self._factors = [term.diagonals[0] for term in simple]
        self._matrices = np.stack([_matrix(term, 0, weights) for term in simple], axis=1) if simple else None

    def factors(self, numbers: Mapping[sp.Expr, Any], shape: tuple[int, int], dtype: Any) -> Array:
        """The diagonals of the terms d·W side by side, (rows, batch, terms), for ``shape`` (batch, rows)."""
        found = np.empty((shape[1], shape[0], len(self._factors)), dtype)
        for place, diagonal in enumerate(self._factors):
            found[..., place] = np.transpose(numbers[diagonal])
        return found

    def write(self, out: Array, numbers: Mapping[sp.Expr, Any], factors: Array) -> None:
        """Write the matrices to ``out`` (batch, rows, columns), which is zero; diagonals are (batch, rows)."""
        if self._matrices is not None:
            np.matmul(factors, self._matrices, out=out.transpose(1, 0, 2))
        for term in self._chains:
            out += _chain(term, numbers, self._weights)
        if self._direct:
            diagonal = np.einsum("...ii->...i", out)
            for direct in self._direct:
                diagonal += numbers[direct]


def flattened(numbers: Mapping[sp.Expr, Any], batch: tuple[int, ...]) -> dict[sp.Expr, Any]:
    """The diagonals' numbers (..., n) as (members of the batch, n); constants as they are."""
    return {d: _flat(array, batch) if np.ndim(array) else array for d, array in numbers.items()}


def _flat(array: Array, batch: tuple[int, ...]) -> Array:
    return np.broadcast_to(array, (*batch, array.shape[-1])).reshape(-1, array.shape[-1])


def _matrix(term: Term, place: int, weights: Mapping[str, Array]) -> Array:
    weight = term.weights[place]
    return weights[weight.name].T if weight.transposed else weights[weight.name]


def _chain(term: Term, numbers: Mapping[sp.Expr, Any], weights: Mapping[str, Array]) -> Array:
    """d₀·W₁·d₁·…·W_k·d_k, left to right."""
    matrix = _rows_scaled(_matrix(term, 0, weights), numbers[term.diagonals[0]])
    for place in range(1, len(term.weights)):
        matrix = _columns_scaled(matrix, numbers[term.diagonals[place]]) @ _matrix(term, place, weights)
    return _columns_scaled(matrix, numbers[term.diagonals[-1]])


def _rows_scaled(matrix: Array, diagonal: Any) -> Array:
    return np.asarray(diagonal[..., :, None] * matrix if np.ndim(diagonal) else diagonal * matrix)


def _columns_scaled(matrix: Array, diagonal: Any) -> Array:
    return np.asarray(matrix * (diagonal[..., None, :] if np.ndim(diagonal) else diagonal))


@lru_cache(maxsize=256)
def _coefficients(terms: Terms) -> Coefficients:
    return Coefficients("diagonals", terms)


def evaluate(jacobian: Jacobian, given: Mapping[str, Any]) -> Array:
    """``Jacobian.evaluate``: pre-activations are used where given, gates otherwise."""
    values = {name: _value(jacobian.cell, name, value) for name, value in given.items()}
    terms = jacobian.terms if values.keys() >= set(_coefficients(jacobian.terms).arguments) else jacobian.readable
    coefficients = _coefficients(terms)
    weights = {weight.name for term in terms for weight in term.weights}
    if missing := [name for name in (*coefficients.arguments, *sorted(weights)) if name not in values]:
        raise ValueError(f"no value for {', '.join(missing)}: {jacobian.equation()} needs them.")
    sizes = _sizes(jacobian.cell, values)
    if unknown := [size for size in jacobian.shape if size not in sizes]:
        raise ValueError(f"the {unknown[0]} size cannot be told: give at least one vector or weight of that size.")
    used = [values[name] for name in coefficients.arguments]
    try:
        batch = np.broadcast_shapes(*(value.shape[:-1] for value in used))
    except ValueError:
        shapes = ", ".join(f"{n} {values[n].shape}" for n in coefficients.arguments)
        raise ValueError(f"the leading axes do not broadcast: {shapes}.") from None
    deciding = [*used, *(values[name] for name in weights)] or values.values()
    dtype = np.result_type(*deciding, np.float32)
    out = np.zeros((int(np.prod(batch)), *(sizes[size] for size in jacobian.shape)), dtype)
    dense = Dense(terms, values)
    with np.errstate(under="ignore"):
        numbers = flattened(coefficients(values), batch)
        dense.write(out, numbers, dense.factors(numbers, out.shape[:2], dtype))
    return out.reshape(*batch, *out.shape[1:])


def _value(cell: Cell, name: str, value: Any) -> Array:
    """One given value: its name known, its entries finite, its axes as many as they should be."""
    base = lag_of(name)[0]
    if not (name in cell.parameters or name in cell.vectors or base in cell.vectors):
        raise unknown_name(f"quantity of {cell.name}", name, (*cell.vectors, *cell.parameters))
    array = finite(name, value)
    if name in cell.weights and array.ndim != 2:
        raise ValueError(f"{name} has shape {array.shape}: expected (rows, columns).")
    if name in cell.constants and array.ndim:
        raise ValueError(f"{name} has shape {array.shape}: expected one number.")
    if array.ndim == 0 and name not in cell.constants:
        raise ValueError(f"{name} is a single number: expected a vector, (..., n).")
    return array


def _sizes(cell: Cell, values: Mapping[str, Array]) -> dict[str, int]:
    """The length behind every size name that some value has."""
    sizes: dict[str, int] = {}
    for name, value in values.items():
        if name in cell.constants:
            continue
        if name in cell.weights:
            weight = cell.weights[name]
            lengths = {(weight.rows, value.shape[0]), (weight.columns, value.shape[1])}
        else:
            lengths = {(cell.sizes[name if name in cell.sizes else lag_of(name)[0]], value.shape[-1])}
        for size, length in lengths:
            if sizes.setdefault(size, length) != length:
                raise ValueError(f"{name} has shape {value.shape}: its {size} size is {sizes[size]} elsewhere.")
    return sizes
