r"""How wide a formula will be in print, by estimate, and where it is best broken: no LaTeX is run.

Widths are in points at 10 pt, those of Computer Modern, in display style. The estimate is good to a few per cent
for what this package writes.
"""

from __future__ import annotations

import re

#: The text width of the documents that this package writes, A4 with margins of 2.5 cm.
TEXT_WIDTH = 455.0

_ITALIC = {c: w for w, cs in {3.3: "il", 4.3: "bct", 4.8: "ejoqrs", 7.4: "w", 8.8: "m"}.items() for c in cs}
_CAPITAL = {"I": 5.2, "J": 6.5, "L": 6.8, "M": 10.8, "W": 10.8, "H": 9.1, "N": 9.1, "K": 9.2, "X": 9.1}
_SIGNS = {
    "(": 3.9,
    ")": 3.9,
    "[": 2.8,
    "]": 2.8,
    "|": 2.8,
    ",": 4.5,
    ".": 2.8,
    "!": 2.8,
    "/": 5.0,
    ":": 8.3,
    ";": 4.5,
}
_BINARY, _RELATION = 12.2, 13.3
_SIGNS |= {"+": _BINARY, "-": _BINARY, "=": _RELATION, "<": _RELATION, ">": _RELATION, "'": 2.9, "&": 0.0, " ": 0.0}
_COMMANDS = {
    name: size
    for size, names in {
        0.0: ("label", "nonumber", "notag", "displaystyle", "limits"),
        -1.7: ("!",),
        1.7: (",",),
        2.8: ("lvert", "rvert", "vdots", ";"),
        4.2: ("ell", "prime"),
        5.0: ("lVert", "rVert", "partial"),
        8.3: ("nabla", "mid", "top"),
        10.0: ("quad", "infty"),
        _BINARY: ("odot", "circ", "cdot", "times", "otimes", "pm"),
        _RELATION: ("le", "leq", "ge", "geq", "approx", "to", "in", "equiv", "propto", "ll", "gg", "ldots", "dots"),
        15.0: ("log", "lim", "det", "sin", "cos", "prod", "cdots"),
        17.0: ("exp", "min", "sup", "sum"),
        20.3: ("max", "qquad"),
        21.7: ("tanh",),
    }.items()
    for name in names
}
_WITH_LIMITS = {"prod", "sum", "max", "min", "sup", "lim", "underbrace", "overbrace"}
_TEXT = {"mathit", "mathrm", "operatorname", "text", "mathsf", "textrm", "textit", "mathtt", "textup"}
_TOKEN = re.compile(r"\\(?:begin|end)\{[a-z*]+\}|\\[A-Za-z]+|\\.|\s+|.", re.DOTALL)
_SMALL = 0.72


def width(latex: str) -> float:
    """The width in print of a formula on one line."""
    return _Measure(latex).run()


