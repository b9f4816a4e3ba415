"""``jacobian``: forward accumulation over a cell's graph; SymPy only ever differentiates scalars."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias, overload

import sympy as sp

from lstm_sym.calculus.explicit import shifted
from lstm_sym.calculus.tables import JacobianTable
from lstm_sym.calculus.terms import IDENTITY, Term, Terms, merged, product
from lstm_sym.calculus.values import Jacobian
from lstm_sym.calculus.weights.immediate import ColumnJacobian, ParameterJacobian, ParameterTable, Place
from lstm_sym.calculus.weights.sensitivities import Sensitivity
from lstm_sym.cell import Affine, Cell, Elementwise, Node, a_cell
from lstm_sym.cell.graph import TRANSPOSE, base, unit
from lstm_sym.checks import unknown_name
from lstm_sym.notation import lagged

if TYPE_CHECKING:
    from typing import Literal

PATHS = ("partial", "total", "direct")

#: What ``jacobian`` returns, by what it is asked for.
Derivative: TypeAlias = Jacobian | JacobianTable | ParameterJacobian | ColumnJacobian | ParameterTable | Sensitivity


def local_derivatives(node: Elementwise) -> dict[str, sp.Expr]:
    """The derivative of an elementwise node with respect to each vector that it reads; zeros left out."""
    derivatives = {name: sp.diff(node.expression, unit(name)) for name in node.reads}
    return {name: derivative for name, derivative in derivatives.items() if derivative != 0}


@lru_cache(maxsize=1024)
def accumulate(cell: Cell, wrt: str, held: frozenset[str] = frozenset()) -> dict[str, Terms]:
    """d(node)/d(wrt) for every node that depends on ``wrt``; nodes in ``held`` count as constants."""
    found: dict[str, Terms] = {wrt: (IDENTITY,)}
    for node in cell.nodes:
        if node.name == wrt or node.name in held:
            continue
        terms = merged(node_terms(cell, node, found), cell.parameters)
        if terms:
            found[node.name] = terms
    return found


def node_terms(cell: Cell, node: Node, found: dict[str, Terms]) -> list[Term]:
    """The chain rule at one node."""
    if isinstance(node, Affine):
        terms = [
            Term((sp.S.One, sp.S.One), (cell.factor(w),)) @ t for w, v in node.products for t in found.get(v, ())
        ]
        return terms + [t for bias in node.biases for t in found.get(bias, ())]
    local = local_derivatives(node)
    return [Term((slope,)) @ term for name, slope in local.items() for term in found.get(name, ())]


def _name(what: object) -> str:
    return str(getattr(what, "name", what))


def resolve_of(cell: Cell, of: object) -> str:
    """The node that ``of`` names; the states' names mean their new values."""
    name = _name(of)
    if name in cell.node:
        return name
    raise unknown_name(f"quantity of {cell.name} to differentiate", name, ("state", *cell.node))


def resolve_wrt(cell: Cell, wrt: object) -> str:
    """The vector that ``wrt`` names; a state's name (as text) means the state that enters the step."""
    name = _name(wrt)
    if name in cell.weights:
        fed = [n.name for n in cell.nodes if isinstance(n, Affine) and name in {base(w) for w, _ in n.products}]
        raise ValueError(
            f"wrt = {name!r} is a weight matrix: a derivative by a matrix has three indices. Ask for what it feeds"
            f" ({', '.join(fed)}), or for numbers from Kernel(...).gradient."
        )
    if name in cell.constants:
        raise ValueError(f"wrt = {name!r} is one number for all units: numbers come from Kernel(...).gradient.")
    if isinstance(wrt, str) and name in cell.states:
        return lagged(name)
    if name in cell.vectors or name in cell.vector_parameters:
        return name
    raise unknown_name(
        f"quantity of {cell.name} to differentiate with respect to",
        name,
        (
            "state",
            *cell.states,
            *cell.inputs,
            *(n for n in cell.node if n not in cell.states),
            *cell.vector_parameters,
        ),
    )


