"""Derivatives by parameters over one step, the states that enter it held: "immediate", written ∂⁺.

What a weight does through the states of earlier steps is another thing: that is the derivative through time,
``Sensitivity``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lstm_sym.calculus.terms import Term, Terms
from lstm_sym.calculus.values import Jacobian, by_name
from lstm_sym.calculus.weights import text
from lstm_sym.cell import Cell
from lstm_sym.checks import finite, unknown_name
from lstm_sym.functions import Array
from lstm_sym.notation import STANDARD, Notation, a_notation
from lstm_sym.notation.aligned import align
from lstm_sym.notation.wrapping import in_terminal

#: Bytes of a derivative by a matrix above which it is not formed.
LARGEST = 2**32


class Immediate(ABC):
    """Shared by derivatives by a parameter: how they are shown."""

    cell: Cell
    of: str
    wrt: str

    @abstractmethod
    def written(self, script: text.Script, form: str) -> str:
        """The right-hand side."""

    def latex(self, equation: bool = False, notation: Notation = STANDARD, form: str = "kronecker") -> str:
        """LaTeX of the right-hand side, or of the whole equation, in one of the forms of ``equation``."""
        script, form = text.LatexScript(self.cell, a_notation(notation)), text.a_form(form)
        return script.equation(self, form) if equation else self.written(script, form)

    def equation(self, form: str = "kronecker") -> str:
        """The whole equation in Unicode; ``form`` "gradient" is the vector-Jacobian product with some δ."""
        return text.UnicodeScript(self.cell).equation(self, text.a_form(form))

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.latex(equation=True)}$"

    def __str__(self) -> str:
        return self.written(text.UnicodeScript(self.cell), "kronecker")

    def __repr__(self) -> str:
        return in_terminal(str(self))


@dataclass(frozen=True)
class Place:
    """One place where a weight stands, z = W v, or Wᵀ v where ``transposed``; ``jacobian`` is ∂of/∂z."""

    jacobian: Jacobian
    vector: str
    transposed: bool


@dataclass(frozen=True, repr=False)
class ParameterJacobian(Immediate):
    """∂⁺of/∂W by a weight matrix, immediate: the sum over ``places`` of vᵀ ⊗ J, or of J ⊗ vᵀ where W is transposed.

    The columns of W are stacked, vec W: column c·rows + r of the matrix belongs to W[r, c]. The vector-Jacobian
    product is (Jᵀδ) vᵀ, a matrix of W's own shape, or v (Jᵀδ)ᵀ where W is transposed.

    >>> import lstm_sym as ls
    >>> found = ls.jacobian(ls.LSTM, "c", "W_hf")
    >>> found
    hᵀ ⊗ diag(c⊙f⊙(1−f))
    >>> found.equation()
    '∂⁺cₜ/∂vec W_hf = hᵀ ⊗ diag(c⊙f⊙(1−f))'
    >>> found.equation("gradient")
    '(∂⁺cₜ/∂W_hf)ᵀ·δ = (diag(c⊙f⊙(1−f))·δ)·hᵀ'
    """

    cell: Cell
    of: str
    wrt: str
    path: str
    places: tuple[Place, ...]

    @property
    def is_zero(self) -> bool:
        """Whether ``of`` does not depend on the weight within the step: an exact zero."""
        return not self.places

    @property
    def shape(self) -> tuple[str, str, str]:
        """The names of the sizes: of ``of``, of the weight's rows and of its columns."""
        weight = self.cell.weights[self.wrt]
        return self.cell.sizes[self.of], weight.rows, weight.columns

    def __iter__(self) -> Iterator[Place]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)

    def written(self, script: text.Script, form: str) -> str:
        """vᵀ ⊗ J, or (Jᵀδ)·vᵀ."""
        write = script.kronecker if form == "kronecker" else script.gradient
        return script.added([write(p.jacobian, p.vector, p.transposed) for p in self.places])

    def evaluate(self, values: Mapping[str, Any] | None = None, **named: Any) -> Array:
        """The matrix in numbers, (..., n, rows·columns), the weight's columns stacked.

        ``values`` as for ``Jacobian.evaluate``, with the weight itself, which says its shape.

        Raises:
            ValueError: a value is missing, shapes do not fit, or the matrix would take more than 4 GiB.
        """
        given = by_name(values, named)
        rows, columns = self._weight_shape(given)
        parts = [self._part(place, given) for place in self.places]
        size = self._size(given) if not parts else parts[0].shape[-3]
        total = np.zeros((size, columns * rows))
        return sum((part.reshape(*part.shape[:-2], -1) for part in parts), total)

    def gradient(self, delta: Any, values: Mapping[str, Any] | None = None, **named: Any) -> Array:
        """(Jᵀδ) vᵀ in numbers, (..., rows, columns), for δ (..., n); the Kronecker product is not formed."""
        given = by_name(values, named)
        total, seed = np.zeros(self._weight_shape(given)), finite("delta", delta)
        for place in self.places:
            jacobian, v = place.jacobian.evaluate(given), finite(place.vector, given[place.vector])
            if seed.ndim == 0 or seed.shape[-1] != jacobian.shape[-2]:
                raise ValueError(f"delta has shape {seed.shape}: expected a last axis of {jacobian.shape[-2]}.")
            pulled = (seed[..., None, :] @ jacobian)[..., 0, :]
            left, right = (v, pulled) if place.transposed else (pulled, v)
            total = total + left[..., :, None] * right[..., None, :]
        return total

    def _part(self, place: Place, given: Mapping[str, Any]) -> Array:
        """One place's derivative as (..., n, columns, rows)."""
        if place.vector not in given:
            raise ValueError(f"no value for {place.vector}: {self.equation()} needs it.")
        jacobian, v = place.jacobian.evaluate(given), finite(place.vector, given[place.vector])
        batch = np.broadcast_shapes(jacobian.shape[:-2], v.shape[:-1])
        needed = 8 * math.prod((*batch, *jacobian.shape[-2:], v.shape[-1]))
        if needed > LARGEST:
            raise ValueError(
                f"∂{self.of}/∂{self.wrt} would take {needed / 2**30:,.0f} GiB: use gradient(delta, values), which"
                " does not form it, or Kernel(...).gradient."
            )
        if place.transposed:
            return np.asarray(jacobian[..., :, :, None] * v[..., None, None, :])
        return np.asarray(v[..., None, :, None] * jacobian[..., :, None, :])

    def _weight_shape(self, given: Mapping[str, Any]) -> tuple[int, int]:
        if self.wrt not in given:
            raise ValueError(f"no value for {self.wrt}: its shape is needed.")
        array = finite(self.wrt, given[self.wrt])
        if array.ndim != 2:
            raise ValueError(f"{self.wrt} has shape {array.shape}: expected (rows, columns).")
        return array.shape

    def _size(self, given: Mapping[str, Any]) -> int:
        """The length of ``of``, from any vector of its size."""
        for name, value in given.items():
            if self.cell.sizes.get(name) == self.shape[0]:
                return int(np.shape(value)[-1])
        raise ValueError(f"the {self.shape[0]} size cannot be told: give at least one vector of that size.")


