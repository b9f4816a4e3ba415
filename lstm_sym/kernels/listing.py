"""The generated code as one listing that can be read, and run."""

from __future__ import annotations

from collections.abc import Sequence

from lstm_sym.calculus.terms import Term
from lstm_sym.cell import Affine, Cell
from lstm_sym.functions import NUMPY_FORMS
from lstm_sym.kernels.backward import LocalSlopes
from lstm_sym.kernels.blocks import Blocks
from lstm_sym.kernels.schedule import Stage


def source(cell: Cell, plan: Sequence[Stage], jacobian: Blocks, slopes: LocalSlopes) -> str:
    """The elementwise functions, as they run; what surrounds them is said in comments."""
    functions = [stage.source for stage in plan if stage.results] + [jacobian.coefficients.source, slopes.source]
    used = [name for name in NUMPY_FORMS if any(f"{name}(" in text for text in functions)]
    parts = [
        f"# {cell.name}, generated from its equations. Arrays are (..., n); v @ W.T applies W to the last axis."
    ]
    parts.append(
        "from lstm_sym.functions import NUMPY_FORMS\n" + f"{', '.join(used)}, = map(NUMPY_FORMS.get, {used!r})"
    )
    for stage in plan:
        lines = [_affine(node) for node in stage.affines]
        parts.append("\n".join(lines + ([stage.source] if stage.results else [])))
    lines = ["# The state Jacobian, [out, in], from the diagonals below:"]
    for (row, column), terms in jacobian.terms.items():
        sums = " + ".join(_term(jacobian, term) for term in terms) or "0"
        lines.append(f"#   ∂{row}/∂{column} = {sums}")
    parts.append("\n".join([*lines, jacobian.coefficients.source]))
    parts.append("# The local slopes that jvp, vjp and gradient sweep over the graph:\n" + slopes.source)
    return "\n\n".join(parts) + "\n"


def _affine(node: Affine) -> str:
    return f"# {node.name} = " + " + ".join([*(f"{v} @ {w}.T" for w, v in node.products), *node.biases])


def _term(jacobian: Blocks, term: Term) -> str:
    names = jacobian.coefficients.names
    factors = []
    for place, diagonal in enumerate(term.diagonals):
        if diagonal != 1 or not term.weights:
            factors.append(f"diag({names.get(diagonal, diagonal)})")
        if place < len(term.weights):
            factors.append(term.weights[place].name)
    return " @ ".join(factors)
