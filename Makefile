# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# The project's vocabulary. Every target does its own set-up; nothing needs an activated environment.

COLLECTION := collections/ansible_collections/selfheal/recovery
BIN := $(CURDIR)/.venv/bin
READY := .venv/.ready
# Some tools start others by name.
WITH_TOOLS := PATH="$(BIN):$$PATH"
PYTEST := $(BIN)/pytest
YAML := $(wildcard *.yml .yamllint .ansible-lint .github playbooks roles inventories tests) $(COLLECTION)

# Ansible ignores the ansible.cfg of a directory that everybody may write to, unless it is named.
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg

.DEFAULT_GOAL := help
.PHONY: help venv lint lint-python lint-types lint-yaml lint-shell lint-ansible unit property sanity units house lab lab-test postgresql-test e2e packages test-engines test-matrix molecule demo demo-test bench docs-lint changelog-lint test clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(READY) ## Make .venv with Ansible, the selfheal command and the development tools

$(READY): pyproject.toml $(COLLECTION)/galaxy.yml tests/setup/venv.sh tests/setup/find_python.sh
	@sh tests/setup/venv.sh
	@touch $@

lint: lint-python lint-types lint-yaml lint-shell lint-ansible ## Check style and types, all five

lint-python: venv ## Check Python's style: ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

lint-types: venv ## Check Python's types: mypy, strict
	$(BIN)/mypy

lint-yaml: venv ## Check YAML: yamllint
	$(BIN)/yamllint --strict $(YAML)

lint-shell: venv ## Check shell scripts: shellcheck
	$(BIN)/shellcheck .ci/run tests/setup/*.sh

lint-ansible: venv ## Check playbooks and roles: ansible-lint, profile production
	$(WITH_TOOLS) $(BIN)/ansible-lint --offline

unit: venv ## Run the unit tests (no root, no engine, no network)
	$(PYTEST) $(COLLECTION)/tests/unit

property: venv ## Run only the property tests of the domain
	$(PYTEST) $(COLLECTION)/tests/unit -m property

sanity: venv ## Run ansible-test sanity without containers
	$(BIN)/python -m tests.setup.run_ansible_test sanity

units: venv ## Run the unit tests as ansible-test runs them
	$(BIN)/python -m tests.setup.run_ansible_test units

house: venv ## Test the checkout itself: front doors, configuration
	$(PYTEST) tests/setup tests/bench

lab: venv ## Install what the lab of real hosts needs on this machine (Debian or Ubuntu, root)
	@sh tests/setup/machine.sh

lab-test: lab ## Test the lab itself, and the modules on its hosts
	$(PYTEST) tests/lab tests/target

postgresql-test: lab ## Test the store in PostgreSQL on a server of its own
	$(PYTEST) tests/postgresql

e2e: lab ## Run playbooks against real hosts with real faults
	$(PYTEST) tests/e2e

packages: lab ## Install the wheel, the Galaxy artifact and the checkout, and repair something with each
	$(PYTEST) tests/packages

test-engines: lab ## Run what asks the engine on Docker engines from 20.10 to the newest
	$(PYTEST) tests/engines

test-matrix: lab ## Run unit, sanity and an end-to-end test on the oldest and the newest Ansible
	$(BIN)/python -m tests.setup.run_matrix $(MATRIX)

molecule: lab ## Run the roles' scenarios on the lab's hosts
	$(BIN)/python -m tests.setup.run_molecule $(ARGS)

# A checkout's path may have blanks in it here: this is the target that people try first.
demo: venv ## Break a service and see it repaired, on this machine's Docker engine
	@.venv/bin/python -m tests.demo

demo-test: lab ## Test the demo: what it shows, and that it leaves nothing behind
	$(PYTEST) tests/demo

bench: lab ## Measure what recovery costs, and write docs/performance.md
	$(BIN)/python -m tests.bench --write $(ARGS)

docs-lint: venv ## Check the documentation of modules and roles
	$(WITH_TOOLS) $(BIN)/antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs self --disallow-unknown-collection-refs $(COLLECTION)

changelog-lint: venv ## Check the changelog and its fragments
	cd $(COLLECTION) && $(BIN)/antsibull-changelog lint

test: ## Run everything and sum it up (what CI runs)
	@MAKE="$(MAKE)" MATRIX=others sh tests/setup/all.sh lint docs-lint changelog-lint units house sanity lab-test postgresql-test e2e packages test-engines test-matrix molecule demo-test

clean: ## Remove what was made here: environment, caches, test output
	rm -rf .venv .cache .ansible .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist $(COLLECTION)/.hypothesis $(COLLECTION)/tests/output
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
