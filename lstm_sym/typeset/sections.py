"""The sections of an equation sheet: for each, the equations that it shows of a cell, as rows of an ``align``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from lstm_sym.calculus.derive import jacobian
from lstm_sym.calculus.determinants import log_determinant
from lstm_sym.calculus.horizon import HorizonProduct, horizon_product
from lstm_sym.calculus.tables import JacobianTable
from lstm_sym.calculus.text import latex_lines, latex_name, latex_table_name
from lstm_sym.calculus.values import Jacobian
from lstm_sym.calculus.writer import Writer
from lstm_sym.cell import Cell
from lstm_sym.cell.text import equations_latex, slug
from lstm_sym.notation import Notation, lagged
from lstm_sym.notation.aligned import Row, align
from lstm_sym.notation.widths import TEXT_WIDTH, width

Rows = Iterator[Row]

#: What part of the width a matrix of blocks may take; a wider one is written by what it is the derivative of.
_WIDEST_MATRIX = 0.66


def forward(writer: Writer, room: float) -> Rows:
    """The equations of the cell; their ``align`` is the cell's own, see ``text_of``."""
    yield from ()


def gates(writer: Writer, room: float) -> Rows:
    """∂gate/∂state and ∂gate/∂input of every equation that is neither a state's nor an output's."""
    cell = writer.cell
    targets = [line.target for line in cell.lines if line.target not in (*cell.states, *cell.outputs)]
    for gate in targets:
        for wrt in (*cell.states, *cell.inputs):
            value = jacobian(cell, gate, wrt)
            if not value.is_zero:
                yield f"d{value.of}-d{value.wrt}", latex_lines(value, writer.notation)


def state_jacobian(writer: Writer, room: float) -> Rows:
    """The state Jacobian, by its blocks."""
    table = jacobian(writer.cell, "state", "state")
    if len(writer.cell.states) > 1:
        yield "J", [f"{writer.matrix('J', 't')} &= {symbolic(table, writer.notation, _WIDEST_MATRIX * room)}"]
    for block in table:
        yield f"d{block.of}-d{block.wrt}", latex_lines(block, writer.notation)


def symbolic(table: JacobianTable, notation: Notation, widest: float = _WIDEST_MATRIX * TEXT_WIDTH) -> str:
    """The table with its blocks by name; a very wide one by what it is the derivative of."""
    names = [[latex_name(table[r, c], notation) for c in table.columns] for r in table.rows]
    if notation.row:
        names = [list(column) for column in zip(*names, strict=True)]
    matrix = r"\begin{pmatrix} " + r" \\[1ex] ".join(" & ".join(row) for row in names) + r" \end{pmatrix}"
    return matrix if width(matrix) <= widest else latex_table_name(table, notation)


def determinant(writer: Writer, room: float) -> Rows:
    """The log-determinant of the state Jacobian, where it has a closed form."""
    closed = log_determinant(writer.cell)
    if closed is None:
        return
    table = jacobian(writer.cell, "state", "state")
    single = len(writer.cell.states) == 1
    name = latex_name(next(iter(table)), writer.notation) if single else writer.matrix("J", "t")
    right = closed.latex(notation=writer.notation)
    yield "logdet", [rf"\log \Bigl\lvert \det {name} \Bigr\rvert &= {right}"]


def totals(writer: Writer, room: float) -> Rows:
    """The total derivatives that differ from the partial ones."""
    cell = writer.cell
    for state in cell.states:
        value = jacobian(cell, state, state, path="total")
        if value.terms != jacobian(cell, value.of, cell[lagged(value.of)]).terms:
            yield f"total-d{value.of}", latex_lines(value, writer.notation)


def horizon_products(cell: Cell) -> list[HorizonProduct]:
    """The products whose numbers ``gradient_norms`` and ``singular_spectrum`` compute."""
    formulas = [horizon_product(cell, s, s, path) for s in cell.states for path in ("direct", "full")]
    shown = [f for f in formulas if f.path == "full" or not (f.is_block or getattr(f.factor, "is_zero", True))]
    return [*shown, horizon_product(cell, "state", "state")] if len(cell.states) > 1 else shown


