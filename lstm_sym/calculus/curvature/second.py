"""``hessian``: second derivatives as a closed sum over a cell's elementwise nodes; SymPy only sees scalars.

An affine node has no second derivative; an elementwise node k has the scalar ones ∂²k/∂p∂q by what it reads. So
    ∂²of/∂wrt∂wrt2 [u, v] = Σ_k Σ_pq ∂of/∂k · diag(∂²k/∂p∂q) · [(∂p/∂wrt·u)⊙(∂q/∂wrt2·v)].
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import combinations_with_replacement
from types import MappingProxyType
from typing import Any

import sympy as sp

from lstm_sym.calculus.curvature.bilinear import BilinearTerm, bilinear, joined, symmetrised
from lstm_sym.calculus.curvature.hessians import Hessian, HessianTable
from lstm_sym.calculus.derive import accumulate, local_derivatives, resolve_of, resolve_wrt
from lstm_sym.calculus.terms import IDENTITY, Term, Terms, merged
from lstm_sym.cell import Affine, Cell, Elementwise, a_cell
from lstm_sym.cell.graph import unit
from lstm_sym.checks import unknown_name


@lru_cache(maxsize=1024)
def local_second_derivatives(node: Elementwise) -> Mapping[tuple[str, str], sp.Expr]:
    """∂²node/∂p∂q for every ordered pair of vectors that it reads; zeros left out."""
    first = local_derivatives(node)
    second: dict[tuple[str, str], sp.Expr] = {}
    for p, q in combinations_with_replacement(first, 2):
        if (derivative := sp.diff(first[p], unit(q))) != 0:
            second[p, q] = second[q, p] = derivative
    return MappingProxyType(second)


def hessian(cell: Cell, of: Any, wrt: Any, wrt2: Any = None, gate: str = "") -> Hessian | HessianTable:
    """The exact second derivative ∂²of/∂wrt∂wrt2 over one step, as a bilinear form of u and v, for any size.

    >>> import lstm_sym as ls
    >>> ls.hessian(ls.LSTM, "c", "h", "c")
    diag(f⊙(1−f))·[(W_hf·u)⊙v]
    >>> ls.hessian(ls.LSTM, "h", "h", gate="o")
    diag(m⊙o⊙(1−2·o)⊙(1−o))·[(W_ho·u)⊙(W_ho·v)]

    u is a change of ``wrt``, v one of ``wrt2``; with indices, H[a, b, c] = ∂²of_a/∂wrt_b∂wrt2_c. Mirror images,
    (P·u)⊙(Q·v) and (Q·u)⊙(P·v), share one diagonal. Several quantities named in ``wrt`` and ``wrt2`` are
    independent variables: what one does through another does not count.

    Args:
        cell: the cell.
        of: a gate, a state ("c": its new value), a pre-activation, an output, or "state" for all states.
        wrt: a state ("c": the value that enters the step), an input, a gate, a pre-activation, a bias, or "state".
        wrt2: likewise; ``wrt`` again where it is left out.
        gate: an elementwise quantity: only what its own curvature adds; the parts of all of them sum to the whole.

    Returns:
        A ``Hessian``, or a ``HessianTable`` where "state" was asked for. No dependence is an exact zero.

    Raises:
        UnknownNameError: a name that is not in the cell.
        ValueError: a weight matrix or a constant among the variables.
    """
    cell = a_cell(cell)
    wrt2 = wrt if wrt2 is None else wrt2
    curved = [node.name for node in cell.nodes if isinstance(node, Elementwise)]
    if gate and gate not in curved:
        raise unknown_name(f"elementwise quantity of {cell.name}", gate, curved)
    rows, first, second = (_each(cell, what) for what in (of, wrt, wrt2))
    blocks = {
        (r, p, q): _single(
            cell, resolve_of(cell, rows[r]), resolve_wrt(cell, first[p]), resolve_wrt(cell, second[q]), gate
        )
        for r in rows
        for p in first
        for q in second
    }
    if "state" in map(_name, (of, wrt, wrt2)):
        return HessianTable(cell, tuple(rows), tuple(first), tuple(second), blocks)
    (value,) = blocks.values()
    return value


def _name(what: object) -> str:
    return str(getattr(what, "name", what))


def _each(cell: Cell, what: Any) -> dict[str, Any]:
    """What "state" stands for, or ``what`` itself, by name."""
    return {state: state for state in cell.states} if _name(what) == "state" else {_name(what): what}


@lru_cache(maxsize=1024)
def gathered(cell: Cell, of: str, held: frozenset[str]) -> Mapping[str, Terms]:
    """d(of)/d(node) for every node that ``of`` depends on but those ``held``: the graph from its end."""
    sums: dict[str, list[Term]] = {} if of in held else {of: [IDENTITY]}
    found: dict[str, Terms] = {}
    for node in reversed(cell.nodes):
        if node.name not in sums or node.name in held:
            continue
        found[node.name] = terms = merged(sums[node.name], cell.parameters)
        if isinstance(node, Affine):
            steps = [(v, Term((sp.S.One, sp.S.One), (cell.factor(w),))) for w, v in node.products]
        else:
            steps = [(v, Term((slope,))) for v, slope in local_derivatives(node).items()]
        for vector, step in steps:
            sums.setdefault(vector, []).extend(term @ step for term in terms)
    return found


@lru_cache(maxsize=1024)
def _single(cell: Cell, of: str, wrt: str, wrt2: str, gate: str) -> Hessian:
    terms = _terms(cell, of, wrt, wrt2, gate)
    if wrt == wrt2:
        terms = symmetrised(terms, cell.parameters)
    return Hessian(cell, of, wrt, wrt2, joined(terms, cell.parameters), gate)


def _terms(cell: Cell, of: str, wrt: str, wrt2: str, gate: str) -> list[BilinearTerm]:
    """One term for every node, pair of what it reads, and way from the variables to the pair and on to ``of``."""
    variables = frozenset({wrt, wrt2})
    by_first = accumulate(cell, wrt, variables - {wrt})
    by_second = accumulate(cell, wrt2, variables - {wrt2})
    of_by = gathered(cell, of, variables)
    found = []
    for node in (cell.node[gate],) if gate else cell.nodes:
        if isinstance(node, Elementwise) and (outer := of_by.get(node.name)):
            for (p, q), derivative in local_second_derivatives(node).items():
                found += [
                    bilinear(node.name, a @ Term((derivative,)), b, c)
                    for a in outer
                    for b in by_first.get(p, ())
                    for c in by_second.get(q, ())
                ]
    return found
