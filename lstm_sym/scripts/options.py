"""The options of a script: --quick, --out, --jobs, --dark, --force, and its own numbers."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Mapping
from pathlib import Path

LARGEST = 10_000_000


def parser(document: str | None, defaults: Mapping[str, int]) -> argparse.ArgumentParser:
    """The parser of a script, with an integer option for each of ``defaults``; --help shows ``document``."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without σ shows ?, not a traceback
    made = argparse.ArgumentParser(description=document, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--quick", action="store_true", help="smaller sizes, for a first look (a few seconds)")
    made.add_argument("--out", type=Path, default=Path("figures"), metavar="DIR", help="folder for the files")
    made.add_argument("--jobs", type=positive, default=1, metavar="N", help="worker processes (default: 1)")
    made.add_argument("--dark", action="store_true", help="draw the figure on a dark background as well")
    made.add_argument("--force", action="store_true", help="replace the files of an earlier run")
    for name, default in defaults.items():
        kind = natural if name == "seed" else positive
        made.add_argument(f"--{name}", type=kind, default=None, metavar="N", help=f"default: {default}")
    return made


def positive(text: str, least: int = 1) -> int:
    """A positive integer from the command line."""
    if not (text.isascii() and text.isdigit() and least <= int(text) <= LARGEST):
        raise argparse.ArgumentTypeError(f"{text!r}: expected an integer from {least} to {LARGEST}")
    return int(text)


def natural(text: str) -> int:
    """A positive integer from the command line, or 0."""
    return positive(text, least=0)


def command(name: str, numbers: Mapping[str, int], defaults: Mapping[str, int], quick: bool) -> str:
    """What to type for the same figure: the script itself where its numbers are not the default ones.

    >>> command("gradient_reach", {"hidden": 8, "seed": 1}, {"hidden": 16, "seed": 1}, quick=True)
    'python -m lstm_sym.analyses.gradient_reach --quick --hidden 8'
    """
    given = "".join(f" --{key} {value}" for key, value in numbers.items() if value != defaults[key])
    start = "python -m lstm_sym.analyses." if given else "lstm-sym figures "
    return f"{start}{name}{' --quick' * quick}{given}"


def chosen(options: argparse.Namespace, full: Mapping[str, int], quick: Mapping[str, int]) -> dict[str, int]:
    """The numbers to run with: what was given, else the quick or the full default."""
    defaults = {**full, **quick} if options.quick else dict(full)
    given = {name: getattr(options, name) for name in defaults}
    return {name: default if given[name] is None else given[name] for name, default in defaults.items()}
