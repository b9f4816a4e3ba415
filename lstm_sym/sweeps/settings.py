"""All that decides what a sweep computes, as ``grid.json`` keeps it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lstm_sym.sweeps.grids import Grid, a_grid, constants_of
from lstm_sym.sweeps.identities import Identities

FORMAT = "lstm_sym sweep 1"


@dataclass(frozen=True)
class Settings:
    """``function``: its qualified name. ``rng``: whether it takes random numbers. ``code``: versions, by name."""

    function: str
    grid: Grid
    constants: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    paired: bool = False
    rng: bool = False
    code: dict[str, str] = field(default_factory=dict)

    def names(self) -> Callable[[int], str]:
        """The names of the points' files, without ending."""
        draws = [self.seed, self.paired] if self.rng else None
        identities = Identities(self.grid, self.constants, [self.function, self.code, draws])
        return lambda index: identities(index)[:16].hex()

    def record(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "format": FORMAT,
            "function": self.function,
            "axes": {name: list(values) for name, values in self.grid.axes.items()},
            "seeds": self.grid.seeds,
            "seed": self.seed,
            "paired": self.paired,
            "rng": self.rng,
            "constants": self.constants,
            "code": self.code,
        }


def settings_of(record: Any) -> Settings:
    """The settings in a record; ValueError if it is none."""
    if not isinstance(record, Mapping) or record.get("format") != FORMAT:
        raise ValueError(f"expected the record of a sweep, of format {FORMAT!r}.")
    try:
        grid = a_grid(record["axes"], record["seeds"])
        constants = constants_of(record["constants"], grid)
        named = {name: record[name] for name in ("function", "seed", "paired", "rng", "code")}
    except (KeyError, TypeError) as error:
        raise ValueError(f"the record of a sweep is not complete: {error}.") from None
    return Settings(grid=grid, constants=constants, **named)
