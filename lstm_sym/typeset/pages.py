"""What stands around equations: a document, and names as text."""

from __future__ import annotations

PREAMBLE = r"""\documentclass{article}
\usepackage[a4paper, margin=2.5cm]{geometry}
\usepackage{amsmath}
\allowdisplaybreaks
\begin{document}
"""


def document(body: str, width: float = 16.0) -> str:
    """A complete LaTeX document around ``body``, A4, its text ``width`` centimetres wide."""
    side = f"{(21.0 - width) / 2:g}cm"
    margins = "margin=2.5cm" if width == 16.0 else f"vmargin=2.5cm, hmargin={side}"
    return PREAMBLE.replace("margin=2.5cm", margins) + body + "\n\\end{document}\n"


def escaped(name: str) -> str:
    """A name as LaTeX text: nothing in it is a command."""
    special = {"\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}"}
    special |= {character: "\\" + character for character in "_%#&${}"}
    return "".join(special.get(character, character) for character in name)
