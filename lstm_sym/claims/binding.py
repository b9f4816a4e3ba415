"""A formula meets a cell: its symbols are those of the cell, its weights have sizes, its terms have shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import sympy as sp

from lstm_sym.calculus.explicit import vector
from lstm_sym.calculus.terms import Term, Terms, merged
from lstm_sym.calculus.values import Jacobian
from lstm_sym.cell import Cell, Weight
from lstm_sym.checks import unknown_name
from lstm_sym.claims.formulas import Formula
from lstm_sym.functions import Activation, Slope, maximum, positive, sigmoid, tanh
from lstm_sym.notation import lag_of, lagged

#: The oldest step whose quantities a claim may use.
OLDEST = 2
#: What a per-unit expression may be made of.
PARTS = (
    *(sp.Symbol, sp.Number, sp.NumberSymbol, sp.Add, sp.Mul, sp.Pow, sp.exp, sp.log, sp.sin, sp.cos),
    *(Activation, Slope, positive, maximum),
)


def bound(question: Jacobian, formula: Formula) -> Jacobian:
    """``formula`` as a claim about ``question``: the same left-hand side, the formula's terms.

    Raises:
        UnknownNameError: a vector or a weight that the cell has not.
        ValueError: a function that no equation may call, or a quantity from too long ago.
    """
    terms = merged((_bound_term(question.cell, term) for term in formula.terms), question.cell.parameters)
    return replace(question, terms=terms)


def _bound_term(cell: Cell, term: Term) -> Term:
    weights = []
    for weight in term.weights:
        if weight.name not in cell.weights:
            raise unknown_name(f"weight of {cell.name}", weight.name, cell.weights)
        known = cell.weights[weight.name]
        weights.append(known.T if weight.transposed else known)
    return Term(tuple(_bound_scalar(cell, diagonal) for diagonal in term.diagonals), tuple(weights))


def _bound_scalar(cell: Cell, expression: sp.Expr) -> sp.Expr:
    """The expression in the cell's own symbols and functions, its numbers exact."""
    expression = expression.xreplace({number: sp.Rational(str(number)) for number in expression.atoms(sp.Float)})
    expression = _in_our_functions(cell, expression)
    for part in sp.preorder_traversal(expression):
        if not isinstance(part, PARTS):
            raise ValueError(
                f"{expression} contains {type(part).__name__}: expected + − * / ** and the functions that an"
                " equation may call (lstm_sym.functions.FUNCTIONS), of the cell's vectors."
            )
    symbols = {}
    for symbol in expression.free_symbols:
        if symbol.name in cell.weights:
            raise ValueError(f"{symbol} is a weight matrix: multiply diag(…) by it, diag(…) @ {symbol}.")
        symbols[symbol] = vector(cell, symbol.name)
        base, lag = lag_of(symbol.name)
        oldest = OLDEST + (base in cell.states)
        if lag > oldest:
            raise ValueError(f"{symbol} is older than any derivative over one step reads: expected {lagged(base)}.")
    return expression.xreplace(symbols)


def _in_our_functions(cell: Cell, expression: sp.Expr) -> sp.Expr:
    """SymPy's hyperbolic functions, and exponentials of a sigmoid's argument, through the activations."""
    names: dict[sp.Expr, sp.Expr] = {f: tanh(f.args[0]) for f in expression.atoms(sp.tanh)}
    for form, power in ((sp.sech, 1), (sp.cosh, -1)):
        names |= {f: sp.sqrt(tanh.slope(f.args[0])) ** power for f in expression.atoms(form)}
    expression = expression.xreplace(names)
    by_name = {activation.args[0]: activation for activation in cell.activations if isinstance(activation, sigmoid)}
    exponentials = {}
    for f in expression.atoms(sp.exp):
        for argument, gate in by_name.items():
            if f.args[0] == argument:
                exponentials[f] = gate / (1 - gate)
            if f.args[0] == -argument:
                exponentials[f] = (1 - gate) / gate
    return expression.xreplace(exponentials)


def spaces(cell: Cell, term: Term) -> tuple[str | None, ...]:
    """The size names of the diagonals of ``term``, from left to right; None where nothing says.

    Raises:
        ValueError: two factors that meet differ in size.
    """
    found: list[str | None] = [None] * len(term.diagonals)
    for place, weight in enumerate(term.weights):
        _meet(found, place, weight.rows, weight)
        _meet(found, place + 1, weight.columns, weight)
    for place, diagonal in enumerate(term.diagonals):
        for symbol in sorted(diagonal.free_symbols, key=str):
            if symbol.name not in cell.constants:
                _meet(found, place, cell.sizes[size_key(cell, symbol.name)], symbol)
    return tuple(found)


def _meet(found: list[str | None], place: int, size: str, what: Weight | sp.Symbol) -> None:
    if found[place] not in (None, size):
        name = f"{what.name}{'ᵀ' * getattr(what, 'transposed', False)}"
        raise ValueError(f"{name} has {size} entries where its neighbours have {found[place]}")
    found[place] = size


def size_key(cell: Cell, name: str) -> str:
    """The name under which ``cell.sizes`` knows a vector of any age."""
    return name if name in cell.sizes else lag_of(name)[0]


def misfit(question: Jacobian, terms: Terms) -> str:
    """Why ``terms`` are no matrix of the shape of ``question``; '' if they are."""
    rows, columns = question.shape
    for term in terms:
        try:
            found = spaces(question.cell, term)
        except ValueError as error:
            return str(error)
        if not term.weights and rows != columns and any(d != 0 for d in term.diagonals):
            return f"a diagonal matrix is square, and this derivative is ({rows}, {columns})"
        if found[0] not in (None, rows) or found[-1] not in (None, columns):
            return f"a term is ({found[0]}, {found[-1]}), and this derivative is ({rows}, {columns})"
    return ""


def sized(values: Mapping[str, int], shape: tuple[str, str]) -> tuple[int, int]:
    """A shape in numbers."""
    return values[shape[0]], values[shape[1]]
