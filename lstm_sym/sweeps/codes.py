"""Which code a sweep was computed with, by which finished points are told from outdated ones: digests, versions."""

from __future__ import annotations

import dis
import functools
import hashlib
import inspect
import sys
import types
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lstm_sym.sweeps.functions import named

#: What classes have that says nothing of what they do.
_POSITION = ("__firstlineno__", "__static_attributes__", "__dict__", "__weakref__")
_FIXED = (type(None), bool, int, float, complex, str, bytes, tuple, frozenset, types.FunctionType, type)


def code_version(function: Any, own: str) -> dict[str, str]:
    """What the numbers depend on besides arguments and random numbers; ``own`` is the caller's word for it."""
    versions = {package: _installed(package) for package in ("numpy", "scipy", "sympy")}
    return {"lstm_sym": package_digest(), "function": function_digest(function), **versions, "version": own}


@functools.cache
def package_digest() -> str:
    """Digest of all source files of this package."""
    package, total = Path(__file__).parents[1], hashlib.sha256()
    for path in sorted(package.rglob("*.py"), key=lambda path: path.relative_to(package).as_posix()):
        total.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()[:32]


def function_digest(function: Any) -> str:
    """Of the module's source; of the function's own code, and of what it uses, if that is a script or a session."""
    module = sys.modules.get(function.__module__)
    try:
        if module is None or function.__module__ == "__main__":
            raise OSError
        source = inspect.getsource(module)
    except (OSError, TypeError):
        source = repr(_Code(function.__module__).of(function))
    return hashlib.sha256(source.encode("utf-8", "backslashreplace")).hexdigest()[:32]


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


class _Code:
    """What functions of ``module`` do, without addresses, paths and line numbers, and the globals that they use.

    Of globals that may change while it runs (lists, dicts, arrays), only the type counts.
    """

    def __init__(self, module: str) -> None:
        self.module = module
        self.seen: set[int] = set()

    def of(self, value: Any) -> Any:
        if isinstance(value, types.CodeType):
            constants = [self.of(item) for item in value.co_consts]
            return [value.co_code.hex(), value.co_names, value.co_varnames, value.co_freevars, constants]
        if isinstance(value, frozenset):
            return sorted(repr(self.of(item)) for item in value)
        if isinstance(value, tuple | list):
            return [self.of(item) for item in value]
        if isinstance(value, dict):
            return [[self.of(key), self.of(item)] for key, item in value.items()]
        if isinstance(value, types.FunctionType | type):
            return self._definition(value)
        return repr(value) if isinstance(value, _FIXED) else type(value).__qualname__

    def _definition(self, value: Any) -> Any:
        """A function or class of this module, once, with its code; of another one, its name."""
        if value.__module__ != self.module or id(value) in self.seen:
            return named(value)
        self.seen.add(id(value))
        if isinstance(value, type):
            parts = {name: part for name, part in vars(value).items() if name not in _POSITION}
            return [value.__qualname__, self.of(value.__bases__), self.of(parts)]
        inner = [self._used(cell.cell_contents) for cell in value.__closure__ or ()]
        used = [[name, self._used(value.__globals__[name])] for name in _names(value) if name in value.__globals__]
        own = self.of([value.__code__, value.__defaults__, value.__kwdefaults__])
        return [value.__qualname__, own, inner, used]

    def _used(self, value: Any) -> Any:
        return self.of(value) if isinstance(value, _FIXED) else type(value).__qualname__


def _names(function: types.FunctionType) -> list[str]:
    """The global names that a function and the functions within it read."""
    found: set[str] = set()
    codes = [function.__code__]
    while codes:
        code = codes.pop()
        reads = (step for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"))
        found.update(step.argval for step in reads)
        codes += [item for item in code.co_consts if isinstance(item, types.CodeType)]
    return sorted(found)
