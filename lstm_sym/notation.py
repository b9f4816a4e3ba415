"""Names and scalar expressions as text: the code name, the Unicode name and the LaTeX name of a quantity.

The code name is an identifier, ``c`` now and ``c_prev`` one step earlier (``c_prev2`` two steps). Unicode in a
derivation is short: c is the state that enters the step, c′ the one that leaves it. LaTeX carries the time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import sympy as sp

from lstm_sym.functions import Slope, positive

_GREEK = re.compile(
    "alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|pi|rho|sigma|tau|upsilon|phi|chi|psi"
    "|omega|Gamma|Delta|Theta|Lambda|Xi|Pi|Sigma|Upsilon|Phi|Psi|Omega"
)
_LAG = re.compile(r"(?P<base>.+)_prev(?P<lag>\d*)")
_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_SLOPES = frozenset({"dsigmoid", "dtanh", "drelu"})
_LATEX_WORDS = {"sigmoid": r"\sigma"} | {name: "\\" + name for name in ("tanh", "exp", "log", "sin", "cos")}
_SUBSCRIPTS = str.maketrans("0123456789-", "₀₁₂₃₄₅₆₇₈₉₋")


def lag_of(name: str) -> tuple[str, int]:
    """(base name, steps back) of a code name: "c_prev" is ("c", 1)."""
    match = _LAG.fullmatch(name)
    if match is None:
        return name, 0
    return match["base"], int(match["lag"] or 1)


def lagged(name: str, steps: int = 1) -> str:
    """The code name of the quantity ``steps`` steps before ``name``."""
    base, lag = lag_of(name)
    lag += steps
    return base + ("" if lag == 0 else "_prev" if lag == 1 else f"_prev{lag}")


def unicode_at_time(name: str) -> str:
    """The name with its time as a subscript: cₜ₋₁."""
    base, lag = lag_of(name)
    return base + "ₜ" + (f"₋{lag}".translate(_SUBSCRIPTS) if lag else "")


def _latex_parts(name: str) -> tuple[str, str]:
    """(letter, subscript) of a name without time, in LaTeX."""
    head, _, tail = name.partition("_")
    letter = "\\" + head if _GREEK.fullmatch(head) else head if len(head) == 1 else rf"\mathit{{{head}}}"
    words = tail.replace("_", "")
    return letter, words if len(words) <= 3 else rf"\mathit{{{words}}}"


def _subscripted(letter: str, subscript: str) -> str:
    if not subscript:
        return letter
    return f"{letter}_{subscript}" if len(subscript) == 1 else f"{letter}_{{{subscript}}}"


def latex_timeless(name: str) -> str:
    """LaTeX of a parameter's name, which has no time: W_{hf}, b_f, \\alpha."""
    return _subscripted(*_latex_parts(name))


def latex_at_time(name: str, now: str = "t") -> str:
    """LaTeX of a name with its time: c_{t-1}, a_{f,t}; ``now`` is the time of lag 0, "t" or "T-k"."""
    base, lag = lag_of(name)
    letter, subscript = _latex_parts(base)
    time = f"{now}-{lag}" if lag else now
    return _subscripted(letter, f"{subscript},{time}" if subscript else time)


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


def _latex_call(name: str, argument: str) -> str:
    base, prime = (name[1:], "'") if name in _SLOPES else (name, "")
    word = _LATEX_WORDS.get(base) or rf"\operatorname{{{base}}}"
    return f"{word}{prime}({argument})"


def _unicode_call(name: str, argument: str) -> str:
    base, prime = (name[1:], "′") if name in _SLOPES else (name, "")
    return f"{'σ' if base == 'sigmoid' else base}{prime}({argument})"


LATEX = Style(
    symbol=latex_at_time,
    times=r" \odot ",
    scale=r"\,",
    minus=" - ",
    power=lambda base, exponent: f"{base}^{{{exponent}}}" if exponent > 9 or exponent < 0 else f"{base}^{exponent}",
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
        power=lambda base, exponent: base + str(exponent).translate(_SUPERSCRIPTS),
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
            return (base + "′", base)[lag] if lag < 2 else unicode_at_time(name)
        return base if lag == 0 else unicode_at_time(name)

    return unicode_style(symbol)


def with_parameters(style: Style, parameters: tuple[str, ...], write: Callable[[str], str]) -> Style:
    """``style`` with the names of ``parameters``, which have no time, written by ``write``."""
    return replace(style, symbol=lambda name: write(name) if name in parameters else style.symbol(name))


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
    top = style.scale.join([*numbers, style.times.join(_factors(above, style))][: 1 + len(above)]) or "1"
    if not below:
        return sign + top
    bottom = scalar(below[0], style) if len(below) == 1 else style.times.join(_factors(below, style))
    if not style.latex and (len(below) > 1 or below[0].is_Add):
        bottom = f"({bottom})"
    return sign + style.fraction(top, bottom)


def _factors(factors: list[sp.Expr], style: Style) -> list[str]:
    texts = []
    for factor in factors:
        text = scalar(factor, style)
        texts.append((factor.is_Add, f"({text})" if factor.is_Add else text))
    return [text for _, text in sorted(texts)]


def _power(expression: sp.Expr, style: Style) -> str:
    base, exponent = expression.args
    if exponent.is_negative:
        (below,) = _factors([base**-exponent], style)
        return style.fraction("1", below)
    text = scalar(base, style)
    if base.is_Add or base.is_Mul or base.is_Pow:
        text = f"({text})"
    if exponent.is_Integer:
        return style.power(text, int(exponent))
    return f"{text}^{{{scalar(exponent, style)}}}" if style.latex else f"{text}^({scalar(exponent, style)})"
