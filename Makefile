.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
STACK := $(if $(PORT_BASE),STACK_PORT_BASE="$(PORT_BASE)") $(PYTHON) -m emulation.native
# What only looks or stops does not set up anything first.
IF_SET_UP := @[ -e .stack/ready ] || { echo "nothing is set up here; start with: make up" >&2; exit 1; };
AT_THE_STACK := @base=$$($(STACK) port-base) && STACK_PORT_BASE=$$base $(PYTHON) -m
.PHONY: help setup up down restart status logs doctor demo test lint bench clean

##@ Start here
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} \
	      /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
up: setup ## Start the whole stack (MODE=docker for compose, PORT_BASE=5500 to move it)
	@$(if $(filter docker,$(MODE)),docker compose up --detach --wait,$(STACK) up)
demo: setup ## One file, all the way, hop by hop (the stack must be up)
	$(AT_THE_STACK) emulation.demo
down: ## Stop everything
	@$(if $(filter docker,$(MODE)),docker compose down,[ ! -e .stack/ready ] || $(STACK) down)

##@ Look
status: ## What runs (O=json or O=env for machines)
	$(IF_SET_UP) $(STACK) status $(if $(O),-o $(O))
logs: ## All logs as one stream (S=service, F=1 to follow, GREP=text)
	$(IF_SET_UP) $(STACK) logs $(S) $(if $(F),--follow) $(if $(GREP),--grep "$(GREP)")
doctor: ## Use every service once and say what is wrong
	$(IF_SET_UP) $(STACK) doctor

##@ Change
restart: setup ## Stop and start; the stack starts clean
	@base=$(or $(PORT_BASE),$$($(STACK) port-base)) && $(STACK) down && \
	    STACK_PORT_BASE=$$base $(PYTHON) -m emulation.native up
setup: ## Python packages and engines, as locked (up does it by itself)
	@sh emulation/native/bootstrap.sh
clean: ## Stop, then remove all that was downloaded or generated
	@[ ! -e .stack/ready ] || $(STACK) down
	rm -rf .venv .stack src/hoist.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

##@ Check
test: setup ## Everything, on real engines of its own (T=path to narrow)
	@$(PYTHON) -m pytest $(T)
lint: setup ## ruff and mypy --strict
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy
bench: setup ## The whole path beside a bare PUT to the same bucket (the stack must be up)
	$(AT_THE_STACK) bench $(B)
