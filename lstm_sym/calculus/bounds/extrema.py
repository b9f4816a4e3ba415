"""Ranges of scalar expressions: exact in rational arithmetic where variables separate, an enclosure otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sympy as sp

from lstm_sym.calculus.bounds.intervals import (
    REALS,
    UNIT,
    Range,
    hull,
    intersection,
    largest,
    less,
    plus,
    power,
    times,
    union,
)
from lstm_sym.calculus.coefficients import evaluated
from lstm_sym.functions import logsigmoid, maximum, positive, relu, sigmoid, tanh

Box = Mapping[sp.Symbol, Range]

#: Monotone functions with their limits at −∞ and ∞.
_MONOTONE = {
    sigmoid: (sp.S.Zero, sp.S.One),
    tanh: (sp.S.NegativeOne, sp.S.One),
    relu: (sp.S.Zero, sp.oo),
    logsigmoid: (-sp.oo, sp.S.Zero),
    sp.exp: (sp.S.Zero, sp.oo),
}


def at(function: type[sp.Function], number: sp.Expr) -> sp.Expr:
    """f(number), exact: ½ for σ(0), a limit at ±∞, and tanh(1) as it is."""
    if number.is_infinite and function in _MONOTONE:
        return _MONOTONE[function][number == sp.oo]
    return evaluated(function(number))


def enclosure(expression: sp.Expr, box: Box) -> Range:
    """An interval that holds ``expression`` for all values of its symbols in ``box``, each on its own.

    The closed hull of the range itself where functions are applied to separate variables, and every other variable
    enters as a first power, or alone: f(1 − f)(n − h) on f ∈ [0, 1], n, h ∈ [−1, 1] is [−½, ½].
    """
    rational, ranges = abstracted(expression, box)
    return _rational(rational, ranges)


def abstracted(expression: sp.Expr, box: Box) -> tuple[sp.Expr, dict[sp.Symbol, Range]]:
    """``expression`` as a rational function: functions in it become symbols with the functions' ranges."""
    ranges = dict(box)
    names: dict[sp.Expr, sp.Symbol] = {}
    for atom in outermost(expression):
        names[atom] = sp.Dummy(real=True)
        ranges[names[atom]] = _of_function(atom, box)
    return expression.xreplace(names), ranges


def outermost(expression: sp.Expr) -> list[sp.Expr]:
    """The outermost parts of ``expression`` that are no sums, products or whole powers."""
    if expression.is_Function or (expression.is_Pow and not expression.exp.is_Integer):
        return [] if expression.is_number else [expression]
    return list(dict.fromkeys(atom for argument in expression.args for atom in outermost(argument)))


def _of_function(atom: sp.Expr, box: Box) -> Range:
    function = type(atom)
    if function is positive:
        return UNIT
    if function in (sp.sin, sp.cos):
        return Range(sp.S.NegativeOne, sp.S.One)
    if function is maximum:
        a, b = (enclosure(argument, box) for argument in atom.args)
        return Range(largest((a.low, b.low)), largest((a.high, b.high)))
    if function in _MONOTONE:
        low, high = _below_maxima(atom.args[0], box)
        return Range(at(function, low), at(function, high))
    return Range(sp.S.Zero, sp.oo) if atom.is_Pow and atom.exp == sp.S.Half else REALS


def _below_maxima(expression: sp.Expr, box: Box) -> Range:
    """The range of a − max(p, q) + …: at most that of a − p + …, and that of a − q + …."""
    found = enclosure(expression, box)
    for term in sp.Add.make_args(expression):
        if isinstance(-term, maximum):
            for part in (-term).args:
                found = Range(found.low, intersection(found, enclosure(expression - term - part, box)).high)
    return found


def _rational(expression: sp.Expr, box: Box) -> Range:
    if expression.is_number:
        return Range(expression, expression)
    if expression.is_Symbol:
        return box[expression]
    factors = [_component(sp.Mul(*group), box) for group in _groups(sp.Mul.make_args(sp.factor(expression)))]
    return times(factors)


