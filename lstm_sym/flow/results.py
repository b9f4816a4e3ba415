"""What the spectra return: an ordinary array of logs that also carries its certificate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Certificate:
    """How far a spectrum can be trusted, and what it cost.

    ``determinant_gap``: the largest |sum of the logs − log|det|| over batch and horizons, in nats, in total
    over the steps counted (0 where both are −inf); None where it does not apply: fewer values than the state
    has, or a block of it.  ``determinant``: the log-determinant at that place, which the gap is relative to.
    ``closed_form``: whether that came from the system's closed form, or from a dense LU factorisation.
    ``factorizations``: QR factorisations, re-orderings and finishing sweeps included.  ``steps``: Jacobians.
    """

    determinant_gap: float | None
    determinant: float | None
    closed_form: bool
    factorizations: int
    steps: int

    def __str__(self) -> str:
        """One line: the gap, what it is relative to, and the work."""
        work = f"{self.factorizations} factorizations over {self.steps} steps"
        if self.determinant_gap is None:
            return f"certificate: no determinant to compare with; {work}"
        source = "closed-form" if self.closed_form else "LU"
        gap = f"|sum − log|det|| = {self.determinant_gap:.1e} nats"
        return f"certificate: {gap} of {source} log|det| = {self.determinant:.6g}; {work}"


class Spectrum(np.ndarray[Any, np.dtype[np.float64]]):
    """Logs, descending along the last axis; ``certificate`` and ``unit`` are None on anything derived."""

    certificate: Certificate | None
    unit: str | None

    def __new__(cls, logs: ArrayLike, unit: str | None = None, certificate: Certificate | None = None) -> Spectrum:
        """``logs`` as a float64 array with its unit and certificate."""
        spectrum = np.array(logs, dtype=np.float64).view(cls)
        spectrum.unit, spectrum.certificate = unit, certificate
        return spectrum

    def __array_finalize__(self, source: Any) -> None:
        """A slice or a result of arithmetic starts without certificate and unit."""
        self.unit, self.certificate = None, None

    def __repr__(self) -> str:
        """The numbers, their unit, and the certificate in one line."""
        numbers = np.array2string(self.view(np.ndarray), precision=6, threshold=40, edgeitems=4)
        first = numbers if self.unit is None else f"{numbers} {self.unit}"
        return first if self.certificate is None else f"{first}\n{self.certificate}"
