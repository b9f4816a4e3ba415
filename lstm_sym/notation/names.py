"""One name in three scripts: as code ``c_l2_prev``, in Unicode c⁽²⁾ₜ₋₁, in LaTeX c^{(2)}_{t-1}."""

from __future__ import annotations

import re
from dataclasses import dataclass

_GREEK_NAMES = (
    *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu"),
    *("nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega"),
    *("Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega"),
)
GREEK = dict(zip(_GREEK_NAMES, "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ", strict=True))
_LAG = re.compile(r"(?P<base>.+)_prev(?P<lag>\d*)")
_ONE_SIGN = re.compile(r"[^\\]|\\[A-Za-z]+")
_COMMAND = re.compile(r"\\[A-Za-z]+$")
_LAYER = re.compile(r"l\d+")
_TIME = re.compile(r"(?P<start>.*?)(?P<shift>[+-]\d+)?")
_SUBSCRIPTS = str.maketrans("0123456789-", "₀₁₂₃₄₅₆₇₈₉₋")
SUPERSCRIPTS = str.maketrans("0123456789-()", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁽⁾")


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


def at_time(now: str, lag: int) -> str:
    """The time ``lag`` steps before ``now``: "t" and 1 give "t-1", "t+1" and 1 give "t", "1" and 1 give "0"."""
    if now.isdecimal():
        return str(int(now) - lag)
    match = _TIME.fullmatch(now)
    if match is None or not lag:
        return now
    if match["shift"] is None or not now.startswith("t"):
        return f"{now}-{lag}"
    shift = int(match["shift"]) - lag
    return match["start"] + (f"{shift:+d}" if shift else "")


@dataclass(frozen=True)
class Name:
    """A name in LaTeX, without its time: ``letter``, ``subscript``, and the number of its layer, if any."""

    letter: str
    subscript: str = ""
    layer: str = ""

    def __str__(self) -> str:
        return self.write()

    def write(self, time: str = "", prime: bool = False) -> str:
        r"""The name in LaTeX with a time as its last subscript: c^{(2)}_{f,t}; or with a prime."""
        subscript = ",".join(filter(None, (self.subscript, time)))
        below = f"_{subscript}" if _ONE_SIGN.fullmatch(subscript) else f"_{{{subscript}}}" if subscript else ""
        return self.letter + "'" * prime + (f"^{{({self.layer})}}" if self.layer else "") + below

    def bold(self) -> Name:
        r"""The same in bold: \mathbf{h}, \boldsymbol{\alpha}."""
        letter = self.letter
        if not letter.startswith("\\"):
            letter = rf"\mathbf{{{letter}}}"
        elif letter.startswith(r"\mathit{"):
            letter = r"\mathbf{" + letter.removeprefix(r"\mathit{")
        else:
            letter = rf"\boldsymbol{{{letter}}}"
        return Name(letter, self.subscript, self.layer)


def split(base: str) -> tuple[str, tuple[str, ...], str]:
    """(head, the other words, layer) of a name without lag: "W_xf_l2" is ("W", ("xf",), "2")."""
    head, *words = base.split("_")
    layers = [word for word in words if _LAYER.fullmatch(word)]
    return head, tuple(word for word in words if word not in layers[-1:] and word), "".join(layers[-1:])[1:]


def layer_of(name: str) -> int:
    """The layer that a name belongs to, 2 for "W_xf_l2"; 0 for a name without one."""
    return int(split(lag_of(name)[0])[2] or 0)


def is_greek(word: str) -> bool:
    """Whether a word of a subscript is a Greek letter: "xi" is x and i, as in W_xi; so is any of up to 3."""
    return word in GREEK and len(word) > 3


def word_in_latex(word: str, greek: bool = False) -> str:
    r"""A word of a subscript: up to three letters as they are, a Greek letter as such, more as \mathit{…}."""
    if is_greek(word) or (greek and word in GREEK):
        return "\\" + word
    return word if len(word) <= 3 else rf"\mathit{{{word}}}"


def side_by_side(*words: str) -> str:
    r"""Parts of a subscript in a row, a blank behind a command where a letter follows: \phi h."""
    found = ""
    for word in words:
        found += " " * bool(_COMMAND.search(found) and word[:1].isalpha()) + word
    return found


def is_raised(latex: str) -> bool:
    """Whether a name has something above it already, so that nothing more can be put there: h^{(2)}, h'."""
    bare = re.sub(r"\{[^{}]*\}", "", re.sub(r"\{[^{}]*\}", "", latex))
    return "^" in bare or "'" in bare


def name_of(base: str) -> Name:
    """The LaTeX name that a code name without lag stands for by itself."""
    head, words, layer = split(base)
    letter = "\\" + head if head in GREEK else head if len(head) == 1 else rf"\mathit{{{head}}}"
    whole = "".join(words)
    subscript = side_by_side(*map(word_in_latex, words)) if any(map(is_greek, words)) else word_in_latex(whole)
    return Name(letter, subscript, layer)


def latex_timeless(name: str) -> str:
    """LaTeX of a parameter's name, which has no time: W_{hf}, b_f, \\alpha."""
    return name_of(name).write()


def latex_at_time(name: str, now: str = "t") -> str:
    """LaTeX of a name with its time: c_{t-1}, a_{f,t}; ``now`` is the time of lag 0, "t" or "T-k"."""
    base, lag = lag_of(name)
    return name_of(base).write(at_time(now, lag))


def unicode_timeless(name: str) -> str:
    """The Unicode name, Greek letters and layers as such: W_hf, α, h⁽²⁾."""
    head, words, layer = split(name)
    above = f"({layer})".translate(SUPERSCRIPTS) if layer else ""
    return "_".join([GREEK.get(head, head) + above, *(GREEK[word] if is_greek(word) else word for word in words)])


def unicode_at_time(name: str) -> str:
    """The name with its time as a subscript: cₜ₋₁."""
    base, lag = lag_of(name)
    return unicode_timeless(base) + "ₜ" + (f"₋{lag}".translate(_SUBSCRIPTS) if lag else "")
