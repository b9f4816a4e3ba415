"""Scalar expressions per unit as text, in Unicode and in LaTeX: one writer, two styles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import sympy as sp

from lstm_sym.functions import Slope, positive
from lstm_sym.notation.names import SUPERSCRIPTS, lag_of, latex_at_time, unicode_at_time, unicode_timeless
from lstm_sym.notation.widths import width

#: Sums in a numerator wider than this, in points, stand behind the fraction: in it they could not be broken.
_WIDEST_NUMERATOR = 150.0

_WORDS = {"maximum": "max", "logsigmoid": "log σ"}
_LATEX_WORDS = {"sigmoid": r"\sigma", "logsigmoid": r"\log \sigma", "maximum": r"\max"}
_LATEX_WORDS |= {name: "\\" + name for name in ("tanh", "exp", "log", "sin", "cos", "max")}


@dataclass(frozen=True)
class Style:
    """How a scalar expression is written: the texts that Unicode and LaTeX differ in."""

    symbol: Callable[[str], str]
    times: str
    scale: str
    minus: str
    power: Callable[[str, int], str]
    fraction: Callable[[str, str], str]
    call: Callable[[str, str], str]
    indicator: Callable[[str], str]
    latex: bool = False
    numbers: frozenset[str] = frozenset()

    def is_number(self, expression: sp.Expr) -> bool:
        """Whether an expression has no symbols but those in ``numbers``, which are the same for all units."""
        return all(symbol.name in self.numbers for symbol in expression.free_symbols)


def in_brackets(text: str) -> str:
    """``text`` in round brackets, large ones around a fraction in LaTeX."""
    return rf"\Bigl({text}\Bigr)" if r"\frac" in text else f"({text})"


def _function(name: str) -> tuple[str, bool]:
    """(the function's name in print, whether its slope is meant): "dtanh" is ("tanh", True)."""
    base = name.removeprefix("d") if name in {"dsigmoid", "dtanh", "drelu", "dlogsigmoid"} else name
    return base, base != name


def _latex_call(name: str, argument: str) -> str:
    base, slope = _function(name)
    if base == "sqrt":
        return rf"\sqrt{{{argument}}}"
    word = _LATEX_WORDS.get(base) or rf"\operatorname{{{base}}}"
    if slope:
        word = f"({word})'" if " " in word else word + "'"
    return word + in_brackets(argument)


def _unicode_call(name: str, argument: str) -> str:
    base, slope = _function(name)
    word = "σ" if base == "sigmoid" else "√" if base == "sqrt" else _WORDS.get(base, base)
    if slope:
        word = f"({word})′" if " " in word else word + "′"
    return f"{word}({argument})"


def _latex_power(base: str, exponent: int) -> str:
    if not base.startswith("("):  # a name with something above it already
        base = f"({base})" if "^" in base else f"{{{base}}}" if "'" in base else base
    return f"{base}^{{{exponent}}}" if exponent > 9 or exponent < 0 else f"{base}^{exponent}"


LATEX = Style(
    symbol=latex_at_time,
    times=r" \odot ",
    scale=r"\,",
    minus=" - ",
    power=_latex_power,
    fraction=lambda above, below: rf"\frac{{{above}}}{{{below}}}",
    call=_latex_call,
    indicator=lambda argument: rf"\mathbf{{1}}[{argument} > 0]",
    latex=True,
)


def unicode_style(symbol: Callable[[str], str]) -> Style:
    """The Unicode style with the given way to write names."""
    return Style(
        symbol=symbol,
        times="⊙",
        scale="·",
        minus="−",
        power=lambda base, exponent: base + str(exponent).translate(SUPERSCRIPTS),
        fraction=lambda above, below: f"{above}/{below}",
        call=_unicode_call,
        indicator=lambda argument: f"[{argument}>0]",
    )


#: Unicode with explicit time, for equations: fₜ⊙cₜ₋₁.
TIMED = unicode_style(unicode_at_time)


def derivation_style(states: Mapping[str, object] | frozenset[str] | tuple[str, ...]) -> Style:
    """Unicode for derivations: c enters the step, c′ leaves it, gates are plain, older gates carry their time."""

    def symbol(name: str) -> str:
        base, lag = lag_of(name)
        if base in states:
            return (unicode_timeless(base) + "′", unicode_timeless(base))[lag] if lag < 2 else unicode_at_time(name)
        return unicode_timeless(base) if lag == 0 else unicode_at_time(name)

    return unicode_style(symbol)


def with_parameters(
    style: Style,
    parameters: tuple[str, ...],
    write: Callable[[str], str] = unicode_timeless,
    numbers: Mapping[str, float] | None = None,
) -> Style:
    """``style`` with ``parameters``, which have no time, written by ``write``; ``numbers`` need no ⊙."""
    return replace(
        style,
        symbol=lambda name: write(name) if name in parameters else style.symbol(name),
        numbers=frozenset(numbers or ()),
    )


def scalar(expression: sp.Expr, style: Style) -> str:
    """An elementwise expression as text; factors in alphabetical order, compound ones last: c⊙f⊙(1−f)."""
    if expression.is_Symbol:
        return style.symbol(expression.name)
    if isinstance(expression, positive):
        return style.indicator(scalar(expression.args[0], style))
    if expression.is_Number:
        return _number(expression, style)
    if expression.is_Add:
        return _sum(expression, style)
    if expression.is_Mul:
        return _product(expression, style)
    if expression.is_Pow:
        return _power(expression, style)
    if expression.is_Function or isinstance(expression, Slope):
        return style.call(type(expression).__name__, ", ".join(scalar(a, style) for a in expression.args))
    raise TypeError(f"cannot write {type(expression).__name__} {expression} as text.")


def _number(number: sp.Expr, style: Style) -> str:
    if number.is_negative:
        return style.minus.strip() + _number(-number, style)
    if number.is_Rational and sp.Integer(10) ** 12 % number.q:
        return style.fraction(str(number.p), str(number.q))
    return str(number) if number.is_Integer else f"{float(number):.15g}"


def _sum(expression: sp.Expr, style: Style) -> str:
    def key(term: sp.Expr) -> tuple[bool, bool, str]:
        return not term.is_Number, term.could_extract_minus_sign(), scalar(term, style)

    text = ""
    plus = style.minus.replace("−", "+").replace("-", "+")
    for term in sorted(expression.args, key=key):
        negative = term.could_extract_minus_sign()
        body = scalar(-term if negative else term, style)
        if not text:
            text = style.minus.strip() + body if negative else body
        else:
            text += (style.minus if negative else plus) + body
    return text


def _product(expression: sp.Expr, style: Style) -> str:
    coefficient, rest = expression.as_coeff_Mul()
    above: list[sp.Expr] = []
    below: list[sp.Expr] = []
    for factor in sp.Mul.make_args(rest):
        inverse = factor.is_Pow and factor.exp.is_number and factor.exp.is_negative
        (below if inverse else above).append(1 / factor if inverse else factor)
    sign = style.minus.strip() if coefficient.is_negative else ""
    numbers = [] if abs(coefficient) == 1 else [_number(abs(coefficient), style)]
    numbers += _factors([factor for factor in above if style.is_number(factor)], style)
    vectors = _factors([factor for factor in above if not style.is_number(factor)], style)
    top = style.scale.join(numbers + [style.times.join(vectors)] * bool(vectors)) or "1"
    if not below:
        return sign + top
    if style.latex and width(top) > _WIDEST_NUMERATOR and any(factor.is_Add for factor in above):
        sums = [factor for factor in above if factor.is_Add]
        fraction = expression / sp.Mul(*sums)
        return style.times.join([_product(fraction, style), *_factors(sums, style)])
    bottom = scalar(below[0], style) if len(below) == 1 else style.times.join(_factors(below, style))
    if not style.latex and (len(below) > 1 or below[0].is_Add):
        bottom = f"({bottom})"
    return sign + style.fraction(top, bottom)


def _factors(factors: list[sp.Expr], style: Style) -> list[str]:
    texts = []
    for factor in factors:
        text = scalar(factor, style)
        texts.append((factor.is_Add, in_brackets(text) if factor.is_Add else text))
    return [text for _, text in sorted(texts)]


def _power(expression: sp.Expr, style: Style) -> str:
    base, exponent = expression.args
    if exponent.is_negative:
        (below,) = _factors([base**-exponent], style)
        return style.fraction("1", below)
    text = scalar(base, style)
    if exponent == sp.S.Half:
        return style.call("sqrt", text)
    if base.is_Add or base.is_Mul or base.is_Pow:
        text = in_brackets(text)
    if exponent.is_Integer:
        return style.power(text, int(exponent))
    return f"{text}^{{{scalar(exponent, style)}}}" if style.latex else f"{text}^({scalar(exponent, style)})"
