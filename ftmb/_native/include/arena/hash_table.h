/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hash table of 32-bit indices, for state in the arena.
 *
 * The caller keeps its entries in an array of its own and gives their hashes; the table maps a
 * hash to the indices of the entries that may have it. A bucket is one cache line: ten 16-bit
 * tags and ten indices. Probing goes over at most HASH_TABLE_PROBES_MAX neighbouring buckets, so
 * every operation is bounded, and insertion fails when they are full.
 *
 * A burst is looked up in steps, so that the misses of all its packets overlap:
 *   1. hash_table_prefetch() for each: the bucket;
 *   2. hash_table_candidate() for each: prefetch the entry it names;
 *   3. hash_table_find() for each: compare.
 *
 * Position independent: no pointers, one block of hash_table_size() bytes, aligned to a cache
 * line and zeroed. Threads: one writer, which is also the only reader.
 */
#ifndef FTMB_HASH_TABLE_H
#define FTMB_HASH_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#if defined(__SSE2__) && !defined(HASH_TABLE_SCALAR)
#include <emmintrin.h>
#endif

#define HASH_TABLE_NONE 0xffffffffU
#define HASH_TABLE_SLOTS 10U
#define HASH_TABLE_PROBES_MAX 32U        /* hardly ever more than two */
#define HASH_TABLE_ENTRIES_PER_BUCKET 7U /* when as many are in as the table was made for */

struct hash_table_bucket {
    uint16_t tags[HASH_TABLE_SLOTS];
    uint16_t used;     /* bit i: slot i holds an entry */
    uint16_t overflow; /* entries for which this bucket was full and that stand further on */
    uint32_t entries[HASH_TABLE_SLOTS];
};
_Static_assert(sizeof(struct hash_table_bucket) == 64, "a bucket is a cache line");

struct hash_table {
    uint32_t bucket_count;
    uint32_t count; /* entries in the table */
    uint8_t padding[56];
    struct hash_table_bucket buckets[];
};
_Static_assert(sizeof(struct hash_table) == 64, "buckets begin on a cache line");

/*
 * Bytes for `capacity` entries: 64 / 7 for each, and a little. Insertion does not fail below this
 * capacity but for hashes that somebody chose: a run of 32 buckets would have to get 43% more
 * entries than its share.
 */
size_t hash_table_size(uint32_t capacity);
/* Takes memory that is zeroed and does not touch it: an empty table costs no memory. */
void hash_table_init(struct hash_table *table, uint32_t capacity);

/*
 * A hash of two words: the same in every process. `seed` keeps those who send packets from
 * choosing what collides, as far as they cannot learn it.
 */
static inline uint64_t hash_table_hash(uint64_t first, uint64_t second, uint64_t seed) {
    uint64_t hash = (first ^ seed) * 0x9e3779b97f4a7c15ULL;
    hash = ((hash ^ hash >> 32) + second) * 0xbf58476d1ce4e5b9ULL;
    hash = (hash ^ hash >> 29) * 0x94d049bb133111ebULL;
    return hash ^ hash >> 32;
}

/* Scales the upper half of a hash to 0 .. count - 1. */
static inline uint32_t hash_table_reduce(uint64_t hash, uint32_t count) {
    return (uint32_t)(((hash >> 32) * count) >> 32);
}

static inline void hash_table_prefetch(const struct hash_table *table, uint64_t hash) {
    __builtin_prefetch(&table->buckets[hash_table_reduce(hash, table->bucket_count)]);
}

/* Bit i: slot i is used and has the tag. */
static inline uint32_t hash_table_match(const struct hash_table_bucket *bucket, uint16_t tag) {
    uint32_t mask = 0;
#if defined(__SSE2__) && !defined(HASH_TABLE_SCALAR)
    __m128i wanted = _mm_set1_epi16((short)tag);
    __m128i low = _mm_loadu_si128((const __m128i *)(const void *)bucket->tags);
    int32_t last;
    __builtin_memcpy(&last, &bucket->tags[8], sizeof last);
    __m128i packed = _mm_packs_epi16(_mm_cmpeq_epi16(low, wanted),
                                     _mm_cmpeq_epi16(_mm_cvtsi32_si128(last), wanted));
    mask = (uint32_t)_mm_movemask_epi8(packed);
#else
    for (uint32_t slot = 0; slot < HASH_TABLE_SLOTS; ++slot)
        mask |= (uint32_t)(bucket->tags[slot] == tag) << slot;
#endif
    return mask & bucket->used;
}

/* An entry that may be the one, in the first bucket; HASH_TABLE_NONE if there is none. */
static inline uint32_t hash_table_candidate(const struct hash_table *table, uint64_t hash) {
    const struct hash_table_bucket *bucket =
        &table->buckets[hash_table_reduce(hash, table->bucket_count)];
    uint32_t mask = hash_table_match(bucket, (uint16_t)hash);
    return mask != 0 ? bucket->entries[__builtin_ctz(mask)] : HASH_TABLE_NONE;
}

/* Whether the entry of that index is the one that `key` asks for. */
typedef bool hash_table_equal(const void *key, uint32_t index);

/* The entry for which `equal` is true, or HASH_TABLE_NONE. Inlined, and `equal` with it. */
__attribute__((always_inline)) static inline uint32_t
hash_table_find(const struct hash_table *table, uint64_t hash, hash_table_equal *equal,
                const void *key) {
    uint32_t at = hash_table_reduce(hash, table->bucket_count);
    for (uint32_t probe = 0; probe < HASH_TABLE_PROBES_MAX; ++probe) {
        const struct hash_table_bucket *bucket = &table->buckets[at];
        uint32_t mask = hash_table_match(bucket, (uint16_t)hash);
        for (; mask != 0; mask &= mask - 1) {
            uint32_t index = bucket->entries[__builtin_ctz(mask)];
            if (equal(key, index)) {
                return index;
            }
        }
        if (bucket->overflow == 0) {
            break;
        }
        at = at + 1 == table->bucket_count ? 0 : at + 1;
    }
    return HASH_TABLE_NONE;
}

/* Puts in an entry that is not there yet. False, and nothing changed, if its buckets are full. */
bool hash_table_insert(struct hash_table *table, uint64_t hash, uint32_t index);

/* Takes out the entry that was put in with this hash and index; false if it is not there. */
bool hash_table_remove(struct hash_table *table, uint64_t hash, uint32_t index);

#endif