class _Measure:
    """Reads a formula from left to right, adding up widths."""

    def __init__(self, latex: str) -> None:
        self._tokens = _TOKEN.findall(latex)
        self._place = 0

    def run(self, end: str = "") -> float:
        """The width up to the token ``end``, or to the end."""
        total = 0.0
        while self._place < len(self._tokens):
            token = self._next()
            if token == end:
                break
            total += self._scripts(token, self._one(token))
        return total

    def _next(self) -> str:
        self._place += 1
        return str(self._tokens[self._place - 1])

    def _peek(self) -> str:
        return str(self._tokens[self._place]) if self._place < len(self._tokens) else ""

    def _argument(self) -> float:
        while self._peek().isspace():
            self._place += 1
        token = self._next() if self._peek() else ""
        return self.run("}") if token == "{" else self._one(token)

    def _scripts(self, token: str, body: float) -> float:
        """``body`` with what stands below and above it."""
        found = []
        while self._peek() in ("_", "^"):
            self._place += 1
            found.append(self._argument() * _SMALL)
        if token.lstrip("\\") in _WITH_LIMITS:
            return max(body, *found, 0.0)
        return body + (max(found) + 0.5 if found else 0.0)

    def _one(self, token: str) -> float:
        if token == "{":
            return self.run("}")
        if token.startswith(r"\begin{"):
            return self._matrix(token.replace("begin", "end"))
        if not token.startswith("\\"):
            return 0.0 if token.isspace() else _letter(token)
        return self._command(token[1:])

    def _command(self, name: str) -> float:
        if name in ("frac", "dfrac", "tfrac"):
            return max(self._argument(), self._argument()) + 2.5
        if name in _TEXT:
            return self._text()
        if name in ("mathbf", "boldsymbol", "bm"):
            return 1.13 * self._argument()
        if name in ("underbrace", "overbrace"):
            return self._argument()
        if name == "sqrt":
            return self._argument() + 8.4
        if name in ("label", "tag"):
            self._argument()
            return 0.0
        if name.lower().rstrip("lrgm") in ("bi", "left", "right", "middle") or name in ("left", "right"):
            return self._delimiter()
        return _COMMANDS.get(name, 7.5 if name[:1].isupper() else 6.0)

    def _delimiter(self) -> float:
        token = self._next() if self._peek() else ""
        return 0.0 if token == "." else 1.6 * self._one(token)

    def _text(self) -> float:
        if self._peek() != "{":
            return self._argument()
        depth, count = 0, 0
        while self._place < len(self._tokens):
            token = self._next()
            depth += (token == "{") - (token == "}")
            count += token not in "{}"
            if not depth:
                break
        return 4.85 * count

    def _matrix(self, end: str) -> float:
        start = self._place
        depth = 1
        while depth and self._place < len(self._tokens):
            token = self._next()
            depth += token.startswith(r"\begin{") - token.startswith(r"\end{")
        inner = "".join(self._tokens[start : self._place - 1])
        rows = [[width(entry) for entry in row.split("&")] for row in re.split(r"\\\\(?:\[[^]]*\])?", inner)]
        columns = max(map(len, rows))
        return (
            16.0 + 10.0 * (columns - 1) + sum(max(row[k] for row in rows if k < len(row)) for k in range(columns))
        )


def _letter(sign: str) -> float:
    if sign in _SIGNS:
        return _SIGNS[sign]
    if sign.isdigit():
        return 5.0
    return _CAPITAL.get(sign, 8.0) if sign.isupper() else _ITALIC.get(sign, 5.6)


# --- breaking -----------------------------------------------------------------------------------------------------

_OPENING, _CLOSING = re.compile(r"[(\[]|\\lvert|\\lVert"), re.compile(r"[)\]]|\\rvert|\\rVert")
_SIGN = {"+": 0.0, "-": 0.0, "=": 0.0, r"\le": 0.0, r"\odot": 0.6, r"\circ": 0.6, r"\cdot": 0.6, r"\,": 1.2}
INDENT = r"\qquad "


def broken(latex: str, first: float, others: float | None = None) -> list[str]:
    """A formula in pieces of at most the widths given, broken before a sign, the outermost that leaves full lines.

    ``first`` is the room on the first line, ``others`` that on the lines behind it. A piece that has no place to be
    broken at stays too wide.
    """
    pieces, rest, room = [], latex, first
    while width(rest) > room and (cut := _best_cut(rest, room)):
        pieces.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
        rest = rest.removeprefix(r"\, ") if rest.startswith(r"\, ") else rest
        room = first if others is None else others
    return [*pieces, rest]


def _best_cut(latex: str, room: float) -> int:
    """Where to break so that what is before fits in ``room``, or else as early as can be; 0 for no place."""
    best, place = 9e9, 0
    for cut, depth, cost in _cuts(latex):
        before = width(latex[:cut])
        if before > room:
            return place or cut
        score = depth + cost + 2.0 * (1.0 - before / room)
        if score <= best:
            best, place = score, cut
    return place


def _cuts(latex: str) -> list[tuple[int, int, float]]:
    """(place, how deep in brackets, cost) of every sign that a line may begin with."""
    found, place, braces, depth, environments = [], 0, 0, 0, 0
    for token in _TOKEN.findall(latex):
        braces += (token == "{") - (token == "}")
        environments += token.startswith(r"\begin{") - token.startswith(r"\end{")
        depth += bool(_OPENING.fullmatch(token)) - bool(_CLOSING.fullmatch(token))
        spaced = latex[place - 1 : place] == " " or token == r"\,"
        if (
            token in _SIGN
            and latex[:place].replace(r"\quad", "").strip()
            and not braces
            and not environments
            and spaced
        ):
            found.append((place, depth, _SIGN[token]))
        place += len(token)
    return found
