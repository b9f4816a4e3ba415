"""Generated modules as they are used: written to a file, imported or compiled, called with NumPy arrays."""

from __future__ import annotations

import ctypes
import importlib.util
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import lstm_sym as ls
from lstm_sym.targets.c_texts import needed
from lstm_sym.targets.program import Program

FLAGS = "-std=c99 -Wall -Wextra -Werror -pedantic -O2 -shared -fPIC".split()
FUNCTIONS = ("step", "evaluate", "jacobian", "jvp", "vjp", "unroll", "gradient")


def imported(cell: ls.Cell, target: str, folder: Path):
    """The module of a Python target."""
    plain = "".join(c if c.isalnum() else "_" for c in cell.name)
    return imported_text(ls.source(cell, target), f"{target}_{plain}_{id(cell)}", folder)


class Arrays:
    """A Python target, given and giving NumPy arrays."""

    batched = True

    def __init__(self, module, into, out):
        self.module, self._into, self._out = module, into, out

    def __getattr__(self, name):
        function = getattr(self.module, name)

        def call(*arguments):
            return self._convert(function(*(self._convert(a, self._into) for a in arguments)), self._out)

        return call

    def _convert(self, value, how):
        if isinstance(value, dict):
            return {name: self._convert(part, how) for name, part in value.items()}
        if isinstance(value, tuple):
            return tuple(self._convert(part, how) for part in value)
        return None if value is None else how(value)


