"""Whether two formulas are one: exactly, for every size, by comparing their terms."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from lstm_sym.calculus.derive import accumulate
from lstm_sym.calculus.explicit import through_gates
from lstm_sym.calculus.proofs.verification import equal_entries
from lstm_sym.calculus.terms import Terms
from lstm_sym.calculus.values import Jacobian
from lstm_sym.cell import Elementwise, Weight
from lstm_sym.cell.graph import unit
from lstm_sym.notation import lag_of, lagged

Skeleton = tuple[Weight, ...]
Form = Callable[[sp.Expr], sp.Expr]


def identical(a: Jacobian, b: Jacobian) -> bool:
    """Whether ``a`` and ``b`` are the same matrix for all values and sizes: term by term, exactly.

    False says only that the terms do not show it. Terms with the same weights add up as the diagonals' tensor
    product does, so each diagonal gets symbols of its own and what is compared are rational functions.
    """
    return _same(a, b, lambda d: through_gates(a.cell, d)) or _same(a, b, lambda d: written_out(a, d))


def _same(a: Jacobian, b: Jacobian, form: Form) -> bool:
    ours, theirs = (by_weights(j.terms) for j in (a, b))
    return all(
        equal_entries(_scalar(ours.get(key, ()), form), _scalar(theirs.get(key, ()), form)) for key in ours | theirs
    )


def by_weights(terms: Terms) -> dict[Skeleton, Terms]:
    """The terms by the weights that they pass."""
    found: dict[Skeleton, Terms] = {}
    for term in terms:
        found[term.weights] = (*found.get(term.weights, ()), term)
    return found


def same_terms(cell_jacobian: Jacobian, a: Terms, b: Terms) -> bool:
    """Whether two sums over the same weights are equal as they are printed."""

    def form(d: sp.Expr) -> sp.Expr:
        return through_gates(cell_jacobian.cell, d)

    return bool(equal_entries(_scalar(a, form), _scalar(b, form)))


def _scalar(terms: Terms, form: Form) -> sp.Expr:
    """Σ ∏ d_j with the symbols of the j-th diagonal marked by j; functions are symbols, too."""
    total = sp.S.Zero
    for term in terms:
        total += sp.Mul(*(_marked(form(d), place) for place, d in enumerate(term.diagonals)))
    return total


def _marked(diagonal: sp.Expr, place: int) -> sp.Expr:
    while functions := diagonal.atoms(sp.Function):
        inner = {a for f in functions for argument in f.args for a in argument.atoms(sp.Function)}
        diagonal = diagonal.xreplace({f: sp.Symbol(sp.srepr(f), real=True) for f in functions - inner})
    return diagonal.xreplace({s: sp.Symbol(f"{s.name}@{place}", real=True) for s in diagonal.free_symbols})


def written_out(question: Jacobian, diagonal: sp.Expr) -> sp.Expr:
    """``diagonal`` with sums and products of other vectors written out, so that only gates and old states are left.

    On the total path also those of the step before that depend on ``wrt``: h_{t−1} as o_{t−1}⊙m_{t−1}.
    """
    cell, wrt = question.cell, question.wrt
    expression = through_gates(cell, diagonal)
    lags = [0]
    if question.path == "total" and lag_of(wrt)[1]:
        lags.append(1)
    for lag in lags:
        for node in reversed(cell.nodes):
            name = lagged(node.name, lag)
            if not isinstance(node, Elementwise) or isinstance(node.expression, sp.Function):
                continue
            if name == wrt or unit(name) not in expression.free_symbols:
                continue
            if lag and not _changes(question, node.name):
                continue
            older = {unit(v): unit(lagged(v, lag)) for v in node.reads if v not in cell.vector_parameters}
            expression = expression.xreplace({unit(name): node.expression.xreplace(older)})
    return through_gates(cell, expression)


def _changes(question: Jacobian, name: str) -> bool:
    return name in accumulate(question.cell, lag_of(question.wrt)[0])
