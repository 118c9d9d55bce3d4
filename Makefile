# `make demo` and `make test` work in a fresh clone: both set everything up first.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

VENV := .venv
BIN := $(VENV)/bin
LOCK := requirements/dev.lock
BENCHMARKS := import_time front_end throughput build_stages on_chip instructions device_front_end
ARGS :=

export TF_CPP_MIN_LOG_LEVEL ?= 2
export NO_MKDOCS_2_WARNING ?= 1

.PHONY: help
help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(VENV)/installed ## Make .venv with every package of the lock file.

$(VENV)/packages: $(LOCK) scripts/make-venv
	scripts/make-venv $(VENV) $(LOCK)
	touch $@

$(VENV)/installed: $(VENV)/packages pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

.PHONY: tools
tools: ## Install compilers, emulator and analyzers where apt may; say what to do elsewhere.
	scripts/install-tools

.PHONY: demo
demo: setup tools ## Build the bundled net, enroll a voice and verify others, here and on an emulated Cortex-M4F.
	$(BIN)/edge-sv demo $(ARGS)

.PHONY: test
test: setup tools ## Run the tests, except slow ones, in several processes; ARGS=tests/unit selects some.
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile $(ARGS)

.PHONY: test-slow
test-slow: setup tools ## Run the tests marked slow, hours; after an interruption, go on with those that are left.
	$(BIN)/python scripts/test-slow $(ARGS)

.PHONY: lint
lint: setup tools ## Check style, types, import order, pictures and links of the docs, the C code's format and what analyzers say of it.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/draw_pictures.py --check
	$(BIN)/mkdocs build --quiet --site-dir build/site
	scripts/check-c-format
	scripts/check-c

.PHONY: docs
docs: setup ## Make the documentation's site in build/site; open index.html, or `make docs ARGS=serve` for a server.
	$(BIN)/mkdocs $(if $(ARGS),$(ARGS),build --site-dir build/site)

.PHONY: format
format: setup ## Rewrite Python and C in the house's format.
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	scripts/check-c-format --fix

.PHONY: fuzz
fuzz: setup ## Fuzz what reads bytes, in C and Python, ten minutes a target; ARGS="60 store manifest" is shorter.
	$(BIN)/python scripts/fuzz $(ARGS)

.PHONY: docker-test
docker-test: ## Build the container image and test every conversion in it, without a network.
	scripts/docker-test

.PHONY: benchmarks
benchmarks: setup ## Measure import time, embedding throughput and the stages of a build.
	for name in $(BENCHMARKS); do echo "== $$name"; $(BIN)/python "benchmarks/$$name.py"; done

.PHONY: lock
lock: ## Resolve the requirements again and rewrite requirements/*.lock.
	scripts/lock

.PHONY: clean
clean: ## Remove everything that these targets made.
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
