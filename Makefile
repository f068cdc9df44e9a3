# Two commands matter: `make demo` and `make test`. Both set up what they need.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := --quiet --disable-pip-version-check
ARGS ?=

.PHONY: demo test lint types contract check bench fmt setup setup-dev clean help
.DEFAULT_GOAL := help

help:            ## Say what can be made
	@grep -hE '^[a-z-]+: .*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

$(VENV)/bin/python:
	@echo "setting up $(VENV)" >&2
	@$(PYTHON) -m venv $(VENV) >&2

# Set-up talks on standard error, so that `make demo ARGS="--once --json"` prints one document.
# A stamp is the hash-pinned set that was installed; a changed pin installs again.
$(VENV)/.run: requirements/build.txt requirements/run.txt pyproject.toml web/package-lock.json $(wildcard web/*.py web/*.json web/pages/*/*) | $(VENV)/bin/python
	@echo "installing what runs nearcast" >&2
	@$(BIN)/pip install $(PIP) --require-hashes -r requirements/build.txt -r requirements/run.txt >&2
	@$(BIN)/pip install $(PIP) --no-build-isolation --no-deps --editable . >&2
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	@echo "installing what develops nearcast" >&2
	@$(BIN)/pip install $(PIP) --require-hashes -r requirements/dev.txt >&2
	@touch $@

setup: $(VENV)/.run     ## Install what runs nearcast
setup-dev: $(VENV)/.dev ## Install what develops nearcast

demo: $(VENV)/.run      ## Run a small internet on this machine and watch a video through it
	@$(BIN)/nearcast demo $(ARGS)

test: $(VENV)/.dev      ## Run all tests
	$(BIN)/pytest -n 2 --dist loadscope $(ARGS)

lint: $(VENV)/.dev      ## Check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev     ## Check types
	$(BIN)/mypy

contract: $(VENV)/.dev  ## Check that imports go only downward
	$(BIN)/lint-imports

check: lint types contract test ## Everything that must hold before a commit

bench: $(VENV)/.dev     ## Run the benchmarks (each a ratio to a peer in the same run)
	$(BIN)/python -m bench $(ARGS)

fmt: $(VENV)/.dev       ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:           ## Remove what was set up
	rm -rf $(VENV) src/nearcast/web web/node_modules
