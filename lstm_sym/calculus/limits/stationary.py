"""``zero_state``: the state Jacobian where states and inputs are zero, its eigenvalues, and the critical gain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy as sp

from lstm_sym.calculus.bounds.intervals import less
from lstm_sym.calculus.coefficients import evaluated, exact
from lstm_sym.calculus.derive import jacobian
from lstm_sym.calculus.limits import text as stationary_text
from lstm_sym.calculus.limits.eigenvalues import Eigenvalues, closed_eigenvalues, critical_gain
from lstm_sym.calculus.tables import JacobianTable
from lstm_sym.calculus.terms import Terms, merged
from lstm_sym.cell import Affine, Cell, Elementwise, a_cell
from lstm_sym.cell.graph import unit
from lstm_sym.checks import finite, unknown_name
from lstm_sym.functions import Array, maximum, positive, relu
from lstm_sym.notation import STANDARD, Notation, a_notation, lagged


@dataclass(frozen=True, repr=False)
class ZeroState:
    """The state Jacobian of ``cell`` at the zero state: ``jacobian``, ``eigenvalues``, ``critical_gain``.

    ``moves_to`` is where a step takes the states that it does not leave in place; empty at a fixed point.
    ``has_kink``: some relu or max is at its kink there, and its slope is what the kernels take, 0.
    """

    cell: Cell
    given: Mapping[str, sp.Expr]
    jacobian: JacobianTable
    moves_to: Mapping[str, sp.Expr]
    eigenvalues: tuple[Eigenvalues, ...]
    has_kink: bool = False

    def __hash__(self) -> int:
        return hash((self.cell, tuple(self.given.items())))

    @property
    def is_fixed_point(self) -> bool:
        """Whether a step leaves the state as it is."""
        return not self.moves_to

    @property
    def critical_gain(self) -> sp.Expr | None:
        """The gain at which the spectral radius passes 1, for large n; None where there is no closed form.

        Recurrent weights are independent, real, N(0, gain²/n), so that the eigenvalues w of one fill the complex
        disc |w| ≤ gain (circular law). 0: at any gain; ∞: at none. Constants have their default values.
        """
        gains = [critical_gain(part) for part in self.eigenvalues]
        if any(gain is None for gain in gains):
            return None
        least, *others = gains
        for gain in others:
            least = gain if less(gain, least) else least
        return least

    def spectrum(self, parameters: Mapping[str, Any] | None = None, **values: Any) -> Array:
        """The eigenvalues in numbers from their closed forms, complex (S,), by descending magnitude.

        Raises:
            ValueError: a weight that the closed form needs is missing, or there is no closed form.
        """
        given = {name: finite(name, value) for name, value in {**(parameters or {}), **values}.items()}
        given = {name: np.asarray(float(v)) for name, v in self.cell.constants.items()} | given
        sizes: dict[str, int] = {}
        for name, weight in self.cell.weights.items():
            if name in given:
                sizes |= dict(zip((weight.rows, weight.columns), given[name].shape, strict=True))
        for part in self.eigenvalues:
            needed = [w.name for _, weights in part.words for w in weights]
            if missing := [name for name in needed if name not in given]:
                raise ValueError(f"no value for {', '.join(missing)}: the eigenvalues need them.")
            if part.size not in sizes:
                raise ValueError(f"the {part.size} size cannot be told: give a weight that has it.")
        found = np.concatenate([part.evaluate(given, sizes[part.size]) for part in self.eigenvalues])
        return np.asarray(found[np.argsort(-np.abs(found), kind="stable")])

    def latex(self, equation: bool = False, notation: Notation = STANDARD) -> str:
        r"""LaTeX of the matrix, or J_0 = … with its eigenvalues."""
        return (
            stationary_text.latex_state(self, a_notation(notation))
            if equation
            else self.jacobian.latex(notation=notation)
        )

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.latex(equation=True)}$"

    def __str__(self) -> str:
        return stationary_text.unicode_state(self)

    __repr__ = __str__


def zero_state(cell: Cell, **values: Any) -> ZeroState:
    """The state Jacobian at the zero state with zero input and zero biases, its eigenvalues and critical gain.

    Every gate is a number there, σ(0) = ½, and usually one weight matrix is left, with eigenvalues w.

    >>> import lstm_sym as ls
    >>> zero = ls.zero_state(ls.LSTM)
    >>> zero
    LSTM at the zero state, a fixed point
        │ h         │ c
    ────┼───────────┼────────
     h′ │ 0.25·W_hg │ 0.25·I
    ────┼───────────┼────────
     c′ │ 0.5·W_hg  │ 0.5·I
    eigenvalues    ½ + ¼·w  for every eigenvalue w of W_hg
                   0        as often as h has units
    critical gain  2        for W ~ N(0, gain²/n), n → ∞: |w| ≤ gain
    >>> ls.zero_state(ls.LSTM, b_f=1).eigenvalues[0].formulas
    (w/4 + sigmoid(1),)

    Args:
        cell: the cell.
        **values: biases, other vector parameters, constants or states as one number for all units: b_f=1, n=2.

    Returns:
        A ``ZeroState``. If a step leaves zero it says so (``moves_to``), and the Jacobian is that of this one step.

    Raises:
        UnknownNameError: a name that is no bias, vector parameter, constant or state of the cell.
        ValueError: a step from there is not defined (0/0).
    """
    cell = a_cell(cell)
    given = {name: _number(cell, name, value) for name, value in values.items()}
    known = _forward(cell, given)

    def put_in(terms: Terms) -> Terms:
        return merged((t.map(lambda d: evaluated(d.xreplace(known))) for t in terms), cell.parameters)

    table = jacobian(cell, "state", "state")
    blocks = {place: replace(block, terms=put_in(block.terms)) for place, block in table.blocks.items()}
    after = {state: known[unit(state)] for state in cell.states}
    moved = {s: v for s, v in after.items() if evaluated(v - known[unit(lagged(s))]) != 0}
    return ZeroState(
        cell, given, replace(table, blocks=blocks), moved, closed_eigenvalues(cell, put_in), _kink(cell, known)
    )


def _kink(cell: Cell, known: Mapping[sp.Symbol, sp.Expr]) -> bool:
    """Whether a relu or a step is at 0, or the two sides of a max are equal."""
    expressions = [node.expression for node in cell.nodes if isinstance(node, Elementwise)]
    atoms = {atom for expression in expressions for atom in expression.atoms(relu, positive, maximum)}
    turns = [sp.Add(atom.args[0], *(-side for side in atom.args[1:])) for atom in atoms]
    return any(evaluated(turn.xreplace(dict(known))) == 0 for turn in turns)


def _number(cell: Cell, name: str, value: Any) -> sp.Expr:
    if name not in (*cell.vector_parameters, *cell.states):
        raise unknown_name(
            f"bias, vector, constant or state of {cell.name}", name, (*cell.vector_parameters, *cell.states)
        )
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.number, sp.Expr)):
        raise TypeError(f"{name} = {value!r}: expected one number for all units.")
    if isinstance(value, sp.Expr):
        if not (value.is_number and value.is_extended_real and not value.is_infinite):
            raise ValueError(f"{name} = {value}: expected a finite real number.")
        return value
    return exact(finite(name, value).item())


def _forward(cell: Cell, given: Mapping[str, sp.Expr]) -> dict[sp.Symbol, sp.Expr]:
    """Every vector of the step as one number for all units, or as its own symbol where it differs between units."""
    biases = {name for node in cell.nodes if isinstance(node, Affine) for name in node.biases}
    zero = {*cell.inputs, *map(lagged, cell.states), *biases}
    known = {unit(name): sp.S.Zero for name in zero}
    known |= {unit(lagged(n) if n in cell.states else n): value for n, value in given.items()}
    for node in cell.nodes:
        symbol = unit(node.name)
        if isinstance(node, Affine):
            uniform = all(known.get(unit(vector), vector) == 0 for vector in node.reads)
            known[symbol] = sp.Add(*(known[unit(bias)] for bias in node.biases)) if uniform else symbol
        else:
            known[symbol] = evaluated(node.expression.xreplace(known))
        if known[symbol].has(sp.nan, sp.zoo, sp.oo):
            raise ValueError(f"{cell.name} has no step from the zero state: {node.name} is not defined there.")
    return known
