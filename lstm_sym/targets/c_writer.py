"""Words of C99 for one cell: names and arguments, products, and loops over units."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence

import sympy as sp

from lstm_sym.cell import Cell, Weight
from lstm_sym.targets.layout import folded
from lstm_sym.targets.names import C, prefix, renamed
from lstm_sym.targets.printers import CPrinter
from lstm_sym.targets.program import Program, shared

WIDTH = 110


class CWriter:
    """What one cell's vectors, parameters, structures and products are called in C.

    Every vector is a field, v->f, and so is every parameter: their names cannot clash with anything else.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.cell: Cell = program.cell
        self.prefix = prefix(self.cell.name)
        self.vectors = renamed(self.cell.vectors, C)
        self.parameters = renamed(self.cell.parameters, C)
        self.sizes = renamed(program.size_names, C)
        # The arguments that functions share.
        self.n, self.p = f"{self.prefix}_sizes n", f"const {self.prefix}_parameters *p"
        self.g = f"const {self.prefix}_gradients *g"
        self.v, self.u = f"const {self.prefix}_vectors *v", f"{self.prefix}_vectors *u"
        self.step = [self.n, self.p, "const double *x", "const double *state"]
        self.run = [self.n, "size_t T", self.p, "const double *inputs", "const double *initial"]

    # --- words ----------------------------------------------------------------------------------------------------

    def size(self, vector: str) -> str:
        """The length of a vector: n.hidden."""
        return f"n.{self.sizes[self.cell.sizes[vector]]}"

    def bytes(self, vector: str) -> str:
        """The memory that a vector takes."""
        return f"{self.size(vector)} * sizeof(double)"

    def total(self, vectors: Iterable[str]) -> str:
        """The sum of lengths, 2 * n.hidden + n.inputs; "0" where there are none."""
        lengths = [self.size(vector) for vector in vectors]
        counts = {length: lengths.count(length) for length in lengths}
        return " + ".join(f"{count} * {n}" if count > 1 else n for n, count in counts.items()) or "0"

    def shape(self, weight: Weight) -> str:
        """Rows and columns of a matrix as it is stored, as arguments."""
        stored = weight.T if weight.transposed else weight
        return f"n.{self.sizes[stored.rows]}, n.{self.sizes[stored.columns]}"

    def field(self, where: str, vector: str) -> str:
        """The field of a vector: v->f."""
        return f"{where}->{self.vectors[vector]}"

    def parameter(self, name: str, where: str = "p") -> str:
        """The field of a parameter: p->W_hf."""
        return f"{where}->{self.parameters[name]}"

    # --- products -------------------------------------------------------------------------------------------------

    def applied(self, factor: str, vector: str, target: str) -> str:
        """target += W vector."""
        weight = self.cell.factor(factor)
        name = "apply_transposed" if weight.transposed else "apply"
        return f"{name}({self.shape(weight)}, {self.parameter(weight.name)}, {vector}, {target});"

    def pulled(self, factor: str, delta: str, target: str) -> str:
        """target += Wᵀ delta."""
        weight = self.cell.factor(factor)
        name = "apply" if weight.transposed else "apply_transposed"
        return f"{name}({self.shape(weight)}, {self.parameter(weight.name)}, {delta}, {target});"

    def outer(self, factor: str, delta: str, vector: str) -> str:
        """The gradient by W += delta vectorᵀ."""
        weight = self.cell.factor(factor)
        left, right = (vector, delta) if weight.transposed else (delta, vector)
        return f"add_outer({self.shape(weight)}, {left}, {right}, {self.parameter(weight.name, 'g')});"

    def unstacked(self, names: Iterable[str], stacked: str, where: str) -> list[str]:
        """memcpy of a stacked array to the fields of its vectors."""
        return [f"memcpy({place}, {at}, {size});" for place, at, size in self._stacked(names, stacked, where)]

    def stacked(self, names: Iterable[str], stacked: str, where: str) -> list[str]:
        """memcpy of the fields of vectors to a stacked array."""
        return [f"memcpy({at}, {place}, {size});" for place, at, size in self._stacked(names, stacked, where)]

    def _stacked(self, names: Iterable[str], stacked: str, where: str) -> list[tuple[str, str, str]]:
        before: list[str] = []
        found = []
        for name in names:
            at = f"{stacked} + {self.total(before)}" if before else stacked
            found.append((f"{where}{self.vectors[name]}", at, self.bytes(name)))
            before.append(name)
        return found

    # --- loops ----------------------------------------------------------------------------------------------------

    def printer(self, names: Mapping[str, str] | None = None) -> CPrinter:
        """A printer of expressions for unit k."""
        symbols = {name: f"v->{local}[k]" for name, local in self.vectors.items()}
        for name in self.cell.vector_parameters:
            symbols[name] = f"{self.parameter(name)}[{0 if name in self.cell.constants else 'k'}]"
        return CPrinter({**symbols, **(names or {})}, set())

    def loop(self, size: str, lines: Sequence[str]) -> list[str]:
        """for (size_t k …) lines."""
        head = f"for (size_t k = 0; k < {size}; ++k)"
        if len(lines) == 1:
            return [head, f"    {lines[0]}"]
        return [head + " {", *(f"    {line}" for line in lines), "}"]

    def scaled(self, size: str, parts: Sequence[tuple[str, sp.Expr, str]]) -> list[str]:
        """A loop over units of target += expression * other, for each of ``parts``; what they share comes first."""
        definitions, reduced = shared(expression for _, expression, _ in parts)
        printer = self.printer({symbol.name: symbol.name for symbol, _ in definitions})
        lines = [f"const double {symbol} = {printer.of(expression)};" for symbol, expression in definitions]
        for target, expression, other in parts:
            factor = "" if expression == 1 else f"{printer.factor(reduced[expression])} * "
            lines.append(f"{target} += {factor}{other};")
        return self.loop(size, lines)

    # --- functions ------------------------------------------------------------------------------------------------

    def function(self, head: str, comment: str, arguments: Sequence[str], body: Sequence[str]) -> str:
        """The text of a function; arguments that its body has no use for are cast away."""
        body = [part for line in body for part in broken(line)]
        text = "\n".join(body)
        names = [argument.replace("*", " ").split()[-1] for argument in arguments]
        unused = [f"(void){name};" for name in names if not re.search(rf"(?<![\w.>]){name}\b", text)]
        opening = f"{head}({', '.join(arguments)})"
        if len(opening) > WIDTH:
            listing = textwrap.fill(", ".join(arguments), WIDTH, initial_indent="    ", subsequent_indent="    ")
            opening = f"{head}(\n{listing})"
        said = "\n".join(f" * {line}" for line in textwrap.wrap(comment, WIDTH - 6))
        return "\n".join([f"/*{said[2:]} */", opening, "{", *(f"    {line}" for line in [*unused, *body]), "}", ""])


def broken(line: str) -> list[str]:
    """A line in several where it is too long."""
    if len(line) <= WIDTH:
        return [line]
    indent = " " * (len(line) - len(line.lstrip()) + 8)
    return folded(line, WIDTH, indent)
