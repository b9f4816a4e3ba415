"""The command that draws: ``lstm-sym figures``, the analyses one after the other, or several at a time."""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lstm_sym.checks import size, unknown_name


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    text = "run analyses: each makes a figure, its numbers and its record; and an index page of them all"
    figures = commands.add_parser("figures", help=text, description=text)
    figures.add_argument("names", nargs="*", metavar="NAME", help=f"which (default: all): {', '.join(analyses())}")
    figures.add_argument("--quick", action="store_true", help="smaller sizes and horizons, a few seconds each")
    figures.add_argument("--out", default="figures", metavar="DIR", help="folder for the files (default: figures)")
    figures.add_argument(
        *("--jobs", "-j"),
        type=int,
        default=1,
        metavar="N",
        help="processes: that many analyses at a time, or that many workers for a single one (default: 1)",
    )
    figures.add_argument("--dark", action="store_true", help="each figure on a dark background as well")
    figures.add_argument("--force", action="store_true", help="replace the files of an earlier run")
    figures.set_defaults(run=_figures)


def analyses() -> list[str]:
    """The names of the analyses that are installed."""
    package = importlib.import_module("lstm_sym.analyses")
    return sorted(m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_"))


def _figures(options: argparse.Namespace) -> int:
    known = analyses()
    for name in options.names:
        if name not in known:
            raise unknown_name("analysis", name, known)
    size("--jobs", options.jobs)
    names = list(dict.fromkeys(options.names)) or known
    failed = [name for name, status in _statuses(names, options) if status]
    if len(failed) < len(names):
        from lstm_sym.atlas import index

        print(f"wrote {index(options.out)}")
    if failed:
        print(f"lstm-sym figures: not made: {', '.join(failed)}", file=sys.stderr)
    return 2 if failed else 0


def _statuses(names: Sequence[str], options: argparse.Namespace) -> Iterator[tuple[str, int]]:
    """Run each analysis; its name and exit status, in order, as it is done."""
    chosen = ["--out", str(Path(options.out))]
    chosen += [f"--{flag}" for flag in ("quick", "dark", "force") if getattr(options, flag)]
    if len(names) == 1 or options.jobs == 1:
        for name in names:
            print(f"{name}:", flush=True)
            module = importlib.import_module(f"lstm_sym.analyses.{name}")
            yield name, int(module.main([*chosen, "--jobs", str(options.jobs)]) or 0)
        return
    with ThreadPoolExecutor(options.jobs) as pool:
        for name, done in zip(names, pool.map(lambda name: _apart(name, chosen), names), strict=True):
            print(f"{name}:\n{done.stdout}", end="", flush=True)
            print(done.stderr, end="", file=sys.stderr, flush=True)
            yield name, done.returncode


def _apart(name: str, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """One analysis in a process of its own, one BLAS thread each, so that several do not wait for one another."""
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", f"lstm_sym.analyses.{name}", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", check=False)
