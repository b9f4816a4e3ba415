"""C99 modules, put together: the header, the structures, and the functions that a file needs."""

from __future__ import annotations

import textwrap

from lstm_sym.kernels.parameters import axis_sizes
from lstm_sym.targets import c_texts
from lstm_sym.targets.c_runs import CRuns
from lstm_sym.targets.c_steps import CSteps
from lstm_sym.targets.c_sweeps import CSweeps
from lstm_sym.targets.c_writer import WIDTH, CWriter
from lstm_sym.targets.names import in_comment
from lstm_sym.targets.program import Program


def c_module(program: Program) -> str:
    """The whole text of one C file."""
    writer = CWriter(program)
    steps, sweeps = CSteps(writer), CSweeps(writer)
    code = "\n".join([steps.text(), sweeps.text(), CRuns(writer, steps, sweeps).text()])
    return "\n".join([_header(writer), _structures(writer), c_texts.needed(code), code])


def _header(writer: CWriter) -> str:
    """A comment: which cell, from where, its equations, how the functions are called; and what is included."""
    w, cell = writer, writer.cell
    name, *equations = str(cell).split("\n")
    lines = [f"{name}: C99 source, generated from the equations by lstm_sym.", "", *equations, ""]
    if cell.reference:
        lines += [*textwrap.wrap(f"Reference: {cell.reference}", WIDTH - 3), ""]
    lines += [
        "Compile with cc -std=c99 -O2 -c; link with -lm. Functions take the sizes n, the parameters p, the inputs",
        f"side by side ({', '.join(cell.inputs) or 'none'}) and the states stacked as ({', '.join(cell.states)}).",
        "Matrices are row-major, [out, in]; S is the size of the stacked state. Nothing is allocated: work is",
        f"memory of {w.prefix}_workspace(n) doubles, for the gradient {w.prefix}_gradient_workspace(n, T).",
        "A function works on one sequence; a batch is a loop over its members, with one workspace for each thread.",
    ]
    first, *_ = w.parameters.values()
    sizes = ", ".join(f".{size} = {4 + place}" for place, size in enumerate(w.sizes.values()))
    lines += [
        "",
        f"    {w.prefix}_sizes n = {{{sizes}}};",
        f"    {w.prefix}_parameters p = {{.{first} = {first}, ...}};",
        f"    double *work = malloc({w.prefix}_workspace(n) * sizeof(double));",
        f"    {w.prefix}_step(n, &p, x, state, next, work);",
    ]
    renamed = {**w.vectors, **w.parameters, **w.sizes}
    if other := [f"{name} is {field}" for name, field in renamed.items() if name != field]:
        lines += ["", f"Fields called otherwise, their names being taken: {', '.join(other)}."]
    comment = "\n".join(f" * {line}".rstrip() for line in in_comment("\n".join(lines)).split("\n"))
    return f"/*\n{comment}\n */\n#include <math.h>\n#include <stddef.h>\n#include <string.h>\n"


def _structures(writer: CWriter) -> str:
    """The four structures: sizes, parameters, gradients, vectors."""
    w, cell, optional = writer, writer.cell, writer.program.output_parameters
    given, found = [], []
    for name, field in w.parameters.items():
        axes = " x ".join(axis_sizes(cell, name)) or "one number"
        given.append(f"const double *{field}; /* {axes}{', or NULL: no outputs' * (name in optional)} */")
        found.append(f"double *{field};")
    vectors = [f"double *{field}; /* {cell.sizes[name]} */" for name, field in w.vectors.items()]
    sizes = [f"size_t {field};" for field in w.sizes.values()]
    parts = {
        "sizes": ("How many units there are of each kind.", sizes),
        "parameters": ("The parameters.", given),
        "gradients": ("The gradient by each of them, which is added to.", found),
        "vectors": ("The vectors of a step: inputs, entering states, and all that is computed.", vectors),
    }
    return "\n".join(
        "\n".join(
            [f"/* {comment} */", "typedef struct {", *(f"    {f}" for f in fields), f"}} {w.prefix}_{name};", ""]
        )
        for name, (comment, fields) in parts.items()
    )