@dataclass(frozen=True, repr=False)
class ColumnJacobian(Immediate):
    """∂⁺of/∂α by a number that all units share, immediate: each term is applied to a column of ones.

    >>> import lstm_sym as ls
    >>> ls.jacobian(ls.LeakyRNN, "h", "alpha")
    r−h
    """

    cell: Cell
    of: str
    wrt: str
    path: str
    terms: Terms

    @property
    def is_zero(self) -> bool:
        """Whether ``of`` does not depend on the number: an exact zero."""
        return not self.terms

    def written(self, script: text.Script, form: str) -> str:
        """The sum of the columns, or its product with δ."""
        right = script.added([script.column(term) for term in self.terms])
        return right if form == "kronecker" else script.inner(right, len(self.terms) > 1)

    def evaluate(self, values: Mapping[str, Any] | None = None, **named: Any) -> Array:
        """The column in numbers, (..., n, 1); see ``Jacobian.evaluate``."""
        given = by_name(values, named)
        blocks = [Jacobian(self.cell, self.of, self._ones(term), "partial", (term,)) for term in self.terms]
        blocks = blocks or [Jacobian(self.cell, self.of, self.of, "partial", ())]
        parts = [block.evaluate(given).sum(axis=-1, keepdims=True) for block in blocks]
        return np.asarray(sum(parts[1:], parts[0]))

    def _ones(self, term: Term) -> str:
        """A vector that is as long as the ones that the term is applied to."""
        sizes = self.cell.sizes
        size = term.weights[-1].columns if term.weights else sizes[self.of]
        return next(name for name in sizes if sizes[name] == size)


Block = ParameterJacobian | ColumnJacobian | Jacobian


@dataclass(frozen=True, repr=False)
class ParameterTable:
    """∂⁺(all states)/∂parameter, immediate: a block a state, ``table["c"]``."""

    cell: Cell
    wrt: str
    blocks: Mapping[str, Block]

    def __hash__(self) -> int:
        return hash((self.cell, self.wrt))

    def __getitem__(self, state: str) -> Block:
        if state in self.blocks:
            return self.blocks[state]
        raise unknown_name("block", state, self.blocks)

    def __iter__(self) -> Iterator[Block]:
        return iter(self.blocks.values())

    def evaluate(self, values: Mapping[str, Any] | None = None, **named: Any) -> Array:
        """The blocks on top of each other, (..., S, entries of the parameter)."""
        parts = [block.evaluate(values, **named) for block in self]
        batch = np.broadcast_shapes(*(part.shape[:-2] for part in parts))
        return np.concatenate([np.broadcast_to(p, (*batch, *p.shape[-2:])) for p in parts], axis=-2)

    def equation(self) -> str:
        """One equation a line."""
        return "\n".join(text.UnicodeScript(self.cell).equation(block) for block in self)

    def latex(self, equation: bool = True, notation: Notation = STANDARD) -> str:
        """One line of an ``align*`` a state."""
        script = text.LatexScript(self.cell, a_notation(notation))
        lines = [script.equation(block).replace(" = ", " &= ", 1) for block in self]
        return align([("", [line]) for line in lines], numbered=False)

    def _repr_latex_(self) -> str:
        return self.latex()

    def __str__(self) -> str:
        return self.equation()

    def __repr__(self) -> str:
        return in_terminal(str(self))
