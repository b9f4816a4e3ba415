"""Layers, import cost and speed-independent promises of the package as a whole."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import lstm_sym as ls

PACKAGE = Path(ls.__file__).parent

#: A module imports only from its own layer and those above it in this list.
LAYERS = [
    *("checks", "files", "functions", "notation", "cell", "cells", "calculus", "typeset", "kernels"),
    *("targets", "claims", "flow", "theory", "shares", "pairs", "comparison", "progress", "sweeps"),
    *("quantities", "training", "figures", "scripts", "atlas", "commands"),
]
#: Below the line in the design: no SymPy.
NUMERIC = {"flow", "theory", "sweeps", "figures"}
#: Layers that need no more than these of what is above them.
ONLY = {
    "flow": {"checks", "flow"},
    "theory": {"checks", "theory"},
    "cells": {"cell", "cells", "checks"},
    "functions": set(),
    "checks": set(),
}


def modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[0] in LAYERS:
            yield path, parts[0]


def imported(path: Path) -> set[str]:
    """Top-level names of what a file imports, TYPE_CHECKING blocks included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


@pytest.mark.parametrize(("path", "layer"), list(modules()), ids=lambda value: getattr(value, "name", str(value)))
def test_a_module_imports_only_from_layers_above(path, layer):
    allowed = ONLY.get(layer, set(LAYERS[: LAYERS.index(layer) + 1])) | {layer, "__version__"}
    for name in imported(path):
        parts = name.split(".")
        if parts == ["lstm_sym"]:  # reaches everything
            assert layer == LAYERS[-1], f"{path.name} imports {name}"
        elif parts[0] == "lstm_sym":
            assert parts[1] in allowed, f"{path.name} imports {name}"
        if layer in NUMERIC:
            assert parts[0] != "sympy", f"{path.name} imports {name}"


def test_no_module_is_called_like_a_public_function():
    names = {path.stem for path, _ in modules()} | set(LAYERS)
    assert not names & set(ls.__all__)


def test_every_package_is_installed():
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))
    found = {".".join(p.parent.relative_to(PACKAGE.parent).parts) for p in PACKAGE.rglob("__init__.py")}
    assert set(project["tool"]["setuptools"]["packages"]) == found | {"lstm_sym.analyses"}


def loaded_by(code: str) -> set[str]:
    command = [sys.executable, "-c", f"import sys; {code}; print(*sorted(sys.modules))"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_importing_loads_nothing_that_is_not_needed():
    assert not {"sympy", "scipy", "matplotlib", "numpy"} & loaded_by("import lstm_sym")
    used = loaded_by("import lstm_sym as ls; ls.jacobian(ls.LSTM, 'c', 'h'); ls.latex(ls.LSTM)")
    assert not {"scipy", "matplotlib"} & used
    run = "import lstm_sym as ls, numpy as np; k = ls.Kernel(ls.LSTM); p = k.parameters(2, 1, rng=0); "
    run += "ls.gradient_norms(ls.run(k, p, 5), 'c', 'c')"
    heavy = {"matplotlib", "scipy.linalg", "scipy.optimize", "scipy.signal", "scipy.stats"}
    assert not heavy & loaded_by(run)


def test_public_names_are_what_they_say_and_are_documented():
    assert set(ls.__all__) <= set(dir(ls))
    for name in ls.__all__:
        lines = inspect.getdoc(getattr(ls, name)).splitlines()
        assert any(line.startswith(">>> ") for line in lines), f"{name} has no example"
        assert len(lines) <= 45, f"help({name}) is longer than a screen"
    with pytest.raises(AttributeError, match="Did you mean 'jacobian'"):
        ls.jakobian  # noqa: B018


@pytest.mark.parametrize(
    "name", [m.name for m in pkgutil.walk_packages([str(PACKAGE)], "lstm_sym.") if "analyses" not in m.name]
)
def test_docstrings_run(name):
    if name.endswith("__main__"):
        return
    failed, _ = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert failed == 0


def test_the_readme_runs():
    readme = PACKAGE.parent / "README.md"
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    failed, tried = doctest.testfile(str(readme), module_relative=False, optionflags=options, encoding="utf-8")
    assert failed == 0
    assert tried >= 6


@pytest.mark.parametrize("page", sorted((PACKAGE.parent / "docs").glob("*.md")), ids=lambda page: page.stem)
def test_the_pages_run(page):
    if page.stem == "sweeps":  # a cluster of its own, and labelled arrays
        pytest.importorskip("distributed")
        pytest.importorskip("xarray")
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    failed, tried = doctest.testfile(str(page), module_relative=False, optionflags=options, encoding="utf-8")
    assert failed == 0
    assert tried >= 5
