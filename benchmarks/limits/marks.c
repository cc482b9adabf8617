/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a program that runs under valgrind's callgrind says to it, for benchmarks/limits/stepped.py.
 * Outside of valgrind all of it is a few instructions that do nothing.
 *
 * Threads: one.
 */
#include <valgrind/callgrind.h>

void marks_start(void);
void marks_forget(void);
void marks_stop(void);
void marks_write(const char *name);

/* From here on everything goes through the simulated caches, which are empty at first. */
void marks_start(void) {
    CALLGRIND_START_INSTRUMENTATION;
}

/* Nothing was counted until now; the caches stay as they are. */
void marks_forget(void) {
    CALLGRIND_ZERO_STATS;
}

void marks_stop(void) {
    CALLGRIND_STOP_INSTRUMENTATION;
}

/* What was counted goes to a file of its own, with `name` as what made it be written. */
void marks_write(const char *name) {
    CALLGRIND_DUMP_STATS_AT(name);
}
