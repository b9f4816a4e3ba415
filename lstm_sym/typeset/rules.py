"""Which rule of calculus a step of a derivation uses: read off the expression that is differentiated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import sympy as sp

from lstm_sym.cell import Affine, Elementwise
from lstm_sym.cell.graph import unit
from lstm_sym.functions import Slope

_CALLED = {
    "sigmoid": "the sigmoid",
    "relu": "the rectifier",
    "logsigmoid": "log σ",
    "maximum": "the maximum",
    "exp": "the exponential",
    "log": "the logarithm",
}


@dataclass(frozen=True)
class SlopeRule:
    """A slope in terms of its function's own value: σ′ = σ(1 − σ)."""

    slope: type[Slope]


Rule: TypeAlias = str | SlopeRule


def affine_rule(node: Affine, vectors: Sequence[str]) -> tuple[Rule, ...]:
    """The rule for z = Σ W v + b, of which ``vectors`` vary."""
    if set(vectors) <= set(node.biases):
        return ("a bias is added as it is",)
    return ("affine map",) if len(vectors) == 1 else ("affine map", "sum rule")


def elementwise_rule(node: Elementwise, vectors: Sequence[str]) -> tuple[Rule, ...]:
    """The rules that differentiating an expression per unit takes, ``vectors`` being what varies in it."""
    found = tuple(dict.fromkeys(_rules(node.expression, {unit(name) for name in vectors})))
    if "product rule" in found or "quotient rule" in found:
        found = tuple(rule for rule in found if rule != "constant factor")
    return found or ("identity map",)


def _rules(expression: sp.Expr, varying: set[sp.Symbol]) -> Iterable[Rule]:
    if expression.is_Symbol or not expression.free_symbols & varying:
        return
    inner = [part for part in expression.args if part.free_symbols & varying]
    if expression.is_Add and len(inner) > 1:
        yield "sum rule"
    elif expression.is_Mul:
        if any(part.is_Pow and part.exp.is_negative for part in inner):
            yield "quotient rule"
        elif len(inner) > 1:
            yield "product rule"
        else:
            yield "constant factor"
    elif expression.is_Pow:
        yield "quotient rule" if expression.exp.is_negative else "power rule"
    elif expression.is_Function:
        name = type(expression).__name__
        yield f"chain rule through {_CALLED.get(name, name)}"
    for part in inner:
        yield from _rules(part.base if part.is_Pow and part.exp == -1 else part, varying)


def slope_rules(expressions: Iterable[sp.Expr]) -> tuple[SlopeRule, ...]:
    """One for each slope in the expressions, in the order of their names."""
    found = {type(slope) for expression in expressions for slope in expression.atoms(Slope)}
    return tuple(SlopeRule(slope) for slope in sorted(found, key=lambda slope: slope.__name__))


def slope_in_its_value(rule: SlopeRule, value: sp.Symbol) -> sp.Expr:
    """The slope as an expression in its function's value: the right-hand side of σ′ = σ(1 − σ)."""
    return rule.slope.of.slope_from_value(value)
