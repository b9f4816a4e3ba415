"""Gradient flow in recurrent networks: exact Jacobians from the equations, NumPy kernels, spectra, LaTeX.

>>> import lstm_sym as ls
>>> ls.jacobian(ls.LSTM, "f", "h")
diag(f⊙(1−f))·W_hf

Start with ``ls.LSTM`` (its equations), ``ls.jacobian`` (derivatives), ``ls.Kernel`` (numbers), ``ls.run`` (a
trajectory) and the spectra of it. Shapes, signs and units: docs/conventions.md.
"""

from __future__ import annotations

import difflib
import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "lstm_sym.cells": (
        *("LSTM", "LSTMNoForget", "PeepholeLSTM", "CoupledLSTM", "ProjectionLSTM", "MinLSTM", "SLSTM"),
        *("GRU", "GRUResetAfter", "MGU", "JANET", "UGRNN", "MinimalRNN", "MinGRU"),
        *("RNN", "IndRNN", "LeakyRNN", "AntisymmetricRNN"),
    ),
    "lstm_sym.cell": ("Cell", "CellError", "stack"),
    "lstm_sym.notation": ("Notation",),
    "lstm_sym.typeset": ("latex", "sheet", "derivation"),
    "lstm_sym.kernels": ("Kernel",),
    "lstm_sym.targets": ("source",),
    "lstm_sym.claims": ("check", "diag"),
    "lstm_sym.flow": (
        *("Trajectory", "run", "gradient_norms", "singular_spectrum", "singular_vectors"),
        *("lyapunov_spectrum", "covariant_vectors"),
    ),
    "lstm_sym.shares": ("path_shares",),
    "lstm_sym.pairs": ("bidirectional",),
    "lstm_sym.comparison": ("compare",),
    "lstm_sym.sweeps": ("sweep", "SweepResult"),
    "lstm_sym.calculus": ("jacobian", "log_determinant", "horizon_product"),
    "lstm_sym.calculus.proofs.verification": ("verify", "VerificationError"),
    "lstm_sym.calculus.adjoints.backpropagation": ("adjoint",),
    "lstm_sym.calculus.curvature.second": ("hessian",),
    "lstm_sym.calculus.routes.routes": ("paths",),
    "lstm_sym.calculus.bounds.bounds": ("bound",),
    "lstm_sym.calculus.limits.limits": ("limit", "zero_state"),
}
#: Modules that are reached as attributes too: ``ls.figures.plot_gradient_norms``.
_MODULES = ("cells", "figures", "theory")
_HOME = {name: module for module, names in _HOMES.items() for name in names}
__all__ = [
    "GRU",
    "JANET",
    "LSTM",
    "MGU",
    "RNN",
    "SLSTM",
    "UGRNN",
    "AntisymmetricRNN",
    "Cell",
    "CellError",
    "CoupledLSTM",
    "GRUResetAfter",
    "IndRNN",
    "Kernel",
    "LSTMNoForget",
    "LeakyRNN",
    "MinGRU",
    "MinLSTM",
    "MinimalRNN",
    "Notation",
    "PeepholeLSTM",
    "ProjectionLSTM",
    "SweepResult",
    "Trajectory",
    "VerificationError",
    "adjoint",
    "bidirectional",
    "bound",
    "check",
    "compare",
    "covariant_vectors",
    "derivation",
    "diag",
    "gradient_norms",
    "hessian",
    "horizon_product",
    "jacobian",
    "latex",
    "limit",
    "log_determinant",
    "lyapunov_spectrum",
    "path_shares",
    "paths",
    "run",
    "sheet",
    "singular_spectrum",
    "singular_vectors",
    "source",
    "stack",
    "sweep",
    "verify",
    "zero_state",
]

if TYPE_CHECKING:
    from lstm_sym.calculus import horizon_product, jacobian, log_determinant
    from lstm_sym.calculus.adjoints.backpropagation import adjoint
    from lstm_sym.calculus.bounds.bounds import bound
    from lstm_sym.calculus.curvature.second import hessian
    from lstm_sym.calculus.limits.limits import limit, zero_state
    from lstm_sym.calculus.proofs.verification import VerificationError, verify
    from lstm_sym.calculus.routes.routes import paths
    from lstm_sym.cell import Cell, CellError, stack
    from lstm_sym.cells import (
        GRU,
        JANET,
        LSTM,
        MGU,
        RNN,
        SLSTM,
        UGRNN,
        AntisymmetricRNN,
        CoupledLSTM,
        GRUResetAfter,
        IndRNN,
        LeakyRNN,
        LSTMNoForget,
        MinGRU,
        MinimalRNN,
        MinLSTM,
        PeepholeLSTM,
        ProjectionLSTM,
    )
    from lstm_sym.claims import check, diag
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
    from lstm_sym.notation import Notation
    from lstm_sym.pairs import bidirectional
    from lstm_sym.shares import path_shares
    from lstm_sym.sweeps import SweepResult, sweep
    from lstm_sym.targets import source
    from lstm_sym.typeset import derivation, latex, sheet


def __getattr__(name: str) -> Any:
    """Public names load their module when first asked for, so that importing the package costs nothing."""
    if name in _MODULES:
        return importlib.import_module(f"lstm_sym.{name}")
    if name not in _HOME:
        near = difflib.get_close_matches(name, __all__, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise AttributeError(f"lstm_sym has no {name!r}.{hint} Public names: {', '.join(__all__)}.")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, *_MODULES, "__version__"]
