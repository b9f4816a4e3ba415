"""Sweeps: one function at every point of a grid, over processes or a cluster, resumable and reproducible."""

from lstm_sym.sweeps.results import SweepResult
from lstm_sym.sweeps.sweeping import sweep

__all__ = ["SweepResult", "sweep"]
