"""Sweeps that are on disk already: a folder, finished or not, or a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from lstm_sym.sweeps import archives
from lstm_sym.sweeps.collecting import FAILED, Collection
from lstm_sym.sweeps.evaluating import Reason
from lstm_sym.sweeps.folders import GRID, RESULTS, Folder
from lstm_sym.sweeps.grids import SEED
from lstm_sym.sweeps.results import STATUS, Failure, SweepResult, a_result
from lstm_sym.sweeps.settings import Settings, settings_of


def load(folder: Folder, settings: Settings, collection: Collection, again: bool = False) -> set[str]:
    """Collect the points that are there; ``again``: not the failed ones.  Returns the names of their files."""
    finished = folder.finished()
    if finished:
        name = settings.names()
        for index in range(settings.grid.total):
            outcome = folder.read(name(index), finished)
            if outcome is not None and not (again and isinstance(outcome, Reason)):
                collection.check(index, outcome)
                collection.add(index, outcome)
    return finished


def of_folder(path: Path) -> SweepResult:
    """The sweep in a folder: its results, or what is there of them."""
    if not (path / GRID).is_file():
        raise FileNotFoundError(f"{path}: no sweep in this folder (there is no {GRID}).")
    settings = settings_of(_json(path / GRID))
    if (path / f"{RESULTS}.npz").is_file() and (path / f"{RESULTS}.json").is_file():
        try:
            found = of_file(path / f"{RESULTS}.npz")
            if found.settings == settings:
                return found
        except ValueError:
            pass  # what is in the points is as good
    folder = Folder(path)
    collection = Collection(settings.grid)
    load(folder, settings, collection)
    return a_result(settings, collection)


def of_file(path: Path) -> SweepResult:
    """The sweep that ``save`` wrote."""
    for file in (path, path.with_suffix(".json")):
        if not file.is_file():
            raise FileNotFoundError(f"{file}: there is no such file.")
    record = _json(path.with_suffix(".json"))
    settings = settings_of(record)
    try:
        with path.open("rb") as opened:
            arrays = archives.read(opened)
        status = arrays.pop(STATUS)
        failures = tuple(
            Failure(f["point"], f["error"], f["message"], tuple(f["traceback"])) for f in record["failures"]
        )
    except (KeyError, TypeError, archives.DamagedError) as error:
        raise ValueError(f"{path} is damaged: {error}.") from None
    own = {name: array for name, array in arrays.items() if name not in (*settings.grid.axes, SEED)}
    shape = settings.grid.shape
    if any(array.shape[: len(shape)] != shape for array in (status, *own.values())):
        raise ValueError(f"{path} does not belong to {path.with_suffix('.json')}: its shapes are others.")
    if np.count_nonzero(status == FAILED) != len(failures):
        raise ValueError(f"{path} does not belong to {path.with_suffix('.json')}: its failures are others.")
    for array in (status, *own.values()):
        array.flags.writeable = False
    return SweepResult(own, status, failures, settings)


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except ValueError as error:
        raise ValueError(f"{file} is damaged: {error}.") from None
