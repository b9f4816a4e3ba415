"""``adjoint``: back-propagation through time as equations, from a cell's graph; the kernels run the same recursion.

δv_t := ∂L/∂v_t for a loss L = Σ_t ℓ_t. Only some vectors have a δ: affine nodes, states, outputs, and what affine
nodes read. The elementwise nodes between them are eliminated by the chain rule, which gives the text-book's gate
deltas, δa_o = m⊙o⊙(1−o)⊙δh. What is added to an affine node inside an activation, σ(a_f + p_f⊙c), has its share of
δa_f, as in the text-books; for numbers that, too, is multiplied out, ``local``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TypeAlias

import sympy as sp

from lstm_sym.calculus.adjoints import text
from lstm_sym.calculus.adjoints.code import source
from lstm_sym.calculus.adjoints.deltas import Delta, Equation, ParameterSum, Passed, Product
from lstm_sym.calculus.adjoints.elimination import activated_sums, before_their_readers, eliminated, without_sums
from lstm_sym.calculus.terms import Term
from lstm_sym.cell import Affine, Cell, Elementwise, Node, a_cell
from lstm_sym.cell.graph import TRANSPOSE, base, unit
from lstm_sym.cell.order import ancestors
from lstm_sym.checks import unknown_name
from lstm_sym.notation import STANDARD, Notation, a_notation, lagged
from lstm_sym.notation.aligned import Row
from lstm_sym.notation.wrapping import in_terminal

Local: TypeAlias = Mapping[str, Mapping[str, sp.Expr]]


@dataclass(frozen=True, repr=False)
class Adjoint:
    """The equations of back-propagation through time: ``deltas``, ``sums`` for the parameters, and ``initial``.

    ``nodes`` are those with a δ, in the order of the forward equations; ``local[v][u]`` is ∂v/∂u for an elementwise
    one, u being another of them, an entering state, an input or a parameter. ``readers`` are the same nodes with
    what each passes on in the equations. ``loss`` names what the loss reads. Iterating gives every equation;
    ``adjoint["a_f"]``, ``adjoint["W_hf"]`` is one.
    """

    cell: Cell
    loss: tuple[str, ...]
    nodes: tuple[Node, ...]
    local: Local
    readers: tuple[tuple[Node, Mapping[str, sp.Expr]], ...]

    def __hash__(self) -> int:
        return hash((self.cell, self.loss))

    @cached_property
    def recurrent(self) -> tuple[Node, ...]:
        """Those of ``nodes`` that the states depend on: the others need no recursion."""
        needed = ancestors(self.cell, self.cell.states)
        return tuple(node for node in self.nodes if node in needed)

    @cached_property
    def deltas(self) -> tuple[Delta, ...]:
        """One equation a vector, in the order in which a step backwards computes them; inputs last."""
        names = [*(node.name for node, _ in reversed(self.readers)), *self.cell.inputs]
        return tuple(Delta(self.cell, name, self._passed_to(name), name in self.loss) for name in names)

    @cached_property
    def initial(self) -> tuple[Delta, ...]:
        """What the first step passes to the states that entered it: ∂L/∂h₀."""
        entering = map(lagged, self.cell.states)
        return tuple(Delta(self.cell, name, self._passed_to(name), False) for name in entering)

    @cached_property
    def sums(self) -> tuple[ParameterSum, ...]:
        """∂L/∂W for every parameter, in the order of ``cell.parameters``."""
        return tuple(ParameterSum(self.cell, name, self._shares(name)) for name in self.cell.parameters)

    def _passed_to(self, vector: str) -> tuple[Passed, ...]:
        """From the nodes that read ``vector``; a state's readers, as it enters, are those of the step after."""
        found = [Passed(term, node.name, later=False) for node, term in self._readers(vector)]
        if vector in self.cell.states:
            found += [Passed(term, node.name, later=True) for node, term in self._readers(lagged(vector))]
        return tuple(found)

    def _readers(self, vector: str) -> Iterator[tuple[Node, Term]]:
        """(node, the transpose of ∂node/∂vector)."""
        for node, passes in self.readers:
            for factor, read in node.products if isinstance(node, Affine) else ():
                if read == vector:
                    yield node, Term((sp.S.One, sp.S.One), (self.cell.factor(factor),)).T
            if vector in passes:
                yield node, Term((passes[vector],))

    def _shares(self, parameter: str) -> tuple[Product | Passed, ...]:
        """What every place where ``parameter`` stands adds to its gradient in a step."""
        found: list[Product | Passed] = []
        for node, passes in self.readers:
            if isinstance(node, Affine):
                found += [Passed(Term((sp.S.One,)), node.name) for bias in node.biases if bias == parameter]
                found += [
                    Product(node.name, vector, factor.endswith(TRANSPOSE))
                    for factor, vector in node.products
                    if base(factor) == parameter
                ]
            if parameter in passes:
                found.append(Passed(Term((passes[parameter],)), node.name))
        return tuple(found)

    # --- reading ------------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Equation]:
        return iter((*self.deltas, *self.sums, *self.initial))

    def __len__(self) -> int:
        return len(self.deltas) + len(self.sums) + len(self.initial)

    def __getitem__(self, name: object) -> Equation:
        wanted, equations = str(getattr(name, "name", name)), {equation.name: equation for equation in self}
        if wanted in equations:
            return equations[wanted]
        raise unknown_name(f"equation of the adjoint of {self.cell.name}", wanted, equations)

    def _ipython_key_completions_(self) -> list[str]:
        return [equation.name for equation in self]

    @property
    def source(self) -> str:
        """The recursion as a NumPy function in the names of the equations, which needs nothing but NumPy.

        It is written to be read, through the gates, f(1 − f); ``Kernel.gradient`` computes the same from
        pre-activations, several steps at a time.
        """
        return source(self)

    def latex(self, equation: bool = True, notation: Notation = STANDARD, label: str | None = None) -> str:
        """One numbered ``align``, each equation labelled eq:<label>:<what>; '' leaves the labels out."""
        return text.latex(self, label, a_notation(notation))

    def rows(self, notation: Notation = STANDARD) -> list[Row]:
        """What its label ends in, and the lines of an ``align``, of every equation, for a sheet."""
        return text.rows(self, a_notation(notation))

    def _repr_latex_(self) -> str:
        return text.latex(self, "", STANDARD, numbered=False)

    def __str__(self) -> str:
        return text.unicode(self)

    def __repr__(self) -> str:
        return in_terminal(str(self))


