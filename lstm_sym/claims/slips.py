"""Mistakes within a product: a weight transposed, a diagonal on the wrong side, σ for σ′, a factor forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import sympy as sp

from lstm_sym.calculus.explicit import through_gates
from lstm_sym.calculus.terms import Term
from lstm_sym.calculus.text import unicode_scalar_style
from lstm_sym.cell import Cell
from lstm_sym.claims.mistakes import Mistake, Truth, catalogue
from lstm_sym.functions import Slope, sigmoid, tanh
from lstm_sym.notation import scalar


def weights_transposed(right: Truth) -> Iterator[Mistake]:
    """One weight transposed, or all of them, the diagonals left where they are."""
    names = dict.fromkeys(weight.name for piece in right.pieces for weight in piece.term.weights)
    if not names:
        return
    every = "every weight" if len(names) > 1 else "".join(names)
    groups = [(tuple(names), every), *(((name,), name) for name in names)]
    for group, which in groups:

        def flipped(term: Term, group: tuple[str, ...] = group) -> Term:
            weights = tuple(weight.T if weight.name in group else weight for weight in term.weights)
            return Term(term.diagonals, weights)

        yield Mistake(
            "a weight transposed" if len(group) == 1 else "the weights transposed",
            f"{which} is transposed: ∂(W·v)/∂v is W itself in numerator layout",
            right.with_terms(tuple(flipped(piece.term) for piece in right.pieces)),
        )


def wrong_side(right: Truth) -> Iterator[Mistake]:
    """Diagonals on the other side of their weights."""
    explanation = (
        "differentiating φ(W·v) gives diag(φ′)·W: the slope belongs to the result, so its diagonal scales the rows"
        " of W and stands on the left; on the right it scales the columns (as v * W does in NumPy: v[:, None] * W"
        " scales the rows)"
    )
    swaps = {k: _swapped(piece.term, 0) for k, piece in enumerate(right.pieces) if piece.term.weights}
    yield Mistake("a diagonal on the wrong side of its weight", explanation, right.everywhere(swaps))
    for k, piece in enumerate(right.pieces):
        for place, weight in enumerate(piece.term.weights):
            for change in (_swapped, _moved):
                wrong = right.changed(k, change(piece.term, place))
                here = f"at {weight.name}: {explanation}"
                yield Mistake("a diagonal on the wrong side of its weight", here, wrong)
            here = (
                f"at {weight.name}: what is done to a vector before the product, W·(r⊙v), stands on the right,"
                " W·diag(r): it scales the columns of W"
            )
            wrong = right.changed(k, _moved(piece.term.T, len(piece.term.weights) - 1 - place).T)
            yield Mistake("a diagonal on the wrong side of its weight", here, wrong)


def _swapped(term: Term, place: int) -> Term:
    d = list(term.diagonals)
    d[place], d[place + 1] = d[place + 1], d[place]
    return Term(tuple(d), term.weights)


def _moved(term: Term, place: int) -> Term:
    d = list(term.diagonals)
    d[place], d[place + 1] = sp.S.One, d[place] * d[place + 1]
    return Term(tuple(d), term.weights)


def wrong_slopes(right: Truth) -> Iterator[Mistake]:
    """σ for σ′ and its kin: for all functions of a kind at once, for one gate, in one piece."""
    cell = right.question.cell
    atoms = sorted({s for p in right.pieces for d in p.term.diagonals for s in d.atoms(Slope)}, key=str)
    for kind in dict.fromkeys(type(slope) for slope in atoms):
        alike = [slope for slope in atoms if type(slope) is kind]
        for k in range(len(_wrong_values(cell, alike[0]))):
            changes = {slope: _wrong_values(cell, slope)[k][2] for slope in alike}
            yield _slope_mistake(right, cell, alike, k, _substituted(right, changes))
    for slope in atoms:
        for k, (_, _, wrong) in enumerate(_wrong_values(cell, slope)):
            yield _slope_mistake(right, cell, [slope], k, _substituted(right, {slope: wrong}))
            for j, changed in _substituted(right, {slope: wrong}).items():
                yield _slope_mistake(right, cell, [slope], k, {j: changed})


def _slope_mistake(right: Truth, cell: Cell, slopes: list[Slope], k: int, changes: dict[int, Term]) -> Mistake:
    name, why, _ = _wrong_values(cell, slopes[0])[k]
    pairs = [
        f"{_text(cell, _wrong_values(cell, s)[k][2])} stands where {_text(cell, through_gates(cell, s))} belongs"
        for s in slopes
    ]
    return Mistake(name, f"{', '.join(pairs)}; {why}", right.everywhere(changes))


def _substituted(right: Truth, changes: dict[sp.Expr, sp.Expr]) -> dict[int, Term]:
    return {k: piece.term.map(lambda d: d.xreplace(changes)) for k, piece in enumerate(right.pieces)}


def _wrong_values(cell: Cell, slope: Slope) -> list[tuple[str, str, sp.Expr]]:
    """(name, explanation, expression) for what is written in place of a slope."""
    value = through_gates(cell, slope.of(slope.args[0]))
    right = slope.of.slope_from_value(value)
    of = slope.of.__name__
    symbol = {"sigmoid": "σ"}.get(of, of)
    rule = f"{symbol}′ = {_text(cell, slope.of.slope_from_value(sp.Symbol(symbol, real=True)))}"
    found = [
        (f"{symbol} for {symbol}′", f"that is the gate's value and not its slope: {rule}", value),
        (f"{symbol}′ forgotten", f"the chain rule passes through the activation: {rule}", sp.S.One),
    ]
    for other in (sigmoid, tanh):
        if other is not slope.of:
            of_other = {"sigmoid": "σ"}.get(other.__name__, other.__name__)
            text = f"that is the slope of {of_other}, and this gate is a {symbol}: {rule}"
            found.append(("the slope of another activation", text, other.slope_from_value(value)))
    for factor in sp.Mul.make_args(right):
        if factor not in (right, value) and right / factor != value:
            found.append(("a slope without one of its factors", rule, right / factor))
    for factor in sp.Mul.make_args(right):
        if factor.is_Add:
            number, rest = factor.as_coeff_Add()
            found.append(("a sign within a slope", rule, right.xreplace({factor: number - rest})))
            found.append(("a slope without one of its factors", rule, right.xreplace({factor: sp.S.One})))
            found.append(("a slope without one of its factors", rule, factor))
    if right.has(value**2):
        found.append(("a square forgotten in a slope", rule, right.xreplace({value**2: value})))
    return [entry for entry in found if entry[2] != right]


def _text(cell: Cell, expression: sp.Expr) -> str:
    return scalar(expression, unicode_scalar_style(cell))


def factor_missing(right: Truth) -> Iterator[Mistake]:
    """One factor of a diagonal left out, or one weight."""
    for k, piece in enumerate(right.pieces):
        for place, diagonal in enumerate(piece.term.diagonals):
            for factor in sp.Mul.make_args(through_gates(right.question.cell, diagonal)):
                if factor.is_number:
                    continue
                diagonals = list(piece.term.diagonals)
                diagonals[place] = through_gates(right.question.cell, diagonal) / factor
                yield Mistake(
                    "a factor missing",
                    f"{_text(right.question.cell, factor)} is missing in {piece.where}",
                    right.changed(k, Term(tuple(diagonals), piece.term.weights)),
                )
        for place, weight in enumerate(piece.term.weights):
            d = piece.term.diagonals
            joined = Term(
                (*d[:place], d[place] * d[place + 1], *d[place + 2 :]),
                piece.term.weights[:place] + piece.term.weights[place + 1 :],
            )
            yield Mistake(
                "a weight missing",
                f"{weight.name} is missing in {piece.where}: the derivative of W·v by v is W",
                right.changed(k, joined),
            )
    bare = {k: Term((sp.Mul(*piece.term.diagonals),)) for k, piece in enumerate(right.pieces)}
    yield Mistake(
        "the weights missing",
        "this is how the result changes with the pre-activations; the chain rule goes on through the weights",
        right.everywhere(bare),
    )


def composed(right: Truth) -> Iterator[Mistake]:
    """A telling mistake with all diagonals on the wrong side, or with all weights transposed."""
    if not any(piece.term.weights for piece in right.pieces):
        return
    everywhere = [next(wrong_side(right)), next(weights_transposed(right))]
    for mistake in catalogue(right.question):
        terms = mistake.formula.terms
        swapped = tuple(_swapped(term, 0) if term.weights else term for term in terms)
        flipped = tuple(Term(term.diagonals, tuple(weight.T for weight in term.weights)) for term in terms)
        for besides, formula in zip(everywhere, (swapped, flipped), strict=True):
            yield mistake.and_also(besides, right.with_terms(formula))


Generator = Callable[[Truth], Iterator[Mistake]]
MISTAKES: tuple[Generator, ...] = (weights_transposed, wrong_side, wrong_slopes)
LATE: tuple[Generator, ...] = (factor_missing,)
