"""Names in a cell: which may be used, and how the symbols behind them are looked up."""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from typing import Any

import sympy as sp

from lstm_sym.cell.graph import CellError, unit
from lstm_sym.checks import finite, unknown_name
from lstm_sym.functions import FUNCTIONS, RESERVED
from lstm_sym.notation import lag_of


def check_name(cell: str, name: str) -> None:
    """CellError unless ``name`` may be that of a vector or a parameter."""
    if not name.isidentifier() or keyword.iskeyword(name):
        raise CellError(f"{cell}: {name[:60]!r} is not a name. Use letters, digits and _, no Python keyword.")
    if not name.isascii():
        raise CellError(f"{cell}: {name!r} is not ASCII. Spell Greek letters out: alpha.")
    if name.startswith("_"):
        raise CellError(f"{cell}: {name!r} begins with _. Begin it with a letter.")
    if name.endswith("_") or "__" in name:
        raise CellError(f"{cell}: {name!r} ends in _ or has two of them: print would not show it. Use digits.")
    if name in RESERVED:
        raise CellError(f"{cell}: {name!r} has a meaning already. Take another, for example {name.strip('_')}_1.")
    if lag_of(name)[1]:
        raise CellError(f"{cell}: {name!r}: the ending _prev is kept for the previous step's states.")


def names(cell: str, what: str, given: object) -> tuple[str, ...]:
    """Names from a text separated by blanks, or from a sequence of texts; each once."""
    found = given.split() if isinstance(given, str) else given
    if not isinstance(found, (list, tuple)) or not all(isinstance(name, str) for name in found):
        raise TypeError(f"{cell}: {what} = {given!r}: expected names separated by blanks, like 'h c'.")
    if repeated := [name for name in found if list(found).count(name) > 1]:
        raise CellError(f"{cell}: {what} names {repeated[0]!r} twice.")
    return tuple(found)


def checked_choices(cell: str, choices: Mapping[str, tuple[str, ...]], text: str) -> dict[str, tuple[str, ...]]:
    """The choices, each option a known function, each choice called by an equation."""
    for choice, options in choices.items():
        if isinstance(options, str) or not options or not all(option in FUNCTIONS for option in options):
            raise CellError(f"{cell}: choices[{choice!r}] = {options!r}: expected some of {', '.join(FUNCTIONS)}.")
        if f"{choice}(" not in text:
            raise CellError(f"{cell}: no equation calls the choice {choice!r}.")
    return dict(choices)


def checked_constants(cell: str, constants: Mapping[str, Any]) -> dict[str, float]:
    """The constants' default values, each one finite real number."""
    found = {}
    for name, value in _a_mapping(cell, "constants", constants).items():
        check_name(cell, name)
        if name.startswith("W_") or isinstance(value, bool):
            raise CellError(f"{cell}: constants[{name!r}] = {value!r}: expected a number; W_… are weight matrices.")
        array = finite(f"{cell}: constants[{name!r}]", value)
        if array.ndim or array.dtype.kind == "c":
            raise CellError(f"{cell}: constants[{name!r}] = {value!r}: expected one real number.")
        found[name] = float(array)
    return found


#: What a size may not be called: the arguments of ``Kernel.parameters``.
TAKEN = ("inputs", "outputs", "rng", "gain", "dtype", "state")


def checked_sizes(cell: str, sizes: Mapping[str, str]) -> dict[str, str]:
    """Names of sizes, each with a vector; the names are identifiers that mean nothing else."""
    for name, vector in _a_mapping(cell, "sizes", sizes).items():
        if not isinstance(name, str) or not name.isidentifier() or name in TAKEN or not isinstance(vector, str):
            raise CellError(f"{cell}: sizes[{name!r}] = {vector!r}: expected a name of its own and a vector.")
    return dict(sizes)


def _a_mapping(cell: str, what: str, given: Any) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise TypeError(f"{cell}: {what} = {given!r:.60}: expected a dict by name.")
    return given


class Symbols:
    """A cell's symbols as attributes: ``LSTM.symbols.f``; ``c_prev``, ``o_prev`` are of the step before."""

    def __init__(self, cell: str, symbols: Mapping[str, sp.Symbol], vectors: tuple[str, ...]) -> None:
        self.__dict__.update(symbols)
        self._cell, self._vectors = cell, vectors

    def __getattr__(self, name: str) -> sp.Symbol:
        if name.startswith("_"):
            raise AttributeError(name)
        base, lag = lag_of(name)
        if not (lag and base in self._vectors):
            known = [known for known in self.__dict__ if not known.startswith("_")]
            raise AttributeError(str(unknown_name(f"symbol of {self._cell}", name, known)))
        return unit(name)

    def __repr__(self) -> str:
        return f"symbols of {self._cell}: {', '.join(name for name in self.__dict__ if not name.startswith('_'))}"
