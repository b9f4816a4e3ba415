"""The shipped cells: declarations only, in the names of the literature (weights: source, then target).

>>> from lstm_sym import cells
>>> cells.named("peephole").reference
'F. A. Gers, J. Schmidhuber, Recurrent nets that time and count, IJCNN 2000, vol. 3, 189-194'

Each is a ``Cell`` of about ten lines; its module is loaded when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import Any

from lstm_sym.cell import Cell
from lstm_sym.checks import unknown_name

_MODULES = {
    "lstm": ("LSTM", "LSTMNoForget", "PeepholeLSTM", "CoupledLSTM", "ProjectionLSTM"),
    "xlstm": ("SLSTM",),
    "gru": ("GRU", "GRUResetAfter", "MGU"),
    "minimal": ("JANET", "UGRNN", "MinimalRNN", "MinGRU", "MinLSTM"),
    "rnn": ("RNN", "IndRNN", "LeakyRNN", "AntisymmetricRNN"),
    "ablations": ("NIG", "NFG", "NOG", "NIAF", "NOAF", "CIFG", "NP", "FGR"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}
#: The cells of the library; the ablations of Greff et al. stand beside them, ``cells.NIG``, ``cells.FGR``, ….
__all__ = [name for module, names in _MODULES.items() if module != "ablations" for name in names]
ablations_of_greff = _MODULES["ablations"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(str(unknown_name("cell", name, _HOME)))
    value = getattr(importlib.import_module(f"lstm_sym.cells.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*_HOME, "named"]


def named(name: str) -> Cell:
    """The shipped cell of that name, display name or alias; capitals and punctuation do not matter.

    >>> from lstm_sym import cells
    >>> cells.named("reset_after").name
    'GRU (reset after)'

    Raises:
        UnknownNameError: no cell is called so; the message lists the known ones.
    """
    if not isinstance(name, str):
        raise TypeError(f"{name!r:.60}: expected the name of a cell.")
    if _plain(name) in (found := {_plain(known): known for known in _HOME}):
        cell: Cell = globals().get(found[_plain(name)]) or __getattr__(found[_plain(name)])
        return cell
    for known in _HOME:
        cell = globals().get(known) or __getattr__(known)
        if _plain(name) in map(_plain, (cell.name, *cell.aliases)):
            return cell
    raise unknown_name("cell", name, _HOME)


def _plain(name: str) -> str:
    return "".join(character for character in str(name).lower() if character.isalnum())