def products(writer: Writer, room: float) -> Rows:
    """Products of Jacobians over k steps, from T − k to T."""
    for f in horizon_products(writer.cell):
        yield f"horizon-{f.of}-{f.path}", [f.latex(notation=writer.notation).replace(" = ", " &= ", 1)]


def recursions(writer: Writer, room: float) -> Rows:
    """∂s_t/∂s_k of every state from one step to the next."""
    for state in writer.cell.states:
        yield from horizon_product(writer.cell, state, state).recursion().rows(writer.notation)


def backpropagation(writer: Writer, room: float) -> Rows:
    """The recursion backwards for what a loss is differentiated by."""
    yield from _adjoint(writer, lambda label: label.startswith("delta"))


def gradients(writer: Writer, room: float) -> Rows:
    """The gradients of a loss by the parameters and the initial state."""
    yield from _adjoint(writer, lambda label: not label.startswith("delta"))


def _adjoint(writer: Writer, wanted: Callable[[str], bool]) -> Rows:
    from lstm_sym.calculus.adjoints.backpropagation import adjoint

    yield from ((label, lines) for label, lines in adjoint(writer.cell).rows(writer.notation) if wanted(label))


def bounds(writer: Writer, room: float) -> Rows:
    """Bounds of the norms of the state Jacobian and its blocks."""
    from lstm_sym.calculus.bounds.bounds import bound

    cell, table = writer.cell, jacobian(writer.cell, "state", "state")
    if len(cell.states) > 1:
        norms = _norms(table, writer, _WIDEST_MATRIX * room)
        yield "bound-J", [rf"\lVert {writer.matrix('J', 't')} \rVert &\le {norms}"]
    for block in table:
        if block.is_zero:
            continue
        text = bound(cell, block.of, cell[block.wrt]).latex(equation=True, notation=writer.notation)
        yield f"bound-d{block.of}-d{block.wrt}", [text.replace(r" \le ", r" &\le ", 1)]


def _norms(table: JacobianTable, writer: Writer, widest: float) -> str:
    """The norm of the matrix of the blocks' norms."""
    names = [[_norm(table[r, c], writer.notation) for c in table.columns] for r in table.rows]
    if writer.notation.row:
        names = [list(column) for column in zip(*names, strict=True)]
    matrix = r"\begin{pmatrix} " + r" \\[1.5ex] ".join(" & ".join(row) for row in names) + r" \end{pmatrix}"
    whole = rf"\left\lVert {matrix} \right\rVert"
    if width(whole) <= widest:
        return whole
    return r"\Bigl\lVert \bigl(\lVert J_{rs} \rVert\bigr)_{rs} \Bigr\rVert"


def _norm(block: Jacobian, notation: Notation) -> str:
    return "0" if block.is_zero else rf"\Bigl\lVert {latex_name(block, notation)} \Bigr\rVert"


#: Name, title and equations of every section, in the order of a sheet; {order} says where the latest step stands.
SECTIONS: Mapping[str, tuple[str, Callable[[Writer, float], Rows]]] = {
    "forward": ("Forward pass", forward),
    "gates": ("Gate gradients", gates),
    "jacobian": ("State Jacobian", state_jacobian),
    "determinant": ("Log-determinant", determinant),
    "total": ("Total derivatives", totals),
    "products": ("Products over a horizon (the latest step {order})", products),
    "recursions": ("Recursions over a horizon", recursions),
    "backpropagation": ("Back-propagation through time", backpropagation),
    "gradients": ("Parameter gradients", gradients),
    "bounds": ("Bounds", bounds),
}


def text_of(section: str, writer: Writer, room: float) -> str:
    """One section of a cell as a subsection with one ``align``, or '' where it has no equations."""
    title, equations = SECTIONS[section]
    title = title.format(order="rightmost" if writer.notation.row else "leftmost")
    if section == "forward":
        body = equations_latex(writer.cell, notation=writer.notation, room=room)
    else:
        rows = list(equations(writer, room))
        body = align(rows, slug(writer.cell.name), room) if rows else ""
    return rf"\subsection*{{{title}}}{chr(10)}{body}" if body else ""
