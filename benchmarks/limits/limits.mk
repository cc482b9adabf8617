# SPDX-License-Identifier: BSD-3-Clause
#
# `make limits`: a program that measures what a line from another core, a load and a copy cost, and
# what the counting needs: the core without AVX-512 (native/native.mk) and a library by which a
# program under valgrind speaks to it.

LIMITS_BUILD := build/limits
LIMITS_FLAGS := -std=gnu11 -D_GNU_SOURCE -O2 -g -fPIC -pthread -MMD -MP $(WARNINGS) -Inative

.PHONY: limits
limits: $(LIMITS_BUILD)/costs $(LIMITS_BUILD)/marks.so
	@$(MAKE) --no-print-directory native-modules COUNTED=1

$(LIMITS_BUILD)/costs: benchmarks/limits/costs.c benchmarks/limits/limits.mk
	@mkdir -p $(@D)
	@echo "  cc      $<"
	@$(CC) $(LIMITS_FLAGS) -march=$(MARCH) -o $@ $<

$(LIMITS_BUILD)/marks.so: benchmarks/limits/marks.c benchmarks/limits/limits.mk
	@mkdir -p $(@D)
	@echo "  cc      $<"
	@$(CC) $(LIMITS_FLAGS) -shared -o $@ $<

-include $(LIMITS_BUILD)/costs.d $(LIMITS_BUILD)/marks.d
