"""Shared by all tests: golden texts, and cells that are declared here and nowhere in the package."""

from __future__ import annotations

import fcntl
import importlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import lstm_sym as ls
from lstm_sym.calculus.explicit import through_gates

GOLDEN = Path(__file__).parent / "golden"

PEEPHOLE = ls.Cell(
    "peephole LSTM",
    """
    f = sigmoid(W_xf @ x + W_hf @ h_prev + p_f * c_prev + b_f)
    i = sigmoid(W_xi @ x + W_hi @ h_prev + p_i * c_prev + b_i)
    g = tanh(W_xg @ x + W_hg @ h_prev + b_g)
    c = f * c_prev + i * g
    o = sigmoid(W_xo @ x + W_ho @ h_prev + p_o * c + b_o)
    h = o * tanh(c)
    """,
    states="h c",
    vectors="p_f p_i p_o",
    reference="Gers & Schmidhuber 2000",
)

GRU = ls.Cell(
    "GRU",
    """
    r = sigmoid(W_xr @ x + W_hr @ h_prev + b_r)
    z = sigmoid(W_xz @ x + W_hz @ h_prev + b_z)
    q = r * h_prev
    n = tanh(W_xn @ x + W_hn @ q + b_n)
    h = (1 - z) * h_prev + z * n
    """,
    states="h",
    reference="Cho et al. 2014",
)

LEAKY = ls.Cell(
    "leaky RNN",
    """
    r = tanh(W_xr @ x + W_hr @ h_prev + b_r)
    h = 0.75 * h_prev + 0.25 * r
    """,
    states="h",
)

RATIO = ls.Cell(
    "ratio gate",
    """
    f = sigmoid(W_xf @ x + b_f)
    i = sigmoid(W_xi @ x + W_hi @ h_prev + b_i)
    h = f / (f + i) * h_prev + exp(-i) * i ** 2
    """,
    states="h",
)

PROJECTION = ls.Cell(
    "projection LSTM",
    """
    f = sigmoid(W_xf @ x + W_hf @ h_prev + b_f)
    g = tanh(W_xg @ x + W_hg @ h_prev + b_g)
    c = f * c_prev + (1 - f) * g
    h = W_ch @ c
    """,
    states="h c",
)

RNNS = [ls.RNN, *(ls.RNN(activation=a) for a in ("relu", "sigmoid", "identity"))]
CELLS = [*RNNS, ls.LSTM, PEEPHOLE, GRU, LEAKY, RATIO, PROJECTION]


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts do not depend on the width of the terminal that the tests run in."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def fresh_slopes() -> Iterator[None]:
    """For tests that put a wrong rule in place: nothing is remembered from before, or afterwards."""
    through_gates.cache_clear()
    yield
    through_gates.cache_clear()


@pytest.fixture(params=CELLS, ids=lambda cell: cell.name)
def cell(request: pytest.FixtureRequest) -> ls.Cell:
    return request.param


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite tests/golden with what comes out now")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with the golden one of that name; --update-golden rewrites it."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")

    return compare


@dataclass(frozen=True)
class QuickRun:
    """An analysis run with --quick: its folder, its record, and its numbers."""

    folder: Path
    record: dict
    arrays: dict

    def landmarks(self, start=""):
        """Those whose text starts with ``start``."""
        return [row for row in self.record["landmarks"] if row["what"].startswith(start)]


@pytest.fixture(scope="session")
def quick(tmp_path_factory):
    """quick(name): the analysis ``name`` run with --quick, once for all tests and all workers."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "quick"

    @cache
    def run(name):
        folder = shared / name
        folder.mkdir(parents=True, exist_ok=True)
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / f"{name}.json").exists():
                module = importlib.import_module(f"lstm_sym.analyses.{name}")
                assert module.main(["--quick", "--dark", "--out", str(folder)]) == 0
        with np.load(folder / f"{name}.npz", allow_pickle=False) as arrays:
            return QuickRun(folder, json.loads((folder / f"{name}.json").read_text(encoding="utf-8")), dict(arrays))

    return run
