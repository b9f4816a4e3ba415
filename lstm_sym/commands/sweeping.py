"""The command that sweeps: ``lstm-sym sweep``, one quantity over a grid of parameters."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lstm_sym import cells, checks
from lstm_sym.commands import values

EXAMPLE = """\
examples:
  lstm-sym sweep exponent --cell LSTM --axis gain=0.5:8:11 --axis b_f=-2:6:9 --set hidden=64 --seeds 3 --jobs 2
  lstm-sym sweep exponent --cell RNN --axis gain=0.5:3:11 --axis hidden=32,64,128 --out exponents
  lstm-sym sweep reach --axis b_f=-1:5:7 --set of=c --set wrt=c --set lags=1,10,100
The same command goes on with a sweep that was interrupted; more values on an axis are added to what is there.
"""
#: Options that are integers, and those that are text; all others are numbers.
INTEGERS = ("hidden", "inputs", "steps", "transient", "k", "lags")
TEXTS = ("of", "wrt", "path", "cell")
#: The most points of one command.
MOST_POINTS = 1_000_000
#: Seconds within which a cluster has to answer.
ANSWER = 10
#: What a trial run has, so that a mistake shows before any work.
SMALL = {"hidden": 2, "inputs": 1, "steps": 2, "transient": 1, "lags": 1, "k": 1}


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    text = "compute a quantity over a grid of parameters: table, arrays, map; resumable, on many processes"
    command = commands.add_parser(
        "sweep", help=text, description=text, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command.add_argument("quantity", metavar="QUANTITY", help="exponent, exponents, reach or zero-state")
    command.add_argument("--cell", default="LSTM", help="which cell, see 'lstm-sym cells' (default: LSTM)")
    several: dict[str, Any] = {"action": "append", "default": []}
    axis = f"an axis of the grid: {values.RANGE}; as often as needed"
    command.add_argument("--axis", **several, metavar="NAME=VALUES", help=axis)
    fixed = "an option or parameter that is the same everywhere: hidden=64"
    command.add_argument("--set", **several, metavar="NAME=VALUE", help=fixed)
    count: dict[str, Any] = {"type": _count, "metavar": "N"}
    command.add_argument("--seeds", default=1, **count, help="networks at each point (default: 1)")
    command.add_argument("--seed", default=0, **count, help="the seed of all of them (default: 0)")
    command.add_argument("--paired", action="store_true", help="the same networks at all points, scaled")
    command.add_argument(*("--jobs", "-j"), default=1, **count, help="processes (default: 1)")
    command.add_argument("--dask", metavar="ADDRESS", help="workers of a Dask cluster instead: tcp://HOST:PORT")
    command.add_argument("--retry", action="store_true", help="try points that failed before again")
    command.add_argument("--out", default="sweep", metavar="DIR", help="folder for all files (default: sweep)")
    command.add_argument("--force", action="store_true", help="use the folder though another sweep is in it")
    command.add_argument("--dark", action="store_true", help="draw on a dark background")
    command.set_defaults(run=_sweep)


def _sweep(options: argparse.Namespace) -> int:
    from lstm_sym.commands import charts
    from lstm_sym.quantities import QUANTITIES
    from lstm_sym.sweeps import sweep

    if options.quantity not in QUANTITIES:
        raise checks.unknown_name("quantity", options.quantity, QUANTITIES)
    function = QUANTITIES[options.quantity]
    grid, constants = _grid(options, function)
    _try_once(function, grid, constants)
    out = Path(options.out)
    _refuse_another(out, function, grid, constants, options)
    given: dict[str, Any] = {"seeds": options.seeds, "seed": options.seed, "constants": constants}
    with _workers(options) as workers:
        found = sweep(function, grid, **given, **workers, folder=out, paired=options.paired, retry=options.retry)
    print(found)
    if len(found.failures) == found.total:
        raise ValueError(f"every point failed; the first: {found.failures[0]}")
    for line in charts.table(found, options.quantity):
        print(line)
    paths = charts.draw(found, options.quantity, str(constants.get("cell", "")), out, dark=options.dark)
    print("wrote " + ", ".join(map(str, [out / "results.npz", out / "results.json", *paths])))
    return 0


def _count(text: str) -> int:
    """An integer of the command line that is not negative."""
    try:
        found = values.integer("N", text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if found < 0:
        raise argparse.ArgumentTypeError(f"{found}: expected an integer from 0.")
    return found


# --- what is asked for --------------------------------------------------------------------------------------------


def _grid(options: argparse.Namespace, function: Callable[..., Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The axes and the constants, checked by name and by value."""
    axes = values.once("--axis", [values.pair("--axis", text) for text in options.axis])
    fixed = values.once("--set", [values.pair("--set", text) for text in options.set])
    if not axes:
        raise ValueError("no --axis: expected at least one, like --axis gain=0.5:3:11.")
    if both := [name for name in axes if name in fixed]:
        raise ValueError(f"{both[0]} is given by --axis and by --set: give it once.")
    if "cell" in fixed:
        raise ValueError("--set cell=…: give --cell.")
    cell_axis = [cells.named(name).name for name in axes["cell"].split(",")] if "cell" in axes else []
    known = _known(function, axes["cell"].split(",") if cell_axis else [options.cell])
    for name in (*axes, *fixed):
        if name not in known and name != "cell":
            raise checks.unknown_name("axis or option", name, ["cell", *known])
    grid = {name: cell_axis if name == "cell" else _axis(name, text) for name, text in axes.items()}
    points = options.seeds
    for along in grid.values():
        points *= len(along)
    if points > MOST_POINTS:
        raise ValueError(f"the grid has {points} points: expected at most {MOST_POINTS}.")
    constants = {name: _constant(name, text) for name, text in fixed.items()}
    return grid, constants if cell_axis else {"cell": cells.named(options.cell).name, **constants}


