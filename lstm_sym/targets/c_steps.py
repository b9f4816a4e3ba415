"""C99 functions of one step: where vectors are in memory, the forward pass, the Jacobian."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

import sympy as sp

from lstm_sym.calculus.terms import Term, Terms
from lstm_sym.cell import Affine, Elementwise, Node
from lstm_sym.targets.c_writer import CWriter


class CSteps:
    """The functions that a step is made of, as text."""

    def __init__(self, writer: CWriter) -> None:
        self.writer, self.program, self.cell = writer, writer.program, writer.cell
        self._own = f"{writer.prefix}_vectors *v"

    def text(self) -> str:
        """All of them, in the order in which they call one another."""
        parts = [*self._memory(), *self._forward(), *self._evaluate(), self._step(), self._jacobian()]
        return "\n".join(parts)

    # --- memory ---------------------------------------------------------------------------------------------------

    def _memory(self) -> list[str]:
        w, vectors = self.writer, self.cell.vectors
        pointers = [f"{w.field('v', name)} = work, work += {w.size(name)};" for name in vectors]
        rest = w.total([*self._placed().values(), *self._rows()])
        size, count = f"return {w.total(self.cell.states)};", f"return {w.total(vectors)};"
        need = f"return 2 * vector_count(n) + {rest};"
        return [
            w.function(f"size_t {w.prefix}_state_size", "S, the size of the stacked state", [w.n], [size]),
            w.function("static size_t vector_count", "doubles that the vectors of a step take", [w.n], [count]),
            w.function(f"size_t {w.prefix}_workspace", "doubles that all but the gradient need", [w.n], [need]),
            w.function(
                "static double *layout",
                "point vectors to their places in work, one behind the other; returns what is behind them all",
                [w.n, self._own, "double *work"],
                [*pointers, "return work;"],
            ),
        ]

    # --- forward --------------------------------------------------------------------------------------------------

    def _forward(self) -> list[str]:
        w = self.writer
        start = w.unstacked(self.cell.inputs, "x", "v->") + w.unstacked(self.program.entering, "state", "v->")
        body = [*start, *self._computed(self.program.recurrent)]
        stacked = w.stacked(self.cell.states, "state", "v->")
        return [
            w.function("static void forward", "all that the new states depend on", [*w.step, self._own], body),
            w.function("static void stack", "the new states, stacked", [w.n, w.v, "double *state"], stacked),
        ]

    def _computed(self, nodes: Iterable[Node]) -> list[str]:
        """Lines that compute nodes, in their order; neighbours of one length share a loop."""
        w, lines = self.writer, []
        printer = w.printer()
        for size, group in groupby(nodes, key=lambda node: isinstance(node, Elementwise) and w.size(node.name)):
            units = []
            for node in group:
                if isinstance(node, Affine):
                    lines += self._affine(node)
                else:
                    units.append(f"{w.field('v', node.name)}[k] = {printer.of(node.expression)};")
            lines += w.loop(str(size), units) if units else []
        return lines

    def _affine(self, node: Affine) -> list[str]:
        w, target = self.writer, self.writer.field("v", node.name)
        if node.biases:
            lines = [f"memcpy({target}, {w.parameter(node.biases[0])}, {w.bytes(node.name)});"]
        else:
            lines = [f"memset({target}, 0, {w.bytes(node.name)});"]
        lines += [f"add({w.size(node.name)}, {w.parameter(bias)}, {target});" for bias in node.biases[1:]]
        return lines + [w.applied(factor, w.field("v", vector), target) for factor, vector in node.products]

    def _evaluate(self) -> list[str]:
        w, outputs = self.writer, self.program.outputs
        call = ["layout(n, v, work);", "forward(n, p, x, state, v);"]
        parts = []
        if outputs:
            body = self._computed(outputs)
            parts.append(w.function("static void outputs", "what no state depends on", [w.n, w.p, self._own], body))
            call += self.when_outputs("outputs(n, p, v);")
        comment = "every named quantity of a step: v points to them in work"
        arguments = [*w.step, self._own, "double *work"]
        return [*parts, w.function(f"void {w.prefix}_evaluate", comment, arguments, call)]

    def when_outputs(self, line: str) -> list[str]:
        """The line, on condition that there are the parameters that outputs need."""
        given = " && ".join(self.writer.parameter(name) for name in self.program.output_parameters)
        return [f"if ({given})", f"    {line}"] if given else [line]

    def _step(self) -> str:
        w = self.writer
        body = [f"{w.prefix}_vectors v;", "layout(n, &v, work);", "forward(n, p, x, state, &v);"]
        comment = "the next state, which may be written over the old one"
        arguments = [*w.step, "double *next", "double *work"]
        return w.function(f"void {w.prefix}_step", comment, arguments, [*body, "stack(n, &v, next);"])

    # --- the Jacobian ---------------------------------------------------------------------------------------------

    def _placed(self) -> dict[str, str]:
        """By the name of each diagonal a vector that is as long."""
        names, like = self.program.diagonals.names, self._like()
        found = {}
        for (row, _), terms in self.program.blocks.items():
            for term in terms:
                sizes = [self.cell.sizes[row], *(weight.columns for weight in term.weights)]
                for diagonal, size in zip(term.diagonals, sizes, strict=True):
                    if diagonal in names:
                        found[names[diagonal]] = like[size]
        return found

    def _rows(self) -> list[str]:
        """Vectors as long as the rows of memory that chains of several weights need."""
        chains = [t for terms in self.program.blocks.values() for t in terms if len(t.weights) > 1]
        return [self._like()[weight.columns] for term in chains for weight in term.weights[:-1]]

    def _like(self) -> dict[str, str]:
        return {size: name for name, size in self.cell.sizes.items()}

    def _jacobian(self) -> str:
        """The diagonals, unit by unit, then the blocks, row by row."""
        w, placed = self.writer, self._placed()
        body = [f"const size_t S = {w.prefix}_state_size(n);", f"{w.prefix}_vectors vectors, *v = &vectors;"]
        body.append("double *rest = layout(n, v, work);" if placed or self._rows() else "layout(n, v, work);")
        for name, vector in placed.items():
            body.append(f"double *{name} = rest; rest += {w.size(vector)};")
        body += ["forward(n, p, x, state, v);", *self._diagonals(placed), "memset(J, 0, S * S * sizeof *J);"]
        for (row, column), terms in self.program.blocks.items():
            body += self._block(row, column, terms) if terms else []
        comment = "the Jacobian of the new state by the old one, S x S"
        return w.function(f"void {w.prefix}_jacobian", comment, [*w.step, "double *J", "double *work"], body)

    def _diagonals(self, placed: dict[str, str]) -> list[str]:
        """Loops that compute the diagonals, one for each length; what is one number for all units comes first."""
        w, definitions = self.writer, self.program.diagonals.definitions
        printer = w.printer({symbol.name: symbol.name for symbol, _ in definitions})
        sizes = dict(self.cell.sizes)
        texts: dict[str, list[str]] = {}
        for symbol, expression in definitions:
            found = [sizes[s.name] for s in expression.free_symbols if sizes.get(s.name)]
            size = self.cell.sizes[placed[symbol.name]] if symbol.name in placed else (*found, "")[0]
            sizes[symbol.name] = size
            left = f"{symbol.name}[k]" if symbol.name in placed else f"const double {symbol.name}"
            texts.setdefault(size, []).append(f"{left} = {printer.of(expression)};")
        fixed = texts.pop("", [])
        return fixed + [line for size, lines in texts.items() for line in w.loop(f"n.{w.sizes[size]}", lines)]

    def _block(self, row: str, column: str, terms: Terms) -> list[str]:
        """One block, row k of it at a time."""
        w, states, entering = self.writer, self.cell.states, self.program.entering
        above, left = w.total(states[: states.index(row)]), w.total(entering[: entering.index(column)])
        first = "k" if above == "0" else f"({above} + k)"
        body = [f"double *row = J + {first} * S{'' if left == '0' else f' + {left}'};"]
        if simple := [self._entry(term) for term in terms if len(term.weights) == 1]:
            sums = "\n                + ".join(simple).split("\n")
            body += [f"for (size_t j = 0; j < {w.size(column)}; ++j)", f"    row[j] += {sums[0]}", *sums[1:]]
            body[-1] += ";"
        for term in terms:
            if len(term.weights) > 1:
                body += self._chain(term)
            elif term.is_direct:
                body.append(f"row[k] += {self._at(term.diagonals[0], 'k')};")
        return [f"/* d {row} / d {column} */", *w.loop(w.size(row), body)]

    def _at(self, diagonal: sp.Expr, unit: str) -> str:
        """An entry of a diagonal as a factor."""
        name = self.program.diagonals.names.get(diagonal)
        return f"{name}[{unit}]" if name else self.writer.printer().factor(diagonal)

    def _matrix(self, term: Term, place: int, row: str, column: str) -> str:
        """An entry of one of a term's weights."""
        weight = term.weights[place]
        stride = f"n.{self.writer.sizes[weight.rows if weight.transposed else weight.columns]}"
        index = f"{column} * {stride} + {row}" if weight.transposed else f"{row} * {stride} + {column}"
        return f"{self.writer.parameter(weight.name)}[{index}]"

    def _entry(self, term: Term) -> str:
        """Entry (k, j) of d₀·W·d₁."""
        left, right = (self._at(d, unit) if d != 1 else "" for d, unit in zip(term.diagonals, "kj", strict=True))
        return " * ".join(part for part in (left, self._matrix(term, 0, "k", "j"), right) if part)

    def _chain(self, term: Term) -> list[str]:
        """Row k of d₀·W₁·d₁·W₂·…, from left to right, in rows of memory behind the diagonals."""
        lengths = [f"n.{self.writer.sizes[weight.columns]}" for weight in term.weights]
        first = self._entry(Term(term.diagonals[:2], term.weights[:1]))
        lines = ["double *part1 = rest;", f"for (size_t j = 0; j < {lengths[0]}; ++j)", f"    part1[j] = {first};"]
        for place in range(1, len(term.weights)):
            before, target = f"part{place}", f"part{place + 1}[j] ="
            if place == len(term.weights) - 1:
                target = "row[j] +="
            else:
                lines.append(f"double *part{place + 1} = {before} + {lengths[place - 1]};")
            diagonal = term.diagonals[place + 1]
            scale = "" if diagonal == 1 else f" * {self._at(diagonal, 'j')}"
            lines += [
                f"for (size_t j = 0; j < {lengths[place]}; ++j) {{",
                "    double sum = 0.0;",
                f"    for (size_t i = 0; i < {lengths[place - 1]}; ++i)",
                f"        sum += {before}[i] * {self._matrix(term, place, 'i', 'j')};",
                f"    {target} sum{scale};",
                "}",
            ]
        return ["{", *(f"    {line}" for line in lines), "}"]
