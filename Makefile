# Arcana. `make` lists what can be done.
#
# Every setting passes through: `make run HTTP_PORT=5001`, or from the environment. Everything is
# installed into .venv of this folder, and nothing of the caller's Python comes in.

PYTHON ?= python3
ARGS ?=
JOBS ?= 4
BIN := .venv/bin
PIP_OPTIONS := --quiet --quiet --disable-pip-version-check --no-input
UV_COMPILE := uv pip compile --quiet --universal --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links $(if $(UPGRADE),--upgrade)

MAKEFLAGS += --no-builtin-rules --no-print-directory
.SUFFIXES:
.DELETE_ON_ERROR:
.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: $(shell grep -oE '^[a-z-]+:.*[#][#] ' $(firstword $(MAKEFILE_LIST)) | cut -d: -f1)

unexport PYTHONDONTWRITEBYTECODE VIRTUAL_ENV PYTHONPATH PYTHONHOME PYTHONSTARTUP PIP_TARGET PIP_PREFIX PIP_USER PIP_REQUIRE_VIRTUALENV
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
	@exec $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

chaos: .venv/.dev ## Stop, reload, kill and block workers under load, and count what is lost (ARGS=4 runs)
	@$(BIN)/python -m tests.bench.chaos_drain $(ARGS)

chaos-doors: chaos-rpc chaos-http ## Attack both doors: huge messages, resets, half-open clients; memory and others' waits

soak: .venv/.dev ## Load both doors at 60 % of their peak for MINUTES=10, and watch what each worker holds
	@$(BIN)/python -m tests.bench.soak $(or $(MINUTES),10)

bench-sizing: .venv/.dev ## What a request costs a worker, by operation, door and database (SECONDS=5 each)
	@$(BIN)/python -m tests.bench.sizing $(or $(SECONDS),5)

chaos-data: .venv/.dev ## Kill databases and workers under write load, and count what is lost
	@exec $(BIN)/python -m tests.bench.chaos_data

check: lint types imports test ## What CI runs: format, lint, types, import rules, tests

chaos-cache: .venv/.dev ## Mistreat Redis under load, and check and time every answer (ARGS=mysql)
	@$(BIN)/python -m tests.bench.chaos_cache $(ARGS)

chaos-creates: .venv/.dev ## Create one address 40 times at once, 100 rounds on each database
	@$(BIN)/python -m tests.bench.chaos_creates $(ARGS)

chaos-orders: .venv/.dev ## Send 1,000 orders twice, then pay and cancel at once, 200 rounds (ARGS=mysql)
	@$(BIN)/python -m tests.bench.chaos_orders $(ARGS)

chaos-refresh: .venv/.dev ## Refresh one token 100 times at once, lose answers, play the thief (ARGS=20 rounds)
	@$(BIN)/python -m tests.bench.chaos_refresh $(ARGS)

chaos-revocation: .venv/.dev ## Revoke tokens in every way, and time when each worker refuses them
	@$(BIN)/python -m tests.bench.chaos_revocation $(ARGS)

chaos-watch: .venv/.dev ## Cut a watcher off 20 times while users come, change and go at both doors (ARGS=mysql)
	@$(BIN)/python -m tests.bench.chaos_watch $(ARGS)

chaos-rpc: .venv/.dev ## Attack the gRPC door, and measure what others feel of it
	@$(BIN)/python -m tests.bench.chaos_rpc

chaos-events: .venv/.dev ## Kill the relay and the service under 5,000 changes, and count what each sink heard (ARGS="500 mysql")
	@$(BIN)/python -m tests.bench.chaos_events $(ARGS)

chaos-receivers: .venv/.dev ## Let a webhook's receiver fail, dawdle and be away, and measure what the doors feel
	@$(BIN)/python -m tests.bench.chaos_receivers $(ARGS)

noun-check: .venv/.dev ## Write a noun by manage.py new noun into a copy of the checkout, and check the copy
	@NOUN_CHECK=1 $(BIN)/python -m pytest -q tests/e2e/test_new_noun.py

fuzz-rpc: .venv/.dev ## Talk to the gRPC door as no client does (ARGS="SECONDS SEED")
	@$(BIN)/python -m tests.bench.fuzz_rpc $(ARGS)

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

