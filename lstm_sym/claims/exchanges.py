"""Mistakes that put one quantity in another's place: old for new, one gate for another, an input weight."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import sympy as sp

from lstm_sym.calculus.explicit import through_gates
from lstm_sym.calculus.routes import is_station
from lstm_sym.calculus.terms import Term
from lstm_sym.cell import Affine, Elementwise, Weight
from lstm_sym.cell.graph import base, unit
from lstm_sym.claims.binding import OLDEST, size_key
from lstm_sym.claims.mistakes import Mistake, Truth
from lstm_sym.notation import lag_of, lagged, unicode_at_time


def wrong_time(right: Truth) -> Iterator[Mistake]:
    """A quantity one step too old or too new, everywhere or in one piece."""
    cell = right.question.cell
    symbols = _symbols(right)
    older = {s: _older(right, s.name) for s in symbols}
    newer = {s: _newer(right, s.name) for s in symbols}
    for shift in (newer, older):
        changes = {s: unit(name) for s, name in shift.items() if name}
        for s, to in changes.items():
            what = "an old value for a new one" if shift is older else "a new value for an old one"
            if lag_of(s.name)[0] in cell.states:
                what = "the old state for the new one" if shift is older else "the new state for the old one"
            text = f"{unicode_at_time(to.name)} stands where {unicode_at_time(s.name)} belongs"
            yield Mistake(what, text, right.everywhere(_replaced(right, {s: to})))
            for k in range(len(right.pieces)):
                yield Mistake(what, text, right.everywhere({k: _replaced(right, {s: to})[k]}))
        if len(changes) > 1:
            text = "every quantity is taken one step too " + ("early" if shift is older else "late")
            yield Mistake("the wrong time step", text, right.everywhere(_replaced(right, changes)))


def _older(right: Truth, name: str) -> str:
    q, (known, lag) = right.question, lag_of(name)
    oldest = OLDEST + (known in q.cell.states)
    return lagged(name) if known in q.cell.vectors and known not in q.cell.inputs and lag < oldest else ""


def _newer(right: Truth, name: str) -> str:
    known, lag = lag_of(name)
    return lagged(known, lag - 1) if lag else ""


def input_weights(right: Truth) -> Iterator[Mistake]:
    """The weight of another vector in the same sum: W_xf for W_hf."""
    cell = right.question.cell
    beside: dict[str, list[str]] = {}
    for node in cell.nodes:
        if isinstance(node, Affine):
            names = [base(factor) for factor, _ in node.products]
            for name in names:
                beside.setdefault(name, []).extend(other for other in names if other != name)
    used = dict.fromkeys(weight.name for piece in right.pieces for weight in piece.term.weights)
    swaps = [{name: beside[name][k] for name in used if k < len(beside.get(name, ()))} for k in range(2)]
    single = [{name: other} for name in used for other in beside.get(name, ())]
    for swap in (*swaps, *single):
        if swap:
            pairs = [f"{new} stands where {old} belongs" for old, new in swap.items()]
            yield Mistake(
                "the weight of another vector",
                f"{', '.join(pairs)}: it is applied to another vector in the same equation",
                right.everywhere(_reweighted(right, swap)),
            )


def gates_exchanged(right: Truth) -> Iterator[Mistake]:
    """Two gates exchanged: their values, their weights, or both."""
    cell = right.question.cell
    gates = [node.name for node in cell.nodes if isinstance(node, Elementwise) and is_station(cell, node)]
    into = _gate_weights(right)
    name = "two gates exchanged"
    for u, v in combinations(gates, 2):
        if cell.sizes[u] != cell.sizes[v]:
            continue
        both = f"{unicode_at_time(u)} and {unicode_at_time(v)}"
        values = {unit(lagged(a, lag)): unit(lagged(b, lag)) for a, b in ((u, v), (v, u)) for lag in (0, 1)}
        exchanged = _replaced(right, values)
        yield Mistake(name, f"{both} are exchanged", right.everywhere(exchanged))
        ours, theirs = into.get(u, {}), into.get(v, {})
        weights = {a[k]: b[k] for a, b in ((ours, theirs), (theirs, ours)) for k in ours.keys() & theirs.keys()}
        if weights:
            formula = right.everywhere(_reweighted(right, weights))
            yield Mistake(name, f"the weights of {both} are exchanged", formula)
            whole = {k: _with_weights(term, weights, cell.weights) for k, term in exchanged.items()}
            yield Mistake(name, f"{both} are exchanged, with their weights", right.everywhere(whole))


def other_weight(right: Truth) -> Iterator[Mistake]:
    """One weight in one piece replaced by another of the same shape."""
    weights = right.question.cell.weights
    for k, piece in enumerate(right.pieces):
        for name in dict.fromkeys(weight.name for weight in piece.term.weights):
            shape = weights[name].rows, weights[name].columns
            for other in weights.values():
                if (other.rows, other.columns) == shape and other.name != name:
                    text = f"{other.name} stands where {name} belongs, in {piece.where}"
                    wrong = _with_weights(piece.term, {name: other.name}, weights)
                    yield Mistake("another gate's weight", text, right.changed(k, wrong))


def other_value(right: Truth) -> Iterator[Mistake]:
    """One vector in place of another, in one piece or everywhere."""
    cell = right.question.cell
    plain = [name for name in cell.node if name not in cell.outputs and not isinstance(cell.node[name], Affine)]
    names = [*map(lagged, cell.states), *plain]
    for s in _symbols(right):
        for name in names:
            if lag_of(name)[0] == lag_of(s.name)[0] or s.name in cell.constants:
                continue
            if cell.sizes[size_key(cell, name)] != cell.sizes[size_key(cell, s.name)]:
                continue
            text = f"{unicode_at_time(name)} stands where {unicode_at_time(s.name)} belongs"
            changed = _replaced(right, {s: unit(name)})
            yield Mistake("one quantity for another", text, right.everywhere(changed))
            for k, piece in enumerate(right.pieces):
                here = f"{text}, in {piece.where}"
                yield Mistake("one quantity for another", here, right.everywhere({k: changed[k]}))


def _symbols(right: Truth) -> list[sp.Symbol]:
    cell = right.question.cell
    found = {s for p in right.pieces for d in p.term.diagonals for s in through_gates(cell, d).free_symbols}
    return sorted((s for s in found if s.name not in cell.vector_parameters), key=str)


def _replaced(right: Truth, changes: dict[sp.Symbol, sp.Symbol]) -> dict[int, Term]:
    """Every piece, as it is printed, with symbols replaced."""
    cell = right.question.cell

    def change(diagonal: sp.Expr) -> sp.Expr:
        return through_gates(cell, diagonal).xreplace(changes)

    return {k: piece.term.map(change) for k, piece in enumerate(right.pieces)}


def _reweighted(right: Truth, names: dict[str, str]) -> dict[int, Term]:
    weights = right.question.cell.weights
    return {k: _with_weights(piece.term, names, weights) for k, piece in enumerate(right.pieces)}


def _with_weights(term: Term, names: dict[str, str], weights: dict[str, Weight]) -> Term:
    def exchanged(weight: Weight) -> Weight:
        new = weights[names[weight.name]]
        return new.T if weight.transposed else new

    kept = [exchanged(weight) if weight.name in names else weight for weight in term.weights]
    return Term(term.diagonals, tuple(kept))


def _gate_weights(right: Truth) -> dict[str, dict[str, str]]:
    """For every gate, the weights of its pre-activation by the vector that they act on."""
    cell = right.question.cell
    found: dict[str, dict[str, str]] = {}
    for node in cell.nodes:
        if isinstance(node, Elementwise):
            for read in node.reads:
                below = cell.node.get(read)
                if isinstance(below, Affine):
                    found.setdefault(node.name, {}).update({v: base(w) for w, v in below.products})
    return found


MISTAKES = (wrong_time, input_weights, gates_exchanged)
LATE = (other_weight, other_value)
