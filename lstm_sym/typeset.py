"""LaTeX of every value, and equation sheets: the mathematics of a cell as numbered, labelled equations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sympy as sp

from lstm_sym.calculus.derive import jacobian
from lstm_sym.calculus.determinants import LogDeterminant, log_determinant
from lstm_sym.calculus.horizon import HorizonProduct, horizon_product
from lstm_sym.calculus.tables import JacobianTable
from lstm_sym.calculus.text import latex_lines
from lstm_sym.calculus.values import Jacobian
from lstm_sym.cell import Cell, a_cell
from lstm_sym.cell.text import slug
from lstm_sym.notation import LATEX, lagged, scalar

PREAMBLE = r"""\documentclass{article}
\usepackage[a4paper, margin=2.5cm]{geometry}
\usepackage{amsmath}
\allowdisplaybreaks
\begin{document}
"""


def latex(value: Any, equation: bool = False, label: str | None = None, standalone: bool = False) -> str:
    r"""LaTeX of a cell, a Jacobian, a product over a horizon, a determinant or a per-unit expression.

    >>> import lstm_sym as ls
    >>> print(ls.latex(ls.jacobian(ls.LSTM, "c", "c")))
    \operatorname{diag}(f_t)

    Args:
        value: a ``Cell`` gives its forward equations, one labelled ``align``; other values give a formula.
        equation: for a Jacobian, the left-hand side too.
        label: for a cell, the prefix of the labels eq:<label>:<gate>; '' leaves them out.
        standalone: a whole document around it, for pdflatex. Needs only amsmath.

    Raises:
        TypeError: a value that has no LaTeX here. Text is never parsed.
    """
    if isinstance(value, Cell):
        text = value.latex(label)
    elif isinstance(value, (Jacobian, JacobianTable)):
        text = value.latex(equation=equation or standalone)
    elif isinstance(value, (HorizonProduct, LogDeterminant)):
        text = value.latex()
    elif isinstance(value, sp.Expr) and not isinstance(value, sp.MatrixExpr):
        text = scalar(value, LATEX)
    elif isinstance(value, (sp.MatrixBase, sp.MatrixExpr)):
        text = str(sp.latex(value))
    else:
        raise TypeError(
            f"no LaTeX for a {type(value).__name__}: expected a Cell, a Jacobian, a product or a symbol."
        )
    if not standalone:
        return text
    return document(text if isinstance(value, Cell) else "\\begin{equation*}\n" + text + "\n\\end{equation*}")


def document(body: str) -> str:
    """A complete LaTeX document around ``body``."""
    return PREAMBLE + body + "\n\\end{document}\n"


def sheet(*cells: Cell, standalone: bool = True) -> str:
    """The equation sheet of some cells: forward pass, gate gradients, state Jacobian, products over a horizon.

    Every equation is numbered and labelled, eq:<cell>:<what>; long sums take one line a term. ``standalone``
    gives a document for pdflatex, else a fragment for ``\\input`` (amsmath needed).

    Raises:
        ValueError: two cells whose labels would coincide, or no cell.
    """
    if not cells:
        raise ValueError("no cell given: sheet(ls.LSTM), or several cells.")
    slugs = [slug(a_cell(cell).name) for cell in cells]
    if len(set(slugs)) < len(slugs):
        raise ValueError(f"cells named {', '.join(cell.name for cell in cells)}: their labels would coincide.")
    body = "\n\n".join(_cell_section(cell) for cell in cells)
    return document(body) if standalone else body + "\n"


def _cell_section(cell: Cell) -> str:
    parts = [
        rf"\section*{{{escaped(cell.name)}}}",
        rf"\subsection*{{Forward pass}}{chr(10)}{cell.latex()}",
        _subsection(cell, "Gate gradients", _gates(cell)),
        _subsection(cell, "State Jacobian", [*_state_blocks(cell), *_totals(cell)]),
        _subsection(cell, "Products over a horizon (the latest step leftmost)", _horizon(cell)),
    ]
    return "\n\n".join(part for part in parts if part)


def escaped(name: str) -> str:
    """A name as LaTeX text: nothing in it is a command."""
    special = {"\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}"}
    special |= {character: "\\" + character for character in "_%#&${}"}
    return "".join(special.get(character, character) for character in name)


Rows = tuple[str, Sequence[str]]


def _subsection(cell: Cell, title: str, equations: Iterable[Rows]) -> str:
    """One ``align``; each equation is (label, lines), numbered on its last line."""
    rows = []
    for label, lines in equations:
        *before, last = lines
        rows += [rf"{line} \nonumber" for line in before]
        rows.append(rf"{last} \label{{eq:{slug(cell.name)}:{label}}}")
    if not rows:
        return ""
    return rf"\subsection*{{{title}}}" + "\n\\begin{align}\n" + " \\\\\n".join(rows) + "\n\\end{align}"


def _gates(cell: Cell) -> list[Rows]:
    """∂gate/∂state and ∂gate/∂input of every node that is neither a state nor an output nor a pre-activation."""
    targets = [line.target for line in cell.lines if line.target not in (*cell.states, *cell.outputs)]
    found = [jacobian(cell, gate, wrt) for gate in targets for wrt in (*cell.states, *cell.inputs)]
    return [(f"d{value.of}-d{value.wrt}", latex_lines(value)) for value in found if not value.is_zero]


def _state_blocks(cell: Cell) -> list[Rows]:
    table = jacobian(cell, "state", "state")
    rows: list[Rows] = [("J", [rf"J_t &= {_symbolic(table)}"])] if len(cell.states) > 1 else []
    rows += [(f"d{block.of}-d{block.wrt}", latex_lines(block)) for block in table]
    closed = log_determinant(cell)
    if closed is not None:
        name = "J_t" if len(cell.states) > 1 else latex_lines(next(iter(table)))[0].split(" &=")[0]
        rows.append(("logdet", [rf"\log \Bigl\lvert \det {name} \Bigr\rvert &= {closed.latex()}"]))
    return rows


def _symbolic(table: JacobianTable) -> str:
    """The table with its blocks by name."""
    names = [[latex_lines(table[r, c])[0].split(" &=")[0] for c in table.columns] for r in table.rows]
    return r"\begin{pmatrix} " + r" \\[1ex] ".join(" & ".join(row) for row in names) + r" \end{pmatrix}"


def _totals(cell: Cell) -> list[Rows]:
    """The total derivatives that differ from the partial ones."""
    values = [jacobian(cell, state, state, path="total") for state in cell.states]
    differing = [v for v in values if v.terms != jacobian(cell, v.of, cell[lagged(v.of)]).terms]
    return [(f"total-d{value.of}", latex_lines(value)) for value in differing]


def _horizon(cell: Cell) -> list[Rows]:
    """The products whose numbers ``gradient_norms`` and ``singular_spectrum`` compute."""
    formulas = [horizon_product(cell, s, s, path) for s in cell.states for path in ("direct", "full")]
    shown = [f for f in formulas if f.path == "full" or not (f.is_block or getattr(f.factor, "is_zero", True))]
    if len(cell.states) > 1:
        shown.append(horizon_product(cell, "state", "state"))
    return [(f"horizon-{f.of}-{f.path}", [f.latex().replace(" = ", " &= ", 1)]) for f in shown]
