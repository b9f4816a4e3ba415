"""The function of a sweep: what it accepts, how it is called, whether it can travel, and which code it is."""

from __future__ import annotations

import functools
import hashlib
import inspect
import pickle
import sys
import types
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from lstm_sym import checks
from lstm_sym.sweeps.grids import RNG

Function = Callable[..., Any]
_POSITION = ("__firstlineno__", "__static_attributes__", "__dict__", "__weakref__")
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


def code_version(function: Any, own: str) -> dict[str, str]:
    """What the numbers depend on besides arguments and random numbers; ``own`` is the caller's word for it."""
    versions = {package: _installed(package) for package in ("numpy", "scipy", "sympy")}
    return {"lstm_sym": package_digest(), "function": _function_digest(function), **versions, "version": own}


@functools.cache
def package_digest() -> str:
    """Digest of all source files of this package."""
    package, total = Path(__file__).parents[1], hashlib.sha256()
    for path in sorted(package.rglob("*.py"), key=lambda path: path.relative_to(package).as_posix()):
        total.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()[:32]


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def _function_digest(function: Any) -> str:
    """Of the module's source; of the function's own code, and of what it uses, if that is a script or a session."""
    module = sys.modules.get(function.__module__)
    try:
        if module is None or function.__module__ == "__main__":
            raise OSError
        source = inspect.getsource(module).encode()
    except (OSError, TypeError):
        source = repr(_Code(function.__module__).of(function)).encode()
    return hashlib.sha256(source).hexdigest()[:32]


class _Code:
    """What functions of ``module`` do, without addresses, paths and line numbers, and the globals they use."""

    def __init__(self, module: str) -> None:
        self.module = module
        self.seen: set[str] = set()

    def of(self, value: Any) -> Any:
        if isinstance(value, types.CodeType):
            constants = [self.of(item) for item in value.co_consts]
            return [value.co_code.hex(), value.co_names, value.co_varnames, value.co_freevars, constants]
        if isinstance(value, frozenset | set):
            return sorted(repr(self.of(item)) for item in value)
        if isinstance(value, tuple | list):
            return [self.of(item) for item in value]
        if isinstance(value, dict):
            return [[self.of(key), self.of(item)] for key, item in value.items()]
        if isinstance(value, np.ndarray):
            return [
                value.dtype.str,
                value.shape,
                self.of(value.tolist()) if value.dtype == object else value.tobytes(),
            ]
        if isinstance(value, types.FunctionType | type):
            return self._definition(value)
        if value is None or value is Ellipsis or isinstance(value, bool | int | float | complex | str | bytes):
            return repr(value)
        return type(value).__qualname__

    def _definition(self, value: Any) -> Any:
        """A function or class of this module, once, with its code; of another one, its name."""
        if value.__module__ != self.module or value.__qualname__ in self.seen:
            return named(value)
        self.seen.add(value.__qualname__)
        if isinstance(value, type):
            parts = {name: part for name, part in vars(value).items() if name not in _POSITION}
            return [value.__qualname__, [self.of(base) for base in value.__bases__], self.of(parts)]
        used = [[name, self.of(value.__globals__[name])] for name in _names(value) if name in value.__globals__]
        return [value.__qualname__, self.of([value.__code__, value.__defaults__, value.__kwdefaults__]), used]


def _names(function: types.FunctionType) -> list[str]:
    """The global names in a function and the functions within it."""
    found: set[str] = set()
    codes = [function.__code__]
    while codes:
        code = codes.pop()
        found.update(code.co_names)
        codes += [item for item in code.co_consts if isinstance(item, types.CodeType)]
    return sorted(found)
