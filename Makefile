# `make` alone formats, lints, type-checks and tests. The first target that needs it makes .venv.

.DEFAULT_GOAL := all

# The first interpreter that is new enough; `make PYTHON=...` chooses another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
READY := .venv/.ready

$(READY): pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed. Name one: make PYTHON=/path/to/python"; exit 1; }
	@.ci/venv .venv "$(PYTHON)"
	@touch $@

.PHONY: all
all: format lint typecheck imports test ## Format, lint, type-check and test (the default)

.PHONY: setup
setup: $(READY) ## Make .venv with the package and all tools; every other target does it by itself

.PHONY: demo
demo: $(READY) ## Review this project's own sources with a traced agent, then show the report
	@$(BIN)/tta-observe demo

.PHONY: test
test: $(READY) ## Run the tests
	$(BIN)/python -m pytest

.PHONY: test-all
test-all: ## Run the tests on every interpreter found, and say which are missing
	@.ci/test-all

.PHONY: test-oldest
test-oldest: ## Run the tests with the oldest supported OpenTelemetry and wrapt
	@.ci/test-oldest

.PHONY: test-live
test-live: $(READY) ## Run the tests against real servers: Prometheus where it is installed, and what .ci/servers has built
	$(BIN)/python -m pytest tests/live

.PHONY: test-phoenix
test-phoenix: $(READY) ## Send runs to a real Phoenix server and ask it what it shows; .ci/phoenix installs one
	$(BIN)/python -m pytest tests/phoenix

.PHONY: test-providers
test-providers: $(READY) ## Put each provider's own client on documented answers, in an environment that is kept
	$(BIN)/python tests/providers

.PHONY: test-grafana
test-grafana: $(READY) ## Check the dashboards against Grafana's own code, with Node; the first time installs its libraries
	$(BIN)/python -m pytest --timeout=300 tests/grafana

.PHONY: conformance
conformance: $(READY) ## Run plain programs decorated and under `tta-observe run`, and print the table of what was seen
	$(BIN)/python tests/conformance

.PHONY: reliability
reliability: $(READY) ## Put the package through every failure of the scorecard, one round of about ten minutes
	$(BIN)/python tests/reliability

FIGURES := .venvs/figures
COMPARE := $(BIN)/python tests/reliability/comparison.py $(FIGURES)

.PHONY: reliability-full
reliability-full: $(READY) ## The same in three rounds, the worst counts, with 1,000,000 calls; the README tells of it
	@mkdir -p $(FIGURES)
	@$(BIN)/python tests/reliability --rounds 3 --calls 1000000 --json $(FIGURES)/ours.json; \
		status=$$?; $(COMPARE) && exit $$status

PEERS := stock logfire traceloop

.PHONY: reliability-peers
reliability-peers: $(READY) ## Put other libraries through the rows that they can be put through; the README compares
	@mkdir -p $(FIGURES)
	@for peer in $(PEERS); do $(BIN)/python tests/reliability --subject $$peer --json $(FIGURES)/$$peer.json; done; $(COMPARE)

.PHONY: dashboards
dashboards: $(READY) ## Write the dashboards, the rules and the README's tables from the table of panels
	$(BIN)/python -m tta_observe.dashboards

.PHONY: dashboards-check
dashboards-check: $(READY) ## Check that what is generated is as it would be generated now
	$(BIN)/python -m tta_observe.dashboards --check

# docker compose, or the older docker-compose, on the local stack; one line where no engine answers.
define STACK
@compose="docker compose"; $$compose version >/dev/null 2>&1 || compose=docker-compose; \
stack="$$compose --file examples/stack/compose.yaml"; \
$$stack ps >/dev/null 2>&1 || { echo "No container engine answers. Without one: tta-observe report" >&2; exit 1; }; \
$$stack
endef

.PHONY: stack-up
stack-up: ## Start Prometheus, Jaeger and Grafana with the dashboard, in containers
	$(STACK) up --detach
	@echo "http://127.0.0.1:3000/d/tta-agent-observability"

.PHONY: stack-down
stack-down: ## Stop them; what they have stored stays
	$(STACK) down

.PHONY: lint
lint: $(READY) ## Check style, without changing anything
	$(BIN)/ruff check .

.PHONY: format
format: $(READY) ## Format the code and mend what can be mended by a tool
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix --quiet .

.PHONY: format-check
format-check: $(READY) ## Check that the code is formatted
	$(BIN)/ruff format --check .

.PHONY: typecheck
typecheck: $(READY) ## Check types with mypy --strict, and what decorated functions are with pyright, too, where Node is
	$(BIN)/mypy
	$(BIN)/mypy tests/typing
	@if command -v node >/dev/null; then \
		PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright --pythonpath $(BIN)/python --project tests/typing; \
	else echo "SKIPPED: pyright needs node"; fi

.PHONY: imports
imports: $(READY) ## Check that imports only go down through the layers
	$(BIN)/lint-imports

.PHONY: clean
clean: ## Remove the environments and caches
	rm -rf .venv .venvs .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist tests/grafana/node_modules

.PHONY: help
help: ## Say what each target does
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | \
		while IFS='|' read -r name text; do printf '  %-14s %s\n' "$$name" "$$text"; done
