"""Mistakes about the ways that a derivative takes: another path, a state held fixed, the whole transposed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import sympy as sp

from lstm_sym.calculus.derive import PATHS, accumulate, jacobian, node_terms, within_step
from lstm_sym.calculus.terms import IDENTITY, Terms, merged, product
from lstm_sym.calculus.text import unicode_name, unicode_vector
from lstm_sym.cell import Elementwise, Node
from lstm_sym.cell.graph import unit
from lstm_sym.claims.binding import size_key
from lstm_sym.claims.mistakes import Mistake, Truth
from lstm_sym.notation import lag_of, lagged, unicode_at_time

_MEANS = {
    "partial": "the partial derivative, with the other entering states held fixed",
    "total": "the total derivative, which also counts what goes through the other states of the step before",
    "direct": "the direct path alone, which passes no weight matrix",
}


def other_path(right: Truth) -> Iterator[Mistake]:
    """The claim is right, for another of the three paths."""
    q = right.question
    for path in PATHS:
        if path == q.path or (path == "total" and q.wrt in q.cell.parameters):
            continue
        other = jacobian(q.cell, q.of, q.cell[q.wrt], path)
        if other.is_zero and not q.is_zero:
            continue
        name = f"the {path} derivative for the {q.path} one"
        text = f"this is {_MEANS[path]}; asked was {_MEANS[q.path]}"
        if (q.path, path) == ("total", "partial"):
            through = _through(right)
            name = f"the path through {through} dropped"
            text = (
                f"this is the partial derivative, with {through} held fixed; but {through} changes with"
                f" {unicode_at_time(q.wrt)} in the step that makes both, and the total derivative counts that, too"
            )
        yield Mistake(name, text, right.with_terms(other.terms))


def _through(right: Truth) -> str:
    """The states of wrt's own step that depend on it."""
    q = right.question
    own = lag_of(q.wrt)[0]
    return " and ".join(unicode_at_time(lagged(state)) for state in within_step(q.cell, own) if state != own)


def frozen_state(right: Truth) -> Iterator[Mistake]:
    """A new state that the quantity reads is held fixed: the block dh′/dh at frozen c."""
    q = right.question
    states = [state for state in q.cell.states if state not in (q.of, q.wrt)]
    for count in range(1, len(states) + 1):
        for held in combinations(states, count):
            terms = accumulate(q.cell, q.wrt, frozenset(held)).get(q.of, ())
            if not terms:
                continue
            which = " and ".join(unicode_at_time(state) for state in held)
            changes, them = ("changes", "it") if count == 1 else ("change", "them")
            yield Mistake(
                f"{which} held fixed",
                f"{which} {changes} with {unicode_at_time(q.wrt)} too, and {unicode_at_time(q.of)} reads {them}:"
                " what is left with a frozen state is not the Jacobian",
                right.with_terms(terms),
            )


def transposed(right: Truth) -> Iterator[Mistake]:
    """The whole transposed: denominator layout."""
    q = right.question
    yield Mistake(
        "the whole transposed",
        "here rows belong to the result and columns to the variable (numerator layout, J[a, b] = ∂out_a/∂in_b);"
        " this is the transpose, in the layout of gradients. Eq. 5 of Pascanu, Mikolov and Bengio (arXiv 1211.5063)"
        " has Wᵀ·diag(σ′) where numerator layout wants diag(σ′)·W",
        q.T,
    )


def product_for_sum(right: Truth) -> Iterator[Mistake]:
    """The derivative as it would be if a sum in the equations were a product; terms multiplied, not added."""
    q = right.question
    for node in q.cell.nodes:
        if isinstance(node, Elementwise) and node.expression.is_Add:
            wrong = Elementwise(node.name, sp.Mul(*node.expression.args))
            terms = _with_node(right, wrong)
            yield Mistake(
                "a product where a sum belongs",
                f"{unicode_at_time(node.name)} is a sum, so the derivatives of its terms add up and do not carry"
                " the other terms as factors",
                right.with_terms(terms),
            )
    for j, k in combinations(range(len(right.pieces)), 2):
        a, b = right.pieces[j], right.pieces[k]
        rest = tuple(p.term for place, p in enumerate(right.pieces) if place not in (j, k))
        for one, two in ((a, b), (b, a)):
            yield Mistake(
                "a product where a sum belongs",
                f"the contributions {a.title} and {b.title} are multiplied; the"
                " chain rule adds what comes by different paths",
                right.with_terms((*rest, one.term @ two.term)),
            )
    if len(right.pieces) > 2:
        whole: Terms = (IDENTITY,)
        for piece in right.pieces:
            whole = product(whole, (piece.term,))
        text = "the paths' contributions are multiplied; the chain rule adds what comes by different paths"
        yield Mistake("a product where a sum belongs", text, right.with_terms(whole))


def _with_node(right: Truth, wrong: Node) -> Terms:
    """The partial derivative with one equation changed."""
    q = right.question
    found: dict[str, Terms] = {q.wrt: (IDENTITY,)}
    for node in q.cell.nodes:
        if node.name != q.wrt:
            node = wrong if node.name == wrong.name else node
            if terms := merged(node_terms(q.cell, node, found), q.cell.parameters):
                found[node.name] = terms
    return found.get(q.of, ()) if q.path == "partial" else ()


def product_rule(right: Truth) -> Iterator[Mistake]:
    """(u·v)′ = u′·v′: the factor that is not differentiated is left out."""
    q = right.question
    for node in q.cell.nodes:
        if not isinstance(node, Elementwise):
            continue
        for part in sp.Add.make_args(node.expression):
            factors = [f for f in sp.Mul.make_args(part) if f.is_Symbol]
            for factor in factors:
                if len(factors) > 1:
                    without = node.expression.xreplace({part: part / factor})
                    other = [f for f in factors if f != factor]
                    text = " and ".join(unicode_vector(q.cell, f.name) for f in other)
                    yield Mistake(
                        "a factor missing",
                        f"in {unicode_at_time(node.name)} the factor {unicode_vector(q.cell, factor.name)} stands"
                        f" beside {text} and stays when {text} is differentiated",
                        right.with_terms(_with_node(right, Elementwise(node.name, without))),
                    )


def other_question(right: Truth) -> Iterator[Mistake]:
    """The claim is right, for another derivative of the cell."""
    q, cell = right.question, right.question.cell
    entering = [*map(lagged, cell.states), *cell.inputs, *cell.node]
    for of in cell.node:
        for wrt in entering:
            if (of, wrt) == (q.of, q.wrt) or of == wrt:
                continue
            if (cell.sizes[of], cell.sizes[size_key(cell, wrt)]) != q.shape:
                continue
            for path in ("partial", *(["total"] if lag_of(wrt)[1] and of in cell.states else [])):
                other = jacobian(cell, of, unit(wrt), path)
                if not other.is_zero and other.terms != (IDENTITY,):
                    yield Mistake(
                        "another derivative",
                        f"this is {unicode_name(other)}; asked was {unicode_name(q)}",
                        right.with_terms(other.terms),
                    )


FIRST = (other_path, frozen_state, transposed)
PRODUCTS = (product_for_sum, product_rule)
