"""Vectorised NumPy kernels of a cell: step, Jacobian, JVP, VJP and BPTT gradient."""

from lstm_sym.kernels.backward import Gradient
from lstm_sym.kernels.kernel import Kernel
from lstm_sym.kernels.parameters import Parameters

__all__ = ["Gradient", "Kernel", "Parameters"]
