# Everything a developer runs. Needs Python 3.11 or newer, pip and make; the rest is installed into .venv.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.istio-canary-installed
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-strip-extras --no-emit-index-url --no-annotate --no-header

# What a target that uses up a real cluster is told by the environment.
define REAL
@: "$${KUBECONFIG:?names the cluster that the tests may use up}"
@: "$${ISTIOCTL_1_28_3:?names the istioctl of Istio 1.28.3}"
@: "$${ISTIOCTL_1_29_1:?names the istioctl of Istio 1.29.1}"
@: "$${REAL_MESH_ISTIO:?names an overlay for istioctl install; an empty file will do}"
endef

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
# pip compiles nothing (see install), and Prefect is 2,000 modules: who starts it compiles them once, not each time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install demo test check mesh-test contract-test rehearsal-test faults-test browser-test chromium benchmark format lock clean

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP) ## Make .venv with .venv/bin/istio-canary (nothing to do if it is up to date)

# The requirements carry hashes, so nothing is installed that was not locked; our own package comes last,
# built with the setuptools from there. Python compiles what it imports, a small part of all that is installed.
$(STAMP): requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed, and $(PYTHON) is older: make $(MAKECMDGOALS) PYTHON=python3.11" >&2; exit 1; }
	@rm -f $@
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

demo: install ## Rehearse the upgrade of a shop with 400 pods; ASK=1 asks you at each gate
	$(BIN)/istio-canary rehearse --scenario shop --speed 2 $(if $(ASK),,--yes)

test: install ## Run the fast tests, which need no cluster, and print the coverage
	$(BIN)/pytest --cov --cov-report= -n 4 $(ARGS)
	$(BIN)/coverage report
	@echo "The core (tasks/domain) has to be covered to the last branch:"
	$(BIN)/coverage report --include='tasks/domain/*' --fail-under=100

check: install ## Check style, spelling, types and imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/codespell
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/pyright

mesh-test: install ## Upgrade a real mesh: uses up the cluster of $KUBECONFIG
	$(REAL)
	$(BIN)/pytest tests/mesh -m mesh -rP $(ARGS)

contract-test: install ## Ask a real cluster what the rehearsal cluster is held to: uses up the cluster of $KUBECONFIG
	$(REAL)
	$(BIN)/pytest tests/contract -m mesh $(ARGS)

rehearsal-test: install ## Run the real kubectl and istioctl, and upgrades that they judge, on rehearsal clusters
	$(BIN)/pytest tests/rehearsal -m foreign $(ARGS)
	$(BIN)/python -m tests.mesh.on_rehearsal -k "seeds_story or failing_workload or rollback or gatekeeper" $(ARGS)

faults-test: install ## Rehearse a whole upgrade under each fault
	$(BIN)/pytest tests/rehearsal -m faults $(ARGS)

browser-test: install chromium ## Press the buttons of the rehearsal's Slack in a headless Chromium
	$(BIN)/pytest tests/browser -m browser $(ARGS)

chromium: ## Install Chromium, if there is none and we are root
	@for name in chromium chromium-browser google-chrome-stable google-chrome; do command -v $$name >/dev/null && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends chromium; \
	else echo "There is no Chromium here: install the package chromium, as root apt-get does" >&2; exit 1; fi

benchmark: install ## Measure how long clicks on a gate take, with one gatekeeper and with two
	$(BIN)/python -m benchmarks.clicks $(ARGS)

format: install ## Put style in order as far as a tool can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: install ## Choose the newest versions that pyproject.toml allows, and write them down with their hashes
	$(LOCK) --upgrade pyproject.toml -o requirements.txt
	$(LOCK) --upgrade pyproject.toml --group dev -c requirements.txt -o requirements-dev.txt

clean: ## Remove everything that was made here
	rm -rf $(VENV) build dist *.egg-info .coverage .coverage.* htmlcov .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
