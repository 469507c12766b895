# Arcana. `make` lists what can be done.
#
# Every setting passes through: `make run HTTP_PORT=5001`, or from the environment. Everything is
# installed into .venv of this folder, and nothing of the caller's Python comes in.

PYTHON ?= python3
ARGS ?=
JOBS ?= 2
BIN := .venv/bin
PIP_OPTIONS := --quiet --quiet --disable-pip-version-check --no-input
UV_COMPILE := uv pip compile --quiet --universal --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links $(if $(UPGRADE),--upgrade)

MAKEFLAGS += --no-builtin-rules --no-print-directory
.SUFFIXES:
.DELETE_ON_ERROR:
.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help install install-dev run migrate test check format lint types imports protos lock clean chaos-cache chaos-creates chaos-data bench-data

unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME PYTHONSTARTUP PIP_TARGET PIP_PREFIX PIP_USER PIP_REQUIRE_VIRTUALENV
export PYTHONNOUSERSITE = 1

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

install: .venv/.runtime ## Install what running needs into .venv

install-dev: .venv/.dev ## Install what testing and checking need, too

run: .venv/.runtime ## Serve REST on 5000 and gRPC on 50051, with a database of its own
	@exec $(BIN)/python manage.py run

migrate: .venv/.runtime ## Bring the database at DATABASE_URL up to date
	@exec $(BIN)/python manage.py migrate up

test: .venv/.dev ## Run the tests (ARGS="-k sqlite -x" reaches pytest, JOBS=1 runs one at a time)
	@exec $(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

chaos-data: .venv/.dev ## Kill databases and workers under write load, and count what is lost
	@exec $(BIN)/python -m tests.bench.chaos_data

check: lint types imports test ## What CI runs: format, lint, types, import rules, tests

chaos-cache: .venv/.dev ## Mistreat Redis under load, and check and time every answer (ARGS=mysql)
	@$(BIN)/python -m tests.bench.chaos_cache $(ARGS)

chaos-creates: .venv/.dev ## Create one address 40 times at once, 100 rounds on each database
	@$(BIN)/python -m tests.bench.chaos_creates $(ARGS)

format: .venv/.dev ## Format the code and mend what lint can
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

lint: .venv/.dev ## Check format and style
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

types: .venv/.dev ## Check types
	@$(BIN)/mypy

imports: .venv/.dev ## Check who may import whom
	@$(BIN)/lint-imports --no-logo

bench-data: .venv/.dev ## Import a million users and measure lists and searches (SIZE=20000 ARGS=sqlite)
	@SIZE=$(or $(SIZE),1000000) $(BIN)/python -m tests.bench.data $(ARGS)

protos: .venv/.runtime ## Make the gRPC code from protos/arcana/*.proto
	@$(BIN)/python protos/generate.py

lock: ## Write the lock files from pyproject.toml (UPGRADE=1 takes newer versions); needs uv
	@command -v uv >/dev/null || { echo "uv is missing: pip install uv" >&2; exit 1; }
	@$(UV_COMPILE) pyproject.toml --group build -o requirements.lock >/dev/null
	@$(UV_COMPILE) pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock >/dev/null
	@$(UV_COMPILE) --group protos -o requirements-protos.lock >/dev/null

clean: ## Remove what make made; var/ with its database stays
	@rm -rf .venv .venv-protos .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- the environment ------------------------------------------------------------------------------

.venv/.runtime: requirements.lock pyproject.toml | .venv/bin/python
	@$(call install_lock,requirements.lock)
	@touch $@

.venv/.dev: requirements-dev.lock pyproject.toml | .venv/bin/python
	@$(call install_lock,requirements-dev.lock)
	@touch $@ .venv/.runtime

# Debian without python3-venv makes no pip: then the system's pip, or uv, installs from outside.
.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Arcana needs Python 3.11 or newer, and '$(PYTHON)' is not: make PYTHON=/path/to/python3.11 …" >&2; \
		exit 1; }
	@$(PYTHON) -m venv --clear .venv >/dev/null 2>&1 || $(PYTHON) -m venv --clear --without-pip .venv

define install_lock
echo "Installing $(1) into .venv …"; \
if $(BIN)/python -m pip --version >/dev/null 2>&1; then pip="$(BIN)/python -m pip install $(PIP_OPTIONS)"; \
elif command -v uv >/dev/null; then pip="uv pip install --quiet --python $(BIN)/python"; \
elif $(PYTHON) -m pip --python $(BIN)/python --version >/dev/null 2>&1; then \
	pip="$(PYTHON) -m pip --python $(BIN)/python install $(PIP_OPTIONS)"; \
else echo "No pip: install python3-venv, python3-pip or uv" >&2; exit 1; fi; \
$$pip --no-deps --require-hashes -r $(1) && $$pip --no-deps --no-build-isolation -e .
endef
