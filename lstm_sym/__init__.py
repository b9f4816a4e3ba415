"""Gradient flow in recurrent networks: exact Jacobians from the equations, NumPy kernels, spectra, LaTeX.

>>> import lstm_sym as ls
>>> ls.jacobian(ls.LSTM, "f", "h")
diag(f⊙(1−f))·W_hf

Start with ``ls.LSTM`` (its equations), ``ls.jacobian`` (derivatives), ``ls.Kernel`` (numbers), ``ls.run`` (a
trajectory) and the spectra of it. Shapes, signs and units: docs/conventions.md.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "lstm_sym.cells": ("LSTM", "RNN"),
    "lstm_sym.cell": ("Cell", "CellError"),
    "lstm_sym.typeset": ("latex", "sheet"),
    "lstm_sym.kernels": ("Kernel",),
    "lstm_sym.flow": (
        *("Trajectory", "run", "gradient_norms", "singular_spectrum", "singular_vectors"),
        *("lyapunov_spectrum", "covariant_vectors"),
    ),
    "lstm_sym.comparison": ("compare",),
    "lstm_sym.calculus": ("jacobian", "log_determinant", "horizon_product", "verify", "VerificationError"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}
__all__ = [
    "LSTM",
    "RNN",
    "Cell",
    "CellError",
    "Kernel",
    "Trajectory",
    "VerificationError",
    "compare",
    "covariant_vectors",
    "gradient_norms",
    "horizon_product",
    "jacobian",
    "latex",
    "log_determinant",
    "lyapunov_spectrum",
    "run",
    "sheet",
    "singular_spectrum",
    "singular_vectors",
    "verify",
]

if TYPE_CHECKING:
    from lstm_sym.calculus import VerificationError, horizon_product, jacobian, log_determinant, verify
    from lstm_sym.cell import Cell, CellError
    from lstm_sym.cells import LSTM, RNN
    from lstm_sym.comparison import compare
    from lstm_sym.flow import (
        Trajectory,
        covariant_vectors,
        gradient_norms,
        lyapunov_spectrum,
        run,
        singular_spectrum,
        singular_vectors,
    )
    from lstm_sym.kernels import Kernel
    from lstm_sym.typeset import latex, sheet


def __getattr__(name: str) -> Any:
    """Public names load their module when first asked for, so that importing the package costs nothing."""
    if name not in _HOME:
        raise AttributeError(f"module 'lstm_sym' has no attribute {name!r}. Public names: {', '.join(__all__)}.")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
