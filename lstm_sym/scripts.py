"""What the scripts in ``analyses/`` share: their options, a progress bar, landmarks, and the files they write."""

from __future__ import annotations

import argparse
import io
import json
import platform
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from lstm_sym import __version__
from lstm_sym.checks import numeric
from lstm_sym.figures import save_figure
from lstm_sym.files import replacing, write_text
from lstm_sym.flow.system import Progress

T = TypeVar("T")


def parser(document: str | None, **defaults: int) -> argparse.ArgumentParser:
    """The options of a script: --quick, --out, and an integer option for each of ``defaults``, all at least 1.

    ``document`` is the script's docstring, which --help shows.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without σ shows ?, not a traceback
    made = argparse.ArgumentParser(description=document, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--quick", action="store_true", help="smaller sizes, for a first look (a few seconds)")
    made.add_argument("--out", type=Path, default=Path("figures"), metavar="DIR", help="folder for the files")
    for name, default in defaults.items():
        made.add_argument(f"--{name}", type=_positive, default=None, metavar="N", help=f"default: {default}")
    return made


def _positive(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 10_000_000:
        raise argparse.ArgumentTypeError(f"{text!r}: expected an integer from 1 to 10000000")
    return int(text)


def chosen(options: argparse.Namespace, full: Mapping[str, int], quick: Mapping[str, int]) -> dict[str, int]:
    """The numbers to run with: what was given, else the quick or the full default."""
    defaults = {**full, **quick} if options.quick else dict(full)
    given = {name: getattr(options, name) for name in defaults}
    return {name: default if given[name] is None else given[name] for name, default in defaults.items()}


def run_script(work: Callable[[argparse.Namespace], None], options: argparse.Namespace) -> int:
    """Run ``work``; a user's mistake or a full disk is one clear line and status 2, not a traceback."""
    try:
        if options.out.exists() and not options.out.is_dir():
            raise ValueError(f"--out {options.out}: expected a folder, this is a file.")
        options.out.mkdir(parents=True, exist_ok=True)
        with one_thread():
            work(options)
    except (ValueError, FloatingPointError, MemoryError, OSError) as error:
        print(f"{Path(sys.argv[0]).name}: {error}", file=sys.stderr)
        return 2
    return 0


@contextmanager
def one_thread() -> Iterator[None]:
    """One BLAS thread, if threadpoolctl is installed: below 128×128 a second one only waits for the first."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        yield
        return
    with threadpool_limits(1):
        yield


def progress(items: Iterable[T], total: int, label: str) -> Iterable[T]:
    """``items`` with a progress bar, in a terminal, after two seconds, if tqdm is installed."""
    if not sys.stderr.isatty():
        return items
    try:
        from tqdm import tqdm
    except ImportError:
        return items
    bar: Iterable[T] = tqdm(items, total=total, desc=label, delay=2.0, leave=False)
    return bar


@contextmanager
def step_progress(label: str) -> Iterator[Progress | None]:
    """A progress bar over the steps of one analysis, to be given to it as ``progress=``.

    None, and no bar, outside a terminal or without tqdm.
    """
    if not sys.stderr.isatty():
        yield None
        return
    try:
        from tqdm import tqdm
    except ImportError:
        yield None
        return
    with tqdm(desc=label, unit=" steps", delay=2.0, leave=False) as bar:

        def tell(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield tell


class Landmarks:
    """Numbers with known values: printed beside them as they come, and kept for the record."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float | str]] = []

    def add(self, what: str, computed: float, theory: float) -> None:
        """Print and keep one landmark."""
        difference = computed - theory
        self.rows.append({"what": what, "computed": computed, "theory": theory, "difference": difference})
        print(f"  {what:<58} {computed:>18.10g}   theory {theory:>18.10g}   difference {difference:.1e}")


def save_results(
    out: Path,
    name: str,
    figure: Figure,
    arrays: Mapping[str, ArrayLike],
    parameters: Mapping[str, Any],
    landmarks: Landmarks,
) -> None:
    """Write NAME.png, NAME.pdf, NAME.npz (the numbers drawn) and NAME.json (parameters, landmarks, versions)."""
    paths = save_figure(figure, out, name)
    numbers: dict[str, Any] = {key: numeric(key, value) for key, value in arrays.items()}
    with replacing(out / f"{name}.npz") as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **numbers)
    record = {"parameters": dict(parameters), "landmarks": landmarks.rows, "versions": versions()}
    paths += [
        out / f"{name}.npz",
        write_text(out / f"{name}.json", json.dumps(record, indent=2, allow_nan=False) + "\n"),
    ]
    print("  wrote " + ", ".join(map(str, paths)))


def versions() -> dict[str, str]:
    """The versions that the numbers depend on."""
    import matplotlib
    import scipy
    import sympy

    found = {module.__name__: str(module.__version__) for module in (sympy, np, scipy, matplotlib)}
    return {"python": platform.python_version(), "lstm_sym": __version__, **found}


def log_sigmoid(b: float) -> float:
    """log σ(b), the direct path's slope in nats per step where the forget gate is σ(b)."""
    return -float(np.logaddexp(0.0, -b))


def lags(steps: int, wanted: Sequence[int] = (1, 10, 100, 1000)) -> list[int]:
    """Those of ``wanted`` that a run of ``steps`` steps has."""
    return [k for k in wanted if k <= steps]