def adjoint(cell: Cell, loss: str | Sequence[str] = ()) -> Adjoint:
    """Back-propagation through time as equations: the recursion backwards for every δv = ∂L/∂v, and the gradients.

    >>> import lstm_sym as ls
    >>> ls.adjoint(ls.RNN)
    RNN, back-propagation through time: L = Σₜ ℓₜ, δv = ∂L/∂v
      δyₜ = ∂ℓₜ/∂yₜ
      δhₜ = ∂ℓₜ/∂hₜ + W_hyᵀ·δyₜ + W_hhᵀ·δa_hₜ₊₁
      δa_hₜ = (1−hₜ²)⊙δhₜ
      δxₜ = W_xhᵀ·δa_hₜ
      ∂L/∂W_xh = Σₜ δa_hₜ·xₜᵀ
      ∂L/∂W_hh = Σₜ δa_hₜ·hₜ₋₁ᵀ
      ∂L/∂W_hy = Σₜ δyₜ·hₜᵀ
      ∂L/∂b_h = Σₜ δa_hₜ
      ∂L/∂b_y = Σₜ δyₜ
      ∂L/∂h₀ = W_hhᵀ·δa_h₁
    >>> ls.adjoint(ls.LSTM)["a_o"]
    δa_oₜ = mₜ⊙oₜ⊙(1−oₜ)⊙δhₜ

    After the last step T there is nothing later: every term at t + 1 is zero at t = T. The equations are those that
    ``Kernel.gradient`` runs, and ``verify`` proves them. ``.latex()`` is a numbered ``align``, ``.source`` a NumPy
    function that can be read.

    Args:
        cell: the cell.
        loss: names of the vectors that the loss ℓ_t reads; by default the outputs and the states that they read, or
            all states where there are no outputs. Any other vector v would add ∂ℓ_t/∂v_t to its δ.

    Raises:
        UnknownNameError: a vector that the cell does not compute.

    Source: P. J. Werbos, Backpropagation through time, Proc. IEEE 78 (1990) 1550-1560.
    """
    cell = a_cell(cell)
    names = tuple(loss.replace(",", " ").split() if isinstance(loss, str) else map(str, loss))
    for name in names:
        if name not in cell.node:
            raise unknown_name(f"vector of {cell.name} for a loss", name, cell.node)
    return _adjoint(cell, names or _read_by_a_loss(cell))


def _read_by_a_loss(cell: Cell) -> tuple[str, ...]:
    """The outputs and the states that they read, or all states where there are none."""
    read = {vector for output in cell.outputs for vector in cell.node[output].reads}
    return (*cell.outputs, *(state for state in cell.states if state in read or not cell.outputs))


@lru_cache(maxsize=64)
def _adjoint(cell: Cell, loss: tuple[str, ...]) -> Adjoint:
    read = {vector for node in cell.nodes if isinstance(node, Affine) for vector in node.reads}
    read.update(cell.states, cell.outputs, loss)
    nodes = tuple(node for node in cell.nodes if isinstance(node, Affine) or node.name in read)
    names = {node.name for node in nodes}
    local = {n.name: eliminated(n, cell.nodes, names) for n in nodes if isinstance(n, Elementwise)}
    sums = activated_sums(cell, {*read, *loss})
    bare = [without_sums(node, sums) for node in cell.nodes]
    passes = {n.name: eliminated(n, bare, names) for n in bare if n.name in names and isinstance(n, Elementwise)}
    passes |= {name: eliminated(Elementwise(name, rest), bare, names) for name, (_, rest) in sums.items()}
    whole = {unit(name): unit(name) + rest for name, (_, rest) in sums.items()}
    readers = tuple(
        (node, {name: slope.xreplace(whole) for name, slope in passes.get(node.name, {}).items()})
        for node in before_their_readers(nodes, cell, sums)
    )
    return Adjoint(cell, loss, nodes, local, readers)
