"""Which vectors of a cell are equally long: inferred from the equations, checked, and given a name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from lstm_sym.cell.graph import TRANSPOSE, Affine, CellError, Node, Weight, base
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
    cell: str,
    nodes: Sequence[Node],
    inputs: Sequence[str],
    states: Sequence[str],
    outputs: Sequence[str],
    constants: Collection[str],
    given: Mapping[str, str],
) -> dict[str, str]:
    """The name of every vector's size: as ``given``, "hidden", "inputs", "outputs", or its first vector's."""
    classes = _Classes()
    for state in states:
        classes.union(state, lagged(state))
    for node in nodes:
        for vector in node.biases if isinstance(node, Affine) else node.reads:
            if vector not in constants:
                classes.union(vector, node.name)
        if isinstance(node, Affine):
            for vector in node.reads:
                classes.find(vector)
    _tie(classes, nodes, inputs)
    names: dict[str, str] = {}
    for size, vector in given.items():
        if vector not in classes._parent:
            raise CellError(f"{cell}: sizes[{size!r}] = {vector!r} is not a vector of the cell.")
        names.setdefault(classes.find(vector), size)  # layers that are added have one size
    wanted = [*((state, "hidden") for state in states), *((vector, "inputs") for vector in inputs)]
    for vector, size in [*wanted, *((vector, "outputs") for vector in outputs)]:
        root = classes.find(vector)
        named = names.get(root)
        if named is None:
            taken = size in names.values()
            names[root] = f"{size}_{vector}" if taken else size
        elif size == "inputs" and named.startswith("hidden"):
            raise CellError(
                f"{cell}: the input {vector!r} is combined elementwise with vectors of size {named!r}."
                f" Put a weight matrix between them, W_x… @ {vector}."
            )
    return {vector: names.setdefault(classes.find(vector), vector) for vector in list(classes._parent)}


def _tie(classes: _Classes, nodes: Sequence[Node], inputs: Sequence[str]) -> None:
    """A weight that is used twice makes its rows equally long, and its columns, unless that would tie an input."""
    seen: dict[str, tuple[str, str]] = {}
    for node in nodes:
        for factor, vector in node.products if isinstance(node, Affine) else ():
            ends = _ends(factor, node.name, vector)
            row, column = seen.setdefault(base(factor), ends)
            free = {classes.find(vector) for vector in inputs}
            if not free & {classes.find(end) for end in (column, row, *ends)}:
                classes.union(row, ends[0])
                classes.union(column, ends[1])


def _ends(factor: str, node: str, vector: str) -> tuple[str, str]:
    """The vectors, or their sizes, that the rows and the columns of the weight itself belong to."""
    return (vector, node) if factor.endswith(TRANSPOSE) else (node, vector)


def weight_shapes(cell: str, nodes: Iterable[Node], sizes: Mapping[str, str]) -> dict[str, Weight]:
    """Every weight matrix with its rows and columns; one that is used twice must fit both places."""
    weights: dict[str, Weight] = {}
    for node in nodes:
        if not isinstance(node, Affine):
            continue
        for factor, vector in node.products:
            name = base(factor)
            weight = Weight(name, *_ends(factor, sizes[node.name], sizes[vector]))
            if weights.setdefault(name, weight) != weight:
                seen = weights[name]
                raise CellError(
                    f"{cell}: {name} is used as {seen.rows}×{seen.columns} and, in {node.name}, as"
                    f" {weight.rows}×{weight.columns}. Give the second one a name of its own."
                )
    return weights
