"""A cell's forward pass in stages: all affine nodes that can run at once, then one compiled elementwise block."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import sympy as sp

from lstm_sym.cell import Affine, Cell, Elementwise, Node
from lstm_sym.cell.graph import unit
from lstm_sym.cell.order import Product, products
from lstm_sym.functions import FORMS, Array, compiled
from lstm_sym.notation import lagged


@dataclass(frozen=True)
class Gates:
    """``results``, the activation ``form`` of the pre-activations ``affines``, which stand side by side."""

    form: str
    affines: tuple[str, ...]
    results: tuple[str, ...]


@dataclass(frozen=True)
class Stage:
    """``affines`` first, then ``gates``, then ``block(*arguments)``, which returns the vectors ``results``."""

    affines: tuple[Affine, ...]
    products: tuple[Product, ...]
    gates: tuple[Gates, ...]
    arguments: tuple[str, ...]
    results: tuple[str, ...]
    block: Callable[..., tuple[Array, ...]]
    source: str


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
    elementwise = [node for node in group if isinstance(node, Elementwise)]
    gates = _gates(group)
    affines = _side_by_side([node for node in group if isinstance(node, Affine)], gates)
    done = {name for gate in gates for name in gate.results}
    rest = [node for node in elementwise if node.name not in done]
    results = tuple(node.name for node in rest)
    reads = {name for node in rest for name in node.reads}
    arguments = tuple(sorted(reads - set(results)))
    definitions = [(unit(node.name), node.expression) for node in rest]
    block, source = compiled(f"stage_{number}", arguments, definitions, [unit(name) for name in results])
    return Stage(affines, products(affines), gates, arguments, results, block, source)


def _gates(group: Sequence[Node]) -> tuple[Gates, ...]:
    """The activations that more than one pre-activation of the group goes through, and nothing else."""
    affines = {unit(node.name): node.name for node in group if isinstance(node, Affine)}
    found: dict[str, dict[str, str]] = {}
    for node in group:
        whole = node.expression if isinstance(node, Elementwise) else sp.S.Zero
        form = type(whole).__name__
        if form in FORMS and whole.args[0] in affines:
            found.setdefault(form, {}).setdefault(affines[whole.args[0]], node.name)
    taken: set[str] = set()
    gates = []
    for form, pairs in found.items():
        free = {affine: result for affine, result in pairs.items() if affine not in taken}
        if len(free) > 1:
            gates.append(Gates(form, tuple(free), tuple(free.values())))
            taken.update(free)
    return tuple(gates)


def _side_by_side(affines: Sequence[Affine], gates: Sequence[Gates]) -> tuple[Affine, ...]:
    """Those of each gate together, then the others."""
    by_name = {node.name: node for node in affines}
    order = dict.fromkeys([name for gate in gates for name in gate.affines] + list(by_name))
    return tuple(by_name[name] for name in order)


def entering(cell: Cell) -> tuple[str, ...]:
    """The code names of the states that enter a step, in stacking order."""
    return tuple(map(lagged, cell.states))
