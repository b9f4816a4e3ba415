# make figures   the figures, into figures/
# make test      the whole test suite
# make lint      ruff and mypy
# Each creates .venv and installs what it needs; only Python 3.11 or newer and make are expected.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
export MPLBACKEND := Agg

.PHONY: figures test lint clean

$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[test,lint,progress,threads]"
	touch $@

figures: $(INSTALLED)
	$(BIN)/lstm-sym figures --out figures

test: $(INSTALLED)
	$(BIN)/python -m pytest

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf .venv figures build *.egg-info .pytest_cache .mypy_cache .ruff_cache
