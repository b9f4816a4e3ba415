"""The zero state as text: Unicode for a terminal, LaTeX for a paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from lstm_sym.calculus import text
from lstm_sym.calculus.coefficients import coefficient, latex_fraction, unicode_fraction
from lstm_sym.calculus.limits.eigenvalues import Eigenvalues, W
from lstm_sym.calculus.terms import Term
from lstm_sym.calculus.writer import Writer
from lstm_sym.notation import Notation, scalar, unicode_timeless

if TYPE_CHECKING:
    from lstm_sym.calculus.limits.stationary import ZeroState


def unicode_state(zero: ZeroState) -> str:
    """The whole: what it is, the matrix, the eigenvalues, the critical gain."""
    given = ", ".join(f"{unicode_timeless(name)} = {value}" for name, value in zero.given.items())
    where = f"{zero.cell.name} at the zero state" + f" with {given}" * bool(given)
    lines = [f"{where}, {_kind(zero)}", str(zero.jacobian)]
    rows = [("eigenvalues" * (k == 0), *row) for k, row in enumerate(_eigenvalue_rows(zero))]
    rows.append(("critical gain", *_gain(zero)))
    left, middle = (max(len(row[k]) for row in rows) for k in (0, 1))
    if zero.has_kink:
        rows.append(("note", "the slope of relu or max at its kink counts as 0", ""))
    lines += [f"{a:<{left}}  {b:<{middle}}  {c}".rstrip() for a, b, c in rows]
    return "\n".join(lines)


def _kind(zero: ZeroState) -> str:
    if zero.is_fixed_point:
        return "a fixed point"
    moves = []
    for state, value in zero.moves_to.items():
        uniform = not value.free_symbols - {sp.Symbol(name, real=True) for name in zero.cell.vector_parameters}
        name = unicode_timeless(state) + "′"
        moves.append(f"{name} = {_number(zero, value)}" if uniform else f"{name} differs from unit to unit")
    return f"no fixed point: {', '.join(moves)}"


def _number(zero: ZeroState, number: sp.Expr) -> str:
    style = text.unicode_scalar_style(zero.cell)
    return coefficient(number, lambda e: scalar(e, style), unicode_fraction, "·")


def _eigenvalue_rows(zero: ZeroState) -> list[tuple[str, str]]:
    rows = []
    for found in zero.eigenvalues:
        states = ", ".join(map(unicode_timeless, found.states))
        if not found.formulas:
            rows.append(("no closed form", f"block of {states}"))
        for formula in found.formulas:
            about = (
                f"for every eigenvalue w of {_matrix(found)}"
                if formula.has(W)
                else f"as often as {states} has units"
            )
            rows.append((_formula(zero, formula), about))
    return rows


def _formula(zero: ZeroState, formula: sp.Expr) -> str:
    """½ + ¼·w."""
    if not formula.is_polynomial(W) or sp.degree(formula, W) > 1:
        return scalar(formula, text.unicode_scalar_style(zero.cell))
    a, b = formula.xreplace({W: sp.S.Zero}), sp.diff(formula, W)
    slope = "w" if b == 1 else f"({_number(zero, b)})·w" if b.is_Add else f"{_number(zero, b)}·w"
    parts = [slope] * (b != 0) if a == 0 and b != 0 else [_number(zero, a), slope][: 1 + (b != 0)]
    return text.unicode_added(parts)


def _matrix(found: Eigenvalues) -> str:
    terms = [Term((number, *[sp.S.One] * len(weights)), weights) for number, weights in found.words]
    return text.unicode_added([text.unicode_term(found.cell, term) for term in terms])


def _gain(zero: ZeroState) -> tuple[str, str]:
    gain = zero.critical_gain
    if gain is None:
        return "no closed form", ""
    if gain == 0:
        return "0", "the spectral radius is at least 1 at any gain"
    if gain == sp.oo:
        return "none", "the eigenvalues do not depend on the gain"
    numbers = {len(weights) for found in zero.eigenvalues for _, weights in found.words}
    simple = numbers == {1} and all(len(found.words) <= 1 for found in zero.eigenvalues)
    size = _number(zero, gain) + f" ≈ {float(gain):.4g}" * (not gain.is_Rational)
    return size, "for W ~ N(0, gain²/n), n → ∞" + ": |w| ≤ gain" * simple


def latex_state(zero: ZeroState, notation: Notation) -> str:
    r"""J_0 = \begin{pmatrix} … \end{pmatrix}, \quad \lambda \in \{\tfrac{1}{2} + \tfrac{1}{4} w\} ∪ \{0\}."""
    writer = Writer(zero.cell, notation)

    def number(value: sp.Expr) -> str:
        return coefficient(value, writer.scalar, latex_fraction, r"\, ")

    sets = []
    for found in zero.eigenvalues:
        for formula in found.formulas:
            a, b = formula.xreplace({W: sp.S.Zero}), sp.diff(formula, W)
            if b == 0:
                sets.append(rf"\{{{number(a)}\}}")
                continue
            simple = formula.is_polynomial(W) and sp.degree(formula, W) == 1
            slope = "w" if b == 1 else rf"{number(b)}\, w"
            body = writer.added([number(a)] * (a != 0) + [slope]) if simple else writer.scalar(formula)
            terms = [Term((n, *[sp.S.One] * len(weights)), weights) for n, weights in found.words]
            sets.append(rf"\{{{body} : w \in \operatorname{{spec}}({writer.sum(terms)})\}}")
    matrix = zero.jacobian.latex(notation=notation)
    eigenvalues = r" \cup ".join(dict.fromkeys(sets))
    equation = f"{writer.matrix('J', '0')} = {matrix}"
    return rf"{equation}, \quad \lambda \in {eigenvalues}" if sets else equation
