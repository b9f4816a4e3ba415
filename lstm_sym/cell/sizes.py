"""Which vectors of a cell are equally long: inferred from the equations, checked, and given a name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lstm_sym.cell.graph import Affine, CellError, Node, Weight
from lstm_sym.notation import lagged


class _Classes:
    """Disjoint sets of vector names; each set is one size."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def find(self, name: str) -> str:
        parent = self._parent.setdefault(name, name)
        if parent != name:
            self._parent[name] = parent = self.find(parent)
        return parent

    def union(self, a: str, b: str) -> None:
        self._parent[self.find(a)] = self.find(b)


def infer_sizes(
    cell: str, nodes: Sequence[Node], inputs: Sequence[str], states: Sequence[str], outputs: Sequence[str]
) -> dict[str, str]:
    """The name of every vector's size: "hidden", "inputs", "outputs", or after the first vector that has it."""
    classes = _Classes()
    for state in states:
        classes.union(state, lagged(state))
    for node in nodes:
        for vector in node.biases if isinstance(node, Affine) else node.reads:
            classes.union(vector, node.name)
        if isinstance(node, Affine):
            for vector in node.reads:
                classes.find(vector)
    _tie(classes, nodes, inputs)
    names: dict[str, str] = {}
    wanted = [*((state, "hidden") for state in states), *((vector, "inputs") for vector in inputs)]
    for vector, size in [*wanted, *((vector, "outputs") for vector in outputs)]:
        root = classes.find(vector)
        given = names.get(root)
        if given is None:
            taken = size in names.values()
            names[root] = f"{size}_{vector}" if taken else size
        elif size == "inputs" and given.startswith("hidden"):
            raise CellError(
                f"{cell}: the input {vector!r} is combined elementwise with vectors of size {given!r}."
                f" Put a weight matrix between them, W_x… @ {vector}."
            )
    return {vector: names.setdefault(classes.find(vector), vector) for vector in list(classes._parent)}


def _tie(classes: _Classes, nodes: Sequence[Node], inputs: Sequence[str]) -> None:
    """A weight that is used twice makes its rows equally long, and its columns, unless that would tie an input."""
    seen: dict[str, tuple[str, str]] = {}
    for node in nodes:
        for name, vector in node.products if isinstance(node, Affine) else ():
            row, column = seen.setdefault(name, (node.name, vector))
            free = {classes.find(vector) for vector in inputs}
            if not free & {classes.find(end) for end in (column, vector, row, node.name)}:
                classes.union(row, node.name)
                classes.union(column, vector)


def weight_shapes(cell: str, nodes: Iterable[Node], sizes: Mapping[str, str]) -> dict[str, Weight]:
    """Every weight matrix with its rows and columns; one that is used twice must fit both places."""
    weights: dict[str, Weight] = {}
    for node in nodes:
        if not isinstance(node, Affine):
            continue
        for name, vector in node.products:
            weight = Weight(name, sizes[node.name], sizes[vector])
            if weights.setdefault(name, weight) != weight:
                seen = weights[name]
                raise CellError(
                    f"{cell}: {name} is used as {seen.rows}×{seen.columns} and, in {node.name}, as"
                    f" {weight.rows}×{weight.columns}. Give the second one a name of its own."
                )
    return weights
