"""Several layers as one cell: every name gets the number of its layer, and each layer reads the one below."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lstm_sym.cell import variants
from lstm_sym.cell.declare import Cell, a_cell
from lstm_sym.cell.equations import Line
from lstm_sym.cell.graph import CellError
from lstm_sym.notation import lag_of, lagged, layer_of


def stack(*cells: Cell, residual: bool = False, name: str = "") -> Cell:
    """One cell of several layers; layer k + 1 reads the first state of layer k where it has its input.

    >>> import lstm_sym as ls
    >>> two = ls.stack(ls.RNN, ls.RNN)
    >>> two
    RNN, 2 layers
      h⁽¹⁾ₜ = tanh(W⁽¹⁾_xh·xₜ + W⁽¹⁾_hh·h⁽¹⁾ₜ₋₁ + b⁽¹⁾_h)      hidden state
      h⁽²⁾ₜ = tanh(W⁽²⁾_xh·h⁽¹⁾ₜ + W⁽²⁾_hh·h⁽²⁾ₜ₋₁ + b⁽²⁾_h)   hidden state
      yₜ = W_hy·h⁽²⁾ₜ + b_y                                    output layer
    >>> ls.jacobian(two, "state", "state")
           │ h⁽¹⁾                                          │ h⁽²⁾
    ───────┼───────────────────────────────────────────────┼────────────────────────
     h⁽¹⁾′ │ diag(1−h⁽¹⁾′²)·W⁽¹⁾_hh                        │ 0
    ───────┼───────────────────────────────────────────────┼────────────────────────
     h⁽²⁾′ │ diag(1−h⁽²⁾′²)·W⁽²⁾_xh·diag(1−h⁽¹⁾′²)·W⁽¹⁾_hh │ diag(1−h⁽²⁾′²)·W⁽²⁾_hh

    The result is a ``Cell``: Jacobians, proof, kernels, spectra and LaTeX follow. In code the names end in the
    layer, ``h_l2``, ``W_xf_l2``; the states are stacked layer by layer; only the last layer keeps its output layer.

    Args:
        cells: the layers, the first one next to the input. Sizes may differ: ``parameters(..., hidden_l2=…)``.
        residual: every layer from the second on adds its input to its state before it passes it on
            (Wu et al. 2016, arXiv 1609.08144, eq. 6): ``u_l2 = h_l2 + h_l1``.
        name: the name of the whole.

    Raises:
        CellError: no cell, a layer above the first with more than one input, or one that is a stack itself.
    """
    if not cells:
        raise CellError("stack() of no cells: give the layers, stack(LSTM, LSTM).")
    layers: list[_Layer] = []
    for number, cell in enumerate(map(a_cell, cells), start=1):
        layers.append(_Layer(cell, number, below=layers[-1] if layers else None, residual=residual))
    return Cell(
        name or _name(cells, residual),
        variants.as_text(line for layer in layers for line in layer.lines(top=layer is layers[-1])),
        states=[state for layer in layers for state in layer.states],
        inputs=layers[0].cell.inputs,
        outputs=layers[-1].outputs,
        reference=cells[-1].reference,
        **_joined(layers),
    )


def _name(cells: tuple[Cell, ...], residual: bool) -> str:
    same = all(cell is cells[0] for cell in cells)
    names = cells[0].name if same else ", ".join(cell.name for cell in cells)
    return f"{names}, {len(cells)} layer{'s' * (len(cells) > 1)}" + ", residual" * residual


def _joined(layers: list[_Layer]) -> dict[str, Any]:
    """What the layers declare besides their equations."""
    return {
        "vectors": [layer.named(v) for layer in layers for v in layer.cell.declared["vectors"]],
        "constants": {layer.named(k): v for layer in layers for k, v in layer.cell.constants.items()},
        "choices": {layer.named(k): v for layer in layers for k, v in layer.cell.declared["choices"].items()},
        "sizes": {size: vector for layer in layers for size, vector in layer.sizes.items()},
        "gauge": [gauge for layer in layers for gauge in layer.gauges],
    }


@dataclass
class _Layer:
    """One layer: its cell's lines under the names of this layer."""

    cell: Cell
    number: int
    below: _Layer | None
    residual: bool

    def __post_init__(self) -> None:
        if self.below and len(self.cell.inputs) != 1:
            raise CellError(f"layer {self.number}, {self.cell.name}, has several inputs: only the first layer may.")
        if named := [name for name in (*self.cell.vectors, *self.cell.parameters) if layer_of(name)]:
            message = f"layer {self.number}, {self.cell.name}, is a stack: {named[0]!r} has a layer already."
            raise CellError(f"{message} Give its layers one by one.")

    def named(self, name: str) -> str:
        """The name of this layer's quantity called ``name`` in its cell."""
        base, lag = lag_of(name)
        return lagged(f"{base}_l{self.number}", lag) if lag else f"{base}_l{self.number}"

    @property
    def states(self) -> list[str]:
        """The states under the names of this layer."""
        return [self.named(state) for state in self.cell.states]

    @property
    def passed(self) -> str:
        """What the next layer reads: the first state, with this layer's input added where it is residual."""
        return self.named("u") if self.residual and self.below else self.states[0]

    @property
    def outputs(self) -> list[str]:
        """The outputs; of a residual layer without any, what it would pass on."""
        return list(self.cell.outputs) or [self.passed] * (self.passed not in self.states)

    @property
    def sizes(self) -> Mapping[str, str]:
        """Names for this layer's sizes: those of the first layer stay as they are."""
        given = self.cell.declared["sizes"] or {"hidden": self.cell.states[0]}
        return {size if self.number == 1 else f"{size}_l{self.number}": self.named(v) for size, v in given.items()}

    @property
    def gauges(self) -> list[dict[str, str]]:
        """The gauge freedoms of the cell under the names of this layer."""
        given = self.cell.declared["gauge"]
        return [{self.named(s): self._text(text, {}) for s, text in gauge.items()} for gauge in given]

    def lines(self, top: bool) -> list[Line]:
        """The equations; the output layer only where this layer is the last."""
        kept = variants.pruned(self.cell.lines, (*self.cell.states, *(self.cell.outputs if top else ())))
        outputs = [line for line in kept if line.target in self.cell.outputs]
        lines = [self._renamed(line) for line in kept if line not in outputs]
        if self.passed not in self.states:
            assert self.below is not None
            lines.append(Line(self.passed, f"{self.states[0]} + {self.below.passed}", "residual connection", 0))
        return lines + [self._renamed(line, output=True) for line in outputs]

    def _renamed(self, line: Line, output: bool = False) -> Line:
        changed = {self.cell.inputs[0]: self.below.passed} if self.below else {}
        if output:
            changed |= {name: name for name in self.cell.parameters} | {self.cell.states[0]: self.passed}
        target = line.target if output else self.named(line.target)
        return replace(line, target=target, text=self._text(line.text, changed))

    def _text(self, text: str, changed: Mapping[str, str]) -> str:
        """``text`` under the names of this layer; ``changed`` says other names."""
        tree = ast.parse(text, mode="eval")
        found = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        names = {name: self.named(name) for name in found if not self._is_shared(name)}
        return ast.unparse(_Renaming({**names, **changed}).visit(tree))

    def _is_shared(self, name: str) -> bool:
        """Functions and inputs of the first layer keep their names."""
        known = (*self.cell.vectors, *self.cell.parameters, *self.cell.choices)
        return name not in known or name in self.cell.inputs


class _Renaming(ast.NodeTransformer):
    """Names by a table."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self._names.get(node.id, node.id))
