"""Norms of diagonals from ranges: sums of numbers times the ‖·‖∞ of what has no known range."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import reduce
from itertools import product
from operator import mul

import sympy as sp

from lstm_sym.calculus.bounds.extrema import enclosure, outermost
from lstm_sym.calculus.bounds.intervals import REALS, Range
from lstm_sym.calculus.bounds.ranges import Given, inlined, range_of, ranges
from lstm_sym.calculus.terms import Term
from lstm_sym.cell import Cell, Elementwise
from lstm_sym.cell.graph import unit
from lstm_sym.functions import maximum


@dataclass(frozen=True)
class NormTerm:
    """number·∏ ‖v‖∞^k·∏ ‖W‖: ``sups`` are per-unit expressions with their powers, ``weights`` names of matrices."""

    number: sp.Expr
    sups: tuple[tuple[sp.Expr, int], ...] = ()
    weights: tuple[str, ...] = ()

    def __mul__(self, other: NormTerm) -> NormTerm:
        powers = Counter(dict(self.sups))
        powers.update(dict(other.sups))
        sups = tuple(sorted(powers.items(), key=lambda item: sp.default_sort_key(item[0])))
        return NormTerm(self.number * other.number, sups, self.weights + other.weights)


NormTerms = tuple[NormTerm, ...]


def gathered(terms: list[NormTerm], order: tuple[str, ...]) -> NormTerms:
    """The same sum with like terms added up: numbers first, then what passes no weight, else in the order given."""
    found: dict[tuple[object, ...], NormTerm] = {}
    for term in terms:
        weights = tuple(sorted(term.weights, key=order.index))
        key = (term.sups, weights)
        number = term.number + (found[key].number if key in found else 0)
        found[key] = NormTerm(number, term.sups, weights)
    kept = [term for term in found.values() if term.number != 0]
    return tuple(sorted(kept, key=lambda term: 2 if term.weights else 1 if term.sups else 0))


class Suprema:
    """Bounds on |d| over all units and all values in range, for the diagonals of a cell's Jacobians."""

    def __init__(self, cell: Cell, given: Given = ()) -> None:
        self._cell, self._ranges = cell, ranges(cell, given)
        nodes = [node for node in cell.nodes if isinstance(node, Elementwise)]
        self._functions = {n.expression: unit(n.name) for n in nodes if n.expression.is_Function}
        twins = inlined(cell, given).items()
        self._twins = {unit(name): twin for name, twin in twins if not isinstance(twin, maximum)}

    def of_term(self, term: Term) -> list[NormTerm]:
        """‖d₀·W₁·d₁·…‖ ≤ ‖d₀‖·‖W₁‖·‖d₁‖·…, multiplied out."""
        weights = NormTerm(sp.S.One, (), tuple(weight.name for weight in term.weights))
        choices = product(*(self.of_diagonal(diagonal) for diagonal in term.diagonals))
        return [reduce(mul, parts, weights) for parts in choices]

    def of_diagonal(self, diagonal: sp.Expr) -> list[NormTerm]:
        """sup|d|: factors that are constants by themselves, then a polynomial in what has no range, term by term.

        The coefficients of that polynomial have ranges; each enters with its largest absolute value.
        """
        expression = diagonal.xreplace(self._functions).xreplace(self._twins)
        factors = sp.Mul.make_args(expression)
        constants = [f for f in factors if f.free_symbols and self._cell.is_constant(f)]
        scale = NormTerm(sp.S.One, tuple((factor, 1) for factor in constants))
        rest = sp.Mul(*(factor for factor in factors if factor not in constants))
        return [scale * term for term in self._polynomial(rest)]

    def _polynomial(self, expression: sp.Expr) -> list[NormTerm]:
        names, box, expression = self._named(expression)
        free = [s for s in expression.free_symbols if s.name in self._cell.constants or not box[s].bounded]
        polynomial = sp.Poly(expression, *(sorted(free, key=str) or [sp.Dummy()]))
        found = []
        for powers, coefficient in polynomial.terms():
            sups = [(names.get(x, x), k) for x, k in zip(polynomial.gens, powers, strict=True) if k]
            found.append(NormTerm(enclosure(coefficient, box).magnitude, tuple(sups)))
        return found

    def _named(self, expression: sp.Expr) -> tuple[dict[sp.Symbol, sp.Expr], dict[sp.Symbol, Range], sp.Expr]:
        """(names, ranges, a rational function): functions, and 1/v of a v without range, become symbols."""
        box = {symbol: range_of(self._ranges, symbol.name) for symbol in expression.free_symbols}
        ranges, names = dict(box), {}
        for atom in outermost(expression):
            names[sp.Dummy(real=True)] = atom
        expression = expression.xreplace({atom: name for name, atom in names.items()})
        ranges |= {name: enclosure(atom, box) for name, atom in names.items()}
        inverses: dict[sp.Expr, sp.Symbol] = {}
        for power in expression.atoms(sp.Pow):
            if power.exp.is_negative and not all(ranges[symbol].bounded for symbol in power.free_symbols):
                name = inverses.setdefault(power.base, sp.Dummy(real=True))
                names[name], ranges[name] = 1 / power.base.xreplace(names), REALS
                expression = expression.xreplace({power: name ** (-power.exp)})
        return names, ranges, expression
