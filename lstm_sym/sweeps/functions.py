"""The function of a sweep: what it accepts, and whether it can travel and be recorded."""

from __future__ import annotations

import functools
import inspect
import pickle
import sys
from collections.abc import Callable, Iterable
from typing import Any

from lstm_sym import checks
from lstm_sym.sweeps.grids import RNG

Function = Callable[..., Any]
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def takes_rng(function: Any, names: Iterable[str]) -> bool:
    """Whether ``function`` has an argument ``rng``; errors if it does not accept ``names`` or needs others."""
    if not callable(function):
        raise TypeError(f"function = {function!r}: expected a function of the grid's names.")
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        raise TypeError(
            f"{named(function)} does not tell its arguments: wrap it in a function of your own."
        ) from None
    known = {name: p for name, p in parameters.items() if p.kind in _NAMED}
    given = list(names)
    if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        for name in given:
            if name not in known:
                listed = [other for other in known if other != RNG]
                raise checks.unknown_name(f"argument of {named(function)}:", name, listed)
    for name, p in parameters.items():
        if p.default is p.empty and name not in (*given, RNG) and p.kind in (*_NAMED, p.POSITIONAL_ONLY):
            raise TypeError(f"{named(function)} also needs {name!r}: put it into grid or constants.")
    return RNG in known


def named(function: Any) -> str:
    """module.name of a function."""
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    return f"{getattr(function, '__module__', None) or type(function).__module__}.{name}"


def must_travel(function: Function) -> bytes:
    """``function`` pickled, or TypeError with what to do."""
    try:
        return pickle.dumps(function)
    except Exception as error:
        raise TypeError(
            f"{named(function)} cannot be sent to other processes ({error}). Define it at the top level of a "
            "module, or use n_jobs=1."
        ) from None


def importable(function: Function) -> bool:
    """Whether a fresh interpreter would find the module that ``function`` is defined in."""
    while isinstance(function, functools.partial):
        function = function.func
    name = getattr(function, "__module__", None) or type(function).__module__
    module = sys.modules.get(name)
    if name == "__main__" or module is None:
        return False
    package = sys.modules.get(name.rpartition(".")[0])
    try:
        places = package.__path__ if package else None
        found = next(filter(None, (finder.find_spec(name, places) for finder in sys.meta_path)), None)
    except (ImportError, ValueError, AttributeError):
        return False
    return found is not None and (found.origin == getattr(module, "__file__", found.origin))


def recordable(function: Any) -> None:
    """ValueError unless what ``function`` computes is decided by its code and arguments."""
    if not inspect.isfunction(function):
        raise TypeError(
            f"{named(function)}: a sweep with a folder needs a plain function, whose code can be recorded."
        )
    if function.__closure__ and "<locals>" in function.__qualname__:
        hidden = ", ".join(function.__code__.co_freevars)
        raise ValueError(
            f"{named(function)} uses variables of the function around it ({hidden}), which cannot be recorded: "
            "hand them over in constants."
        )