bench-tokens: .venv/.dev ## Count access tokens checked per second, PyJWT beside ours (ARGS=EdDSA)
	@$(BIN)/python -m tests.bench.tokens $(ARGS)

chaos-keys: .venv/.dev ## Rotate keys every 2 s for a minute under load, for each algorithm (ARGS=mysql)
	@$(BIN)/python -m tests.bench.chaos_keys $(ARGS)

chaos-http: .venv/.dev ## Let 150 half-open clients in, and measure how long everybody else waits
	@$(BIN)/python -m tests.bench.half_open

schemathesis: .venv/.dev ## Try 5,000 examples of our OpenAPI document on SQLite and PostgreSQL (ARGS="200 sqlite")
	@$(BIN)/python -m tests.bench.openapi $(ARGS)

bench-framing: .venv/.dev ## Measure what the guard below Sanic costs and keeps out
	@$(BIN)/python -m tests.bench.framing

bench-metrics: .venv/.dev ## Measure what metrics, log lines and traces add to a request
	@$(BIN)/python -m tests.bench.metrics

image-check: .venv/.dev ## Build the image without a registry, run it hardened, and stop it under load
	@exec $(BIN)/python -m tests.ship.image_check

compose-check: .venv/.dev .venv-ship/.ready ## Run deploy/compose.yaml, and restart each part of it
	@exec $(BIN)/python -m tests.ship.compose_check $(ARGS)

deploy-check: .venv/.dev .venv-ship/.ready ## Validate image file, compose and manifests, and play the Deployment
	@exec $(BIN)/python -m tests.ship.deploy_check

upgrade-check: .venv/.dev ## Upgrade from the previous release under load, migrating in between
	@exec $(BIN)/python -m tests.ship.upgrade_check

connections-check: .venv/.dev ## Count the connections of 3 x 2 workers under load, by database
	@exec $(BIN)/python -m tests.ship.connections

sbom: .venv-ship/.ready ## Write dist/sbom.json (CycloneDX) and dist/licences.txt of what runs
	@exec .venv-ship/bin/python -m tests.ship.sbom

wheel: .venv/.runtime ## Build the wheel into dist/; from the same tree the same bytes
	@rm -f dist/arcana-*.whl
	@SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/python -m hatchling build -t wheel
	@sha256sum dist/arcana-*.whl

ship-clean: ## Remove the images and containers that the checks made
	@exec $(PYTHON) -m tests.ship.clean

protos: .venv/.runtime ## Make the gRPC code from protos/arcana/*.proto
	@$(BIN)/python protos/generate.py

lock: ## Write the lock files from pyproject.toml (UPGRADE=1 takes newer versions); needs uv
	@command -v uv >/dev/null || { echo "uv is missing: pip install uv" >&2; exit 1; }
	@$(UV_COMPILE) pyproject.toml -o requirements.lock >/dev/null
	@$(UV_COMPILE) --group build -c requirements.lock -o requirements-build.lock >/dev/null
	@$(UV_COMPILE) pyproject.toml --extra tracing --group dev -c requirements.lock -c requirements-build.lock -o requirements-dev.lock >/dev/null
	@$(UV_COMPILE) --group protos -o requirements-protos.lock >/dev/null
	@$(UV_COMPILE) --group ship -o requirements-ship.lock >/dev/null

clean: ## Remove what make made; var/ with its database stays
	@rm -rf .venv .venv-protos .venv-ship .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- the environment ------------------------------------------------------------------------------

.venv/.runtime: requirements.lock requirements-build.lock pyproject.toml | .venv/bin/python
	@$(call install_lock,requirements.lock requirements-build.lock)
	@touch $@

.venv/.dev: requirements-dev.lock pyproject.toml | .venv/bin/python
	@$(call install_lock,requirements-dev.lock)
	@touch $@ .venv/.runtime

# Tools for what is shipped: apart, for they ask for versions of their own.
.venv-ship/.ready: requirements-ship.lock
	@echo "Installing requirements-ship.lock into .venv-ship …"
	@$(PYTHON) -m venv --clear .venv-ship
	@.venv-ship/bin/pip install $(PIP_OPTIONS) --no-deps --require-hashes -r requirements-ship.lock
	@touch $@

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
$$pip --no-deps --require-hashes $(addprefix -r ,$(1)) && $$pip --no-deps --no-build-isolation -e .
endef
