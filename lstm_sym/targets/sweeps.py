"""Python modules over an array library: tangents forwards, cotangents backwards, gradients through time."""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from lstm_sym.cell import Affine, Node
from lstm_sym.cell.graph import TRANSPOSE, base
from lstm_sym.targets import texts
from lstm_sym.targets.arrays import Writer
from lstm_sym.targets.layout import function, guarded, tupled
from lstm_sym.targets.program import shared


class Sweeps:
    """The derivatives of one module that sweep over the graph, from the coefficients of the recursion."""

    def __init__(self, writer: Writer) -> None:
        self.writer, self.program, self.cell = writer, writer.program, writer.cell
        self._names = self.program.coefficients

    def text(self) -> str:
        """All the functions, in the order in which they call one another."""
        library = self.writer.library
        step = [self._coefficients(), self._push(), self._pull()]
        run = [self._start(), library.say(library.unroll), self._hand_down(), library.say(texts.SPREAD)]
        return "\n\n".join([*step, *run, library.say(library.back), self._collect(), self._gradient()])

    def _factor(self, expression: sp.Expr) -> str:
        return self.writer.coefficient(expression, self._names)

    def _times(self, expression: sp.Expr, other: str) -> str:
        return other if expression == 1 else f"{self._factor(expression)} * {other}"

    def _received(self) -> list[str]:
        """The line that gives the coefficients their names."""
        names = tupled(self._names.names.values())
        return [f"{names} = coefficients"] if names else []

    def _coefficients(self) -> str:
        lines = self._names
        body = [*self.writer.unpacked(lines.arguments), *self.writer.definitions(lines)]
        doc = "What the recursion multiplies by: the derivatives of states and of what weights are applied to."
        return function("_coefficients(p, v)", doc, [*body, f"return ({tupled(lines.names.values())})"])

    # --- one step -------------------------------------------------------------------------------------------------

    def _push(self) -> str:
        """``jvp``."""
        moving, writer = self.program.moving(), self.writer
        body = ["p, v = parameters, _forward(parameters, x, state)", *self._received_from("_coefficients(p, v)")]
        body += [writer.lead("x", "state", "tangent"), "dot = {}"]
        left = ", ".join(f'dot["{name}"]' for name in self.program.entering)
        parts = "tangent" if len(self.program.entering) == 1 else f"_split(tangent, {self._state_sizes()})"
        body.append(f"{left} = {parts}")
        for node in self.program.anchors:
            terms = []
            for vector, factor in self.program.passed_on(node):
                if vector in moving and isinstance(factor, str):
                    terms.append(writer.applied(factor, f'dot["{vector}"]'))
                elif vector in moving:
                    terms.append(self._times(factor, f'dot["{vector}"]'))
            if terms:
                body.append(f'dot["{node.name}"] = {" + ".join(terms)}')
        states = [
            f'dot["{s}"]' if s in moving else f'{writer.library.xp}.zeros_like(v["{s}"])' for s in self.cell.states
        ]
        body.append(f"return _join(lead, {', '.join(states)})")
        doc = "J v for the state Jacobian J and a tangent v: (..., S), one step later. No matrix J is formed."
        return function("jvp(parameters, x, state, tangent)", doc, body)

    def _state_sizes(self) -> str:
        return ", ".join(f'v["{state}"].shape[-1]' for state in self.cell.states)

    def _received_from(self, call: str) -> list[str]:
        return [line.replace("= coefficients", f"= {call}") for line in self._received()]

    def _pull(self) -> str:
        """``_pull`` and ``vjp``."""
        reached, given = self.program.reached(), {*self.cell.inputs, *self.cell.parameters}
        body = [*self._received(), "delta = dict(delta)"]
        for node in reversed(self.program.anchors):
            lines = []
            for vector, factor in self.program.passed_on(node):
                if vector not in given:
                    lines.append(f'_add(delta, "{vector}", {self._passed(node, factor)})')
            body += guarded("" if node.name in reached else f'"{node.name}" in delta', lines) if lines else []
        for state, before in zip(self.cell.states, self.program.entering, strict=True):
            if before not in reached:
                body.append(f'_add(delta, "{before}", {self.writer.library.xp}.zeros_like(delta["{state}"]))')
        doc = "Cotangents of all that a step passes, from those of its new states: the chain rule, last first."
        pull = function("_pull(p, coefficients, delta)", doc, [*body, "return delta"])
        parts = "[cotangent]" if len(self.cell.states) == 1 else f"_split(cotangent, {self._state_sizes()})"
        lines = ["p, v = parameters, _forward(parameters, x, state)", self.writer.lead("x", "state", "cotangent")]
        lines.append(f"delta = dict(zip(STATES, {parts}))")
        lines.append("delta = _pull(p, _coefficients(p, v), delta)")
        lines.append("return _join(lead, " + ", ".join(f'delta["{name}"]' for name in self.program.entering) + ")")
        doc = "Jᵀ u for the state Jacobian J and a cotangent u: (..., S), one step earlier. No matrix J is formed."
        return f"{pull}\n\n{function('vjp(parameters, x, state, cotangent)', doc, lines)}"

    def _passed(self, node: Node, factor: str | sp.Expr) -> str:
        """What an anchor hands on: its cotangent through a weight or times a coefficient."""
        delta = f'delta["{node.name}"]'
        return self.writer.pulled(factor, delta) if isinstance(factor, str) else self._times(factor, delta)

    # --- through time ---------------------------------------------------------------------------------------------

    def _start(self) -> str:
        writer, library, sizes = self.writer, self.writer.library, self.cell.sizes
        lines = "\n        ".join(writer.size_lines(sizes[state] for state in self.cell.states))
        total = " + ".join(writer.sizes[sizes[state]] for state in self.cell.states)
        return library.say(texts.START, sizes=lines, total=total, like=library.like("inputs"))

    def _by_parameter(self, node: Node, delta: str, terms: Sequence[tuple[str, str]]) -> list[str]:
        """Lines that add a node's part to the gradient by parameters; ``terms``: (vector, coefficient ∘ δ)."""
        if isinstance(node, Affine):
            lines = [self._outer(factor, vector, delta) for factor, vector in node.products]
            return lines + [f'_add(found, "{bias}", _sum({delta}))' for bias in node.biases]
        return [
            f'_add(found, "{name}", ({part}).sum())'
            if name in self.cell.constants
            else f'_add(found, "{name}", _sum({part}))'
            for name, part in terms
            if name in self.cell.parameters
        ]

    @staticmethod
    def _outer(factor: str, vector: str, delta: str) -> str:
        transposed = ".T" * factor.endswith(TRANSPOSE)
        return f'_add(found, "{base(factor)}", _outer({delta}, v["{vector}"]){transposed})'

    def _hand_down(self) -> str:
        """Seeds at what the recursion passes over go to what that was computed from."""
        body: list[str] = []
        for node in reversed(self.program.between):
            delta, passed = f'delta["{node.name}"]', self.program.handed_down(node)
            lines, reduced = shared(by for _, by in passed if not isinstance(by, str))
            printer = self.writer.printer(lines, by_key=True)
            found = [f"{symbol} = {printer.of(expression)}" for symbol, expression in lines]
            parts = []
            for vector, by in passed:
                if isinstance(by, str):
                    parts.append((vector, self.writer.pulled(by, delta)))
                else:
                    parts.append((vector, delta if by == 1 else f"{printer.factor(reduced[by])} * {delta}"))
            found += [f'_add(delta, "{name}", {part})' for name, part in parts if name not in self.cell.parameters]
            found += self._by_parameter(node, delta, parts)
            body += guarded(f'"{node.name}" in delta', found) if found else []
        doc = "Derivatives by what lies between go to what that is computed from: states, and what weights see."
        return function("_hand_down(p, v, delta, found)", doc, body or ["return"])

    def _collect(self) -> str:
        """What the cotangents of the anchors add to the gradients by parameters and inputs."""
        body, reached = self._received(), self.program.reached()
        for node in self.program.anchors:
            delta = f'delta["{node.name}"]'
            terms = [(vector, self._passed(node, factor)) for vector, factor in self.program.passed_on(node)]
            lines = self._by_parameter(node, delta, terms)
            lines += [f'_add(delta, "{vector}", {part})' for vector, part in terms if vector in self.cell.inputs]
            body += guarded("" if node.name in reached else f'"{node.name}" in delta', lines) if lines else []
        doc = "What the cotangents say about parameters, Σ δ vᵀ and Σ δ over time and batch, and about inputs."
        return function("_collect(p, v, coefficients, delta, found)", doc, body or ["return"])

    def _gradient(self) -> str:
        library = self.writer.library
        inputs = ", ".join(f'delta.get("{x}", $xp.zeros_like(v["{x}"]))' for x in self.cell.inputs)
        by_inputs = library.say(f"_join(lead, {inputs})" if inputs else "$xp.zeros_like(wide)")
        by_initial = ", ".join(f'delta["{name}"][0]' for name in self.program.entering)
        return library.say(texts.GRADIENT, by_inputs=by_inputs, by_initial=by_initial)
