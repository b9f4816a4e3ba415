r"""LaTeX as mathtext knows it: commands by the names that it has, arguments in braces, brackets of a fixed size."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from lstm_sym.atlas.glyphs import drawing

_TOKEN = re.compile(r"\\(?:begin|end)\{[A-Za-z]+\*?\}|\\[A-Za-z]+\*?|\\\\(?:\[[^\]]*\])?|\\.|\s+|.", re.DOTALL)


def commands(names: str) -> frozenset[str]:
    """The LaTeX commands of these names."""
    return frozenset(rf"\{name}" for name in names.split())


_RENAMED = {
    r"\tfrac": r"\frac",
    r"\frac": r"\dfrac",
    r"\lVert": r"\Vert",
    r"\rVert": r"\Vert",
    r"\lvert": "|",
    r"\rvert": "|",
    r"\le": r"\leq",
    r"\ge": r"\geq",
    r"\top": r"\mathsf{T}",
    r"\iff": r"\Longleftrightarrow",
    r"\implies": r"\Longrightarrow",
    r"\operatorname*": r"\operatorname",
    r"\bm": r"\boldsymbol",
    r"\lt": "<",
    r"\gt": ">",
    r"\land": r"\wedge",
    r"\lor": r"\vee",
    r"\textbf": r"\mathbf",
    r"\textrm": r"\mathrm",
    r"\textit": r"\mathit",
    "~": r"\ ",
}
#: Commands that change nothing here.
_DROPPED = commands("nonumber notag displaystyle textstyle limits footnotesize small")
_DROPPED_WITH_ARGUMENT = commands("label tag")
_FRACTIONS = commands("frac dfrac")
#: How many arguments a command takes: mathtext wants them in braces, TeX does without.
_ARGUMENTS = {r"\dfrac": 2, r"\frac": 2, r"\sqrt": 1, r"\mathrm": 1, r"\mathbf": 1, r"\operatorname": 1}
#: For each size of brackets something that is as high.
_HEIGHTS = {
    "big": r"\sqrt{b}",
    "Big": r"\dfrac{1}{1}",
    "bigg": r"\dfrac{\frac{1}{1}}{1}",
    "Bigg": r"\dfrac{\dfrac{1}{1}}{1}",
}
_SIZED = re.compile(r"\\([bB]igg?)([lrm]?)")
#: Operators with limits: mathtext leaves no space behind them; and functions: nor in front of these.
_OPERATORS = commands("sum prod bigoplus bigotimes int")
_FUNCTIONS = commands("log ln exp det tanh sinh cosh sin cos max min lim")
_LETTERS = commands("alpha beta gamma delta lambda mu pi rho sigma phi psi")
_CLOSING = {")", "]", r"\}", r"\rangle", r"\rfloor", r"\rceil"}


def tokens(latex: str) -> list[str]:
    r"""The commands and signs of a formula.

    >>> tokens(r"W_{hh}\, x_t \\[1ex]")
    ['W', '_', '{', 'h', 'h', '}', '\\,', ' ', 'x', '_', 't', ' ', '\\\\[1ex]']
    """
    return _TOKEN.findall(latex)


def past_spaces(signs: Sequence[str], place: int) -> int:
    """The first place from ``place`` on that is no space."""
    while place < len(signs) and signs[place].isspace():
        place += 1
    return place


def past_argument(signs: Sequence[str], place: int) -> int:
    """Where the argument ends that begins at ``place``: behind its closing brace, or behind a single sign.

    Raises ValueError if it does not end.
    """
    depth = 0
    for end in range(past_spaces(signs, place), len(signs)):
        depth += (signs[end] == "{") - (signs[end] == "}")
        if depth <= 0:
            return end + 1
    raise ValueError("an argument is missing, or a brace is not closed.")


def rewritten(latex: str) -> str:
    r"""``latex`` as mathtext knows it; what it has no word for stays as it is.

    >>> rewritten(r"\tfrac12 \lVert W^\top \rVert \le \frac{a}{b} \label{eq:1}")
    '\\frac{1}{2} \\Vert W^{\\mathsf{T}} \\Vert \\leq \\dfrac{a}{b} '

    Raises:
        ValueError: braces that do not close.
    """
    return "".join(_written(tokens(latex), small=False))


def _written(signs: Sequence[str], small: bool) -> Iterator[str]:
    """The tokens anew; ``small`` inside of fractions, indices and exponents, where fractions are small."""
    place = 0
    while place < len(signs):
        sign, start, place = signs[place], place, place + 1
        if sign in _DROPPED:
            continue
        if sign in _DROPPED_WITH_ARGUMENT:
            place = past_argument(signs, place)
        elif sign == r"\text":
            place = past_argument(signs, place)
            yield "".join(signs[start:place])
        elif (sized := _SIZED.fullmatch(sign)) is not None and (place := past_spaces(signs, place)) < len(signs):
            yield _bracket(sized[1], sized[2], signs[place])
            place += 1
        elif sign in "^_":
            yield sign
            end = past_argument(signs, place)
            yield _group(signs[place:end], small=True)
            place = end
        elif sign in _OPERATORS:
            yield sign
            start, place = place, _past_limits(signs, place)
            yield from _written(signs[start:place], small)
            yield r"\,"
        else:
            name = _RENAMED.get(sign, sign)
            if sign in _FUNCTIONS and _ends_a_factor(signs[:start]):
                yield r"\,"
            yield r"\frac" if name in _FRACTIONS and small else name
            for _ in range(_ARGUMENTS.get(name, 0)):
                if sign == r"\sqrt" and signs[past_spaces(signs, place) :][:1] == ["["]:
                    break
                end = past_argument(signs, place)
                yield _group(signs[place:end], small or name in _FRACTIONS)
                place = end


@cache
def _phantoms() -> bool:
    try:
        drawing(r"\rlap{\phantom{b}}")
    except ValueError:
        return False
    return True


def _ends_a_factor(signs: Sequence[str]) -> bool:
    """Whether a function behind these signs is multiplied with what is before it."""
    last = next((sign for sign in reversed(signs) if not sign.isspace()), "")
    return last == "}" or (last[-1:].isalnum() and (len(last) == 1 or last in _LETTERS))


def _past_limits(signs: Sequence[str], place: int) -> int:
    """Where the limits end that may stand at ``place``."""
    while (start := past_spaces(signs, place)) < len(signs) and signs[start] in "^_":
        place = past_argument(signs, start + 1)
    return place


def _group(signs: Sequence[str], small: bool) -> str:
    """An argument in braces."""
    inner = "".join(_written(signs, small)).strip()
    return inner if inner.startswith("{") else f"{{{inner}}}"


def _bracket(size: str, side: str, sign: str) -> str:
    """A bracket as high as something that is not seen; an ordinary one in a matplotlib that has no such thing."""
    sign = _RENAMED.get(sign, sign)
    if not _phantoms():
        return sign
    strut = rf"\rlap{{\phantom{{{_HEIGHTS[size]}}}}}"
    closing = side == "r" or (side != "l" and sign in _CLOSING)
    return rf"\left.{strut}\right{sign}" if closing else rf"\left{sign}{strut}\right."