def _known(function: Callable[..., Any], names: list[str]) -> list[str]:
    """The options and the parameters that all those cells have."""
    from lstm_sym.quantities import options_of, parameters_of

    parameters = [parameters_of(name) for name in names]
    shared = [name for name in parameters[0] if all(name in others for others in parameters)]
    return [*options_of(function), *shared]


def _axis(name: str, text: str) -> list[Any]:
    if name in ("lags", "k"):
        raise ValueError(f"--axis {name}=…: one run gives them all, in one array. Give --set {name}=….")
    if name in TEXTS:
        return text.split(",")
    return list(values.values(f"--axis {name}", text, integers=name in INTEGERS))


def _constant(name: str, text: str) -> Any:
    what = f"--set {name}"
    if name in TEXTS:
        return text
    if name == "lags":
        return values.values(what, text, integers=True)
    return values.integer(what, text) if name in INTEGERS else values.number(what, text)


def _try_once(function: Callable[..., Any], grid: Mapping[str, Any], constants: Mapping[str, Any]) -> None:
    """The quantity at both ends of every axis for the smallest network, and sizes checked as they are given."""
    from lstm_sym.quantities.points import steps_of

    sizes = {"hidden": checks.size, "inputs": checks.size, "k": checks.size, "steps": steps_of, "lags": steps_of}
    given: dict[str, list[Any]] = {name: list(along) for name, along in grid.items()}
    given |= {name: value if isinstance(value, list) else [value] for name, value in constants.items()}
    for name, along in given.items():
        for value in along:
            if name == "transient":
                steps_of(name, value, least=0)
            elif name in sizes:
                sizes[name](name, value)
    small = {name: SMALL[name] for name in SMALL if name in given}
    for end in (min, max):
        trial = {name: end(along) for name, along in given.items()} | small
        _quietly(function, **{"hidden": SMALL["hidden"], **trial})


def _quietly(function: Callable[..., Any], **given: Any) -> None:
    """Call it; that a run explodes or a matrix is singular is no mistake of the caller's."""
    import numpy as np

    try:
        with np.errstate(all="ignore"):
            function(**given, rng=0)
    except (ArithmeticError, np.linalg.LinAlgError):
        return


# --- where it is computed, and where it is kept -----------------------------------------------------------------


def _refuse_another(
    out: Path,
    function: Callable[..., Any],
    grid: Mapping[str, Any],
    constants: Mapping[str, Any],
    options: argparse.Namespace,
) -> None:
    """ValueError if the folder has another sweep, or something else, in it."""
    from lstm_sym.sweeps.folders import Folder

    if out.exists() and not out.is_dir():
        raise ValueError(f"--out {out}: expected a folder, this is a file.")
    if options.force or not out.exists() or not any(out.iterdir()):
        return
    record = Folder(out).record()
    if not isinstance(record, dict):
        raise FileExistsError(f"--out {out} has other files in it. Give a new or an empty folder.")
    mine = {"function": f"{function.__module__}.{function.__qualname__}", "constants": dict(constants)}
    mine |= {"seed": options.seed, "paired": options.paired}
    theirs = {name: record.get(name) for name in mine}
    if mine != theirs or list(record.get("axes", {})) != list(grid):
        differing = [name for name in mine if mine[name] != theirs[name]] or ["axes"]
        what = f"--out {out} has another sweep in it, with other {' and '.join(differing)}."
        raise FileExistsError(f"{what} Give another folder, or --force.")


@contextmanager
def _workers(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """What ``ls.sweep`` is to compute with: processes, or a Dask cluster."""
    checks.size("--jobs", options.jobs)
    if options.dask is None:
        yield {"n_jobs": options.jobs}
        return
    if options.jobs != 1:
        raise ValueError("--dask and --jobs are both given: expected one of them.")
    try:
        distributed: Any = importlib.import_module("distributed")
    except ImportError:
        raise ImportError('--dask needs dask and distributed: pip install "lstm-sym[dask]".') from None
    try:
        client = distributed.Client(options.dask, timeout=ANSWER)
    except (OSError, ValueError) as error:
        raise OSError(f"--dask {options.dask}: no cluster there ({error}).") from None
    with client:
        yield {"executor": client.get_executor()}
