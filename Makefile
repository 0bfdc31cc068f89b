# make run: the whole registry on this machine.  make test: all that CI checks.  See README.md.
PYTHON ?= python3
PORT ?= 8000
UDP_PORT ?=
DATA ?= .maraude
STAGE ?= dev
APP ?= taxis
VENV := .venv
RUNS := $(VENV)/.runs
TESTS := $(VENV)/.tests
BIN := $(VENV)/bin

export AWS_DEFAULT_REGION ?= eu-west-3

.PHONY: run setup test check prove format pages package bench bench-quick abuse rehearse faults load bench-requests audit clean

run: $(RUNS)
	@exec $(BIN)/maraude up --port "$(PORT)" $(if $(UDP_PORT),--udp-port "$(UDP_PORT)") --data "$(DATA)" --demo

setup: $(TESTS)

test check: $(TESTS)
	@$(BIN)/ruff format --check -q .
	@$(BIN)/ruff check -q .
	@$(BIN)/mypy
	@PYTHONPATH=. $(BIN)/lint-imports --no-cache --no-logo
	@$(BIN)/python -m pytest -q -n auto --dist loadfile --no-loadscope-reorder -m "not prove"

# What is measured rather than checked: cold starts, the door's losses, a load, a drive of real trips. CI does it second.
prove: $(TESTS)
	@$(BIN)/python -m pytest -q -m prove

package: $(RUNS)
	@$(BIN)/python -m ops.release.package --app "$(APP)" --stage "$(STAGE)"

# The package, deployed to a cloud on this machine by the runbook, used and taken down: some minutes (docs/deploy.md).
rehearse: $(RUNS)
	@$(BIN)/python -m ops.release.rehearsal --app "$(APP)" --stage "$(STAGE)"

# What positions, searches and requests cost (docs/evidence/performance.md): six to nine minutes on two cores.
bench: $(TESTS)
	@$(BIN)/python -m bench --page docs/evidence/performance.md --draw docs/evidence/fleet-sizes.svg
	@$(BIN)/maraude cost --page docs/evidence/cost.md
	@$(MAKE) bench-requests
	@MARAUDE_LOAD_TAXIS=5000 MARAUDE_LOAD_S=45 \
		$(BIN)/python -m bench.load --figures build/bench/lag.json --draw docs/evidence/lag.svg

# The same of small fleets, which is neither kept nor drawn: a minute at most.
bench-quick: $(TESTS)
	@$(BIN)/python -m bench --quick

# A hundred thousand bad inputs, other ones each time, atheris, the times of checks: ten minutes or more
# (docs/evidence/abuse.md).
abuse: $(TESTS)
	@MARAUDE_ABUSE_INPUTS=100000 MARAUDE_ABUSE_SEED="$${MARAUDE_ABUSE_SEED:-$$(date +%s)}" \
		$(BIN)/python -m pytest -v -n 2 --show-capture=no tests/abuse --ignore tests/abuse/test_timing.py
	@$(BIN)/python -m tests.abuse.fuzz --seconds 60
	@MARAUDE_ABUSE_INPUTS=100000 $(BIN)/python -m pytest -q -s tests/abuse/test_timing.py

# What is lost when something fails (docs/evidence/reliability.md): five minutes.
faults: $(TESTS)
	@MARAUDE_FAULTS_PAGE=docs/evidence/reliability.md MARAUDE_FAULTS_TIMES="$${MARAUDE_FAULTS_TIMES:-2}" \
		$(BIN)/python -m pytest -v --tb=short tests/faults

# 60,000 taxis on a local system for MARAUDE_LOAD_S=600 seconds, and what was lost.
load: $(TESTS)
	@PYTHONPATH=. $(BIN)/python -m bench.load --page docs/evidence/reliability.md --draw docs/evidence/load.svg

# What whole requests cost on a local system of their own (docs/evidence/performance.md): some minutes.
bench-requests: $(TESTS)
	@$(BIN)/python -m bench.requests --page docs/evidence/performance.md \
		--figures build/bench/requests.json --draw docs/evidence/latency.svg

# What the documentation has from the code: settings, steps of a hail, their drawing.
pages: $(RUNS)
	@$(BIN)/python -m ops.release.reference

# Licences, the template, secrets, dependencies (docs/evidence/audit.md): five minutes the first time.
audit: $(TESTS)
	@$(BIN)/python -m ops.release.audit

format: $(TESTS)
	@$(BIN)/ruff format -q .
	@$(BIN)/ruff check -q --fix .

# In two stages, for the first is all that most people need.
$(RUNS): requirements.txt requirements-desk.txt constraints.txt pyproject.toml Makefile infra/setup.sh
	@sh infra/setup.sh run "$(PYTHON)" "$(VENV)"
	@touch $@

$(TESTS): $(RUNS) requirements-test.txt
	@sh infra/setup.sh test "$(PYTHON)" "$(VENV)"
	@touch $@

clean:
	@rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache
