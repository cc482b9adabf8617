/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Maglev's consistent hashing: the lookup table of one service (Eisenbud et al., "Maglev: A Fast
 * and Reliable Software Network Load Balancer", NSDI 2016, section 3.4).
 *
 * Each backend has its own order of all places of the table; the backends take turns, and each
 * takes the first place of its order that is still free, until none is. So all get the same share,
 * and when one goes, few places change hands beside its own. The weight is how often a backend gets
 * its turn. Pure functions: no state, no runtime.
 */
#ifndef BALANCER_MAGLEV_H
#define BALANCER_MAGLEV_H

#include <stddef.h>
#include <stdint.h>

/* A backend's order of places: (offset + j * skip) mod table size, for j = 0, 1, ... */
struct maglev_backend {
    uint32_t offset; /* below the table's size */
    uint32_t skip;   /* from 1 to the size less one */
    uint32_t weight; /* at least 1 */
    uint16_t entry;  /* what the table holds for it */
    uint16_t padding;
};

/* 64 bits from a name: FNV-1a over `seed` and the bytes, finished by MurmurHash3's mixer. */
uint64_t maglev_hash(const uint8_t *name, size_t length, uint64_t seed);

/* Offset and skip by two hashes of a backend's name, as the paper has it. */
struct maglev_backend maglev_backend(const uint8_t *name, size_t length, uint32_t table_size,
                                     uint32_t weight, uint16_t entry);

/*
 * Fills `table`, of `table_size` entries, a prime; `count` backends, fewer than that, at least one.
 * Uses up their offsets. Takes about table_size * log(table_size) steps.
 */
void maglev_fill(uint16_t *table, uint32_t table_size, struct maglev_backend *backends,
                 uint32_t count);

#endif
