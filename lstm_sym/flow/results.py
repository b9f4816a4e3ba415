"""What the spectra return: an ordinary array of logs that also carries its certificate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lstm_sym.flow import machine


@dataclass(frozen=True)
class Certificate:
    """How far a spectrum can be trusted, and what it cost.

    ``determinant_gap``: the largest |sum of the logs − log|det|| over batch and horizons, in nats, in total
    over the steps counted (0 where both are −inf); None where it does not apply: fewer values than the state
    has, or a block of it.  ``determinant``: the log-determinant at that place, which the gap is relative to.
    ``closed_form``: whether that came from the system's closed form, or from a dense LU factorisation.

    ``error``: the rounding error estimated from the growth seen at every factorisation, the largest over values
    and batch, in the unit of the spectrum: to first order, for the Jacobians as they are in double precision.
    None where it was not estimated.  ``accuracy``: what was asked for.

    ``factorizations``: LU and QR, re-orderings and finishing sweeps included.  ``steps``: Jacobians.  Both count
    the transient, ``error`` does not.
    ``seconds``: wall time.  ``flops``: floating-point operations of the matrix products and factorisations.
    """

    determinant_gap: float | None
    determinant: float | None
    closed_form: bool
    factorizations: int
    steps: int
    error: float | None = None
    accuracy: float | None = None
    seconds: float = 0.0
    flops: float = 0.0

    @property
    def rate(self) -> float:
        """``flops`` per second as a share of this machine's matrix-product rate on one thread (measured once)."""
        return self.flops / max(self.seconds, 1e-9) / machine.product_rate()

    def __str__(self) -> str:
        """One line: the checks, and the work."""
        parts = []
        if self.determinant_gap is None:
            parts.append("no determinant to compare with")
        else:
            source = "closed-form" if self.closed_form else "LU"
            gap = f"|sum − log|det|| = {self.determinant_gap:.1e} nats"
            parts.append(f"{gap} of {source} log|det| = {self.determinant:.6g}")
        if self.error is not None:
            parts.append(f"rounding ≈ {self.error:.0e}")
        work = f"{self.factorizations} factorizations over {self.steps} steps"
        if self.seconds and self.flops:
            work += f", {self.seconds:.2g} s, {self.flops:.2g} flops ({100 * self.rate:.0f}% of the product rate)"
        return f"certificate: {'; '.join(parts)}; {work}"

    __repr__ = __str__


class Spectrum(np.ndarray[Any, np.dtype[np.float64]]):
    """Logs, descending along the last axis; the attributes are None on anything derived from it.

    ``certificate``, ``unit``.  Of Lyapunov spectra also ``blocks`` (B, ..., k), the exponents of B consecutive
    stretches of the run, ``standard_error`` (..., k), that of their mean, by which to tell convergence, and
    ``gauge``, the number of gauge directions whose exponents, 0 or −∞, are left out.
    """

    certificate: Certificate | None
    unit: str | None
    blocks: NDArray[np.float64] | None
    gauge: int | None

    def __new__(
        cls,
        logs: ArrayLike,
        unit: str | None = None,
        certificate: Certificate | None = None,
        blocks: NDArray[np.float64] | None = None,
    ) -> Spectrum:
        """``logs`` as a float64 array with its unit, certificate and blocks."""
        spectrum = np.array(logs, dtype=np.float64).view(cls)
        spectrum.unit, spectrum.certificate, spectrum.blocks, spectrum.gauge = unit, certificate, blocks, 0
        return spectrum

    def __array_finalize__(self, source: Any) -> None:
        """A slice or a result of arithmetic starts without certificate, unit and blocks."""
        self.unit, self.certificate, self.blocks, self.gauge = None, None, None, None

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled with its unit, certificate and blocks."""
        plain: Any = super().__reduce__()
        return plain[0], plain[1], (plain[2], self.__dict__)

    def __setstate__(self, state: Any) -> None:
        """Unpickled."""
        super().__setstate__(state[0])
        self.__dict__.update(state[1])

    @property
    def standard_error(self) -> NDArray[np.float64] | None:
        """Standard deviation of the blocks / √B, (..., k): the sampling error if the blocks are independent."""
        if self.blocks is None or len(self.blocks) < 2:
            return None
        with np.errstate(invalid="ignore"):
            deviation = np.std(self.blocks, axis=0, ddof=1) / np.sqrt(len(self.blocks))
        return np.where(np.isfinite(self.view(np.ndarray)), deviation, np.nan)

    def __repr__(self) -> str:
        """The numbers, their unit, the sampling error of the first, and the certificate."""
        numbers = np.array2string(self.view(np.ndarray), precision=6, threshold=40, edgeitems=4)
        lines = [numbers if self.unit is None else f"{numbers} {self.unit}"]
        if self.gauge:
            lines.append(
                f"{self.gauge} gauge directions of the state left out: moving along them changes nothing else"
            )
        error = self.standard_error
        if error is not None and error.size:
            assert self.blocks is not None
            worst = np.nanmax(error) if np.isfinite(error).any() else np.nan
            lines.append(f"± {worst:.1e} standard error at most, from {len(self.blocks)} blocks of the run")
        if self.certificate is not None:
            lines.append(str(self.certificate))
        return "\n".join(lines)
