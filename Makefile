# phosphene: `make demo` paints a picture, `make test` runs the tests; both set up .venv first.
#
#   make demo PROMPT="a fox | watercolour"
#   make test PYTEST="-k rng -x"                     further arguments for pytest
#   make test PULL=true                              without fetching weights
#   make demo PIP_EXTRA_INDEX_URL=<PyTorch's CPU index>   Linux without a GPU: saves gigabytes

.DEFAULT_GOAL := help
SHELL := /bin/bash

# spinning OpenMP threads make everything 10x slower when another process shares the cores
export OMP_WAIT_POLICY ?= passive
# uv reads its own variable for folders of wheels
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
export PIP_DISABLE_PIP_VERSION_CHECK ?= 1

PYTHON ?= python3
export PROMPT ?= Oregon 💚 | painting
# what demo and tests fetch once, into the user's cache: the text tower and other frozen networks
# that the embedded models stand on
MODELS ?= --embedded
PULL ?= .venv/bin/phosphene models pull $(MODELS)
PYTEST ?=
SERVE ?=
MARKS =
# other people's programs that tests and benches run beside ours; without what they depend on,
# which is for downloads and drawing: of this one only the network is imported
PEERS = pytorch-pretrained-biggan

ifneq ($(shell command -v uv),)
  CREATE := uv venv --quiet --allow-existing --seed --python '>=3.11' .venv
  INSTALL := uv pip install --python .venv/bin/python -c constraints.txt
  FREEZE := uv pip freeze --python .venv/bin/python
else
  CREATE := { $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' && $(PYTHON) -m venv .venv; }
  INSTALL := .venv/bin/python -m pip install --quiet -c constraints.txt
  FREEZE := .venv/bin/python -m pip freeze --all
endif

.PHONY: help demo serve test test-all lint types fmt docs bench venv constraints clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/runtime.stamp ## set up, then paint PROMPT with the embedded models
	@$(PULL)
	@.venv/bin/phosphene imagine "$$PROMPT"

serve: .venv/dev.stamp ## set up, then open the studio at http://127.0.0.1:8420; SERVE="--port 0" adds options
	@$(PULL)
	@.venv/bin/phosphene serve $(SERVE)

test: .venv/dev.stamp ## set up, then run the tests
	@$(PULL)
	@.venv/bin/python -m pytest $(MARKS) $(PYTEST)

test-all: MARKS = -m "slow or not slow"
# tests of the published faces say so and are skipped where these cannot be fetched
test-all: PULL := $(PULL) && { .venv/bin/phosphene models pull faces-dcgan || true; }
test-all: test ## the same, with the slow tests

lint: .venv/dev.stamp ## ruff, and the layers of the architecture
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/lint-imports

types: .venv/dev.stamp ## mypy, strict
	@.venv/bin/mypy src docs $(wildcard bench)

fmt: .venv/dev.stamp ## format, and repair what ruff can repair
	@.venv/bin/ruff check --fix-only
	@.venv/bin/ruff format

docs: .venv/dev.stamp ## rewrite the --help pages quoted in README and docs
	@.venv/bin/python docs/help_blocks.py

bench: .venv/dev.stamp ## every benchmark, as JSON lines
	@set -e; for script in $(wildcard bench/*.py); do .venv/bin/python $$script; done

venv: .venv/dev.stamp ## .venv with everything to work on phosphene

# Stamps: an installation is repeated only when what it depends on has changed.
.venv/bin/python:
	@$(CREATE) || { rm -rf .venv; echo "phosphene needs Python 3.11 or newer; name it: make PYTHON=python3.12" >&2; exit 1; }

.venv/runtime.stamp: pyproject.toml constraints.txt | .venv/bin/python
	@echo "installing phosphene into .venv; this takes a minute or a few, once"
	@$(INSTALL) -e .
	@touch $@

.venv/dev.stamp: pyproject.toml constraints.txt Makefile | .venv/bin/python
	@echo "installing phosphene and what its tests need into .venv; a minute or a few, once"
	@$(INSTALL) -e '.[dev]'
	@$(INSTALL) --no-deps $(PEERS)
	@touch .venv/runtime.stamp $@

constraints: ## newest of everything into an empty .venv, then pin it; run the tests after
	@rm -rf .venv
	@$(CREATE)
	@$(subst -c constraints.txt,,$(INSTALL)) -e '.[dev]'
	@$(subst -c constraints.txt,,$(INSTALL)) --no-deps $(PEERS)
	@{ grep '^#' constraints.txt; $(FREEZE) --exclude-editable | sed -e 's/+[a-z0-9.]*$$//' -e '/^\(pip\|wheel\)==/d'; } > constraints.new
	@mv constraints.new constraints.txt

clean: ## remove the environment and caches; pictures and weights stay
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
