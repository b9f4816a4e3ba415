# make figures   the quick atlas: every figure in small, and an index page, into figures/ (a minute)
# make atlas     the same in full quality, into atlas/ (seven minutes on two cores)
# make test      the whole test suite
# make lint      ruff and mypy
# make benchmark times beside JAX and PyTorch, in an environment of their own, .venv-benchmark (a large download)
# Each creates .venv and installs what it needs; only Python 3.11 or newer and make are expected.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
BENCHMARK := .venv-benchmark
JOBS ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
export MPLBACKEND := Agg

.PHONY: figures atlas test lint benchmark clean

$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[test,lint,progress,threads]"
	touch $@

figures: $(INSTALLED)
	$(BIN)/lstm-sym figures --quick --dark --jobs $(JOBS) --force --out figures

atlas: $(INSTALLED)
	$(BIN)/lstm-sym figures --dark --jobs $(JOBS) --force --out atlas

test: $(INSTALLED)
	$(BIN)/python -m pytest -n auto

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(BENCHMARK)/.installed: pyproject.toml benchmarks/requirements.txt
	$(PYTHON) -m venv $(BENCHMARK)
	$(BENCHMARK)/bin/python -m pip install --quiet --disable-pip-version-check --requirement benchmarks/requirements.txt
	touch $@

benchmark: $(BENCHMARK)/.installed
	$(BENCHMARK)/bin/python -m benchmarks

clean:
	rm -rf .venv $(BENCHMARK) figures atlas build *.egg-info .pytest_cache .mypy_cache .ruff_cache
