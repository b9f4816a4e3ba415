"""``Cell``: the declaration of a recurrent cell, checked when it is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import sympy as sp

from lstm_sym.cell import names, variants
from lstm_sym.cell.equations import Line, LineReader, split_lines
from lstm_sym.cell.gauges import read_gauge
from lstm_sym.cell.graph import TRANSPOSE, Affine, CellError, Elementwise, Node, Weight, base, unit
from lstm_sym.cell.sizes import infer_sizes, weight_shapes
from lstm_sym.cell.text import equations_latex, equations_unicode
from lstm_sym.checks import unknown_name
from lstm_sym.notation import STANDARD, Notation, lagged
from lstm_sym.notation.wrapping import terminal_width

#: Characters that a cell's name may have.
LONGEST_NAME = 200


class Cell:
    """A recurrent cell, declared by its equations.

    >>> from lstm_sym import Cell
    >>> leaky = Cell("leaky RNN", '''
    ...     r = tanh(W_xr @ x + W_hr @ h_prev + b_r)    # drive
    ...     h = 0.9 * h_prev + 0.1 * r                  # state
    ... ''', states="h")
    >>> leaky
    leaky RNN
      rₜ = tanh(W_xr·xₜ + W_hr·hₜ₋₁ + b_r)   drive
      hₜ = 0.9·hₜ₋₁ + 0.1·rₜ                 state

    ``W @ v`` and ``W.T @ v`` are a matrix times a vector; everything else is elementwise (``*`` is ⊙). A state
    ``h`` is read as ``h_prev`` until its equation has given the new ``h``. ``b_…`` is a bias; other vector
    parameters (peepholes) are listed in ``vectors``. What follows ``#`` says what the line is for.

    Args:
        name: how the cell is called in print.
        equations: the text, one equation a line.
        states: names of the states, separated by blanks (or a sequence), in the order in which they are stacked.
        inputs: names of the inputs.
        outputs: names of results that no equation reads.
        vectors: names of vector parameters other than biases.
        constants: numbers that are the same for all units, by name, with their default values: {"alpha": 0.1}.
        sizes: names for sizes, each with a vector that has it: {"projection": "h"}.
        choices: names of functions in the text that stand for a choice, each with its options, the first being
            the default; ``cell(activation="relu")`` makes the variant.
        gauge: how the states may move, unit by unit, without any effect but that: {"c": "-c", "n": "-n", "m": "1"};
            of a stack, one for each layer that has such a freedom.
        reference: the paper that the equations are from.
        aliases: other names by which ``lstm_sym.cells.named`` finds it.

    Raises:
        CellError: a name that is no identifier or has a meaning already, a quantity read before it is defined or
            never used, a state without update, sizes that do not fit; the message names the line and the remedy.
    """

    def __init__(
        self,
        name: str,
        equations: str,
        *,
        states: str | Sequence[str],
        inputs: str | Sequence[str] = "x",
        outputs: str | Sequence[str] = "",
        vectors: str | Sequence[str] = "",
        constants: Mapping[str, float] | None = None,
        sizes: Mapping[str, str] | None = None,
        choices: Mapping[str, tuple[str, ...]] | None = None,
        gauge: Mapping[str, str] | Sequence[Mapping[str, str]] = (),
        reference: str = "",
        aliases: Sequence[str] = (),
    ) -> None:
        if not isinstance(name, str) or not isinstance(equations, str):
            raise TypeError("Cell(name, equations, states=...): expected two texts.")
        if len(name) > LONGEST_NAME:
            raise CellError(f"{name[:40]}…: a name of {len(name)} characters; expected at most {LONGEST_NAME}.")
        self.name = name
        self.reference = reference
        self.aliases = tuple(aliases)
        self.states = names.names(name, "states", states)
        self.inputs = names.names(name, "inputs", inputs)
        self.outputs = names.names(name, "outputs", outputs)
        self.constants: Mapping[str, float] = names.checked_constants(name, constants or {})
        self._vectors = names.names(name, "vectors", vectors)
        self._given_sizes = names.checked_sizes(name, sizes or {})
        self._options = names.checked_choices(name, choices or {}, equations)
        self.choices: dict[str, str] = {choice: options[0] for choice, options in self._options.items()}
        self._gauge = (gauge,) if isinstance(gauge, (Mapping, str)) else tuple(gauge)
        self.gauges = tuple(read_gauge(name, given, self.states) for given in self._gauge)
        self._text = equations
        self._read(split_lines(name, equations))
        self._sealed = True

    def __setattr__(self, name: str, value: object) -> None:
        if getattr(self, "_sealed", False):
            raise AttributeError(f"a Cell does not change: {name!r} cannot be set. Declare another cell.")
        super().__setattr__(name, value)

    def __call__(self, **chosen: Any) -> Cell:
        """The variant with other choices or constants: ``RNN(activation="relu")``, ``LeakyRNN(alpha=0.5)``.

        An unknown choice lists the known ones.
        """
        for name, option in chosen.items():
            if name in self.constants:
                continue
            if name not in self._options:
                raise unknown_name(f"choice of {self.name}", name, (*self._options, *self.constants))
            if option not in self._options[name]:
                raise unknown_name(f"{name} of {self.name}", option, self._options[name])
        constants = {name: chosen.get(name, value) for name, value in self.constants.items()}
        options = {}
        for name, known in self._options.items():
            option = chosen.get(name, self.choices[name])
            options[name] = (option, *(other for other in known if other != option))
        words = [options[name][0] for name in self._options]
        words += [f"{name} = {value:g}" for name, value in constants.items() if name in chosen]
        return self._variant(
            f"{self.name.split(' (')[0]} ({', '.join(words)})", constants=constants, choices=options
        )

    def replace(self, *, name: str = "", states: str | Sequence[str] = (), **equations: str | float) -> Cell:
        """The variant with other equations: a text is a new right-hand side, a number stands for the quantity.

        Equations that nothing reads any more go, with their parameters. The ablations of Greff et al. (2017):

        >>> import lstm_sym as ls
        >>> ls.LSTM.replace(i=1, name="LSTM, no input gate")
        LSTM, no input gate
          fₜ = σ(W_xf·xₜ + W_hf·hₜ₋₁ + b_f)      forget gate: what to keep of the old cell state
          gₜ = tanh(W_xg·xₜ + W_hg·hₜ₋₁ + b_g)   candidate
          cₜ = fₜ⊙cₜ₋₁ + gₜ                      cell state (long-term memory)
          oₜ = σ(W_xo·xₜ + W_ho·hₜ₋₁ + b_o)      output gate
          mₜ = tanh(cₜ)                          squashed cell state
          hₜ = oₜ⊙mₜ                             hidden state (short-term memory)
          yₜ = W_hy·hₜ + b_y                     output layer
        >>> coupled = ls.LSTM.replace(i="1 - f", name="LSTM, coupled gates")
        >>> no_output_activation = ls.LSTM.replace(m="c", name="LSTM, no output activation")

        ``states`` names new states, for equations that read a quantity's value before the step.

        Raises:
            UnknownNameError: a name that no equation defines and none of the new ones reads.
            CellError: the result is no cell.
        """
        lines = variants.replaced(self.name, self.lines, equations)
        states = names.names(self.name, "states", states) or self.states
        read = {found for line in lines for found in variants.reads(line)}
        for target in equations:
            if target not in {line.target for line in self.lines} and target not in read and target not in states:
                raise unknown_name(f"equation of {self.name}", target, [line.target for line in self.lines])
        lines = variants.pruned(lines, (*states, *self.outputs))
        changes = ", ".join(f"{target} = {text}" for target, text in equations.items())
        constants = {key: self.constants[key] for key in variants.still_read(self.constants, lines)}
        return self._variant(
            name or f"{self.name} ({changes})",
            variants.as_text(lines),
            states=states,
            gauge=(),
            vectors=variants.still_read(self._vectors, lines),
            constants=constants,
            choices={key: self._options[key] for key in variants.still_read(self._options, lines)},
        )

    def _variant(self, name: str, text: str | None = None, **changes: Any) -> Cell:
        """The same declaration under another name, with some of its arguments changed."""
        return Cell(name, self._text if text is None else text, **{**self.declared, **changes})

    @property
    def declared(self) -> dict[str, Any]:
        """What was declared besides the equations: the arguments of ``Cell`` by name."""
        return {
            "states": self.states,
            "inputs": self.inputs,
            "outputs": self.outputs,
            "vectors": self._vectors,
            "constants": self.constants,
            "sizes": self._given_sizes,
            "choices": self._options,
            "gauge": self._gauge,
            "reference": self.reference,
        }

    # --- reading and checking -----------------------------------------------------------------------------------

    def _read(self, lines: list[Line]) -> None:
        known = [*self.inputs, *(lagged(state) for state in self.states)]
        given = (*self._vectors, *self.constants)
        if clash := [name for name in given if name in (*self.inputs, *self.states)]:
            raise CellError(f"{self.name}: {clash[0]!r} is an input or a state, and cannot be a parameter as well.")
        for name in [*self.inputs, *self.states, *self._vectors]:
            names.check_name(self.name, name)
        if not self.states:
            raise CellError(f"{self.name} has no states: name them in states=.")
        nodes: list[Node] = []
        self.lines: tuple[Line, ...] = tuple(lines)
        for line in lines:
            self._check_target(line, known)
            read = LineReader(self.name, line, tuple(known), given, self.choices).read()
            for node in read:
                if node.name in known or node.name in given:
                    raise CellError(
                        f"{self.name}, line {line.number}: {node.name!r} is the name of this line's"
                        f" pre-activation and may not be defined by hand."
                    )
                known.append(node.name)
            nodes += read
        self.nodes: tuple[Node, ...] = tuple(nodes)
        self._check_use()
        ends = (self.inputs, self.states, self.outputs)
        self.sizes = infer_sizes(self.name, nodes, *ends, self.constants, self._given_sizes)
        self.weights: dict[str, Weight] = weight_shapes(self.name, nodes, self.sizes)
        self._check_parameters(known)

    def _check_target(self, line: Line, known: list[str]) -> None:
        names.check_name(self.name, line.target)
        if line.target in known or line.target in self._vectors or line.target in self.constants:
            raise CellError(f"{self.name}, line {line.number}: {line.target!r} is defined twice.")

    def _check_use(self) -> None:
        defined = {node.name for node in self.nodes}
        read = {vector for node in self.nodes for vector in node.reads}
        if missing := [state for state in self.states if state not in defined]:
            raise CellError(
                f"{self.name}: no equation updates the state {missing[0]!r}. Add a line '{missing[0]} = …'."
            )
        if missing := [output for output in self.outputs if output not in defined]:
            raise CellError(f"{self.name}: no equation defines the output {missing[0]!r}.")
        needed = [*self.inputs, *(lagged(state) for state in self.states), *self._vectors, *self.constants]
        needed += [node.name for node in self.nodes if node.name not in (*self.states, *self.outputs)]
        if unused := [name for name in needed if name not in read]:
            raise CellError(
                f"{self.name}: {unused[0]!r} is never used. Read it in a later equation or list it in outputs=."
            )

    def _check_parameters(self, known: list[str]) -> None:
        for name in self.parameters:
            names.check_name(self.name, name)
            if name in known:
                raise CellError(f"{self.name}: {name!r} is both a parameter and a vector.")
        if not self.parameters:
            raise CellError(f"{self.name} has no weights and no biases: nothing would say how many units it has.")
        told = {size for weight in self.weights.values() for size in (weight.rows, weight.columns)}
        told |= {self.sizes[name] for name in self.vector_parameters if name not in self.constants}
        if silent := [name for name in (*self.states, *self.inputs) if self.sizes[name] not in told]:
            raise CellError(
                f"{self.name}: nothing says how many units {silent[0]!r} has. Give it a weight matrix or a bias."
            )
        if clash := [name for name in self.weights if name in self.vector_parameters]:
            raise CellError(f"{self.name}: {clash[0]!r} is both a matrix and a vector.")

    # --- looking things up --------------------------------------------------------------------------------------

    @cached_property
    def vector_parameters(self) -> tuple[str, ...]:
        """Biases, other vector parameters and constants, in the order in which the equations read them."""
        vectors = {*self.inputs, *(lagged(state) for state in self.states), *(node.name for node in self.nodes)}
        found: dict[str, None] = {}
        for node in self.nodes:
            read = node.biases if isinstance(node, Affine) else node.reads
            found.update(dict.fromkeys(name for name in read if name not in vectors))
        return tuple(found)

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """All parameter names: weight matrices, then biases and other vectors."""
        return (*self.weights, *self.vector_parameters)

    @cached_property
    def node(self) -> Mapping[str, Node]:
        """The nodes by name, in the order of the equations."""
        return {node.name: node for node in self.nodes}

    @cached_property
    def vectors(self) -> tuple[str, ...]:
        """Every vector of a step: inputs, states that enter it, nodes."""
        return (*self.inputs, *(lagged(state) for state in self.states), *(node.name for node in self.nodes))

    @cached_property
    def activations(self) -> Mapping[sp.Expr, sp.Expr]:
        """sigmoid(a_f) → f for every node that is one function of others: what lets a slope print as f(1−f).

        A root, s = √v, stands for 1/√v as well.
        """
        found: dict[sp.Expr, sp.Expr] = {}
        for node in self.nodes:
            whole = node.expression if isinstance(node, Elementwise) else sp.S.Zero
            if isinstance(whole, sp.Function):
                found[whole] = unit(node.name)
            elif whole.is_Pow and not whole.exp.is_Integer:
                found |= {whole: unit(node.name), 1 / whole: 1 / unit(node.name)}
        return found

    def factor(self, name: str) -> Weight:
        """The weight in a product of an affine node, "W_hh" or, transposed, "W_hh.T"."""
        weight = self.weights[base(name)]
        return weight.T if name.endswith(TRANSPOSE) else weight

    def is_constant(self, expression: sp.Expr) -> bool:
        """Whether a per-unit expression is one number for all units."""
        return all(symbol.name in self.constants for symbol in expression.free_symbols)

    def __getitem__(self, name: str) -> sp.Symbol:
        """The SymPy symbol of a vector (per unit, commutative) or of a weight matrix (non-commutative)."""
        if name in self.weights:
            return sp.Symbol(name, commutative=False)
        if name in self.vectors or name in self.vector_parameters:
            return unit(name)
        raise unknown_name(f"name in {self.name}", name, (*self.vectors, *self.parameters))

    def _ipython_key_completions_(self) -> list[str]:
        return [*self.vectors, *self.parameters]

    @cached_property
    def symbols(self) -> names.Symbols:
        """All symbols as attributes, for tab completion: ``LSTM.symbols.f``, ``LSTM.symbols.c_prev``."""
        symbols = {name: self[name] for name in (*self.vectors, *self.parameters)}
        return names.Symbols(self.name, symbols, self.vectors)

    # --- printing -----------------------------------------------------------------------------------------------

    def __str__(self) -> str:
        return f"{self.name}\n{equations_unicode(self)}"

    def __repr__(self) -> str:
        return f"{self.name}\n{equations_unicode(self, terminal_width(otherwise=0))}"

    def latex(self, label: str | None = None, notation: Notation = STANDARD) -> str:
        """The forward equations as one ``align`` with a label for each: eq:<label>:<name>, or without if ''."""
        return equations_latex(self, label, notation)

    def _repr_latex_(self) -> str:
        return "$$" + self.latex(label="").replace("{align}", "{aligned}") + "$$"


def a_cell(value: object) -> Cell:
    """``value`` if it is a Cell, else TypeError."""
    if not isinstance(value, Cell):
        raise TypeError(f"{value!r:.60} is a {type(value).__name__}: expected a Cell, for example lstm_sym.LSTM.")
    return value
