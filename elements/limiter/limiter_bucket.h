/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A token bucket in whole numbers: nothing is rounded, so nothing drifts.
 *
 * Tokens are counted in parts of a byte: 1 bit/s adds one part in a nanosecond, so a byte is 8e9
 * parts, and the largest burst of 1 GiB is less than 2^63 of them. A bucket is refilled when it is
 * looked at, by rate * time up to its burst, from the time of the packet and nothing else.
 *
 * Pure functions; the caller has the shared variable that guards the bucket.
 */
#ifndef LIMITER_BUCKET_H
#define LIMITER_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#define LIMITER_PARTS_PER_BYTE 8000000000ULL
#define LIMITER_BURST_MAX (1ULL << 30) /* bytes */
_Static_assert(LIMITER_BURST_MAX < (1ULL << 63) / LIMITER_PARTS_PER_BYTE, "parts fit into 63 bits");

struct limiter_limit {
    uint64_t rate;  /* bit/s; 0: unlimited */
    uint64_t burst; /* bytes */
};

struct limiter_bucket {
    uint64_t parts;
    uint64_t time_ns; /* up to which it is filled */
};

static inline uint64_t limiter_capacity(const struct limiter_limit *limit) {
    return limit->burst * LIMITER_PARTS_PER_BYTE;
}

/* What is in the bucket at `now_ns`, which is not before its time. */
static inline uint64_t limiter_bucket_parts(const struct limiter_bucket *bucket,
                                            const struct limiter_limit *limit, uint64_t now_ns) {
    uint64_t capacity = limiter_capacity(limit);
    uint64_t added;
    bool is_more = __builtin_mul_overflow(limit->rate, now_ns - bucket->time_ns, &added);
    bool is_full = is_more || bucket->parts >= capacity || added >= capacity - bucket->parts;
    return is_full ? capacity : bucket->parts + added;
}

static inline void limiter_bucket_fill(struct limiter_bucket *bucket,
                                       const struct limiter_limit *limit, uint64_t now_ns) {
    bucket->parts = limiter_capacity(limit);
    bucket->time_ns = now_ns;
}

/*
 * Takes `bytes` out of the bucket if it holds them above `kept` hundredths of its burst. A bucket
 * of no limit is not touched.
 */
static inline bool limiter_bucket_take(struct limiter_bucket *bucket,
                                       const struct limiter_limit *limit, uint64_t now_ns,
                                       uint32_t bytes, uint32_t kept) {
    if (limit->rate == 0) {
        return true;
    }
    uint64_t wanted = bytes * LIMITER_PARTS_PER_BYTE;
    bucket->parts = limiter_bucket_parts(bucket, limit, now_ns);
    bucket->time_ns = now_ns;
    if (bucket->parts < wanted + limiter_capacity(limit) / 100 * kept) {
        return false;
    }
    bucket->parts -= wanted;
    return true;
}

#endif
