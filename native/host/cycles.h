/* SPDX-License-Identifier: BSD-3-Clause */
/* Time: the cycle counter for measuring, the monotonic clock for everything that is logged. */
#ifndef FTMB_CYCLES_H
#define FTMB_CYCLES_H

#include <stdint.h>
#include <time.h>

#include "simulator/points.h"

static inline uint64_t monotonic_ns(void) {
#ifdef FTMB_SIMULATION
    return simulation_now_ns();
#else
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
#endif
}

static inline uint64_t cycles_now(void) {
#if defined(FTMB_SIMULATION)
    return 0; /* figures for people: nothing depends on them */
#elif defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    return monotonic_ns();
#endif
}

#endif
