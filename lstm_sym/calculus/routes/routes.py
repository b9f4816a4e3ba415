"""``paths``: a Jacobian as a labelled sum over the paths of the cell's graph."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import sympy as sp

from lstm_sym.calculus.derive import accumulate, jacobian, within_step
from lstm_sym.calculus.explicit import shifted
from lstm_sym.calculus.routes.sums import Path, PathSum, PathTable
from lstm_sym.calculus.tables import JacobianTable
from lstm_sym.calculus.terms import IDENTITY, Term, Terms, merged, product
from lstm_sym.calculus.values import Jacobian
from lstm_sym.cell import Affine, Cell, Node
from lstm_sym.cell.graph import unit
from lstm_sym.notation import lag_of, lagged

#: What a path passes, by name, from wrt to of.
Stations = tuple[str, ...]

#: Paths that may lead to one vector; a deep stack has very many.
MOST = 1024


def paths(cell: Cell, of: Any, wrt: Any, path: str = "partial") -> PathSum | PathTable:
    """The Jacobian ∂of/∂wrt as a sum over its paths: which gate, direct, or through another state.

    >>> import lstm_sym as ls
    >>> p = ls.paths(ls.LSTM, "c", "h")
    >>> p
    ∂cₜ/∂hₜ₋₁, the sum of 3 paths:
      f   through the forget gate f   diag(c⊙f⊙(1−f))·W_hf
      i   through the input gate i    diag(g⊙i⊙(1−i))·W_hi
      g   through the candidate g     diag(i⊙(1−g²))·W_hg
    >>> p["f"]
    diag(c⊙f⊙(1−f))·W_hf
    >>> ls.paths(ls.LSTM, "c", "c", path="total").labels
    ('direct', 'h_prev, f', 'h_prev, i', 'h_prev, g')

    A path is named after the gates that it passes: after every vector that applies a function to a pre-activation,
    or to several vectors. Products, sums and a squashed state (m = tanh(c)) go without saying; paths that differ
    only in those are one. A path that passes no gate is called after its weights, or "direct" if it has none.

    Args:
        cell, of, wrt, path: as for ``jacobian``; "direct" keeps what passes no weight matrix, through gates or not.

    Returns:
        A ``PathSum``: ``p["f"]``, ``p["r", "n"]`` for one that passes two, iteration, ``latex()``, ``evaluate``;
        the sum of its paths is the Jacobian exactly. A ``PathTable`` of them where ``of`` or ``wrt`` is "state".

    Raises:
        UnknownNameError: a name that is not in the cell, or an unknown path.
        ValueError: ``wrt`` is a weight matrix, or there are more than 1024 paths.
    """
    whole = jacobian(cell, of, wrt, path)
    if isinstance(whole, JacobianTable):
        blocks = {place: path_sum(block) for place, block in whole.blocks.items()}
        return PathTable(whole, blocks)
    if not isinstance(whole, Jacobian):
        raise ValueError(f"wrt = {wrt!r} is a weight matrix: ask for the paths from a vector that it acts on.")
    return path_sum(whole)


@lru_cache(maxsize=1024)
def path_sum(whole: Jacobian) -> PathSum:
    """The paths of one Jacobian."""
    cell, found = whole.cell, dict[Stations, Terms]()
    for stations, terms in routes(cell, whole.of, whole.wrt).items():
        found |= {stations: terms} if stations else _by_weights(terms)
    if whole.path == "total":
        found |= _through_other_states(cell, whole.of, whole.wrt)
    if whole.path == "direct":
        found = {stations: tuple(t for t in terms if t.is_direct) for stations, terms in found.items()}
    order = {name: place for place, name in enumerate((*cell.weights, *cell.vectors))}

    def key(stations: Stations) -> tuple[int, int, list[int]]:
        lags, bases = [lag_of(s)[1] for s in stations], [lag_of(s)[0].removesuffix(".T") for s in stations]
        return sum(lags), len(stations), [order[base] for base in bases]

    kept = [stations for stations in sorted(found, key=key) if found[stations]]
    return PathSum(whole, tuple(Path(stations, whole, found[stations]) for stations in kept))


def routes(cell: Cell, of: str, wrt: str) -> dict[Stations, Terms]:
    """d(of)/d(wrt) by the stations passed on the way: forward accumulation that remembers where it has been."""
    found: dict[str, dict[Stations, Terms]] = {wrt: {(): (IDENTITY,)}}
    before = _ancestors(cell, of)
    for node in cell.nodes:
        if node.name == wrt or node.name not in before:
            continue
        arriving: dict[Stations, list[Term]] = {}
        for vector, edge in edges(cell)[node.name].items():
            for stations, terms in found.get(vector, {}).items():
                arriving.setdefault(stations, []).extend(product(edge, terms))
        if len(arriving) > MOST:
            raise ValueError(f"more than {MOST} paths lead from {wrt} to {node.name}: take them layer by layer.")
        own = (node.name,) if node.name != of and is_station(cell, node) else ()
        found[node.name] = {(*s, *own): merged(terms, cell.parameters) for s, terms in arriving.items()}
    return {stations: terms for stations, terms in found.get(of, {}).items() if terms}


@lru_cache(maxsize=64)
def edges(cell: Cell) -> dict[str, dict[str, Terms]]:
    """∂node/∂vector with every other node held, for each vector that a node reads."""
    every = frozenset(node.name for node in cell.nodes)
    found: dict[str, dict[str, Terms]] = {}
    for node in cell.nodes:
        reads = dict.fromkeys((*node.reads, *node.biases) if isinstance(node, Affine) else node.reads)
        edge = {vector: accumulate(cell, vector, every - {node.name}).get(node.name, ()) for vector in reads}
        found[node.name] = {vector: terms for vector, terms in edge.items() if terms}
    return found


def is_station(cell: Cell, node: Node) -> bool:
    """Whether a path is named after ``node``: a gate, or a candidate that is a plain sum of weighted vectors.

    A sum of weighted vectors that is only looked at through functions is their pre-activation, whatever its name.
    """
    if isinstance(node, Affine):
        return node.name not in cell.states and any(_bare(reader, node.name) for reader in cell.nodes)
    if not node.expression.atoms(sp.Function):
        return False
    applied = isinstance(node.expression, sp.Function) and len(node.reads) > 1
    return applied or any(isinstance(cell.node.get(name), Affine) for name in node.reads)


def _bare(node: Node, name: str) -> bool:
    """Whether an elementwise node reads ``name`` outside of every function."""
    if isinstance(node, Affine):
        return False
    functions = {function: sp.Dummy() for function in node.expression.atoms(sp.Function)}
    return unit(name) in node.expression.xreplace(functions).free_symbols


def _ancestors(cell: Cell, of: str) -> set[str]:
    """``of`` and every node that it depends on."""
    found = {of}
    for node in reversed(cell.nodes):
        if node.name in found:
            found.update(node.reads)
    return found


def _by_weights(terms: Terms) -> dict[Stations, Terms]:
    """Terms that pass no gate, by the weights that they pass, the first on the way first."""
    found: dict[Stations, list[Term]] = {}
    for term in terms:
        names = tuple(weight.name + ".T" * weight.transposed for weight in reversed(term.weights))
        found.setdefault(names, []).append(term)
    return {names: tuple(parts) for names, parts in found.items()}


def _through_other_states(cell: Cell, of: str, wrt: str) -> Mapping[Stations, Terms]:
    """The paths through the other states r of wrt's own step: there by that step's gates, on by this one's."""
    found: dict[Stations, list[Term]] = {}
    if wrt not in map(lagged, cell.states):
        return {}
    own = wrt.removesuffix("_prev")
    for state in within_step(cell, own):
        if state == own:
            continue
        for there, earlier in routes(cell, state, own).items():
            older = [term.map(lambda d: shifted(cell, d)) for term in earlier]
            for on, terms in routes(cell, of, lagged(state)).items():
                stations = (*map(lagged, there), lagged(state), *on)
                found.setdefault(stations, []).extend(product(terms, older))
    return {stations: merged(terms, cell.parameters) for stations, terms in found.items()}
