# The front door. `make` alone lists what there is.

VENV ?= .venv
BIN := $(VENV)/bin
WORKERS ?= auto
# One thread for each library inside each test worker; the workers are what runs in parallel.
TEST_ENVIRONMENT := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE
export PYTHON

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test test-fast test-all check lint types layers tests docs changelog format lock bench clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.installed-run ## Run the demo: a year of flights, kept fresh (ARGS="--fault worse-model" for the bad candidate)
	@$(BIN)/vernal demo $(ARGS)

test: check docs tests ## Everything that must pass: lint, types, layers, docs, then all tests with their coverage

check: lint types layers ## The static checks: lint, formatting, types, import layers

lint: $(VENV)/.installed-dev ## Ruff: every rule, and the formatting
	@echo "==> Lint (ruff)"
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet || { echo "Hint: make format"; exit 1; }

types: $(VENV)/.installed-dev ## Mypy, strict
	@echo "==> Types (mypy --strict)"
	@$(BIN)/mypy

layers: $(VENV)/.installed-dev ## Which package may import which
	@echo "==> Layers (import-linter)"
	@$(BIN)/lint-imports --no-logo

docs: $(VENV)/.installed-dev ## Build the documentation strictly, into docs/_build/html
	@echo "==> Documentation (sphinx)"
	@$(BIN)/sphinx-build -W -n --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

tests: $(VENV)/.installed-dev ## All tests and doctests, with coverage (ARGS="-k lease" narrows them)
	@echo "==> Tests (pytest)"
	@$(TEST_ENVIRONMENT) $(BIN)/pytest -n $(WORKERS) --dist worksteal --cov --cov-report=term $(ARGS)

test-fast: $(VENV)/.installed-dev ## The tests that take no more than seconds, without coverage
	@$(TEST_ENVIRONMENT) $(BIN)/pytest -q -n $(WORKERS) -m "not slow and not chaos and not postgres and not browser" $(ARGS)

test-all: ## `make test` on each of Python 3.11, 3.12 and 3.13, whichever are on the path
	@sh scripts/each_python.sh

changelog: $(VENV)/.installed-dev ## Show what the next release will say
	@$(BIN)/towncrier build --draft --version next

format: $(VENV)/.installed-dev ## Format the code and mend what ruff can mend
	@$(BIN)/ruff check --fix --quiet || true
	@$(BIN)/ruff format --quiet

lock: $(VENV)/.installed-dev ## Resolve constraints.txt afresh (ARGS="--also python3.13" holds it to a further Python)
	@$(BIN)/python scripts/lock_constraints.py $(ARGS)

bench: $(VENV)/.installed-run ## Measure Vernal beside its peers, an hour or two (ARGS="--quick" for minutes)
	@$(BIN)/python -m benchmarks.run $(ARGS)

clean: ## Remove environments, caches and everything built; never .vernal, which is state
	@rm -rf $(VENV) .venv-* build dist docs/_build htmlcov .coverage .coverage.* \
		.mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .bench/env .bench/data
	@find src tests scripts docs examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.installed-run: pyproject.toml constraints.txt
	@sh scripts/environment.sh $(VENV) run
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt
	@sh scripts/environment.sh $(VENV) dev
	@touch $(VENV)/.installed-run $@
