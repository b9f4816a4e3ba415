"""How a script is run: its numbers, its sweeps, its landmarks; a mistake or a full disk is one clear line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lstm_sym.flow import wide
from lstm_sym.scripts.landmarks import Landmark
from lstm_sym.scripts.options import chosen, command, parser
from lstm_sym.scripts.records import Outcome, described, save, targets, versions
from lstm_sym.sweeps import SweepResult, sweep


@dataclass(frozen=True)
class Run:
    """One run of a script: what it was asked for, and what it has to say.

    numbers: its integers, by name, as given or by default; ``run["hidden"]`` is one of them.
    out, jobs, quick: as on the command line.
    """

    name: str
    numbers: dict[str, int]
    out: Path
    jobs: int = 1
    quick: bool = False
    landmarks: list[Landmark] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def __getitem__(self, name: str) -> int:
        return self.numbers[name]

    def landmark(self, what: str, computed: float, theory: float, error: float | None = None) -> None:
        """Print and keep a number beside its theoretical value; ``error`` as in ``Landmark``."""
        found = Landmark(what, float(computed), float(theory), None if error is None else float(error))
        self.landmarks.append(found)
        print(f"  {found}", flush=True)

    def say(self, text: str) -> None:
        """Print a line and keep it as a remark."""
        self.remarks.append(text)
        print(f"  {text}", flush=True)

    def sweep(
        self, function: Callable[..., Any], grid: Mapping[str, Sequence[Any]], name: str = "", **options: Any
    ) -> SweepResult:
        """``ls.sweep`` with this run's workers; an interrupted one goes on from OUT/sweeps/NAME when run again.

        name: tells the sweeps of one script apart.
        """
        folder = self.out / "sweeps" / (f"{self.name}-{name}" if name else self.name)
        found = sweep(function, grid, folder=folder, n_jobs=self.jobs, **options)
        if found.failures:
            self.say(f"{len(found.failures)} of {found.total} points failed; the first: {found.failures[0]}")
        return found


def run_script(
    name: str,
    document: str | None,
    work: Callable[[Run], Outcome],
    full: Mapping[str, int],
    quick: Mapping[str, int],
    arguments: Sequence[str] | None = None,
) -> int:
    """The command line of a script: parse ``arguments``, ``work``, draw, write; returns the exit status.

    A user's mistake, files that are there already, or a full disk are one clear line and status 2, not a traceback.
    """
    options = parser(document, full).parse_args(arguments)
    try:
        _refuse_to_replace(options, name)
        _make(options.out)
        run = Run(name, chosen(options, full, quick), options.out, options.jobs, options.quick)
        with wide.one_thread():
            outcome = work(run)
        typed = command(name, run.numbers, {**full, **quick} if run.quick else full, run.quick)
        paths = save(options.out, name, outcome, _record(run, document, outcome, typed), options.dark)
        print("  wrote " + ", ".join(map(str, paths)))
    except (ValueError, FloatingPointError, MemoryError, OSError, ImportError, BrokenExecutor) as error:
        print(f"{name}: {error or type(error).__name__}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{name}: interrupted.", file=sys.stderr)
        return 130
    return 0


def _refuse_to_replace(options: argparse.Namespace, name: str) -> None:
    if options.out.exists() and not options.out.is_dir():
        raise ValueError(f"--out {options.out}: expected a folder, this is a file.")
    there = [path for path in targets(options.out, name, options.dark) if path.exists()]
    if there and not options.force:
        raise FileExistsError(f"{there[0]} is there already. Give --force to replace it, or another --out.")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(
            f"--out {folder}: the folder cannot be made: {error.strerror}. Give another --out."
        ) from error


def _record(run: Run, document: str | None, outcome: Outcome, typed: str) -> dict[str, Any]:
    return {
        "name": run.name,
        **described(document),
        "quick": run.quick,
        "parameters": {**run.numbers, **outcome.parameters},
        "landmarks": [landmark.record() for landmark in run.landmarks],
        "remarks": run.remarks,
        "equations": dict(outcome.equations),
        "versions": versions(),
        "command": typed,
    }
