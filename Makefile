# Every target sets up what it needs first; a second set-up takes no time. `make help` lists them.
# Set-up needs Python >= 3.11 and the package registries; name another interpreter with PYTHON=...

ifndef PYTHON
PYTHON := $(shell for p in python3 python3.11 python3.12 python3.13 python3.14 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
endif
BIN := .venv/bin
# Rewriting the assertions of all tests takes seconds for each worker: what is rewritten is kept.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest
DRILLS := tests/integration/test_rollout_ways_out.py tests/integration/test_drill_table.py
WORKFLOWS := .github/workflows/*.yml pipelines/github/*.yml

.DEFAULT_GOAL := help
.PHONY: help setup demo test unit check format bench bench-gates drills stories schema lock

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## virtual environment and Pulumi CLI; does only what is not done yet
	@test -n "$(PYTHON)" || { echo "setup: error: there is no Python 3.11 or later on PATH." >&2; \
	  echo "  Fix: install one, or name it: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -m toolchain setup

demo: setup ## the whole story on this machine, in under three minutes
	@$(BIN)/sluice demo

test: setup ## all tests, those without a CLI first; ORDER=random in a random order, ORDER=seed in that order again
	@$(PYTEST) -n auto --dist loadfile --hypothesis-profile thorough $(if $(ORDER),--order $(ORDER))

unit: setup ## the tests that need neither CLI nor local Azure nor a long computation; seconds
	@$(PYTEST) -n auto -m "not integration and not slow"

check: setup ## format, lint, types, dead code, pipelines
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/vulture
	$(BIN)/python -m toolchain actionlint $(WORKFLOWS)
	$(BIN)/zizmor --offline --quiet $(WORKFLOWS)
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows $(WORKFLOWS)
	$(BIN)/check-jsonschema --builtin-schema vendor.azure-pipelines --regex-variant nonunicode pipelines/azure-devops/*.yml

format: setup ## rewrite the sources as `make check` wants them
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup ## benchmarks: tables and JSON
	@$(BIN)/python -m bench

bench-gates: setup ## how often rollouts go back without a reason, and how soon with one: the table of docs/statistics.md; minutes
	@$(BIN)/python -m bench.gates

drills: setup ## the whole table of rollout drills on the real engine: hours; MINUTES=60 begins none later, AGAIN=1 forgets earlier runs
	@$(if $(AGAIN),rm -f build/drills.jsonl)
	@DRILL_MINUTES=$(or $(MINUTES),240) $(PYTEST) -n auto --dist load --maxschedchunk 1 -m drill $(DRILLS); \
	  ended=$$?; $(BIN)/python -m tests.integration.drill_table && exit $$ended

stories: setup ## all stories of delivery, on both git servers; their output becomes docs/delivery-story.md; about half an hour
	@rm -rf build/stories
	@SLUICE_STORIES=$(CURDIR)/build/stories $(PYTEST) -m "integration or story or slow" tests/pipelines && \
	  $(BIN)/python -m tests.pipelines.narrative build/stories

schema: setup ## write docs/stack-config.schema.json and docs/fleet.schema.json from their models
	@$(BIN)/python -m config_schema > docs/.stack-config.schema.json
	@mv docs/.stack-config.schema.json docs/stack-config.schema.json
	@$(BIN)/python -m config_schema fleet > docs/.fleet.schema.json
	@mv docs/.fleet.schema.json docs/fleet.schema.json

lock: ## lock the packages again; UPGRADE=1 takes newer versions
	@$(PYTHON) -m toolchain lock $(if $(UPGRADE),--upgrade)
