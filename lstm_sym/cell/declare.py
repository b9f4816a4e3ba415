"""``Cell``: the declaration of a recurrent cell, checked when it is made."""

from __future__ import annotations

import keyword
from collections.abc import Mapping, Sequence
from functools import cached_property
from types import SimpleNamespace

import sympy as sp

from lstm_sym.cell.equations import Line, LineReader, split_lines
from lstm_sym.cell.graph import Affine, CellError, Elementwise, Node, Weight, unit
from lstm_sym.cell.sizes import infer_sizes, weight_shapes
from lstm_sym.cell.text import equations_latex, equations_unicode
from lstm_sym.checks import unknown_name
from lstm_sym.functions import FUNCTIONS, RESERVED, Activation
from lstm_sym.notation import lag_of, lagged


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

    ``W @ v`` is a matrix times a vector; everything else is elementwise (``*`` is ⊙). A state ``h`` is read as
    ``h_prev`` until its equation has given the new ``h``. A name that begins with ``b_`` is a bias; other vector
    parameters (peepholes) are listed in ``vectors``. What follows ``#`` says what the line is for.

    Args:
        name: how the cell is called in print.
        equations: the text, one equation a line.
        states: names of the states, separated by blanks (or a sequence), in the order in which they are stacked.
        inputs: names of the inputs.
        outputs: names of results that no equation reads.
        vectors: names of vector parameters other than biases.
        choices: names of functions in the text that stand for a choice, each with its options, the first being
            the default; ``cell(activation="relu")`` makes the variant.
        reference: the paper that the equations are from.

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
        choices: Mapping[str, tuple[str, ...]] | None = None,
        reference: str = "",
    ) -> None:
        if not isinstance(name, str) or not isinstance(equations, str):
            raise TypeError("Cell(name, equations, states=...): expected two texts.")
        self.name = name
        self.reference = reference
        self.states = _names(name, "states", states)
        self.inputs = _names(name, "inputs", inputs)
        self.outputs = _names(name, "outputs", outputs)
        self._vectors = _names(name, "vectors", vectors)
        self._options = _checked_choices(name, choices or {}, equations)
        self.choices: dict[str, str] = {choice: options[0] for choice, options in self._options.items()}
        self._text = equations
        self._read(split_lines(name, equations))
        self._sealed = True

    def __setattr__(self, name: str, value: object) -> None:
        if getattr(self, "_sealed", False):
            raise AttributeError(f"a Cell does not change: {name!r} cannot be set. Declare another cell.")
        super().__setattr__(name, value)

    def __call__(self, **choices: str) -> Cell:
        """The variant with other choices: ``RNN(activation="relu")``; an unknown choice lists the known ones."""
        for choice, option in choices.items():
            if choice not in self._options:
                raise unknown_name(f"choice of {self.name}", choice, self._options)
            if option not in self._options[choice]:
                raise unknown_name(f"{choice} of {self.name}", option, self._options[choice])
        chosen = {**self.choices, **choices}
        options = {
            choice: (chosen[choice], *(o for o in self._options[choice] if o != chosen[choice]))
            for choice in self._options
        }
        base = self.name.split(" (")[0]
        return Cell(
            f"{base} ({', '.join(chosen.values())})",
            self._text,
            states=self.states,
            inputs=self.inputs,
            outputs=self.outputs,
            vectors=self._vectors,
            choices=options,
            reference=self.reference,
        )

    # --- reading and checking -----------------------------------------------------------------------------------

    def _read(self, lines: list[Line]) -> None:
        known = [*self.inputs, *(lagged(state) for state in self.states)]
        for name in [*self.inputs, *self.states, *self._vectors]:
            self._check_name(name)
        if not self.states:
            raise CellError(f"{self.name} has no states: name them in states=.")
        nodes: list[Node] = []
        self.lines: tuple[Line, ...] = tuple(lines)
        for line in lines:
            self._check_target(line, known)
            read = LineReader(self.name, line, tuple(known), self._vectors, self.choices).read()
            for node in read:
                if node.name in known or node.name in self._vectors:
                    raise CellError(
                        f"{self.name}, line {line.number}: {node.name!r} is the name of this line's"
                        f" pre-activation and may not be defined by hand."
                    )
                known.append(node.name)
            nodes += read
        self.nodes: tuple[Node, ...] = tuple(nodes)
        self._check_use()
        self.sizes = infer_sizes(self.name, nodes, self.inputs, self.states, self.outputs)
        self.weights: dict[str, Weight] = weight_shapes(self.name, nodes, self.sizes)
        self._check_parameters(known)

    def _check_name(self, name: str) -> None:
        if not name.isidentifier() or keyword.iskeyword(name):
            raise CellError(
                f"{self.name}: {name[:60]!r} is not a name. Use letters, digits and _, no Python keyword."
            )
        if not name.isascii():
            raise CellError(f"{self.name}: {name!r} is not ASCII. Spell Greek letters out: alpha.")
        if name.startswith("_"):
            raise CellError(f"{self.name}: {name!r} begins with _. Begin it with a letter.")
        if name in RESERVED:
            raise CellError(
                f"{self.name}: {name!r} has a meaning already. Take another, for example {name.strip('_')}_1."
            )
        if lag_of(name)[1]:
            raise CellError(f"{self.name}: {name!r}: the ending _prev is kept for the previous step's states.")

    def _check_target(self, line: Line, known: list[str]) -> None:
        self._check_name(line.target)
        if line.target in known or line.target in self._vectors:
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
        needed = [*self.inputs, *(lagged(state) for state in self.states), *self._vectors]
        needed += [node.name for node in self.nodes if node.name not in (*self.states, *self.outputs)]
        if unused := [name for name in needed if name not in read]:
            raise CellError(
                f"{self.name}: {unused[0]!r} is never used. Read it in a later equation or list it in outputs=."
            )

    def _check_parameters(self, known: list[str]) -> None:
        for name in self.parameters:
            self._check_name(name)
            if name in known:
                raise CellError(f"{self.name}: {name!r} is both a parameter and a vector.")
        if not self.parameters:
            raise CellError(f"{self.name} has no weights and no biases: nothing would say how many units it has.")
        if clash := [name for name in self.weights if name in self.vector_parameters]:
            raise CellError(f"{self.name}: {clash[0]!r} is both a matrix and a vector.")

    # --- looking things up --------------------------------------------------------------------------------------

    @cached_property
    def vector_parameters(self) -> tuple[str, ...]:
        """Biases and other vector parameters, in the order in which the equations read them."""
        vectors = {*self.inputs, *(lagged(state) for state in self.states), *(node.name for node in self.nodes)}
        found: dict[str, None] = {}
        for node in self.nodes:
            names = node.biases if isinstance(node, Affine) else node.reads
            found.update(dict.fromkeys(name for name in names if name not in vectors))
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
    def activations(self) -> Mapping[sp.Expr, sp.Symbol]:
        """sigmoid(a_f) → f for every node that is a bare activation: what lets a slope print as f(1−f)."""
        return {
            node.expression: unit(node.name)
            for node in self.nodes
            if isinstance(node, Elementwise) and isinstance(node.expression, Activation)
        }

    def __getitem__(self, name: str) -> sp.Symbol:
        """The SymPy symbol of a vector (per unit, commutative) or of a weight matrix (non-commutative)."""
        if name in self.weights:
            return sp.Symbol(name, commutative=False)
        if name in self.vectors or name in self.vector_parameters:
            return unit(name)
        raise unknown_name(f"name in {self.name}", name, (*self.vectors, *self.parameters))

    @cached_property
    def symbols(self) -> SimpleNamespace:
        """All symbols as attributes, for tab completion: ``LSTM.symbols.f``, ``LSTM.symbols.c_prev``."""
        return SimpleNamespace(**{name: self[name] for name in (*self.vectors, *self.parameters)})

    # --- printing -----------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"{self.name}\n{equations_unicode(self)}"

    def latex(self, label: str | None = None) -> str:
        """The forward equations as one ``align`` with a label for each: eq:<label>:<name>, or without if ''."""
        return equations_latex(self, label)

    def _repr_latex_(self) -> str:
        return "$$" + self.latex(label="").replace("{align}", "{aligned}") + "$$"


def a_cell(value: object) -> Cell:
    """``value`` if it is a Cell, else TypeError."""
    if not isinstance(value, Cell):
        raise TypeError(f"{value!r:.60} is a {type(value).__name__}: expected a Cell, for example lstm_sym.LSTM.")
    return value


def _checked_choices(cell: str, choices: Mapping[str, tuple[str, ...]], text: str) -> dict[str, tuple[str, ...]]:
    for choice, options in choices.items():
        if isinstance(options, str) or not options or not all(option in FUNCTIONS for option in options):
            raise CellError(f"{cell}: choices[{choice!r}] = {options!r}: expected some of {', '.join(FUNCTIONS)}.")
        if f"{choice}(" not in text:
            raise CellError(f"{cell}: no equation calls the choice {choice!r}.")
    return dict(choices)


def _names(cell: str, what: str, given: object) -> tuple[str, ...]:
    """Names from a text separated by blanks, or from a sequence of texts; each once."""
    names = given.split() if isinstance(given, str) else given
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"{cell}: {what} = {given!r}: expected names separated by blanks, like 'h c'.")
    if repeated := [name for name in names if list(names).count(name) > 1]:
        raise CellError(f"{cell}: {what} names {repeated[0]!r} twice.")
    return tuple(names)
