.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
NATIVE := $(PYTHON) -m emulation.native
STACK := $(if $(PORT_BASE),STACK_PORT_BASE="$(PORT_BASE)") $(if $(STORE),STACK_STORE="$(STORE)") $(NATIVE)
# What only looks or stops does not set up anything first.
IF_SET_UP := @[ -e .stack/ready ] || { echo "nothing is set up here; start with: make up" >&2; exit 1; };
LOAD = $(addprefix --users ,$(USERS)) $(addprefix --spawn-rate ,$(RATE)) $(addprefix --run-time ,$(TIME)) \
    $(addprefix --processes ,$(PROCESSES)) $(addprefix --reports ,$(REPORTS)) $(WHO) $(if $(L),-- $(L))
AT_THE_STACK := @base=$$($(STACK) port-base) && STACK_PORT_BASE=$$base $(PYTHON) -m
# A word that is not known would be the default otherwise.
MODE_KNOWN = $(if $(filter-out docker,$(MODE)),$(error MODE=$(MODE) is not known: docker, or none for processes of this machine))
SIZE_KNOWN = $(if $(filter-out long,$(SIZE)),$(error SIZE=$(SIZE) is not known: long, or none for the short set))
.PHONY: help setup up down restart status logs doctor demo test lint chaos bench loadtest loadtest-ci clean

##@ Start here
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} \
	      /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
up: setup ## Start the whole stack (STORE=postgres or sqlite, PORT_BASE=5500, MODE=docker)
	@$(MODE_KNOWN)$(if $(filter docker,$(MODE)),docker compose up --detach --wait,$(STACK) up)
demo: setup ## One file, all the way, hop by hop (the stack must be up)
	$(AT_THE_STACK) emulation.demo
down: ## Stop everything
	@$(MODE_KNOWN)$(if $(filter docker,$(MODE)),docker compose down,[ ! -e .stack/ready ] || $(STACK) down)

##@ Look
status: ## What runs (O=json or O=env for machines)
	$(IF_SET_UP) $(STACK) status $(if $(O),-o $(O))
logs: ## All logs as one stream (S=service, F=1 to follow, GREP=text)
	$(IF_SET_UP) $(STACK) logs $(S) $(if $(F),--follow) $(if $(GREP),--grep "$(GREP)")
doctor: ## Use every service once and say what is wrong (do their data agree: hoist doctor)
	$(IF_SET_UP) $(STACK) doctor

##@ Change
restart: setup ## Stop and start; the stack starts clean
	@base=$(or $(PORT_BASE),$$($(NATIVE) port-base)) && store=$(or $(STORE),$$($(NATIVE) store)) && \
	    $(NATIVE) down && STACK_PORT_BASE=$$base STACK_STORE=$$store $(NATIVE) up
setup: ## Python packages and engines, as locked (up does it by itself)
	@sh emulation/native/bootstrap.sh
clean: ## Stop, then remove all that was downloaded or generated
	@[ ! -e .stack/ready ] || $(STACK) down
	rm -rf .venv .stack src/hoist.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

##@ Check
# In the order of their folders: the quick ones last, so that no process waits long for the other.
test: setup ## Everything, on real engines of its own (T=path to narrow)
	@$(PYTHON) -m pytest $(or $(T),--numprocesses 2 --dist loadfile --no-loadscope-reorder)
lint: setup ## ruff and mypy --strict
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy
chaos: setup ## Break a stack of its own on purpose (SCENARIO=name, SEED=…, SIZE=long)
	@$(SIZE_KNOWN)$(PYTHON) -m tests.chaos $(if $(filter long,$(SIZE)),--long) \
	    $(addprefix --report ,$(or $(REPORT),$(if $(filter long,$(SIZE)),docs/chaos-report.md))) \
	    $(if $(SEED),--seed $(SEED)) $(if $(QUIET),--quiet-seconds $(QUIET)) $(SCENARIO)
bench: setup ## Speed as ratios, on the running stack (B=name for one, MINUTES=10 for idle sockets)
	$(AT_THE_STACK) bench $(if $(MINUTES),--minutes $(MINUTES)) $(B)
loadtest: setup ## Load as people make it, with its page in a browser (the stack must be up)
	$(AT_THE_STACK) loadtest $(LOAD)
loadtest-ci: setup ## The same without the page, judged (SHAPE= USERS= TIME= PROCESSES= WHO=)
	$(AT_THE_STACK) loadtest --headless $(addprefix --shape ,$(SHAPE)) $(LOAD)
