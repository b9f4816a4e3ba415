"""Plain text as HTML: h_T with its index below the line, σ(b)^k with its exponent above, and everything escaped."""

from __future__ import annotations

import re
from html import escape

_INDEX = re.compile(r"(?<!\w)([^\W\d_]′?|d[hcy])_(\{[^{}]{1,30}\}|[^\W_]{1,4})(?!\w)")
_EXPONENT = re.compile(r"(?<=[\w)’′])\^(\{[^{}]{1,30}\}|[−-]?[^\W_]{1,3})(?!\w)")
_LOGARITHM = re.compile(r"\blog(10|2)\b")
_RELATION = re.compile(r"(?<=[\w>)]) (=|~|≈|≤|≥) (?=[\w−-])")
_MINUS = re.compile(r"(?<![\w−-])-(?=[\d.])")
_CODE = re.compile(r"``([^`]{1,200})``")


def prose(text: str) -> str:
    """``text`` as HTML, with indices and exponents.

    >>> prose("∂h_T/∂h_{T−k} & σ(b_f)^k, not forget_bias")
    '∂h<sub>T</sub>/∂h<sub>T−k</sub> &amp; σ(b<sub>f</sub>)<sup>k</sup>, not forget_bias'
    """
    return "".join(
        f"<code>{escape(part)}</code>" if k % 2 else _mathematics(escape(part))
        for k, part in enumerate(_CODE.split(text.replace("$", "")))
    )


def _mathematics(escaped: str) -> str:
    below = _INDEX.sub(lambda match: f"{match[1]}<sub>{match[2].strip('{}')}</sub>", escaped)
    below = _LOGARITHM.sub(r"log<sub>\1</sub>", below)
    above = _EXPONENT.sub(lambda match: f"<sup>{match[1].strip('{}')}</sup>", below)
    return _MINUS.sub("−", _RELATION.sub("\u00a0\\1\u00a0", above))
