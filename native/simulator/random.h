/* SPDX-License-Identifier: BSD-3-Clause */
/* The one source of chance of a simulated run: same seed, same run. splitmix64 (Steele et al.). */
#ifndef FTMB_SIMULATOR_RANDOM_H
#define FTMB_SIMULATOR_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct random {
    uint64_t state;
};

static inline uint64_t random_next(struct random *random) {
    uint64_t value = (random->state += 0x9e3779b97f4a7c15ULL);
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
    return value ^ (value >> 31);
}

/* 0 .. bound - 1 */
static inline uint32_t random_below(struct random *random, uint32_t bound) {
    return (uint32_t)(((random_next(random) >> 32) * bound) >> 32);
}

static inline uint32_t random_between(struct random *random, uint32_t first, uint32_t last) {
    return first + random_below(random, last - first + 1);
}

static inline bool random_one_in(struct random *random, uint32_t bound) {
    return random_below(random, bound) == 0;
}

#endif
