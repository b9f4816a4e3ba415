"""C99 functions over time: runs, and back-propagation through them."""

from __future__ import annotations

from lstm_sym.targets.c_steps import CSteps
from lstm_sym.targets.c_sweeps import CSweeps
from lstm_sym.targets.c_writer import CWriter

_COMMENT = """
back-propagation through time. seeds points to the loss's derivatives by named quantities of the run, T x n each, or
to NULL. What is found is added to the gradients by parameters, *g; by_inputs (T x m) and by_initial (S) are set.
"""


class CRuns:
    """``unroll`` and ``gradient`` of one cell as text."""

    def __init__(self, writer: CWriter, steps: CSteps, sweeps: CSweeps) -> None:
        self.writer, self.program, self.cell = writer, writer.program, writer.cell
        self._steps, self._sweeps = steps, sweeps
        m = writer.total(self.cell.inputs)
        self._now = f"t * ({m})" if " " in m else f"t * {m}"

    def text(self) -> str:
        """Both, and how much memory the gradient needs."""
        w = self.writer
        need = [f"return (T + 1) * vector_count(n) + {w.prefix}_state_size(n);"]
        head, comment = f"size_t {w.prefix}_gradient_workspace", "doubles that the gradient needs"
        return "\n".join([self._unroll(), w.function(head, comment, [w.n, "size_t T"], need), self._gradient()])

    def _unroll(self) -> str:
        w = self.writer
        body = [
            f"const size_t S = {w.prefix}_state_size(n);",
            "for (size_t t = 0; t < T; ++t) {",
            f"    {w.prefix}_step(n, p, inputs + {self._now}, initial, states + t * S, work);",
            "    initial = states + t * S;",
            "}",
        ]
        arguments = [*w.run, "double *states", "double *work"]
        return w.function(f"void {w.prefix}_unroll", "the states after each of T steps, T x S", arguments, body)

    def _gradient(self) -> str:
        w = self.writer
        seeds = f"const {w.prefix}_vectors *seeds"
        arguments = [*w.run, seeds, w.g, "double *by_inputs", "double *by_initial", "double *work"]
        body = [
            "const size_t size = vector_count(n);",
            f"{w.prefix}_vectors v, u;",
            "double *state = layout(n, &u, work + T * size);",
            f"memcpy(state, initial, {self._state});",
            *self._forwards(),
            f"memset(state, 0, {self._state}); /* from here on its cotangent */",
            *self._backwards(),
            f"memcpy(by_initial, state, {self._state});",
        ]
        return w.function(f"void {w.prefix}_gradient", _COMMENT, arguments, body)

    @property
    def _state(self) -> str:
        return f"{self.writer.prefix}_state_size(n) * sizeof(double)"

    def _forwards(self) -> list[str]:
        lines = ["layout(n, &v, work + t * size);", f"forward(n, p, inputs + {self._now}, state, &v);"]
        lines += ["stack(n, &v, state);"]
        if self.program.outputs:
            lines += self._steps.when_outputs("outputs(n, p, &v);")
        return ["for (size_t t = 0; t < T; ++t) {", *(f"    {line}" for line in lines), "}"]

    def _backwards(self) -> list[str]:
        w = self.writer
        lines = ["layout(n, &v, work + t * size);", self._sweeps.all_zeroed]
        lines += w.unstacked(self.cell.states, "state", "u.")
        for node in self.cell.nodes:
            seed, size = f"seeds->{w.vectors[node.name]}", w.size(node.name)
            lines += [f"if ({seed})", f"    add({size}, {seed} + t * {size}, u.{w.vectors[node.name]});"]
        if outputs := [f"seeds->{w.vectors[node.name]}" for node in self.program.outputs]:
            lines += [f"if ({' || '.join(outputs)})", "    hand_down_outputs(n, p, &v, &u, g);"]
        if len(self.program.between) > len(self.program.outputs):
            lines.append("hand_down(n, p, &v, &u, g);")
        lines += ["pull(n, p, &v, &u);", "collect(n, p, &v, &u, g);"]
        lines += w.stacked(self.cell.inputs, f"by_inputs + {self._now}", "u.")
        lines += w.stacked(self.program.entering, "state", "u.")
        return ["for (size_t t = T; t-- > 0;) {", *(f"    {line}" for line in lines), "}"]
