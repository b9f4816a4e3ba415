"""The kernels as source text for other languages: NumPy without this package, JAX, PyTorch and C."""

from __future__ import annotations

from lstm_sym.cell import Cell, a_cell
from lstm_sym.checks import unknown_name
from lstm_sym.kernels import Kernel
from lstm_sym.targets.c_module import c_module
from lstm_sym.targets.libraries import LIBRARIES
from lstm_sym.targets.modules import python_module
from lstm_sym.targets.program import Program

__all__ = ["TARGETS", "source"]

#: The targets that ``source`` knows.
TARGETS = (*LIBRARIES, "c")


def source(cell_or_kernel: Cell | Kernel, target: str = "numpy") -> str:
    """The kernel of a cell as the text of a whole module for ``target``: the same names, the same numbers.

    >>> import lstm_sym as ls
    >>> text = ls.source(ls.LSTM, "torch")
    >>> print("\\n".join(line for line in text.splitlines() if line.startswith(("import", "def step", "def jac"))))
    import torch
    def step(parameters, x, state):
    def jacobian(parameters, x, state):
    >>> print(*[line.strip() for line in text.splitlines() if line.strip().startswith("a_f =")])
    a_f = x @ p["W_xf"].T + h_prev @ p["W_hf"].T + p["b_f"]

    The module has step, evaluate, jacobian, jvp, vjp, unroll and gradient, with the arguments of the ``Kernel``'s
    methods: parameters by their names, states stacked, leading axes broadcast. ``gradient(parameters, inputs,
    seeds, initial)`` takes the loss's derivatives by named quantities and returns the gradients by parameters,
    inputs and initial state; it is our own recursion, no autodiff. Elementwise expressions are those that the
    kernel compiles, printed by SymPy's printers, with slopes that stay accurate where gates saturate. The text is
    made to be read: its header names the cell, its reference and its equations.

    Args:
        cell_or_kernel: the cell.
        target: "numpy" (which needs nothing but NumPy), "jax", "torch", or "c": one file of C99 whose functions
            begin with the cell's name, lstm_step, and work on one sequence in memory that the caller gives.

    Raises:
        UnknownNameError: a target that is not among these.
        TypeError: no cell and no kernel.
    """
    cell = cell_or_kernel.cell if isinstance(cell_or_kernel, Kernel) else a_cell(cell_or_kernel)
    if target not in TARGETS:
        raise unknown_name("target", target, TARGETS)
    program = Program.of(cell)
    return c_module(program) if target == "c" else python_module(program, LIBRARIES[target])
