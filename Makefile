# What one does with this repository, one target each; `make` alone lists them. Every target sets up what it needs, on a
# machine that has Python 3.11 or newer with venv and a C++ compiler, and does again only what its inputs make necessary.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
NATIVE := $(wildcard CMakeLists.txt src/engram/_core.pyi native/* native/*/*)
PACKAGE := $(shell find src -type f -not -path '*/__pycache__/*')

# Build tools live in the environment and builds are not isolated, so that CMake finds the same tools again and compiles
# only what changed.
TOOLS := $(VENV)/.stamp-tools
DEMO := $(VENV)/.stamp-demo
DEV := $(VENV)/.stamp-dev
DOCS := $(VENV)/.stamp-docs
# A developer's editable installation also runs the demo; nobody gets it replaced by a copy.
RUNNABLE = $(if $(wildcard $(DEV)),$(DEV),$(DEMO))

# Many tests wait for servers and disks, so more of them than there are cores run at the same time.
PROCESSES ?= 3
# A file of tests runs in one process, in the order of names: the long ones, of integration, come first, and the short
# ones of units fill the processes evenly at the end. By its own rule, xdist has files with few tests last, which take
# longest.
SHARED := --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test campaigns lint format proto settings page dashboard screenshots bench docs extras sanitize clean distclean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(RUNNABLE) ## Watch Engram take in observations and recall them at the same time
	@$(BIN)/engram demo $(ARGS)

test: $(DEV) ## Run all tests and say what was left out; ARGS go to pytest
	@$(BIN)/python -m pytest $(SHARED) $(ARGS)

campaigns: $(DEV) ## Run the long campaigns, which take minutes each; ARGS go to pytest
	@$(BIN)/python -m pytest -m campaign --timeout 1800 $(ARGS)

lint: $(DEV) ## Check style, types, formatting and generated code
	@PATH="$(abspath $(BIN)):$$PATH" PYTHON=python scripts/lint

format: $(DEV) ## Rewrite Python and C++ sources in the project's format
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .
	@$(BIN)/clang-format -i $(filter %.cpp %.hpp,$(NATIVE))

proto: $(DEV) ## Generate the protobuf code from proto/
	@PYTHON=$(BIN)/python PATH="$(abspath $(BIN)):$$PATH" scripts/proto

settings: $(DEV) ## Write the tables of settings into docs/configuration.md
	@$(BIN)/python scripts/settings_tables.py

page: $(DEV) ## Build the page from page/ into the package; needs what `make extras` installs
	@cd page && PATH="$(abspath $(BIN)):$$PATH" npm run --silent build

dashboard: $(DEV) ## Write the dashboard of Grafana in deployments/
	@$(BIN)/python scripts/make_dashboard.py

screenshots: $(DEV) ## Take the screenshots of engram top and of the page; needs what `make extras` installs
	@$(BIN)/python scripts/screenshot_top.py docs/images/top.svg
	@$(BIN)/python scripts/screenshots.py docs/images

bench: $(DEV) ## Measure streaming and the index on this machine, a short run of each
	@$(BIN)/python -m benchmarks index-peers --short
	@$(BIN)/python -m benchmarks streaming --short

docs: $(DOCS) ## Build the documentation with its API reference into site/
	@$(BIN)/zensical build --strict --clean
	@echo "The documentation is in site/index.html"

extras: $(DEV) ## Install what only some tests need: Chromium, Prometheus, and what the TypeScript packages are tested with
	@PATH="$(abspath $(BIN)):$$PATH" scripts/extras

sanitize: $(DEV) ## Run the native tests under the thread and address sanitizers
	@PATH="$(abspath $(BIN)):$$PATH" scripts/sanitize

clean: ## Remove what was built; keep the environment
	@rm -rf build dist site .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis $(DEMO) $(DEV) $(DOCS)

distclean: clean ## Remove the environment too, as in a fresh clone
	@rm -rf $(VENV)

$(BIN)/python:
	@scripts/check_machine $(PYTHON)
	@echo "Creating $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

$(TOOLS): pyproject.toml | $(BIN)/python
	@echo "Installing build tools ..."
	@$(PIP) install cmake ninja $$($(BIN)/python scripts/build_requires.py)
	@touch $@

$(DEMO): $(TOOLS) $(NATIVE) $(PACKAGE)
	@echo "Compiling and installing Engram ..."
	@$(PIP) install --no-build-isolation ".[server]"
	@touch $@

$(DEV): $(TOOLS) $(NATIVE)
	@echo "Compiling and installing Engram, editable, with the developer's tools ..."
	@$(PIP) install --no-build-isolation --editable ".[dev]"
	@touch $@

$(DOCS): $(DEV)
	@echo "Installing the documentation tools ..."
	@$(PIP) install --no-build-isolation --editable ".[docs]"
	@touch $@
