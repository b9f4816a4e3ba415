"""``bound``: norms of Jacobians bounded through the ranges of gates and states, symbolic and in numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import sympy as sp

from lstm_sym.calculus.bounds import norms
from lstm_sym.calculus.bounds import text as bound_text
from lstm_sym.calculus.bounds.intervals import Range, less
from lstm_sym.calculus.bounds.ranges import Given, given_ranges, range_of
from lstm_sym.calculus.bounds.ranges import ranges as ranges_of
from lstm_sym.calculus.bounds.suprema import NormTerms, Suprema, gathered
from lstm_sym.calculus.derive import jacobian
from lstm_sym.calculus.tables import JacobianTable
from lstm_sym.calculus.values import Jacobian
from lstm_sym.cell import Cell, a_cell
from lstm_sym.checks import unknown_name
from lstm_sym.functions import Array
from lstm_sym.notation import STANDARD, Notation, a_notation, lagged

if TYPE_CHECKING:
    from typing import Literal


class _Printed(ABC):
    """What both kinds of bound print, from the Jacobian that they bound and the entries of their matrix."""

    value: Jacobian | JacobianTable
    assumed: Given

    @property
    @abstractmethod
    def entries(self) -> tuple[tuple[NormTerms, ...], ...]:
        """The bounds of the blocks, row by row."""

    @property
    def cell(self) -> Cell:
        """The cell."""
        return self.value.cell

    @property
    def vanishing(self) -> Vanishing:
        """The sufficient condition for vanishing gradients that follows, bound < 1.

        Raises:
            ValueError: not a Jacobian whose products carry a gradient: the whole state's, or a direct path's.
        """
        if not _of_a_step(self.value):
            raise ValueError(
                "gradients vanish where the products of whole state Jacobians do: ask for the condition of"
                f" bound({self.cell.name}, 'state', 'state'), or of a state's direct path, path='direct'."
            )
        return Vanishing(self)

    @abstractmethod
    def evaluate(self, parameters: Mapping[str, Any] | None = None, **values: Any) -> float | Array:
        """The bound in numbers: ``parameters`` by name as the kernels take them, vectors by keyword.

        A vector is its ‖·‖∞ as one number, or an array (..., n), whose leading axes (time, batch) are kept. ``c``
        stands for its older values too, unless they are given: ``c_prev``. A matrix may be given by its norm.

        Raises:
            ValueError: something that the bound needs has no value, or a value is not finite.
            UnknownNameError: a name that is not in the cell.
        """

    def equation(self) -> str:
        """The inequality in Unicode, ‖∂cₜ/∂hₜ₋₁‖ ≤ …."""
        return bound_text.unicode_inequality(self.value, self.entries)

    def latex(self, equation: bool = False, notation: Notation = STANDARD) -> str:
        """LaTeX of the right-hand side, or of the whole inequality."""
        a_notation(notation)
        if equation:
            return bound_text.latex_inequality(self.value, self.entries, notation)
        return bound_text.latex_bound(self.cell, self.entries, notation)

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.latex(equation=True)}$"

    def __str__(self) -> str:
        return bound_text.unicode_bound(self.cell, self.entries)

    __repr__ = __str__


@dataclass(frozen=True, repr=False)
class Bound(_Printed):
    """An upper bound of the spectral norm ‖∂of/∂wrt‖: numbers times ‖v‖∞ (over units and time) times ‖W‖.

    ``terms`` are the summands; ``assumed`` the ranges that were given by hand.
    """

    value: Jacobian
    terms: NormTerms
    assumed: Given = ()

    @property
    def entries(self) -> tuple[tuple[NormTerms, ...], ...]:
        """The bound itself, as a matrix of one."""
        return ((self.terms,),)

    @property
    def ranges(self) -> dict[str, Range]:
        """The closed ranges that the bound rests on, by name; none of them depends on parameters or inputs."""
        symbols = {s.name for term in self.value for d in term.diagonals for s in d.free_symbols}
        known = ranges_of(self.cell, self.assumed)
        found = {name: range_of(known, name) for name in sorted(symbols - set(self.cell.constants))}
        return {name: interval for name, interval in found.items() if interval.bounded}

    def evaluate(self, parameters: Mapping[str, Any] | None = None, **values: Any) -> float | Array:
        """The bound in numbers: ``parameters`` by name as the kernels take them, vectors by keyword.

        A vector is its ‖·‖∞ as one number, or an array (..., n), whose leading axes (time, batch) are kept. ``c``
        stands for its older values too, unless they are given: ``c_prev``. A matrix may be given by its norm.

        Raises:
            ValueError: something that the bound needs has no value, or a value is not finite.
            UnknownNameError: a name that is not in the cell.
        """
        return norms.evaluate(self.cell, self.terms, parameters, values)


@dataclass(frozen=True, repr=False)
class BoundTable(_Printed):
    """An upper bound of the norm of a table of blocks: the norm of the matrix of their bounds.

    ``table["c", "h"]`` is the bound of one block.
    """

    value: JacobianTable
    blocks: Mapping[tuple[str, str], Bound]
    assumed: Given = ()

    @property
    def entries(self) -> tuple[tuple[NormTerms, ...], ...]:
        """The bounds of the blocks, row by row."""
        return tuple(tuple(self.blocks[r, c].terms for c in self.value.columns) for r in self.value.rows)

    def __getitem__(self, place: tuple[str, str]) -> Bound:
        if place in self.blocks:
            return self.blocks[place]
        raise unknown_name("block", place, map(str, self.blocks))

    def __hash__(self) -> int:
        return hash((self.value, self.assumed))

    def evaluate(self, parameters: Mapping[str, Any] | None = None, **values: Any) -> float | Array:
        """The bound in numbers, see ``Bound.evaluate``."""
        flat = [
            self.blocks[r, c].evaluate(parameters, **values) for r in self.value.rows for c in self.value.columns
        ]
        entries = np.stack(np.broadcast_arrays(*flat), -1)
        matrices = entries.reshape(*entries.shape[:-1], len(self.value.rows), len(self.value.columns))
        found = np.linalg.norm(matrices, 2, axis=(-2, -1))
        return np.asarray(found) if np.ndim(found) else float(found)


@dataclass(frozen=True, repr=False)
class Vanishing:
    """The condition ``bound`` < 1: then every product of T Jacobians is at most bound^T, and gradients vanish.

    Y. Bengio, P. Simard, P. Frasconi (1994); for the RNN, ‖W_hh‖ < 1/γ with γ = 1 for tanh and ¼ for σ, R. Pascanu,
    T. Mikolov, Y. Bengio (2013), arXiv 1211.5063, sec. 2.1; S. Hochreiter (1991).
    """

    bound: _Printed

    @property
    def never(self) -> bool:
        """Whether the bound is at least 1 for all parameters and states, so that it can say nothing."""
        terms = [term for row in self.bound.entries for entry in row for term in entry]
        return any(not less(term.number, sp.S.One) for term in terms if not (term.sups or term.weights))

    def holds(self, parameters: Mapping[str, Any] | None = None, **values: Any) -> bool:
        """Whether it holds, in numbers: see ``Bound.evaluate``; for arrays, everywhere."""
        return bool(np.all(np.asarray(self.bound.evaluate(parameters, **values)) < 1))

    def latex(self, equation: bool = False, notation: Notation = STANDARD) -> str:
        """LaTeX of the inequality."""
        return bound_text.latex_condition(self.bound.cell, self.bound.entries, a_notation(notation))

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.latex()}$"

    def __str__(self) -> str:
        text = bound_text.unicode_condition(self.bound.cell, self.bound.entries)
        return text + "   (never: the left side is at least 1)" * self.never

    __repr__ = __str__


def _of_a_step(value: Jacobian | JacobianTable) -> bool:
    """Whether the products of such Jacobians over time bound a gradient."""
    states = value.cell.states
    if isinstance(value, JacobianTable):
        return value.rows == value.columns == states and value.path != "total"
    if value.of not in states or value.wrt != lagged(value.of):
        return False
    return value.path == "direct" or (value.path == "partial" and len(states) == 1)


@overload
def bound(cell: Cell, of: Literal["state"], wrt: Any, path: str = ..., **ranges: Any) -> BoundTable: ...
@overload
def bound(cell: Cell, of: Any, wrt: Literal["state"], path: str = ..., **ranges: Any) -> BoundTable: ...
@overload
def bound(cell: Cell, of: Any, wrt: Any, path: str = ..., **ranges: Any) -> Any: ...
def bound(
    cell: Cell, of: Any, wrt: Any, path: str = "partial", **ranges: tuple[float, float]
) -> Bound | BoundTable:
    """An upper bound of the spectral norm of a Jacobian, for any size, inputs and weights.

    Gates are in (0, 1), tanh is in (−1, 1), and a state has the range that no step can leave, if it has one. The
    largest f(1 − f), |g|i(1 − i), … on those ranges is exact; what has no range stays as ‖·‖∞; ‖AB‖ ≤ ‖A‖‖B‖ and
    the triangle inequality do the rest.

    >>> import lstm_sym as ls
    >>> ls.bound(ls.LSTM, "c", "h")
    ¼‖c‖∞·‖W_hf‖ + ¼‖W_hi‖ + ‖W_hg‖
    >>> ls.bound(ls.LSTM, "c", "h", f=(0, 0.9))                 # then |c| ≤ 10
    5/2·‖W_hf‖ + ¼‖W_hi‖ + ‖W_hg‖
    >>> ls.bound(ls.RNN(activation="sigmoid"), "h", "h").vanishing
    ‖W_hh‖ < 4
    >>> ls.bound(ls.LSTM, "c", "h", c=(-2, 2)).evaluate(W_hf=1.5, W_hi=1.0, W_hg=0.5)
    1.5

    Args:
        cell: the cell.
        of, wrt, path: as in ``ls.jacobian``; "state" for all states: the norm of the matrix of block bounds.
        **ranges: what a vector is known to stay in at every step, f=(0, 0.9); a wrong one makes the bound wrong.

    Returns:
        A ``Bound`` (``evaluate``, ``vanishing``, ``latex``), or a ``BoundTable`` where "state" was asked for. They
        hold at every step from the zero state.

    Raises:
        UnknownNameError: a name that is not in the cell, or a path that is not one of the three.
        ValueError: a range that is not two numbers in order, or a derivative by a weight matrix or a constant.
    """
    value = jacobian(cell, of, wrt, path=path)
    given = given_ranges(a_cell(cell), ranges)
    if not isinstance(value, (Jacobian, JacobianTable)):
        raise ValueError(f"wrt = {str(wrt)!r} is no vector: bounds are of Jacobians by vectors.")
    if isinstance(value, Jacobian):
        return _of_block(value, given)
    return BoundTable(value, {place: _of_block(block, given) for place, block in value.blocks.items()}, given)


def _of_block(block: Jacobian, given: Given) -> Bound:
    suprema = Suprema(block.cell, given)
    terms = [bounded for term in block for bounded in suprema.of_term(term)]
    return Bound(block, gathered(terms, block.cell.parameters), given)
