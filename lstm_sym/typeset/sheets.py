"""Equation sheets: the mathematics of a cell as numbered, labelled equations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lstm_sym.calculus.derive import jacobian
from lstm_sym.calculus.determinants import log_determinant
from lstm_sym.calculus.horizon import horizon_product
from lstm_sym.calculus.tables import JacobianTable
from lstm_sym.calculus.text import latex_lines, latex_name
from lstm_sym.calculus.writer import Writer
from lstm_sym.cell import Cell, a_cell
from lstm_sym.cell.text import slug
from lstm_sym.notation import STANDARD, Notation, a_notation, lagged
from lstm_sym.typeset.documents import document, escaped


def sheet(*cells: Cell, standalone: bool = True, notation: Notation = STANDARD) -> str:
    """The equation sheet of some cells: forward pass, gate gradients, state Jacobian, products over a horizon.

    Every equation is numbered and labelled, eq:<cell>:<what>; long sums take one line a term. ``standalone``
    gives a document for pdflatex, else a fragment for ``\\input`` (amsmath needed).

    Raises:
        ValueError: two cells whose labels would coincide, or no cell.
    """
    a_notation(notation)
    if not cells:
        raise ValueError("no cell given: sheet(ls.LSTM), or several cells.")
    slugs = [slug(a_cell(cell).name) for cell in cells]
    if len(set(slugs)) < len(slugs):
        raise ValueError(f"cells named {', '.join(cell.name for cell in cells)}: their labels would coincide.")
    body = "\n\n".join(_cell_section(Writer(cell, notation)) for cell in cells)
    return document(body) if standalone else body + "\n"


def _cell_section(writer: Writer) -> str:
    cell = writer.cell
    order = "rightmost" if writer.notation.row else "leftmost"
    parts = [
        rf"\section*{{{escaped(cell.name)}}}",
        rf"\subsection*{{Forward pass}}{chr(10)}{cell.latex(notation=writer.notation)}",
        _subsection(cell, "Gate gradients", _gates(writer)),
        _subsection(cell, "State Jacobian", [*_state_blocks(writer), *_totals(writer)]),
        _subsection(cell, f"Products over a horizon (the latest step {order})", _horizon(writer)),
    ]
    return "\n\n".join(part for part in parts if part)


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


def _gates(writer: Writer) -> list[Rows]:
    """∂gate/∂state and ∂gate/∂input of every node that is neither a state nor an output nor a pre-activation."""
    cell = writer.cell
    targets = [line.target for line in cell.lines if line.target not in (*cell.states, *cell.outputs)]
    found = [jacobian(cell, gate, wrt) for gate in targets for wrt in (*cell.states, *cell.inputs)]
    return [
        (f"d{value.of}-d{value.wrt}", latex_lines(value, writer.notation)) for value in found if not value.is_zero
    ]


def _state_blocks(writer: Writer) -> list[Rows]:
    cell, J = writer.cell, writer.matrix("J", "t")
    table = jacobian(cell, "state", "state")
    rows: list[Rows] = [("J", [rf"{J} &= {_symbolic(table, writer.notation)}"])] if len(cell.states) > 1 else []
    rows += [(f"d{block.of}-d{block.wrt}", latex_lines(block, writer.notation)) for block in table]
    closed = log_determinant(cell)
    if closed is not None:
        name = J if len(cell.states) > 1 else latex_name(next(iter(table)), writer.notation)
        right = closed.latex(notation=writer.notation)
        rows.append(("logdet", [rf"\log \Bigl\lvert \det {name} \Bigr\rvert &= {right}"]))
    return rows


def _symbolic(table: JacobianTable, notation: Notation) -> str:
    """The table with its blocks by name."""
    names = [[latex_name(table[r, c], notation) for c in table.columns] for r in table.rows]
    if notation.row:
        names = [list(column) for column in zip(*names, strict=True)]
    return r"\begin{pmatrix} " + r" \\[1ex] ".join(" & ".join(row) for row in names) + r" \end{pmatrix}"


def _totals(writer: Writer) -> list[Rows]:
    """The total derivatives that differ from the partial ones."""
    cell = writer.cell
    values = [jacobian(cell, state, state, path="total") for state in cell.states]
    differing = [v for v in values if v.terms != jacobian(cell, v.of, cell[lagged(v.of)]).terms]
    return [(f"total-d{value.of}", latex_lines(value, writer.notation)) for value in differing]


def _horizon(writer: Writer) -> list[Rows]:
    """The products whose numbers ``gradient_norms`` and ``singular_spectrum`` compute."""
    cell = writer.cell
    formulas = [horizon_product(cell, s, s, path) for s in cell.states for path in ("direct", "full")]
    shown = [f for f in formulas if f.path == "full" or not (f.is_block or getattr(f.factor, "is_zero", True))]
    if len(cell.states) > 1:
        shown.append(horizon_product(cell, "state", "state"))
    return [
        (f"horizon-{f.of}-{f.path}", [f.latex(notation=writer.notation).replace(" = ", " &= ", 1)]) for f in shown
    ]
