"""Numbers with known values: printed beside them as they come, and kept for the record."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Landmark:
    """A computed number beside its theoretical value.

    error: what the difference may be by chance or by the finite size, as the script states it: one standard
        deviation of a sampling error, or a tolerance.  None where the script states none.
    """

    what: str
    computed: float
    theory: float
    error: float | None = None

    @property
    def difference(self) -> float:
        """computed − theory."""
        return self.computed - self.theory

    def __str__(self) -> str:
        stated = "" if self.error is None else f" ± {self.error:.1e}"
        numbers = f"{self.computed:>17.10g}   theory {self.theory:>17.10g}   difference {self.difference: .1e}"
        return f"{self.what:<58} {numbers}{stated}"

    def record(self) -> dict[str, float | str | None]:
        """As it is kept."""
        numbers = {"computed": float(self.computed), "theory": float(self.theory)}
        return {"what": self.what, **numbers, "difference": float(self.difference), "error": self.error}
