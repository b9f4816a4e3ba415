"""Python modules over an array library: the forward pass and the Jacobian."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sympy as sp

from lstm_sym.calculus.numbers import Coefficients
from lstm_sym.calculus.terms import Term
from lstm_sym.cell import Affine, Cell, Node, Weight
from lstm_sym.cell.graph import TRANSPOSE, base
from lstm_sym.functions import Definitions
from lstm_sym.targets.layout import assigned, function, guarded, listed, returned_dict
from lstm_sym.targets.libraries import Library
from lstm_sym.targets.names import PYTHON, renamed
from lstm_sym.targets.printers import ArrayPrinter
from lstm_sym.targets.program import Program


class Writer:
    """Writes expressions, products and names of one cell in the words of one library."""

    def __init__(self, program: Program, library: Library) -> None:
        self.program, self.library = program, library
        self.cell: Cell = program.cell
        taken = PYTHON - {"x"} if "x" in self.cell.inputs else PYTHON
        self.names = renamed(self.cell.vectors, taken)
        sizes = renamed([f"n_{size}" for size in program.size_names], {*taken, *self.names.values()})
        self.sizes = dict(zip(program.size_names, sizes.values(), strict=True))
        self.used: set[str] = set()

    # --- expressions ----------------------------------------------------------------------------------------------

    def printer(self, definitions: Definitions = (), *, by_key: bool = False) -> ArrayPrinter:
        """A printer of per-unit expressions: vectors by their local names, or ``by_key`` as v["f"]."""
        symbols = {name: f'p["{name}"]' for name in self.cell.vector_parameters}
        symbols |= {name: f'v["{name}"]' if by_key else local for name, local in self.names.items()}
        symbols |= {symbol.name: symbol.name for symbol, _ in definitions}
        return ArrayPrinter(self.library.xp, symbols, self.used)

    def weight(self, factor: str) -> str:
        """A weight, transposed where the product asks for it."""
        return f'p["{base(factor)}"]' + ".T" * factor.endswith(TRANSPOSE)

    def applied(self, factor: str, vector: str) -> str:
        """W v for the last axis of ``vector``."""
        return f'{vector} @ p["{base(factor)}"]' + ".T" * (not factor.endswith(TRANSPOSE))

    def pulled(self, factor: str, delta: str) -> str:
        """Wᵀ δ for the last axis of ``delta``."""
        return f"{delta} @ {self.weight(factor)}"

    def node(self, node: Node) -> list[str]:
        """The line that computes a node."""
        if isinstance(node, Affine):
            parts = [self.applied(factor, self.names[vector]) for factor, vector in node.products]
            return assigned(self.names[node.name], [*parts, *(f'p["{bias}"]' for bias in node.biases)])
        return [f"{self.names[node.name]} = {self.printer().of(node.expression)}"]

    def unpacked(self, names: Iterable[str]) -> list[str]:
        """Lines that give vectors of ``v`` their local names."""
        vectors = [name for name in names if name in self.names]
        if not vectors:
            return []
        if len(vectors) == 1:
            return [f'{self.names[vectors[0]]} = v["{vectors[0]}"]']
        left = ", ".join(self.names[name] for name in vectors)
        return assigned(left, [f'v["{name}"]' for name in vectors], ", ")

    def definitions(self, lines: Coefficients) -> list[str]:
        """The lines that compute coefficients, from local names."""
        printer = self.printer(lines.definitions)
        return [f"{symbol.name} = {printer.of(expression)}" for symbol, expression in lines.definitions]

    def coefficient(self, expression: sp.Expr, names: Coefficients) -> str:
        """A coefficient as a factor: its name, or what it is where it is a constant."""
        return names.names.get(expression) or self.printer().factor(expression)

    def size_lines(self, sizes: Iterable[str]) -> list[str]:
        """Lines that read sizes off the parameters."""
        found = {size: self.program.size_from(size) for size in dict.fromkeys(sizes)}
        return [f'{self.sizes[size]} = p["{name}"].shape[{axis}]' for size, (name, axis) in found.items()]

    def vector_sizes(self, vectors: Sequence[str]) -> str:
        """The sizes of vectors, as arguments."""
        return ", ".join(self.sizes[self.cell.sizes[vector]] for vector in vectors)

    # --- functions ------------------------------------------------------------------------------------------------

    def forward(self) -> str:
        """``_forward``, ``evaluate`` and ``step``."""
        cell, program = self.cell, self.program
        split = [names for names in (cell.inputs, program.entering) if len(names) > 1]
        body = self.size_lines(cell.sizes[name] for names in split for name in names)
        for names, stacked in ((cell.inputs, "x"), (program.entering, "state")):
            left = ", ".join(self.names[name] for name in names)
            if len(names) > 1:
                body.append(f"{left} = _split({stacked}, {self.vector_sizes(names)})")
            elif left not in ("", stacked):
                body.append(f"{left} = {stacked}")
        for node in program.recurrent:
            body += self.node(node)
        known = [*cell.inputs, *program.entering, *(node.name for node in program.recurrent)]
        body += returned_dict([(name, self.names[name]) for name in known])
        forward = function(
            "_forward(p, x, state)",
            "Inputs, entering states and all that the new states depend on, each (..., n).",
            body,
        )
        return "\n\n".join([forward, self._evaluate(), self._step()])

    def _evaluate(self) -> str:
        doc = "Every named quantity of a step, each (..., n); outputs where there are parameters for them."
        body = ["v = _forward(parameters, x, state)"]
        if self.program.outputs:
            body = ["p, v = parameters, _forward(parameters, x, state)"]
            outputs = {node.name for node in self.program.outputs}
            reads = [name for node in self.program.outputs for name in node.reads if name not in outputs]
            lines = self.unpacked(dict.fromkeys(reads))
            for node in self.program.outputs:
                lines += self.node(node)
            lines += [f'v["{node.name}"] = {self.names[node.name]}' for node in self.program.outputs]
            body += guarded(_all_in(self.program.output_parameters, "p"), lines)
        return function("evaluate(parameters, x, state)", doc, [*body, "return v"])

    def _step(self) -> str:
        parts = ", ".join(f'v["{state}"]' for state in self.cell.states)
        body = ["v = _forward(parameters, x, state)", self.lead("x", "state"), f"return _join(lead, {parts})"]
        return function("step(parameters, x, state)", "The next state, (..., S).", body)

    def lead(self, *arrays: str) -> str:
        """The line that finds the leading axes of some arrays."""
        shapes = ", ".join(f"{array}.shape[:-1]" for array in arrays)
        return f"lead = {self.library.xp}.broadcast_shapes({shapes})"

    def jacobian(self) -> str:
        """``jacobian``: the diagonals, then the blocks, terms as ``ls.jacobian`` prints them."""
        program, cell = self.program, self.cell
        lines = program.diagonals
        body = ["p, v = parameters, _forward(parameters, x, state)", self.lead("x", "state")]
        body += [*self.unpacked(lines.arguments), *self.definitions(lines)]
        sizes: list[str] = []
        blocks: dict[tuple[str, str], list[str]] = {}
        for place, terms in program.blocks.items():
            shape = [cell.sizes[name] for name in place]
            blocks[place] = self._sum(terms, shape, sizes)
            if not terms:
                sizes += shape
        body += self.size_lines(sizes)
        for (row, column), parts in blocks.items():
            zero = f"{self.library.xp}.zeros(({self.vector_sizes([row, column])}), {self.library.like('state')})"
            body += assigned(f"J_{row}_{column}", parts or [zero])
        rows = [f"[{', '.join(f'J_{r}_{c}' for c in program.entering)}]" for r in cell.states]
        body.append(f"return _blocks(lead, {', '.join(rows)})")
        doc = f"The Jacobian of the new state ({', '.join(cell.states)}) by the old one, (..., S, S), [out, in]."
        return function("jacobian(parameters, x, state)", doc, body)

    def _sum(self, terms: Sequence[Term], shape: list[str], sizes: list[str]) -> list[str]:
        """The addends of a block: terms d·W, the common kind, go together."""
        simple = [t for t in terms if len(t.weights) == 1 and t.diagonals[1] == 1 and self._varies(t.diagonals[0])]
        if len(simple) < 2:
            return [self._term(term, shape, sizes) for term in terms]
        diagonals = ", ".join(self.coefficient(term.diagonals[0], self.program.diagonals) for term in simple)
        weights = ", ".join(_stored(term.weights[0]) for term in simple)
        others = [self._term(term, shape, sizes) for term in terms if term not in simple]
        return [*others, f"_rows([{diagonals}], [{weights}])"]

    def _varies(self, diagonal: sp.Expr) -> bool:
        """Whether a diagonal is no constant."""
        return not self.cell.is_constant(diagonal)

    def _term(self, term: Term, shape: list[str], sizes: list[str]) -> str:
        """d₀·W₁·d₁·…, rows scaled from the left, columns from the right; ``sizes`` collects those that it needs."""
        names, (first, *others) = self.program.diagonals, term.diagonals
        scale = self.coefficient(first, names)
        if term.is_direct:
            sizes.append(shape[0])
            eye = f"{self.library.xp}.eye({self.sizes[shape[0]]}, {self.library.like('state')})"
            if first == 1:
                return eye
            return f"{scale}[..., None] * {eye}" if self._varies(first) else f"{scale} * {eye}"
        text = ""
        for weight, diagonal in zip(term.weights, others, strict=True):
            matrix = _stored(weight)
            if text:
                text = f"({text}) @ {matrix}"
            elif first == 1:
                text = matrix
            else:
                text = f"{scale}[..., None] * {matrix}" if self._varies(first) else f"{scale} * {matrix}"
            if diagonal != 1:
                columns = self.coefficient(diagonal, names)
                text = f"{_factor(text)} * {columns}" + "[..., None, :]" * self._varies(diagonal)
        return text


def _stored(weight: Weight) -> str:
    """A weight, or its transpose."""
    return f'p["{weight.name}"]' + ".T" * weight.transposed


def _factor(text: str) -> str:
    """A product of matrices as a factor of an elementwise product."""
    return f"({text})" if " @ " in text else text


def _all_in(names: Sequence[str], where: str) -> str:
    """The condition that ``where`` has all the names; "" where there are none."""
    if len(names) == 1:
        return f'"{names[0]}" in {where}'
    return f"all(name in {where} for name in {listed(names)})" if names else ""
