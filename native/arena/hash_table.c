/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Insertion and removal. Each full bucket that an entry passed over counts it in `overflow`, so
 * that a lookup stops at the first bucket that nobody passed over, and removal needs no tombstone.
 * The counter cannot overflow: who passes a bucket stands in one of the few after it.
 */
#include "arena/hash_table.h"

_Static_assert((HASH_TABLE_PROBES_MAX - 1) * HASH_TABLE_SLOTS < UINT16_MAX, "overflow counts");
#define ALL_USED ((1U << HASH_TABLE_SLOTS) - 1U)

static uint32_t buckets_for(uint32_t capacity) {
    uint32_t count = capacity / HASH_TABLE_ENTRIES_PER_BUCKET + 1;
    return count < HASH_TABLE_PROBES_MAX ? HASH_TABLE_PROBES_MAX : count;
}

size_t hash_table_size(uint32_t capacity) {
    return sizeof(struct hash_table) +
           (size_t)buckets_for(capacity) * sizeof(struct hash_table_bucket);
}

void hash_table_init(struct hash_table *table, uint32_t capacity) {
    table->bucket_count = buckets_for(capacity);
}

static uint32_t following(const struct hash_table *table, uint32_t at) {
    return at + 1 == table->bucket_count ? 0 : at + 1;
}

bool hash_table_insert(struct hash_table *table, uint64_t hash, uint32_t index) {
    uint32_t home = hash_table_reduce(hash, table->bucket_count);
    uint32_t at = home;
    uint32_t probe = 0;
    while (table->buckets[at].used == ALL_USED) {
        if (++probe == HASH_TABLE_PROBES_MAX) {
            return false;
        }
        at = following(table, at);
    }
    struct hash_table_bucket *bucket = &table->buckets[at];
    uint32_t slot = (uint32_t)__builtin_ctz(~(uint32_t)bucket->used);
    bucket->tags[slot] = (uint16_t)hash;
    bucket->entries[slot] = index;
    bucket->used = (uint16_t)(bucket->used | 1U << slot);
    for (uint32_t passed = home; passed != at; passed = following(table, passed)) {
        ++table->buckets[passed].overflow;
    }
    ++table->count;
    return true;
}

bool hash_table_remove(struct hash_table *table, uint64_t hash, uint32_t index) {
    uint32_t home = hash_table_reduce(hash, table->bucket_count);
    uint32_t at = home;
    for (uint32_t probe = 0; probe < HASH_TABLE_PROBES_MAX; ++probe) {
        struct hash_table_bucket *bucket = &table->buckets[at];
        for (uint32_t mask = bucket->used; mask != 0; mask &= mask - 1) {
            uint32_t slot = (uint32_t)__builtin_ctz(mask);
            if (bucket->entries[slot] != index || bucket->tags[slot] != (uint16_t)hash) {
                continue;
            }
            bucket->used = (uint16_t)(bucket->used & ~(1U << slot));
            bucket->tags[slot] = 0; /* equal states have equal bytes, whatever came before */
            bucket->entries[slot] = 0;
            for (uint32_t passed = home; passed != at; passed = following(table, passed)) {
                --table->buckets[passed].overflow;
            }
            --table->count;
            return true;
        }
        at = following(table, at);
    }
    return false;
}
