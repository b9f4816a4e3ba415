"""C99 functions that sweep over the graph of a step: tangents forwards, cotangents backwards."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import sympy as sp

from lstm_sym.cell import Affine, Node
from lstm_sym.targets.c_writer import CWriter

Passed = Sequence[tuple[str, "str | sp.Expr"]]


class CSweeps:
    """The sweeps of one cell as text; u holds tangents or cotangents, as v holds values."""

    def __init__(self, writer: CWriter) -> None:
        self.writer, self.program, self.cell = writer, writer.program, writer.cell
        self._sweep = [writer.n, writer.p, writer.v, writer.u]

    def text(self) -> str:
        """All of them, in the order in which they call one another."""
        parts = [self._push(), self._jvp(), self._pull(), self._vjp(), *self._hand_down(), self._collect()]
        return "\n".join(parts)

    def zeroed(self, vector: str, where: str) -> str:
        """The line that sets a vector to zero."""
        return f"memset({where}{self.writer.vectors[vector]}, 0, {self.writer.bytes(vector)});"

    @property
    def all_zeroed(self) -> str:
        """The line that sets all of u to zero: its vectors stand one behind the other."""
        return f"memset(u.{self.writer.vectors[self.cell.vectors[0]]}, 0, vector_count(n) * sizeof(double));"

    # --- tangents -------------------------------------------------------------------------------------------------

    def _push(self) -> str:
        w, moving = self.writer, self.program.moving()
        body: list[str] = []
        for node in self.program.anchors:
            if node.name not in moving:
                continue
            target = w.field("u", node.name)
            passed = [(w.field("u", vector), by) for vector, by in self.program.passed_on(node) if vector in moving]
            body.append(self.zeroed(node.name, "u->"))
            if isinstance(node, Affine):
                body += [w.applied(str(by), vector, target) for vector, by in passed]
            else:
                units = [(f"{target}[k]", by, f"{vector}[k]") for vector, by in passed]
                body += w.scaled(w.size(node.name), units)
        comment = "tangents of all that a step computes, from those of the entering states"
        return w.function("static void push", comment, self._sweep, body)

    def _jvp(self) -> str:
        w, moving = self.writer, self.program.moving()
        body = w.unstacked(self.program.entering, "tangent", "u.")
        body += [self.zeroed(state, "u.") for state in self.cell.states if state not in moving]
        body += ["push(n, p, &v, &u);", "stack(n, &u, result);"]
        return self._public("jvp", "J v for the state Jacobian J, one step later; no J is formed", "tangent", body)

    def _public(self, name: str, comment: str, direction: str, lines: list[str]) -> str:
        w = self.writer
        begin = [f"{w.prefix}_vectors v, u;", "layout(n, &u, layout(n, &v, work));", "forward(n, p, x, state, &v);"]
        arguments = [*w.step, f"const double *{direction}", "double *result", "double *work"]
        return w.function(f"void {w.prefix}_{name}", comment, arguments, [*begin, *lines])

    # --- cotangents -----------------------------------------------------------------------------------------------

    def _passed(self, node: Node, passed: Passed, left_out: Collection[str]) -> list[str]:
        """Lines that add a node's cotangent to those of what it was computed from, but for ``left_out``."""
        w, delta = self.writer, self.writer.field("u", node.name)
        parts = [(w.field("u", vector), by) for vector, by in passed if vector not in left_out]
        if not parts:
            return []
        if isinstance(node, Affine):
            return [w.pulled(str(by), delta, vector) for vector, by in parts]
        return w.scaled(w.size(node.name), [(f"{vector}[k]", by, f"{delta}[k]") for vector, by in parts])

    def _pull(self) -> str:
        given = {*self.cell.inputs, *self.cell.parameters}
        body: list[str] = []
        for node in reversed(self.program.anchors):
            body += self._passed(node, self.program.passed_on(node), given)
        comment = "the chain rule, last first: cotangents of all that a step passes are added to"
        return self.writer.function("static void pull", comment, self._sweep, body)

    def _vjp(self) -> str:
        w = self.writer
        body = [self.all_zeroed, *w.unstacked(self.cell.states, "cotangent", "u."), "pull(n, p, &v, &u);"]
        body += w.stacked(self.program.entering, "result", "u.")
        return self._public(
            "vjp", "J^T u for the state Jacobian J, one step earlier; no J is formed", "cotangent", body
        )

    # --- parameters -----------------------------------------------------------------------------------------------

    def _by_parameter(self, node: Node, passed: Passed) -> list[str]:
        """Lines that add a node's part to the gradient by parameters."""
        w, delta = self.writer, self.writer.field("u", node.name)
        if isinstance(node, Affine):
            lines = [w.outer(factor, delta, w.field("v", vector)) for factor, vector in node.products]
            return lines + [f"add({w.size(node.name)}, {delta}, {w.parameter(b, 'g')});" for b in node.biases]
        units = []
        for name, by in passed:
            if name in self.cell.parameters:
                unit = "0" if name in self.cell.constants else "k"
                units.append((f"{w.parameter(name, 'g')}[{unit}]", by, f"{delta}[k]"))
        return w.scaled(w.size(node.name), units) if units else []

    def _hand_down(self) -> list[str]:
        """What the recursion passes over hands its cotangents down; outputs do so only where they are asked to."""
        w, parts = self.writer, []
        arguments = [*self._sweep, w.g]
        outputs = [node for node in self.program.between if node in self.program.outputs]
        others = [node for node in self.program.between if node not in self.program.outputs]
        comment = "cotangents of what lies between go to what that was computed from"
        for name, nodes in (("hand_down_outputs", outputs), ("hand_down", others)):
            body: list[str] = []
            for node in reversed(nodes):
                passed = self.program.handed_down(node)
                body += [*self._passed(node, passed, self.cell.parameters), *self._by_parameter(node, passed)]
            if nodes:
                parts.append(w.function(f"static void {name}", comment, arguments, body))
            comment = "the same for what states depend on"
        return parts

    def _collect(self) -> str:
        w, inputs = self.writer, self.cell.inputs
        left_out = {name for name in (*self.cell.parameters, *self.cell.vectors) if name not in inputs}
        body: list[str] = []
        for node in self.program.anchors:
            passed = self.program.passed_on(node)
            body += [*self._by_parameter(node, passed), *self._passed(node, passed, left_out)]
        comment = "what the cotangents of a step add to the gradients by parameters and inputs"
        return w.function("static void collect", comment, [*self._sweep, w.g], body)
