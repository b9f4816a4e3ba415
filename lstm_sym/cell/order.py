"""The order of a cell's graph: what depends on what, and the matrix products of affine nodes side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lstm_sym.cell.declare import Cell
from lstm_sym.cell.graph import Affine, Node


@dataclass(frozen=True)
class Product:
    """What ``vector`` adds to ``nodes``, affine nodes side by side: of each, the sum of its ``weights``."""

    vector: str
    nodes: tuple[str, ...]
    weights: tuple[tuple[str, ...], ...]


def ancestors(cell: Cell, targets: Iterable[str]) -> tuple[Node, ...]:
    """The nodes that ``targets`` depend on, themselves included, in the order of the equations."""
    needed = set(targets)
    kept: list[Node] = []
    for node in reversed(cell.nodes):
        if node.name in needed:
            kept.append(node)
            needed.update(node.reads)
    return tuple(reversed(kept))


def products(affines: Sequence[Affine]) -> tuple[Product, ...]:
    """The matrix products of affine nodes side by side: one for each vector and run of neighbours that read it."""
    found = []
    for vector in dict.fromkeys(vector for node in affines for vector in node.reads):
        run: list[tuple[str, tuple[str, ...]]] = []
        for node in (*affines, None):
            weights = tuple(w for w, v in node.products if v == vector) if node else ()
            if node and weights:
                run.append((node.name, weights))
            elif run:
                names, stacked = zip(*run, strict=True)
                found.append(Product(vector, names, stacked))
                run = []
    return tuple(found)
