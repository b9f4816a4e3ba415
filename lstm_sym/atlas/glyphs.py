"""A short formula as an inline SVG: matplotlib's mathtext in Computer Modern, as paths in the text's colour."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath
from numpy.typing import NDArray

#: Lengths are in hundredths of an em, as matplotlib's are.
EM = TextToPath.FONT_SCALE
#: Thickness of the bar of a fraction: TeX's, thinner than matplotlib's.
BAR = 4.2
#: How many points each of matplotlib's path codes takes, and its letter in SVG.
_CODES = {1: (1, "M"), 2: (1, "L"), 3: (2, "Q"), 4: (3, "C"), 79: (1, "Z")}


@dataclass(frozen=True)
class Drawing:
    """What a formula looks like, in hundredths of an em, y upwards from the baseline.

    glyphs: (outline, x, y, scale) of each sign; the outline is an SVG path, y downwards.
    bars: (x, y, width, height) of the rules of fractions and roots.
    """

    width: float
    ascent: float
    descent: float
    glyphs: tuple[tuple[str, float, float, float], ...]
    bars: tuple[tuple[float, float, float, float], ...]


@lru_cache(maxsize=4096)
def drawing(mathtext: str) -> Drawing:
    r"""The drawing of a formula that mathtext knows, without its dollars.

    >>> len(drawing(r"\frac{a}{b}").glyphs), len(drawing(r"\frac{a}{b}").bars)
    (2, 1)

    Raises:
        ValueError: mathtext does not know it.
    """
    font = FontProperties(size=EM, math_fontfamily="cm")
    text, paths = f"${mathtext}$", TextToPath()
    width, height, descent = map(float, paths.get_text_width_height_descent(text, font, ismath=True))
    placed, outlines, rules = paths.get_glyphs_mathtext(font, text)
    glyphs = tuple((_outline(*outlines[name]), float(x), float(y), float(scale)) for name, x, y, scale in placed)
    corners = [np.array(points[:4], dtype=float) for points, _ in rules]
    bars = tuple((*_floats(c.min(axis=0)), *_floats(np.ptp(c, axis=0))) for c in corners)
    return Drawing(width, height - descent, descent, glyphs, bars)


@dataclass
class GlyphSheet:
    """The outlines that the formulas of a page share, each kept once."""

    names: dict[str, str] = field(default_factory=dict)

    def svg(self, mathtext: str, kind: str = "") -> str:
        """The formula as an inline SVG that stands on the baseline of the text around it; ``kind``: more classes.

        Raises ValueError where mathtext does not know it.
        """
        seen = drawing(mathtext)
        signs = "".join(self._use(*glyph) for glyph in seen.glyphs)
        bars = "".join(_bar(*bar) for bar in seen.bars)
        box = f"0 {_short(-seen.ascent)} {_short(seen.width)} {_short(seen.ascent + seen.descent)}"
        size = f"width:{_em(seen.width)};vertical-align:{_em(-seen.descent)}"
        return f'<svg class="m{kind}" viewBox="{box}" style="{size}" aria-hidden="true">{signs}{bars}</svg>'

    def definitions(self) -> str:
        """The outlines, for once in the page, in front of the formulas."""
        paths = "".join(f'<path id="{name}" d="{outline}"/>' for outline, name in self.names.items())
        return f'<svg class="glyphs" width="0" height="0" aria-hidden="true"><defs>{paths}</defs></svg>'

    def _use(self, outline: str, x: float, y: float, scale: float) -> str:
        if not outline:
            return ""
        name = self.names.setdefault(outline, f"g{len(self.names)}")
        if scale == 1.0:
            return f'<use href="#{name}" x="{_short(x)}" y="{_short(-y)}"/>'
        return f'<use href="#{name}" transform="translate({_short(x)} {_short(-y)}) scale({scale:.3g})"/>'


def _outline(points: NDArray[np.float64], codes: NDArray[np.uint8]) -> str:
    """A path of matplotlib's as one of SVG's, which counts y downwards."""
    written, place = [], 0
    while place < len(codes):
        count, letter = _CODES[int(codes[place])]
        ends = points[place : place + count * (letter != "Z")]
        written.append(letter + " ".join(f"{_short(x)} {_short(-y)}" for x, y in ends))
        place += count
    return "".join(written)


def _bar(x: float, y: float, width: float, height: float) -> str:
    thick = min(BAR, height)
    top = -(y + height / 2 + thick / 2)
    return f'<rect x="{_short(x)}" y="{_short(top)}" width="{_short(width)}" height="{_short(thick)}"/>'


def _floats(pair: NDArray[np.float64]) -> tuple[float, float]:
    return float(pair[0]), float(pair[1])


def _short(value: float) -> str:
    """A coordinate to a thousandth of an em.

    >>> _short(12.04), _short(-0.01)
    ('12', '0')
    """
    return re.sub(r"\.0$", "", f"{round(float(value), 1) + 0.0:.1f}")


def _em(value: float) -> str:
    return f"{round(value / EM, 3) + 0.0:g}em"
