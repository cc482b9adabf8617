# SPDX-License-Identifier: BSD-3-Clause
#
# Fuzzers of the C core: `make fuzz` (see tests/fuzz/README.md). Built by clang with libFuzzer and
# the sanitizers that find what a fuzzer provokes; once more with coverage when that is asked for.

FUZZ_BUILD := build/fuzz
FUZZ_TARGETS := $(patsubst tests/fuzz/%_fuzzer.c,%,$(wildcard tests/fuzz/*_fuzzer.c))
FUZZ_SECONDS ?= 60
FUZZ_SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=all
FUZZ_COVERAGE := -fprofile-instr-generate -fcoverage-mapping
FUZZ_CFLAGS := -std=gnu11 -D_GNU_SOURCE -O1 -g -pthread -MMD -MP -Wall -Wextra -Werror \
	-Inative -Inative/include -Ielements -Itests/fuzz
FUZZ_SOURCES := $(CORE_SOURCES) tests/fuzz/fuzz_box.c tests/fuzz/fuzz_traffic.c
FUZZ_OBJECTS := $(FUZZ_SOURCES:%.c=$(FUZZ_BUILD)/%.o)

.PHONY: fuzz fuzzers fuzz-coverage
fuzzers: $(FUZZ_TARGETS:%=$(FUZZ_BUILD)/%)

fuzz: setup ## Each fuzzer for FUZZ_SECONDS (60), beginning with the corpus; FUZZ=nat: only that one
	@$(MAKE) --no-print-directory -j2 fuzzers
	$(PYTHON) tests/fuzz/run_fuzzers.py --seconds $(FUZZ_SECONDS) $(FUZZ)

fuzz-coverage: ## What the corpus alone reaches, by file
	@$(MAKE) --no-print-directory -j2 fuzzers FUZZ_BUILD=build/fuzz-coverage \
		FUZZ_SANITIZERS="$(FUZZ_COVERAGE)"
	@$(PYTHON) tests/fuzz/run_fuzzers.py --coverage build/fuzz-coverage $(FUZZ)

$(FUZZ_BUILD)/%.o: %.c tests/fuzz/fuzz.mk
	@mkdir -p $(@D)
	@clang $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link $(FUZZ_SANITIZERS) -c $< -o $@

$(FUZZ_BUILD)/%: $(FUZZ_BUILD)/tests/fuzz/%_fuzzer.o $(FUZZ_OBJECTS)
	@echo "  fuzzer  $@"
	@clang -pthread -fsanitize=fuzzer $(FUZZ_SANITIZERS) $^ -lpcap -lhs -o $@

.SECONDARY: $(FUZZ_OBJECTS) $(FUZZ_TARGETS:%=$(FUZZ_BUILD)/tests/fuzz/%_fuzzer.o)
-include $(FUZZ_OBJECTS:.o=.d) $(FUZZ_TARGETS:%=$(FUZZ_BUILD)/tests/fuzz/%_fuzzer.d)
