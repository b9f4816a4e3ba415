"""Gradient flow over a horizon: trajectories, gradient norms, singular spectra and Lyapunov spectra.

Everything here works on anything that steps and has a Jacobian (:class:`System`).  Magnitudes are kept as
mantissa × 2^exponent throughout, so a log norm of −10,000 nats is as ordinary as one of −1, and −inf is
said of exact and structural zeros only.

Finite-horizon singular values and Lyapunov exponents are different quantities: the partial sums of the
first bound those of the second from above (Horn), and at a finite horizon they may differ by several nats.
"""

from lstm_sym.flow.covariant import CovariantVectors, covariant_vectors
from lstm_sym.flow.exponents import lyapunov_spectrum
from lstm_sym.flow.norms import gradient_norms
from lstm_sym.flow.results import Certificate, Spectrum
from lstm_sym.flow.spectra import singular_spectrum
from lstm_sym.flow.states import StateNotFiniteError
from lstm_sym.flow.streams import Stream
from lstm_sym.flow.system import System
from lstm_sym.flow.trajectories import Trajectory, run
from lstm_sym.flow.vectors import SingularVectors, singular_vectors

__all__ = [
    "Certificate",
    "CovariantVectors",
    "SingularVectors",
    "Spectrum",
    "StateNotFiniteError",
    "Stream",
    "System",
    "Trajectory",
    "covariant_vectors",
    "gradient_norms",
    "lyapunov_spectrum",
    "run",
    "singular_spectrum",
    "singular_vectors",
]
