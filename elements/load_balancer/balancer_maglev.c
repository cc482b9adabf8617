/* SPDX-License-Identifier: BSD-3-Clause */
#include "balancer_maglev.h"

#include <stdbool.h>

#define FNV_BASIS 0xcbf29ce484222325ULL
#define FNV_PRIME 0x100000001b3ULL
#define OFFSET_SEED 1U
#define SKIP_SEED 2U
#define FREE 0xffffU /* no backend has this number */

uint64_t maglev_hash(const uint8_t *name, size_t length, uint64_t seed) {
    uint64_t hash = (FNV_BASIS ^ seed) * FNV_PRIME;
    for (size_t i = 0; i < length; ++i) {
        hash = (hash ^ name[i]) * FNV_PRIME;
    }
    hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccdULL;
    hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53ULL;
    return hash ^ hash >> 33;
}

struct maglev_backend maglev_backend(const uint8_t *name, size_t length, uint32_t table_size,
                                     uint32_t weight, uint16_t entry) {
    return (struct maglev_backend){
        .offset = (uint32_t)(maglev_hash(name, length, OFFSET_SEED) % table_size),
        .skip = (uint32_t)(maglev_hash(name, length, SKIP_SEED) % (table_size - 1)) + 1,
        .weight = weight,
        .entry = entry,
    };
}

static void advance(struct maglev_backend *backend, uint32_t table_size) {
    backend->offset += backend->skip;
    if (backend->offset >= table_size) {
        backend->offset -= table_size;
    }
}

static uint32_t greatest_weight(const struct maglev_backend *backends, uint32_t count) {
    uint32_t greatest = 1;
    for (uint32_t i = 0; i < count; ++i) {
        greatest = backends[i].weight > greatest ? backends[i].weight : greatest;
    }
    return greatest;
}

/* In round r a backend has its turn if r * weight / greatest weight has got to a new whole number:
 * the heaviest in each round, one of half its weight in every other. */
static bool has_turn(uint32_t weight, uint32_t greatest, uint64_t round) {
    return (round + 1) * weight / greatest > round * weight / greatest;
}

void maglev_fill(uint16_t *table, uint32_t table_size, struct maglev_backend *backends,
                 uint32_t count) {
    uint32_t greatest = greatest_weight(backends, count);
    uint32_t filled = 0;
    for (uint32_t place = 0; place < table_size; ++place) {
        table[place] = FREE;
    }
    for (uint64_t round = 0;; ++round) {
        for (uint32_t i = 0; i < count; ++i) {
            struct maglev_backend *backend = &backends[i];
            if (!has_turn(backend->weight, greatest, round)) {
                continue;
            }
            while (table[backend->offset] != FREE) {
                advance(backend, table_size);
            }
            table[backend->offset] = backend->entry;
            if (++filled == table_size) {
                return;
            }
        }
    }
}
