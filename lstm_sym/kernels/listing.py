"""The generated code as one listing that can be read, and run."""

from __future__ import annotations

from collections.abc import Sequence

from lstm_sym.calculus.terms import Term
from lstm_sym.cell import Affine, Cell
from lstm_sym.functions import NUMPY_FORMS
from lstm_sym.kernels.backward import LocalSlopes
from lstm_sym.kernels.blocks import Blocks
from lstm_sym.kernels.recursion import Anchors
from lstm_sym.kernels.schedule import Gates, Stage


def source(cell: Cell, plan: Sequence[Stage], jacobian: Blocks, slopes: LocalSlopes, anchors: Anchors) -> str:
    """The elementwise functions, as they run; what surrounds them is said in comments."""
    functions = [stage.source for stage in plan if stage.results]
    functions += [jacobian.coefficients.source, slopes.source, anchors.coefficients.source]
    gates = [_gates(gates) for stage in plan for gates in stage.gates]
    used = [name for name in NUMPY_FORMS if any(f"{name}(" in text for text in functions + gates)]
    parts = [
        f"# {cell.name}, generated from its equations. Arrays are (..., n); v @ W.T applies W to the last axis."
    ]
    parts.append(
        "from lstm_sym.functions import NUMPY_FORMS\n" + f"{', '.join(used)}, = map(NUMPY_FORMS.get, {used!r})"
    )
    for stage in plan:
        lines = [_affine(node) for node in stage.affines] + [_gates(gates) for gates in stage.gates]
        parts.append("\n".join(lines + ([stage.source] if stage.results else [])))
    lines = ["# The state Jacobian, [out, in], from the diagonals below:"]
    for (row, column), terms in jacobian.terms.items():
        sums = " + ".join(_term(jacobian, term) for term in terms) or "0"
        lines.append(f"#   ∂{row}/∂{column} = {sums}")
    parts.append("\n".join([*lines, jacobian.coefficients.source]))
    parts.append("# The local slopes that jvp and vjp sweep over the graph:\n" + slopes.source)
    lines = [
        "# A step of the gradient's recursion, δ_v being the loss's derivative by v, from the coefficients below:"
    ]
    parts.append("\n".join([*lines, *_recursion(anchors), anchors.coefficients.source]))
    return "\n\n".join(parts) + "\n"


def _affine(node: Affine) -> str:
    return f"# {node.name} = " + " + ".join([*(f"{v} @ {w}.T" for w, v in node.products), *node.biases])


def _gates(gates: Gates) -> str:
    calls = ", ".join(f"{gates.form}({affine})" for affine in gates.affines)
    return f"# {', '.join(gates.results)} = {calls}   as one array, side by side"


def _recursion(anchors: Anchors) -> list[str]:
    """What each vector passes on to those that it was computed from, last first."""
    names, lines = anchors.coefficients.names, []
    for node in reversed(anchors.nodes):
        if isinstance(node, Affine):
            lines += [f"#   δ_{vector} += δ_{node.name} @ {weight}" for weight, vector in node.products]
        else:
            local = anchors.local[node.name].items()
            lines += [f"#   δ_{vector} += {names.get(d, d)} * δ_{node.name}" for vector, d in local]
    return lines


def _term(jacobian: Blocks, term: Term) -> str:
    names = jacobian.coefficients.names
    factors = []
    for place, diagonal in enumerate(term.diagonals):
        if diagonal != 1 or not term.weights:
            factors.append(f"diag({names.get(diagonal, diagonal)})")
        if place < len(term.weights):
            factors.append(term.weights[place].name)
    return " @ ".join(factors)
