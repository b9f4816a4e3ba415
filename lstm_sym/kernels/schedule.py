"""A cell's forward pass in stages: all affine nodes that can run at once, then one compiled elementwise block."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lstm_sym.cell import Affine, Cell, Elementwise, Node
from lstm_sym.cell.graph import unit
from lstm_sym.functions import Array, compiled
from lstm_sym.notation import lagged


@dataclass(frozen=True)
class Stage:
    """``affines`` first, then ``block(*arguments)``, which returns the vectors called ``results``."""

    affines: tuple[Affine, ...]
    arguments: tuple[str, ...]
    results: tuple[str, ...]
    block: Callable[..., tuple[Array, ...]]
    source: str


def ancestors(cell: Cell, targets: Iterable[str]) -> tuple[Node, ...]:
    """The nodes that ``targets`` depend on, themselves included, in the order of the equations."""
    needed = set(targets)
    kept: list[Node] = []
    for node in reversed(cell.nodes):
        if node.name in needed:
            kept.append(node)
            needed.update(node.reads)
    return tuple(reversed(kept))


def stages(cell: Cell, nodes: Iterable[Node], first: int = 1) -> tuple[Stage, ...]:
    """``nodes`` in as few stages as their order allows; vectors that are no nodes among them count as given."""
    level: dict[str, int] = {}
    grouped: dict[int, list[Node]] = {}
    for node in nodes:
        depth = max((level.get(name, 0) for name in node.reads), default=0)
        level[node.name] = depth + isinstance(node, Affine)
        grouped.setdefault(level[node.name], []).append(node)
    return tuple(_stage(group, first + place) for place, (_, group) in enumerate(sorted(grouped.items())))


def _stage(group: list[Node], number: int) -> Stage:
    affines = tuple(node for node in group if isinstance(node, Affine))
    elementwise = [node for node in group if isinstance(node, Elementwise)]
    results = tuple(node.name for node in elementwise)
    reads = {name for node in elementwise for name in node.reads}
    arguments = tuple(sorted(reads - set(results)))
    definitions = [(unit(node.name), node.expression) for node in elementwise]
    block, source = compiled(f"stage_{number}", arguments, definitions, [unit(name) for name in results])
    return Stage(affines, arguments, results, block, source)


def entering(cell: Cell) -> tuple[str, ...]:
    """The code names of the states that enter a step, in stacking order."""
    return tuple(map(lagged, cell.states))
