# Two commands: `make demo` and `make test`. Both install what they need into .venv, once.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
COMPILE := uv pip compile --no-header --no-annotate --no-emit-index-url --extra fetch --group test
FOLDERS := src tests benchmarks
TEMPLATES := src/twolevel/report/templates
SCRIPTS := $(TEMPLATES)/viewer.js
TEXT := $(wildcard *.md *.toml *.txt *.in *.cff Makefile .pre-commit-config.yaml .ci/* \
	.github/workflows/* changelog.d/* benchmarks/*.md $(TEMPLATES)/*)
TESTS := tests
# Two at a time, a file to each, those that take longest first.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not long"

.PHONY: demo test long test-lowest test-newest test-resolved coverage changelog bench requirements clean
.PHONY: check check-python check-report check-text check-changelog format

demo: $(VENV)/installed
	$(BIN)/twolevel demo demo

test: check
	$(PYTEST) $(TESTS)

# What the tests of every commit leave out: before an issue is closed.
long: $(VENV)/installed-test
	$(BIN)/python -m pytest -m long $(TESTS)

# The checks, which CI runs and which pre-commit runs of what a commit changes.
check: check-python check-report check-text check-changelog

check-python: $(VENV)/installed-test
	$(BIN)/ruff check $(FOLDERS)
	$(BIN)/ruff format --check $(FOLDERS)
	$(BIN)/mypy
	$(BIN)/lint-imports

check-report: $(VENV)/installed-test
	$(BIN)/djlint --lint --quiet $(TEMPLATES)
	$(BIN)/deno lint --no-config --quiet $(SCRIPTS)
	$(BIN)/deno fmt --no-config --quiet --line-width 99 --check $(SCRIPTS)

check-text: $(VENV)/installed-test
	$(BIN)/trailing-whitespace-fixer $(TEXT)
	$(BIN)/end-of-file-fixer $(TEXT)
	$(BIN)/mixed-line-ending $(TEXT)
	$(BIN)/check-merge-conflict --assume-in-merge $(TEXT)
	$(BIN)/check-yaml $(filter %.yaml %.yml %.cff,$(TEXT))

check-changelog: $(VENV)/installed-test
	$(BIN)/towncrier build --draft --version next > /dev/null

format: $(VENV)/installed-test
	$(BIN)/ruff check --fix $(FOLDERS)
	$(BIN)/ruff format $(FOLDERS)
	$(BIN)/deno fmt --no-config --quiet --line-width 99 $(SCRIPTS)

# What the tests reach, and no less than the floor in pyproject.toml.
coverage: $(VENV)/installed-test
	$(PYTEST) $(TESTS) --cov

# The tests with the lowest versions that pyproject.toml allows and with the newest that there are,
# each in an environment of its own. `make test-lowest TESTS=tests/unit` runs some of them.
test-lowest:
	$(MAKE) VENV=.venv-lowest RESOLUTION=lowest-direct test-resolved

test-newest:
	$(MAKE) VENV=.venv-newest RESOLUTION=highest test-resolved

test-resolved: $(VENV)/created
	$(PIP) install uv
	$(BIN)/$(COMPILE) --python $(BIN)/python --resolution $(RESOLUTION) --upgrade --quiet \
		--output-file $(VENV)/requirements.txt pyproject.toml requirements-build.in
	$(BIN)/uv pip install --python $(BIN)/python --quiet --requirement $(VENV)/requirements.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	$(BIN)/python -c "import twolevel"
	$(PYTEST) $(TESTS)

# The fragments of changelog.d become the section of this version: make changelog VERSION=0.2.0
changelog: $(VENV)/installed-test
	$(BIN)/towncrier build --version $(VERSION)

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
	$(BIN)/$(COMPILE) --universal --python-version 3.11 --upgrade \
		--output-file requirements-test.txt pyproject.toml requirements-build.in
	$(BIN)/uv pip compile --universal --python-version 3.11 --no-header --no-annotate \
		--no-emit-index-url --upgrade --constraint requirements-test.txt \
		--output-file requirements.txt pyproject.toml requirements-build.in

clean:
	rm -rf $(VENV) $(VENV)-lowest $(VENV)-newest demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
