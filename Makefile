# Two commands: `make demo` and `make test`. Both install what they need into .venv, once.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
FOLDERS := src tests benchmarks

.PHONY: demo test check format bench requirements clean

demo: $(VENV)/installed
	$(BIN)/twolevel demo demo

test: check
	$(BIN)/python -m pytest

check: $(VENV)/installed-test
	$(BIN)/ruff check $(FOLDERS)
	$(BIN)/ruff format --check $(FOLDERS)
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/installed-test
	$(BIN)/ruff check --fix $(FOLDERS)
	$(BIN)/ruff format $(FOLDERS)

# Beside nilearn, on an otherwise idle machine: an hour, and 6 GB in build/benchmarks.
bench: $(VENV)/installed-test
	$(BIN)/python -m benchmarks.first_level
	$(BIN)/python -m benchmarks.whole_run
	$(BIN)/python -m benchmarks.group_inference
	$(BIN)/python -m benchmarks.null_simulations
	PYTHONPATH=tests/support $(BIN)/python -m benchmarks.report

$(VENV)/created:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "twolevel needs Python 3.11 to 3.13; this is $$($(PYTHON) --version). Try: make PYTHON=python3.12 demo"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/installed: requirements.txt pyproject.toml | $(VENV)/created
	@echo "Installing into $(VENV), once; this takes a minute or two."
	$(PIP) install --requirement requirements.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/installed-test: requirements-test.txt $(VENV)/installed
	$(PIP) install --requirement requirements-test.txt
	touch $@

# Renew the pins from pyproject.toml. The files hold no address of a package index.
requirements: $(VENV)/created
	$(PIP) install uv
	$(BIN)/uv pip compile --universal --python-version 3.11 --no-header --no-annotate \
		--no-emit-index-url --upgrade --extra fetch --group test \
		--output-file requirements-test.txt pyproject.toml requirements-build.in
	$(BIN)/uv pip compile --universal --python-version 3.11 --no-header --no-annotate \
		--no-emit-index-url --upgrade --constraint requirements-test.txt \
		--output-file requirements.txt pyproject.toml requirements-build.in

clean:
	rm -rf $(VENV) demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
