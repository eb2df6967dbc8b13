# make run    start the platform          make test   prove it
# Both set up everything they need in .venv first. Options of `caudal start` go into ARGS: make run ARGS="--port 0".

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
TESTS ?= tests
PYTEST = $(BIN)/python -m pytest --numprocesses 2 --dist loadfile

.PHONY: run demo test check lint types imports pytest soak bench format clean

run: $(VENV)/.run
	@exec $(BIN)/caudal start $(ARGS)

demo: $(VENV)/.run
	@exec $(BIN)/caudal demo $(ARGS)

# The fault tests measure what other clients notice, so nothing else runs beside them.
test: $(VENV)/.test
	@bash tests/prepare.sh
	@$(MAKE) --no-print-directory check
	$(PYTEST) --ignore tests/faults tests
	$(BIN)/python -m pytest tests/faults

check: $(VENV)/.test lint types imports

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/mypy

imports: $(VENV)/.test
	$(BIN)/lint-imports

pytest: $(VENV)/.test
	$(PYTEST) $(TESTS)

# The fault tests in full, with twenty seeds: hours. It goes on where it was interrupted. In parts:
# make soak ARGS="kill-load guided-fuzz --seeds 7-9"; make soak ARGS=--list names them, ARGS=--short tries them all.
soak: $(VENV)/.test
	@$(BIN)/python -m tests.faults.soak $(ARGS)

bench: $(VENV)/.test
	$(BIN)/python -m benchmarks $(ARGS)

format: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Caudal needs Python 3.11 or newer; name one with: make PYTHON=python3.11")'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv module is missing. On Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "making $(VENV)" >&2
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --upgrade 'pip>=25.1'

$(VENV)/.run: pyproject.toml | $(VENV)/bin/python
	@echo "installing Caudal into $(VENV)" >&2
	@$(PIP) install --editable .
	@touch $@

$(VENV)/.test: pyproject.toml | $(VENV)/bin/python
	@echo "installing Caudal and its test tools into $(VENV)" >&2
	@$(PIP) install --editable . --group test
	@touch $@ $(VENV)/.run

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
