# Every target makes the environment it needs by itself: Python >= 3.11 and make are all that is assumed.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
ENVS := .envs
UV := $(ENVS)/uv/bin/uv
DEV := $(ENVS)/dev/bin
SAM := $(ENVS)/sam/bin
export UV_NO_PROGRESS := 1
export SAM_CLI_TELEMETRY := 0

.PHONY: help
help: ## Show this help
	@grep -hE '^[a-z][a-zA-Z_-]*:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# ---- environments ---------------------------------------------------------------------------------------------------

$(UV): requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "kite-relay needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Name another one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "Preparing uv ..."
	@$(PYTHON) -m venv $(ENVS)/uv
	@$(ENVS)/uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt || { echo "uv could not be fetched: the first run needs the network (PyPI), every later one does not" >&2; exit 1; }
	@touch $@

$(ENVS)/%/.stamp: requirements/%.txt $(UV)
	@echo "Preparing the environment '$*' ..."
	@$(UV) venv --quiet --allow-existing --python $(ENVS)/uv/bin/python $(ENVS)/$*
	@$(UV) pip sync --quiet --python $(ENVS)/$*/bin/python --require-hashes --only-binary :all: requirements/$*.txt || { echo "the environment '$*' could not be fetched: the first run needs the network (PyPI), every later one does not" >&2; exit 1; }
	@touch $@

$(ENVS)/dev/.project: $(ENVS)/dev/.stamp pyproject.toml
	@$(UV) pip install --quiet --python $(DEV)/python --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: env
env: $(ENVS)/dev/.project ## Make the development environment (every other target does so by itself)

.PHONY: lock
lock: $(UV) ## Pin the requirements anew, with hashes
	@for name in uv worker dev sam ministack fuzz; do \
	  $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
	    --no-emit-find-links $(LOCKFLAGS) requirements/$$name.in -o requirements/$$name.txt; done
	@$(UV) pip compile --quiet --universal --python-version 3.13 --generate-hashes --no-header --no-emit-index-url \
	  --no-emit-find-links $(LOCKFLAGS) requirements/reminder.in -o functions/reminder/requirements.txt

# ---- tools ----------------------------------------------------------------------------------------------------------

.PHONY: bench
bench: env ## Measure against the peers: make bench NAME=handover; without NAME it lists what there is
	@$(DEV)/python -m tools.bench$(if $(NAME),.$(NAME)) $(ARGS)

.PHONY: sim
sim: env ## Start a simulated Kite: login page, REST, ticker (ARGS="--help" tells its options)
	@$(DEV)/python -m tools.simulator $(ARGS)

# ---- the whole system on this machine -----------------------------------------------------------------------------

STACK := env $(ENVS)/sam/.stamp $(ENVS)/ministack/.stamp
FUZZ := $(if $(filter Linux-x86_64,$(shell uname -sm | tr ' ' -)),$(ENVS)/fuzz/.stamp)

.PHONY: run
run: $(STACK) ## Everything on this machine: embedded AWS, simulated Kite, worker, dashboard; Ctrl-C ends it
	@exec $(DEV)/python -m tools.devstack run

.PHONY: demo
demo: $(STACK) ## The whole story without a person, timed; ends with one line of JSON
	@exec $(DEV)/python -m tools.devstack demo

# ---- checks ---------------------------------------------------------------------------------------------------------

.PHONY: lint
lint: env ## Lint, types, import direction, sizes, the workflows
	@$(DEV)/ruff check .
	@$(DEV)/ruff format --check .
	@$(DEV)/mypy
	@$(DEV)/lint-imports
	@$(DEV)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(DEV)/zizmor --quiet --offline .github

.PHONY: format
format: env ## Format the code and mend what can be mended mechanically
	@$(DEV)/ruff check --fix .
	@$(DEV)/ruff format .

.PHONY: test
test: $(STACK) $(FUZZ) ## Run the tests (ARGS="tests/unit -k name" chooses)
	@$(DEV)/pytest -n auto --dist loadgroup $(ARGS)

.PHONY: build
build: $(ENVS)/sam/.stamp ## Build the Lambdas and their layer, for sam deploy (docs/deploy.md)
	@PATH="$(CURDIR)/$(ENVS)/uv/bin:$$PATH" $(SAM)/sam build

.PHONY: deploy
deploy: build ## Build, and deploy what samconfig.toml says, which `kite-relay setup` writes (ARGS: more for sam deploy)
	@$(SAM)/sam deploy --no-confirm-changeset --no-fail-on-empty-changeset $(ARGS)

# The domain's own tests run first and alone: what others reach of it does not count
COVERED := tests/unit tests/contract tests/integration
OTHERS := $(addprefix tests/unit/,feed relay simulator market/test_oracles.py)
MEASURED := $(DEV)/coverage run -m pytest -q -n auto --dist loadgroup