def _groups(parts: Iterable[sp.Expr]) -> list[list[sp.Expr]]:
    """The parts gathered so that different groups share no symbol."""
    groups: list[tuple[list[sp.Expr], set[sp.Symbol]]] = []
    for part in parts:
        symbols, members = set(part.free_symbols), [part]
        apart = []
        for group, known in groups:
            if known & symbols:
                members, symbols = group + members, known | symbols
            else:
                apart.append((group, known))
        groups = [*apart, (members, symbols)]
    return [members for members, _ in groups]


def _component(expression: sp.Expr, box: Box) -> Range:
    """The range of an expression whose factors hang together."""
    if expression.is_number or expression.is_Symbol:
        return _rational(expression, box)
    for share in (_as_shares(expression, box), _with_shares_apart(expression, box)):
        if share is not None:
            return share
    if expression.is_Add and len(groups := _groups(expression.args)) > 1:
        return plus([_rational(sp.Add(*group), box) for group in groups])
    symbols = sorted(expression.free_symbols, key=str)
    if len(symbols) == 1:
        return _of_one_variable(expression, symbols[0], box)
    for symbol in symbols:
        if box[symbol].bounded and expression.is_polynomial(symbol) and sp.degree(expression, symbol) == 1:
            return union(*(_rational(expression.xreplace({symbol: end}), box) for end in box[symbol]))
    return _natural(expression, box)


def _of_one_variable(expression: sp.Expr, x: sp.Symbol, box: Box) -> Range:
    """Exact: the values at the ends and at the critical points."""
    above, below = sp.cancel(expression).as_numer_denom()
    if not all(sp.Poly(part, x).domain.is_QQ or sp.Poly(part, x).domain.is_ZZ for part in (above, below)):
        return _natural(expression, box)  # numbers like tanh(1) among the coefficients
    if below.has(x) and any(box[x].contains(root) for root in sp.real_roots(sp.Poly(below, x))):
        return _natural(expression, box)
    slope = sp.Poly(sp.diff(above, x) * below - above * sp.diff(below, x), x)
    critical = [] if slope.is_zero else [root for root in sp.real_roots(slope) if box[x].contains(root)]
    ends = [sp.limit(expression, x, end) if end.is_infinite else expression.xreplace({x: end}) for end in box[x]]
    return hull([*ends, *(expression.xreplace({x: root}) for root in critical)])


def _as_shares(expression: sp.Expr, box: Box) -> Range | None:
    """a/(a + b) of two quantities that are not negative is a share u ∈ [0, 1], and b/(a + b) is 1 − u."""
    for ratio in expression.atoms(sp.Pow):
        shares = ratio.exp.is_Integer and ratio.exp.is_negative and ratio.base.is_Add
        pair: tuple[sp.Expr, ...] = ratio.base.args if shares else ()
        if len(pair) == 2 and all(part.is_Symbol and not less(box[part].low, sp.S.Zero) for part in pair):
            u, total = sp.Dummy(real=True), sp.Dummy(real=True)
            shared = sp.cancel(expression.xreplace({pair[0]: u * total, pair[1]: (1 - u) * total}))
            if total not in shared.free_symbols:
                return _rational(shared, {**box, u: UNIT})
    return None


def _with_shares_apart(expression: sp.Expr, box: Box) -> Range | None:
    """f·i/(f + i)²·(1 − f): the shares by themselves, times what else there is."""
    for ratio in [factor for factor in sp.Mul.make_args(expression) if factor.is_Pow and factor.exp.is_negative]:
        parts = {ratio.base, *ratio.base.args}
        inside = [factor for factor in sp.Mul.make_args(expression) if factor.as_base_exp()[0] in parts]
        outside = [factor for factor in sp.Mul.make_args(expression) if factor not in inside]
        if outside and (share := _as_shares(sp.Mul(*inside), box)) is not None:
            return times([share, _rational(sp.Mul(*outside), box)])
    return None


def _natural(expression: sp.Expr, box: Box) -> Range:
    """Interval arithmetic, part by part."""
    if expression.is_Add:
        return plus([_rational(term, box) for term in expression.args])
    if expression.is_Mul:
        return times(_rational(factor, box) for factor in expression.args)
    return power(_rational(expression.base, box), int(expression.exp))
