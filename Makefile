# SPDX-License-Identifier: BSD-3-Clause
#
# Every target prepares what it needs first; running one again is cheap.

SHELL := /bin/bash
PYTHON := .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help setup native drill soak simulate test sanitize lint format bench bench-peers clean

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

setup: ## Debian packages, the virtual environment .venv/, huge pages
	@scripts/setup.sh

native: setup ## The C libraries and their Python bindings
# native/native.mk holds the recipe: the C libraries and their bindings, built into ftmb/_native/
-include native/native.mk
# the fuzzers of tests/fuzz/, over the same sources
-include tests/fuzz/fuzz.mk
# what `python -m benchmarks limits` measures and counts with
-include benchmarks/limits/limits.mk

drill: setup native ## The main job: a NAT under real traffic, killed again and again
	.venv/bin/ftmb drill $(DRILL)

soak: setup native ## Failures of all kinds for 10 minutes (SOAK="--minutes 480"): does anything grow?
	.venv/bin/ftmb soak $(SOAK)

simulate: setup native ## 20,000 schedules of the protocol (SIMULATE="--minutes 480")
	.venv/bin/ftmb simulate $(or $(SIMULATE),--seeds 0:20000)

test: setup native lint ## Lint and all tests
	$(PYTHON) -m pytest $(TESTS)

sanitize: setup native ## The core's tests under the address, undefined-behaviour and thread sanitizers
	$(PYTHON) tests/sanitize/sanitized.py address $(TESTS)
	$(PYTHON) tests/sanitize/sanitized.py thread $(TESTS)

format: setup ## Formats Python and C in place
	scripts/lint.sh --format

lint: setup native ## Style, types, formatting of C, house rules
	scripts/lint.sh

bench: setup native ## What protection costs, all of it: build/bench/report.html (BENCH=--quick)
	$(PYTHON) -m benchmarks $(BENCH)

bench-peers: setup native ## The kernel's NAT with conntrackd and keepalived, failed beside ftmb
	$(PYTHON) -m benchmarks.peers $(BENCH)

clean: ## Removes what was built; keeps .venv/
	rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	find ftmb recovery -name __pycache__ -prune -exec rm -rf {} +
	rm -rf ftmb/_native/*.so ftmb/_native/ftmb-simulator ftmb/_native/include