.PHONY: coverage
coverage: env ## Hold the domain to its unit tests: they take every branch of it
	@$(DEV)/coverage erase
	@$(MEASURED) tests/unit $(addprefix --ignore=,$(OTHERS))
	@$(DEV)/coverage combine --quiet
	@$(DEV)/coverage report --include='core/kite_relay/domain/*' --fail-under=100

.PHONY: coverage-all
coverage-all: $(STACK) coverage ## Then more tests: hold core, functions and worker to 90 %, and tell what tools have
	@$(MEASURED) $(OTHERS) $(filter-out tests/unit,$(COVERED))
	@$(DEV)/coverage combine --quiet --append
	@for part in core functions worker; do $(DEV)/coverage report --include="$$part/*" --fail-under=90 || exit 1; done
	@$(DEV)/coverage report --include='tools/*' | tail -1

.PHONY: mutants
mutants: env ## Change the domain in thousands of ways: do its tests notice? FILES="login ticks" chooses (hours)
	@$(DEV)/python -m tools.mutants $(FILES)

.PHONY: template
template: env $(ENVS)/sam/.stamp ## Check the template: sam validate, sam validate --lint, and cfn-lint on what AWS makes of it
	@AWS_DEFAULT_REGION=ap-south-1 $(SAM)/sam validate
	@AWS_DEFAULT_REGION=ap-south-1 $(SAM)/sam validate --lint
	@$(SAM)/python infra/transform.py template.yaml .run/transformed.json
	@$(DEV)/cfn-lint -r ap-south-1 us-east-1 eu-west-1 -t .run/transformed.json
	@echo "template.yaml: cfn-lint finds nothing in the transformed template either"

.PHONY: cost
cost: env ## Compute what a month costs, from the template, into docs/cost.md
	@$(DEV)/python -m tools.cost

.PHONY: image
image: ## Build the worker's image without a Docker engine, run it, and measure it (root; see infra/image.sh)
	@infra/image.sh

.PHONY: check
check: lint template coverage-all ## Everything that CI runs: each test once
	@$(MAKE) test ARGS="$(addprefix --ignore=,$(COVERED))"
	@$(MAKE) demo

.PHONY: audit
audit: env ## Ask PyPI whether a pinned package has a known weakness; what it cannot tell fails too
	@status=0; for lock in requirements/*.txt functions/reminder/requirements.txt; do \
	  echo "$$lock"; $(DEV)/pip-audit --strict --progress-spinner off --disable-pip --require-hashes -r $$lock || status=1; done; \
	  exit $$status

.PHONY: sbom
sbom: env $(ENVS)/worker/.stamp ## Write what the image and the reminder hold, as CycloneDX, into .run/
	@mkdir -p .run
	@$(DEV)/cyclonedx-py environment --output-reproducible -o .run/worker.cdx.json $(ENVS)/worker/bin/python
	@$(DEV)/cyclonedx-py requirements --output-reproducible -o .run/reminder.cdx.json functions/reminder/requirements.txt

.PHONY: promises
promises: env $(FUZZ) ## Run the tests of every promise in their short forms, and print the table (ONLY=3,8 chooses)
	@$(DEV)/python -m tools.promises -n auto --dist loadgroup $(if $(ONLY),--only-promises=$(ONLY))

.PHONY: soak
soak: env $(FUZZ) ## The same in their long forms (hours; ONLY=3,8 chooses)
	@SOAK=1 HYPOTHESIS_PROFILE=nightly $(DEV)/python -m tools.promises --timeout 14400 $(if $(ONLY),--only-promises=$(ONLY))

.PHONY: fuzz
fuzz: env $(ENVS)/fuzz/.stamp ## Fuzz the parsers that strangers reach, 10,000,000 inputs each (Linux on x86-64)
	@SOAK=1 $(DEV)/pytest -q -s tests/security/test_mutated_input.py -k fuzzer

.PHONY: truth-table
truth-table: env ## Render the status's truth table and findings into docs/
	@$(DEV)/python -m tools.truth_table

.PHONY: screenshots
screenshots: env ## Make the README's screenshots anew, in Chromium
	@mkdir -p docs/images
	@SCREENSHOTS=docs/images $(DEV)/pytest -q tests/browser/test_dashboard.py -k good_morning

.PHONY: docs
docs: env ## Write the generated documents anew
	@$(DEV)/python -m tools.cli.document
	@$(DEV)/python -m tools.settings_page

.PHONY: clean
clean: ## Remove every environment, cache and scratch folder
	@rm -rf $(ENVS) .run .aws-sam .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
