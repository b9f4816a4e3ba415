"""A recurrent cell as a small directed acyclic graph of vector nodes, declared as equations."""

from lstm_sym.cell.declare import Cell, a_cell
from lstm_sym.cell.graph import Affine, CellError, Elementwise, Node, Weight
from lstm_sym.cell.stacking import stack

__all__ = ["Affine", "Cell", "CellError", "Elementwise", "Node", "Weight", "a_cell", "stack"]
