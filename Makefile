.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
STACK := $(if $(PORT_BASE),STACK_PORT_BASE=$(PORT_BASE)) $(PYTHON) -m emulation.native
.PHONY: help setup up down restart status logs doctor demo test lint bench clean

##@ Start here
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} \
	      /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
up: setup ## Start the whole stack (MODE=docker for compose, PORT_BASE=5500 to move it)
	@$(if $(filter docker,$(MODE)),docker compose up --detach --wait,$(STACK) up)
demo: setup ## One file, all the way, hop by hop (the stack must be up)
	@$(if $(PORT_BASE),STACK_PORT_BASE=$(PORT_BASE)) $(PYTHON) -m emulation.demo
down: setup ## Stop everything
	@$(if $(filter docker,$(MODE)),docker compose down,$(STACK) down)

##@ Look
status: setup ## What runs (O=json or O=env for machines)
	@$(STACK) status $(if $(O),-o $(O))
logs: setup ## All logs as one stream (S=service, F=1 to follow, GREP=text)
	@$(STACK) logs $(S) $(if $(F),--follow) $(if $(GREP),--grep "$(GREP)")
doctor: setup ## Use every service once and say what is wrong
	@$(STACK) doctor

##@ Change
restart: setup ## Stop and start; the stack starts clean
	@$(STACK) down
	@$(STACK) up
setup: ## Python packages and engines, as locked (up does it by itself)
	@sh emulation/native/bootstrap.sh
clean: ## Stop, then remove all that was downloaded or generated
	@[ ! -x $(PYTHON) ] || $(STACK) down
	rm -rf .venv .stack src/hoist.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

##@ Check
test: setup ## Everything, on real engines of its own (T=path to narrow)
	@$(PYTHON) -m pytest $(T)
lint: setup ## ruff and mypy --strict
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy
bench: setup ## The whole path beside a bare PUT to the same bucket (the stack must be up)
	@$(PYTHON) -m bench $(B)
