/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The digest of a payload: SipHash-2-4 with 128 bits (Aumasson and Bernstein, INDOCRYPT 2012, and
 * their reference code's 128-bit variant). It is keyed, so that who does not know the key cannot
 * make two payloads that the boxes would take for one another.
 */
#ifndef WAN_DIGEST_H
#define WAN_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WAN_DIGEST_SIZE 16U /* bytes on the wire, `id` first, lowest byte first */

struct wan_digest {
    uint64_t id; /* by which caches know a payload; 0 is none: such a payload is not kept */
    uint64_t rest;
};

struct wan_digest wan_digest_of(const uint64_t key[2], const uint8_t *bytes, size_t length);
struct wan_digest wan_digest_load(const uint8_t *at);
void wan_digest_store(uint8_t *at, struct wan_digest digest);

static inline bool wan_digest_equal(struct wan_digest one, struct wan_digest other) {
    return one.id == other.id && one.rest == other.rest;
}

static inline uint64_t wan_load64(const uint8_t *at) {
    uint64_t value;
    __builtin_memcpy(&value, at, sizeof(value));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    return value;
}

static inline void wan_store64(uint8_t *at, uint64_t value) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    __builtin_memcpy(at, &value, sizeof(value));
}

#endif
