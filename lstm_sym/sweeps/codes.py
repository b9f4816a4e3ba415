"""Which code a sweep was computed with, by which finished points are told from outdated ones: digests, versions."""

from __future__ import annotations

import dis
import functools
import hashlib
import inspect
import pickle
import sys
import types
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from lstm_sym.sweeps.functions import named

#: What classes have that says nothing of what they do.
_POSITION = ("__firstlineno__", "__static_attributes__", "__dict__", "__weakref__")
_FIXED = (type(None), bool, int, float, complex, str, bytes, bytearray, type(Ellipsis), slice, range)
#: What is known by its name.
_NAMED = (
    types.ModuleType,
    types.BuiltinFunctionType,
    types.MethodWrapperType,
    types.WrapperDescriptorType,
    np.ufunc,
)
#: Methods by which a function changes a container: what it collects there is no input of it.
_CHANGES = {
    *("append", "extend", "insert", "add", "update", "setdefault"),
    *("pop", "popitem", "remove", "discard", "clear"),
}


class UnrecordedError(ValueError):
    """An object of which it cannot be said whether it is what it was."""


def code_version(function: Any, own: str) -> dict[str, str]:
    """What the numbers depend on besides arguments and random numbers; ``own`` is the caller's word for it."""
    versions = {package: _installed(package) for package in ("numpy", "scipy", "sympy")}
    return {"lstm_sym": package_digest(), "function": function_digest(function, own), **versions, "version": own}


@functools.cache
def package_digest() -> str:
    """Digest of all source files of this package."""
    package, total = Path(__file__).parents[1], hashlib.sha256()
    for path in sorted(package.rglob("*.py"), key=lambda path: path.relative_to(package).as_posix()):
        total.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()[:32]


def function_digest(function: Any, own: str = "") -> str:
    """Of the module's source; of the function's own code, and of what it uses, if that is a script or a session.

    Raises ValueError if it uses an object whose content cannot be recorded, unless the caller has a word for it.
    """
    module = sys.modules.get(function.__module__)
    try:
        if module is None or function.__module__ == "__main__":
            raise OSError
        source = inspect.getsource(module)
    except (OSError, TypeError):
        source = repr(_Code(function.__module__, trusted=bool(own)).of(function))
    return hashlib.sha256(source.encode("utf-8", "backslashreplace")).hexdigest()[:32]


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


class _Code:
    """What functions of ``module`` do, without addresses, paths and line numbers, and the globals that they use.

    trusted: objects that cannot be recorded count by their type.
    """

    def __init__(self, module: str, trusted: bool) -> None:
        self.module, self.trusted = module, trusted
        self.seen: set[int] = set()

    def of(self, value: Any) -> Any:
        if isinstance(value, _FIXED):
            return [type(value).__qualname__, repr(value)]
        if isinstance(value, types.FunctionType | type):
            return self._definition(value)
        if isinstance(value, _NAMED):
            return getattr(value, "__qualname__", value.__name__)
        if id(value) in self.seen:  # within itself
            return type(value).__qualname__
        self.seen.add(id(value))
        try:
            return [type(value).__qualname__, self._content(value)]
        finally:
            self.seen.discard(id(value))

    def _content(self, value: Any) -> Any:
        if isinstance(value, types.CodeType):
            constants = [self.of(item) for item in value.co_consts]
            return [value.co_code.hex(), value.co_names, value.co_varnames, value.co_freevars, constants]
        if isinstance(value, set | frozenset):
            return sorted(repr(self.of(item)) for item in value)
        if isinstance(value, tuple | list):
            return [self.of(item) for item in value]
        if isinstance(value, Mapping):
            return [[self.of(key), self.of(item)] for key, item in value.items()]
        if isinstance(value, np.ndarray | np.generic) and not value.dtype.hasobject:
            return [value.dtype.str, value.shape, hashlib.sha256(value.tobytes()).hexdigest()]
        if isinstance(value, functools.partial):
            return self.of([value.func, value.args, value.keywords])
        if isinstance(value, types.MethodType):
            return self.of([value.__self__, value.__func__])
        if type(value).__module__ == self.module or isinstance(value, types.SimpleNamespace):
            return self.of([type(value), getattr(value, "__dict__", {})])
        return self._pickled(value)

    def _pickled(self, value: Any) -> str:
        """Any other object: what it would be sent as."""
        try:
            return hashlib.sha256(pickle.dumps(value, protocol=4)).hexdigest()
        except Exception:
            if self.trusted:
                return ""
            raise UnrecordedError(f"an object of type {type(value).__qualname__}") from None

    def _definition(self, value: Any) -> Any:
        """A function or class of this module, once, with its code; of another one, its name."""
        if value.__module__ != self.module or id(value) in self.seen:
            return named(value)
        self.seen.add(id(value))
        if isinstance(value, type):
            parts = {name: _bare(part) for name, part in vars(value).items() if name not in _POSITION}
            return [value.__qualname__, self.of(value.__bases__), self._parts(parts, trusted=True)]
        inner = [self.of(cell.cell_contents) for cell in value.__closure__ or ()]
        own = self.of([value.__code__, value.__defaults__, value.__kwdefaults__])
        return [value.__qualname__, own, inner, self._parts(_read(value))]

    def _parts(self, parts: Mapping[str, Any], trusted: bool = False) -> Any:
        found = []
        for name, part in parts.items():
            try:
                found.append([name, self.of(part)])
            except UnrecordedError as error:
                if not trusted:
                    raise ValueError(
                        f"the function uses {name}, {error}, whose content cannot be recorded: hand it over in "
                        "constants, make it within the function, or give version=, another one when it changes."
                    ) from None
                found.append([name, str(error)])
        return found


def _bare(part: Any) -> Any:
    """The functions within a method, a property, and their like."""
    if isinstance(part, property):
        return [part.fget, part.fset]
    return getattr(part, "__func__", getattr(part, "func", part))


def _read(function: types.FunctionType) -> dict[str, Any]:
    """The globals that a function and the functions within it read, less those that they change themselves."""
    read, changed = set(), set()
    codes = [function.__code__]
    while codes:
        code = codes.pop()
        codes += [item for item in code.co_consts if isinstance(item, types.CodeType)]
        before = None
        for step in dis.get_instructions(code):
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                read.add(step.argval)
            if step.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
                changed.add(step.argval)
            if before is not None and step.opname in ("LOAD_METHOD", "LOAD_ATTR") and step.argval in _CHANGES:
                changed.add(before)
            before = step.argval if step.opname in ("LOAD_GLOBAL", "LOAD_NAME") else None
    known = function.__globals__
    return {name: known[name] for name in sorted(read - changed) if name in known}