class CLibrary:
    """The C target, called through ctypes, one sequence at a time."""

    batched = False

    def __init__(self, cell: ls.Cell, folder: Path):
        self._cell, self._program = cell, Program.of(cell)
        self.text = ls.source(cell, "c")
        self.prefix = next(w for w in self.text.split() if w.endswith("_sizes;")).removesuffix("_sizes;")
        path = folder / f"{self.prefix}_{id(cell)}.c"
        path.write_text(self.text, encoding="utf-8")
        command = ["cc", *FLAGS, "-o", str(path.with_suffix(".so")), str(path), "-lm"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        self._library = ctypes.CDLL(str(path.with_suffix(".so")))
        self._sizes = structure([(size, ctypes.c_size_t) for size in self._program.size_names])
        pointer = ctypes.POINTER(ctypes.c_double)
        self._parameters = structure([(name, pointer) for name in cell.parameters])
        self._vectors = structure([(name, pointer) for name in cell.vectors])
        for function in ("state_size", "workspace", "gradient_workspace"):
            self.function(function).restype = ctypes.c_size_t

    def function(self, name):
        return getattr(self._library, f"{self.prefix}_{name}")

    def lengths(self, parameters):
        sizes = ls.Kernel(self._cell).bind(parameters).sizes
        return self._sizes(*(sizes.get(size, 0) for size in self._program.size_names))

    def fields(self, kind, arrays):
        return kind(**{name: pointer_to(array) for name, array in arrays.items()})

    def _call(self, name, parameters, *arguments, shape):
        n, p = self.lengths(parameters), self.fields(self._parameters, parameters)
        work, result = self.memory("workspace", n), np.full(shape, np.nan)
        self.function(name)(n, ctypes.byref(p), *map(pointer_to, (*arguments, result, work)))
        self.check()
        return result

    def memory(self, name, *arguments):
        """Memory of exactly as many doubles as are asked for, full of NaN, and a canary behind them."""
        self._guarded = np.full(self.function(name)(*arguments) + 1, np.nan)
        self._guarded[-1] = 12345.0
        return self._guarded[:-1]

    def check(self):
        """Nothing was written behind the memory that was asked for."""
        assert self._guarded[-1] == 12345.0

    def step(self, parameters, x, state):
        return self._call("step", parameters, x, state, shape=state.shape)

    def step_in_place(self, parameters, x, state):
        n, p, place = self.lengths(parameters), self.fields(self._parameters, parameters), state.copy()
        arrays = (x, place, place, self.memory("workspace", n))
        self.function("step")(n, ctypes.byref(p), *map(pointer_to, arrays))
        return place

    def jacobian(self, parameters, x, state):
        return self._call("jacobian", parameters, x, state, shape=state.shape * 2)

    def jvp(self, parameters, x, state, tangent):
        return self._call("jvp", parameters, x, state, tangent, shape=state.shape)

    def vjp(self, parameters, x, state, cotangent):
        return self._call("vjp", parameters, x, state, cotangent, shape=state.shape)

    def evaluate(self, parameters, x, state):
        n, p, v = self.lengths(parameters), self.fields(self._parameters, parameters), self._vectors()
        work = self.memory("workspace", n)
        self.function("evaluate")(
            n, ctypes.byref(p), pointer_to(x), pointer_to(state), ctypes.byref(v), pointer_to(work)
        )
        self.check()
        found = {}
        for name in self._cell.vectors:
            length = getattr(n, self._cell.sizes[name])
            if length:
                found[name] = np.ctypeslib.as_array(getattr(v, name), (length,)).copy()
        return found

    def unroll(self, parameters, inputs, initial=None):
        n, p = self.lengths(parameters), self.fields(self._parameters, parameters)
        S = self.function("state_size")(n)
        states, start = np.empty((len(inputs), S)), np.zeros(S) if initial is None else initial
        arrays = (inputs, start, states, self.memory("workspace", n))
        T = ctypes.c_size_t(len(inputs))
        self.function("unroll")(n, T, ctypes.byref(p), *map(pointer_to, arrays))
        self.check()
        return states

    def gradient(self, parameters, inputs, seeds, initial=None):
        n, p = self.lengths(parameters), self.fields(self._parameters, parameters)
        S, T = self.function("state_size")(n), ctypes.c_size_t(len(inputs))
        start = np.zeros(S) if initial is None else initial
        given, first = dict(seeds), 0
        stacked = given.pop("state", None)
        for state in self._cell.states if stacked is not None else ():
            last = first + getattr(n, self._cell.sizes[state])
            given[state] = np.ascontiguousarray(stacked[:, first:last] + given.get(state, 0.0))
            first = last
        found = {name: np.zeros_like(array) for name, array in parameters.items()}
        by_inputs, by_initial = np.full_like(inputs, np.nan), np.full_like(start, np.nan)
        s, g = self.fields(self._vectors, given), self.fields(self._parameters, found)
        arrays = (by_inputs, by_initial, self.memory("gradient_workspace", n, T))
        ends = map(pointer_to, (inputs, start))
        references = map(ctypes.byref, (s, g))
        self.function("gradient")(n, T, ctypes.byref(p), *ends, *references, *map(pointer_to, arrays))
        self.check()
        return found, by_inputs, by_initial


def structure(fields):
    return type("Structure", (ctypes.Structure,), {"_fields_": fields})


def pointer_to(array):
    assert array.flags.c_contiguous
    assert array.dtype == np.float64
    return array.ctypes.data_as(ctypes.POINTER(ctypes.c_double))


def loaded(cell: ls.Cell, target: str, folder: Path):
    """The generated code of a cell, ready to be called; skips where its runtime is missing."""
    if target == "c":
        if shutil.which("cc") is None:
            pytest.skip("no C compiler")
        return CLibrary(cell, folder)
    if target == "torch":
        torch = pytest.importorskip("torch")
        return Arrays(imported(cell, target, folder), torch.tensor, lambda tensor: tensor.detach().numpy())
    if target == "jax":
        jnp = pytest.importorskip("jax.numpy")
        return Arrays(imported(cell, target, folder), jnp.asarray, np.asarray)
    return Arrays(imported(cell, target, folder), np.asarray, np.asarray)


def imported_text(text: str, name: str, folder: Path):
    """A module from its text."""
    path = folder / f"{name}.py"
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def c_forms(names, folder: Path):
    """The functions of one argument that generated C calls, as Python functions of an array."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    calls = [f"double call_{name}(double a) {{ return {name}(a); }}\n" for name in names]
    text = "#include <math.h>\n#include <stddef.h>\n" + needed("".join(calls)) + "".join(calls)
    path = folder / "forms.c"
    path.write_text(text, encoding="utf-8")
    subprocess.run(["cc", *FLAGS, "-o", str(path.with_suffix(".so")), str(path), "-lm"], check=True)
    library = ctypes.CDLL(str(path.with_suffix(".so")))
    found = {}
    for name in names:
        function = getattr(library, f"call_{name}")
        function.argtypes, function.restype = [ctypes.c_double], ctypes.c_double
        found[name] = np.vectorize(function, otypes=[float])
    return found
