"""Mistakes that put one quantity in another's place: old for new, one gate for another, an input weight."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations

import sympy as sp

from lstm_sym.calculus.explicit import readable, through_gates
from lstm_sym.calculus.routes.routes import is_station
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
            for k, term in _replaced(right, {s: to}).items():
                yield Mistake(what, text, right.everywhere({k: term}))
        gates = {s: to for s, to in changes.items() if lag_of(s.name)[0] not in cell.states}
        if len(gates) > 1:
            pairs = [f"{unicode_at_time(to.name)} for {unicode_at_time(s.name)}" for s, to in gates.items()]
            yield Mistake("the wrong time step", ", ".join(pairs), right.everywhere(_replaced(right, gates)))
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
    """Two gates exchanged, or one in place of the other: their values, their weights, or both."""
    cell = right.question.cell
    gates = [node.name for node in cell.nodes if isinstance(node, Elementwise) and is_station(cell, node)]
    into, used = _gate_weights(right), {weight.name for piece in right.pieces for weight in piece.term.weights}
    symbols = set(_symbols(right))
    for u, v in combinations(gates, 2):
        if cell.sizes[u] != cell.sizes[v]:
            continue
        values = {unit(lagged(a, lag)): unit(lagged(b, lag)) for a, b in ((u, v), (v, u)) for lag in (0, 1)}
        exchanged = _replaced(right, values)
        name, text = _exchange({s.name: to.name for s, to in values.items() if s in symbols}, unicode_at_time)
        yield Mistake(name, text, right.everywhere(exchanged))
        ours, theirs = into.get(u, {}), into.get(v, {})
        weights = {a[k]: b[k] for a, b in ((ours, theirs), (theirs, ours)) for k in ours.keys() & theirs.keys()}
        if weights.keys() & used:
            name, text = _exchange({old: new for old, new in weights.items() if old in used}, str)
            yield Mistake(name, text, right.everywhere(_reweighted(right, weights)))
            both = {k: exchanged.get(k, piece.term) for k, piece in enumerate(right.pieces)}
            whole = {k: _with_weights(term, weights, cell.weights) for k, term in both.items()}
            pair = f"{unicode_at_time(u)} and {unicode_at_time(v)}"
            yield Mistake(
                "two gates exchanged", f"{pair} are exchanged, with their weights", right.everywhere(whole)
            )


def _exchange(changes: dict[str, str], written: Callable[[str], str]) -> tuple[str, str]:
    """(name, explanation) for values or weights in each other's place, or one in the other's."""
    two = any(new in changes for new in changes.values())
    said = [f"{written(new)} stands where {written(old)} belongs" for old, new in changes.items()]
    return "two gates exchanged" if two else "one gate for another", ", ".join(said)


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
            for k, term in changed.items():
                here = f"{text}, in {right.pieces[k].where}"
                yield Mistake("one quantity for another", here, right.everywhere({k: term}))


def _symbols(right: Truth) -> list[sp.Symbol]:
    cell = right.question.cell
    found = {s for p in right.pieces for d in p.term.diagonals for s in through_gates(cell, d).free_symbols}
    return sorted((s for s in found if s.name not in cell.vector_parameters), key=str)


def _replaced(right: Truth, changes: dict[sp.Symbol, sp.Symbol]) -> dict[int, Term]:
    """The pieces, as they are printed, that contain one of the symbols, with the symbols replaced."""
    cell = right.question.cell
    printed = [readable(cell, piece.term) for piece in right.pieces]
    found = {}
    for k, term in enumerate(printed):
        if any(diagonal.free_symbols & changes.keys() for diagonal in term.diagonals):
            found[k] = term.map(lambda d: d.xreplace(changes))
    return found


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
