"""Python modules over an array library, put together."""

from __future__ import annotations

import textwrap

from lstm_sym.kernels.parameters import axis_sizes
from lstm_sym.targets.arrays import Writer
from lstm_sym.targets.layout import WIDTH, listed, wrapped
from lstm_sym.targets.libraries import Library
from lstm_sym.targets.names import in_docstring
from lstm_sym.targets.program import Program
from lstm_sym.targets.sweeps import Sweeps


def python_module(program: Program, library: Library) -> str:
    """The whole text: header, imports, functions, helpers, forward pass and derivatives."""
    writer = Writer(program, library)
    code = [writer.forward(), writer.jacobian(), Sweeps(writer).text()]
    constants = f"#: The states, in the order in which they are stacked.\nSTATES = {listed(program.cell.states)}\n"
    head = f"{_header(program, library, writer)}\n{library.imports}\n\n{constants}"
    parts = [*library.functions(writer.used), *library.helpers("\n".join(code)), *code]
    return "\n\n".join([head, *parts])


def _header(program: Program, library: Library, writer: Writer) -> str:
    """The docstring: which cell, from where, its equations, and what the functions take."""
    cell = program.cell
    name, *equations = str(cell).split("\n")
    lines = [f"{name}: {library.title} source, generated from the equations by lstm_sym.", ""]
    lines += [*equations, ""]
    if cell.reference:
        lines += [*textwrap.wrap(f"Reference: {cell.reference}", WIDTH), ""]
    lines += ["Everywhere parameters is a dict of arrays by these names, row-major, a matrix as [out, in]:"]
    shapes = [f"{name} ({', '.join(axis_sizes(cell, name)) or 'one number'})" for name in cell.parameters]
    lines += wrapped(shapes)
    lines[-1] = lines[-1].rstrip(",")
    inputs = ", ".join(cell.inputs) or "none"
    lines += [f"x is (..., m), the inputs side by side ({inputs}); state is (..., S), the states stacked as"]
    lines += [f"({', '.join(cell.states)}). Leading axes broadcast. Over a run time comes first: (T, ..., m)."]
    other = {name: local for name, local in writer.names.items() if name != local}
    if other:
        lines.append(f"Locally called otherwise: {', '.join(f'{a} is {b}' for a, b in other.items())}.")
    lines += library.notes
    return '"""' + in_docstring("\n".join(lines)) + '\n"""\n'