@overload
def jacobian(cell: Cell, of: Any, wrt: Literal["state"], path: str = ...) -> JacobianTable: ...
@overload
def jacobian(cell: Cell, of: Any, wrt: Any, path: str = ...) -> Any: ...
def jacobian(cell: Cell, of: Any, wrt: Any, path: str = "partial") -> Derivative:
    """The exact Jacobian ∂of/∂wrt over one step, in closed matrix form for any size; [out, in].

    >>> import lstm_sym as ls
    >>> ls.jacobian(ls.LSTM, "c", "h")
    diag(c⊙f⊙(1−f))·W_hf + diag(g⊙i⊙(1−i))·W_hi + diag(i⊙(1−g²))·W_hg
    >>> ls.jacobian(ls.LSTM, "c", "c", path="direct")
    diag(f)
    >>> ls.jacobian(ls.LSTM, "c", "W_hf")
    hᵀ ⊗ diag(c⊙f⊙(1−f))

    Args:
        cell: the cell.
        of: a gate ("f"), a state ("c": its new value), a pre-activation ("a_f"), an output, or "state" for all.
        wrt: a state ("c": the value that enters the step), an input ("x"), a pre-activation, a gate, a parameter,
            "state". A SymPy symbol means itself: ``LSTM["c"]`` is the new cell state, ``LSTM["c_prev"]`` the old.
        path: "partial" holds the other states fixed; "total" adds what ``wrt`` does through the other states of
            its own step (for an LSTM, h = o⊙tanh(c)); "direct" keeps only terms that pass no weight matrix. By a
            parameter "partial", or "immediate", is of one step, the states that enter it held: ∂⁺of/∂W. "total"
            is through all of time.

    Returns:
        A ``Jacobian``, or a ``JacobianTable`` where ``of`` or ``wrt`` is "state"; by a weight a
        ``ParameterJacobian`` (its columns stacked), by a number that all units share a ``ColumnJacobian``, through
        time a ``Sensitivity``. A quantity that does not depend on ``wrt`` gives an exact zero (``is_zero``).

    Raises:
        UnknownNameError: a name that is not in the cell, or a path that is not one of those.
    """
    cell = a_cell(cell)
    if path == "immediate" and _name(wrt) in cell.parameters:
        path = "partial"
    if path not in PATHS:
        raise unknown_name("path", path, PATHS)
    rows = cell.states if _name(of) == "state" else (of,)
    if path == "total" and _name(wrt) in cell.parameters:
        return _through_time(cell, of, _name(wrt))
    if _name(wrt) in (*cell.weights, *cell.constants):
        found = {_name(row): _by_parameter(cell, resolve_of(cell, row), _name(wrt), path) for row in rows}
        return ParameterTable(cell, _name(wrt), found) if _name(of) == "state" else found[_name(of)]
    columns = cell.states if _name(wrt) == "state" else (wrt,)
    blocks = {
        (_name(r), _name(c)): _single(cell, resolve_of(cell, r), resolve_wrt(cell, c), path)
        for r in rows
        for c in columns
    }
    if "state" in (_name(of), _name(wrt)):
        return JacobianTable(cell, tuple(map(_name, rows)), tuple(map(_name, columns)), path, blocks)
    (value,) = blocks.values()
    return value


def _by_parameter(cell: Cell, of: str, name: str, path: str) -> ParameterJacobian | ColumnJacobian:
    """∂⁺of/∂W: what every place where W stands adds; by a shared number, as by a vector in its place."""
    if name in cell.constants:
        return ColumnJacobian(cell, of, name, path, _single(cell, of, name, path).terms)
    places = [
        Place(_single(cell, of, node.name, path), vector, factor.endswith(TRANSPOSE))
        for node in cell.nodes
        if isinstance(node, Affine)
        for factor, vector in node.products
        if base(factor) == name
    ]
    return ParameterJacobian(cell, of, name, path, tuple(p for p in places if not p.jacobian.is_zero))


def _through_time(cell: Cell, of: Any, name: str) -> Sensitivity:
    """The recursion of the states, and where ``of`` is not all of them, what it reads of it."""
    immediate = jacobian(cell, of, name)
    if isinstance(immediate, JacobianTable):
        immediate = ParameterTable(cell, name, {row: immediate[row, name] for row in immediate.rows})
    states = None if _name(of) == "state" else _through_time(cell, "state", name)
    return Sensitivity(cell, _name(of), name, jacobian(cell, of, "state"), immediate, states)


@lru_cache(maxsize=1024)
def _single(cell: Cell, of: str, wrt: str, path: str) -> Jacobian:
    terms = accumulate(cell, wrt).get(of, ())
    if path == "direct":
        terms = tuple(term for term in terms if term.is_direct)
    if path == "total":
        terms = merged((*terms, *_through_other_states(cell, of, wrt)), cell.parameters)
    return Jacobian(cell, of, wrt, path, terms)


def within_step(cell: Cell, wrt: str) -> dict[str, Terms]:
    """d(state)/d(wrt) for the states of one and the same step; ``wrt`` itself is the identity."""
    found = accumulate(cell, wrt)
    return {state: found[state] for state in cell.states if state in found}


def _through_other_states(cell: Cell, of: str, wrt: str) -> list[Term]:
    """Σ ∂of/∂r · dr/dwrt over the other states r of wrt's own step, both one step before ``of``."""
    if wrt not in map(lagged, cell.states):
        return []
    terms: list[Term] = []
    for state, same_step in within_step(cell, wrt.removesuffix("_prev")).items():
        if lagged(state) == wrt:
            continue
        earlier = [term.map(lambda d: shifted(cell, d)) for term in same_step]
        terms += product(accumulate(cell, lagged(state)).get(of, ()), earlier)
    return terms
