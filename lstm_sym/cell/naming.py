"""What a cell's vectors and parameters are called in LaTeX, in a given notation: no two of them alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from lstm_sym.cell.graph import TRANSPOSE, Affine, Elementwise, Weight, base
from lstm_sym.functions import sigmoid
from lstm_sym.notation import LATEX, Name, Notation, Style, at_time, lag_of, name_of
from lstm_sym.notation.names import GREEK, is_raised, side_by_side, split, word_in_latex

if TYPE_CHECKING:
    from lstm_sym.cell.declare import Cell

#: Names with a meaning in formulas: the identity, the state Jacobian, the loss, the horizon and its times.
_TAKEN = ("I", "J", "J_t", "D", "D_t", "L", "T", "t", "k")


@dataclass(frozen=True)
class _Use:
    """One product W·v of a weight: the gate or state that it feeds, the vector that it takes."""

    target: str
    source: str
    transposed: bool


@dataclass(frozen=True)
class Names:
    """The LaTeX names of ``cell``'s quantities in ``notation``."""

    cell: Cell
    notation: Notation

    def vector(self, name: str, now: str = "t") -> str:
        r"""A vector or parameter by code name, with its time: h_{t-1}, f_t, p_f; ``now`` is the time of lag 0."""
        code, lag = lag_of(name)
        if code in self.cell.vector_parameters:
            return self.table[code].write()
        if not self.notation.time and now == "t":
            state = code in self.cell.states
            if lag <= state:
                return self.table[code].write(prime=state and lag == 0)
        return self.table[code].write(at_time(now, lag))

    def weight(self, weight: Weight | str) -> str:
        r"""A weight, ``W_hf`` or transposed ``W_hf.T``: W_{hf}, U_f, W_{hh}^{\top}."""
        name = weight.name if isinstance(weight, Weight) else base(weight)
        transposed = weight.transposed if isinstance(weight, Weight) else name != weight
        text = self.table[name].write()
        if not transposed:
            return text
        return rf"({text})^{{\top}}" if is_raised(text) else rf"{text}^{{\top}}"

    def stacked(self, products: Sequence[tuple[str, str]]) -> tuple[str, list[str]] | None:
        """W_f and [h_{t-1}, x_t] by code name where the notation writes a sum of products so, else None."""
        for node in self.cell.nodes:
            if isinstance(node, Affine) and set(node.products) == set(products) and self._stackable(node):
                sources = [vector for _, vector in node.products]
                order = sorted(sources, key=lambda v: (v in self.cell.inputs, not lag_of(v)[1]))
                return self._styled(self._stacked_name(node)).write(), order
        return None

    def style(self, now: str = "t") -> Style:
        """How LaTeX writes expressions per unit with these names."""
        return replace(
            LATEX,
            symbol=lambda name: self.vector(name, now),
            times=r" \odot " if self.notation.product == "odot" else r" \circ ",
            numbers=frozenset(self.cell.constants),
        )

    @cached_property
    def table(self) -> dict[str, Name]:
        """The name of every vector (without lag) and parameter: of the candidates, the first that is still free."""
        cell = self.cell
        vectors = dict.fromkeys((*cell.inputs, *cell.states, *(node.name for node in cell.nodes)))
        found: dict[str, Name] = {}
        taken = set(_TAKEN) | {
            self._stacked_name(node).write()
            for node in cell.nodes
            if isinstance(node, Affine) and self._stackable(node)
        }
        for code in (*vectors, *cell.weights, *cell.vector_parameters):
            for name in self._candidates(code):
                forms = self._forms(name) if code in vectors else {name.write()}
                if not forms & taken:
                    break
            taken |= forms
            found[code] = name if code in cell.constants else self._styled(name)
        return found

    def _forms(self, name: Name) -> set[str]:
        """How a vector may be written in the course of a step."""
        timed = {name.write("t"), name.write("t-1")}
        return timed if self.notation.time else {*timed, name.write(), name.write(prime=True)}

    def _candidates(self, code: str) -> Iterator[Name]:
        """Names for a quantity, the best first; the last is the code name itself, which is no other's."""
        standard = self._own_name(code)
        if code in self.cell.weights:
            first, *others = self._weight_names(code)
            crowded = [next(iter(self._weight_names(weight))) for weight in self.cell.weights].count(first) > 1
            yield from others if crowded and others else (first, *others)
        elif self.notation.gates == "Gamma" and self._is_gate(code):
            yield Name(r"\Gamma", *_subscript(code))
        yield standard
        yield replace(standard, subscript=",".join(map(word_in_latex, split(code)[1])))
        escaped = code.replace("_", r"\_")
        yield Name(rf"\mathsf{{{escaped}}}")

    def _own_name(self, code: str) -> Name:
        """The name by itself; where a subscript ends with a quantity's name that is a Greek letter, it is one."""
        head, words, layer = split(code)
        whole = "".join(words)
        for letter in sorted(self._greek, key=len, reverse=True):
            if whole.endswith(letter):
                start = word_in_latex(whole.removesuffix(letter))
                return Name(name_of(head).letter, side_by_side(start, word_in_latex(letter, greek=True)), layer)
        return name_of(code)

    @cached_property
    def _greek(self) -> set[str]:
        """The Greek letters that are names of what the equations define."""
        return GREEK.keys() & {split(line.target)[0] for line in self.cell.lines}

    def _weight_names(self, code: str) -> Iterator[Name]:
        style = self.notation.weights
        use = self._use(code)
        if use is None or style == "source-target":
            yield self._own_name(code)
            return
        source, gate, layer = self._ends(code, use)
        if style == "concatenated":
            yield Name("W", side_by_side(gate, source), layer)
            yield Name("W", f"{gate},{source}", layer)
            return
        letter = {"input": "W", "recurrent": "U", "other": "V"}[self._kind(use)]
        yield Name(letter, gate, layer)
        yield Name(letter, side_by_side(source, gate), layer)
        yield Name(letter, f"{source},{gate}", layer)

    def _ends(self, code: str, use: _Use) -> tuple[str, str, str]:
        """(source, gate, layer) of a weight: as its own name says where it is read as both, else as it is used."""
        own = "".join(split(code)[1])
        source, gate = (_plain(lag_of(end)[0]) for end in (use.source, use.target))
        if own.startswith(source) and own != source:
            gate = own.removeprefix(source)
        elif own.endswith(gate) and own != gate:
            source = own.removesuffix(gate)
        return word_in_latex(source, greek=True), word_in_latex(gate, greek=True), split(use.target)[2]

    def _use(self, code: str) -> _Use | None:
        """The product that gives a weight its name: the first in which it is not transposed, else the first."""
        uses = [
            _Use(self._gate(node.name), vector, factor != code)
            for node in self.cell.nodes
            if isinstance(node, Affine)
            for factor, vector in node.products
            if base(factor) == code
        ]
        return min(uses, key=lambda use: use.transposed, default=None)

    def _kind(self, use: _Use) -> str:
        """Whether the weight takes an input (or another layer's state), what was the state before, or else."""
        if use.source in self.cell.inputs or split(lag_of(use.source)[0])[2] != split(use.target)[2]:
            return "input"
        return "recurrent" if use.source in self._from_before else "other"

    @cached_property
    def _from_before(self) -> set[str]:
        """The states before the step, and what is made of them elementwise, other than new states."""
        before = {name for name in self.cell.vectors if lag_of(name)[1]}
        for node in self.cell.nodes:
            if isinstance(node, Elementwise) and node.name not in self.cell.states and before & set(node.reads):
                before.add(node.name)
        return before

    def _gate(self, node: str) -> str:
        """The quantity that an affine node is the pre-activation of: "f" for "a_f"."""
        targets = {line.target for line in self.cell.lines}
        if node in targets:
            return node
        return next((t for t in sorted(targets, key=len, reverse=True) if node.startswith(f"a_{t}")), node)

    def _is_gate(self, code: str) -> bool:
        node = self.cell.node.get(code)
        outer = (*self.cell.states, *self.cell.outputs)
        return isinstance(node, Elementwise) and isinstance(node.expression, sigmoid) and code not in outer

    def _stackable(self, node: Affine) -> bool:
        if self.notation.weights != "concatenated" or len(node.products) < 2:
            return False
        factors = [w for n in self.cell.nodes if isinstance(n, Affine) for w, _ in n.products]
        once = all(factors.count(w) == 1 and w + TRANSPOSE not in factors for w, _ in node.products)
        return once and all(base(w) == w for w, _ in node.products) and len(self._gates(node)) == 1

    def _gates(self, node: Affine) -> set[tuple[str, str]]:
        """(gate, layer) as the weights of an affine node name them."""
        uses = [(w, _Use(self._gate(node.name), vector, False)) for w, vector in node.products]
        return {self._ends(w, use)[1:] for w, use in uses}

    def _stacked_name(self, node: Affine) -> Name:
        """The matrix whose blocks are the weights of ``node``."""
        ((gate, layer),) = self._gates(node)
        return Name("W", gate, layer)

    def _styled(self, name: Name) -> Name:
        return name.bold() if self.notation.bold else name


def _plain(code: str) -> str:
    """A quantity's name without lag and layer, in one word."""
    head, words, _ = split(code)
    return "".join((head, *words))


def _subscript(code: str) -> tuple[str, str]:
    """(a quantity's name as a subscript, its layer)."""
    head, words, layer = split(code)
    return side_by_side(word_in_latex(head, greek=True), *map(word_in_latex, words)), layer


@lru_cache(maxsize=512)
def names(cell: Cell, notation: Notation) -> Names:
    """The names of a cell's quantities, made once for each notation."""
    return Names(cell, notation)
