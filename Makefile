# make run: the whole registry on this machine.  make test: all that CI checks.  See README.md.
PYTHON ?= python3
PORT ?= 8000
DATA ?= .maraude
STAGE ?= dev
VENV := .venv
STAMP := $(VENV)/.ready
BIN := $(VENV)/bin

export AWS_DEFAULT_REGION ?= eu-west-3

.PHONY: run setup test check format package bench bench-quick bench-requests clean

run: $(STAMP)
	@exec $(BIN)/maraude up --port "$(PORT)" --data "$(DATA)" --demo

setup: $(STAMP)

test check: $(STAMP)
	@$(BIN)/ruff format --check -q .
	@$(BIN)/ruff check -q .
	@$(BIN)/mypy
	@PYTHONPATH=. $(BIN)/lint-imports --no-cache --no-logo
	@$(BIN)/python -m pytest -q

package: $(STAMP)
	@$(BIN)/python -m ops.package --stage "$(STAGE)"

# What positions and searches cost (docs/performance.md): ten minutes at most, or one.
bench: $(STAMP)
	@$(BIN)/python -m bench --page docs/performance.md

bench-quick: $(STAMP)
	@$(BIN)/python -m bench --quick

# What whole requests cost on a local system of their own (docs/performance.md): some minutes.
bench-requests: $(STAMP)
	@$(BIN)/python -m bench.requests --page docs/performance.md --results build/bench/requests.json

format: $(STAMP)
	@$(BIN)/ruff format -q .
	@$(BIN)/ruff check -q --fix .

$(STAMP): requirements.txt requirements-desk.txt constraints.txt pyproject.toml Makefile infra/setup.sh
	@sh infra/setup.sh "$(PYTHON)" "$(VENV)"
	@touch $@

clean:
	@rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache
