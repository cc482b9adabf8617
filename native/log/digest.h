/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The digest of a record: 64 bits over the packets that leave, each with its port and its place.
 *
 * The output logger computes it over the very bytes that it sends, the standby over those that
 * its own elements made. The hash is XXH3 (xxHash library); per-packet hashes are added, so that
 * they do not wait for one another.
 */
#ifndef FTMB_DIGEST_H
#define FTMB_DIGEST_H

#include <stdint.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static inline uint64_t digest_add(uint64_t digest, uint32_t place, uint8_t port,
                                  const uint8_t *bytes, uint16_t length) {
    uint64_t seed = ((uint64_t)place << 32) | ((uint64_t)port << 16) | length;
    return digest + XXH3_64bits_withSeed(bytes, length, seed * 0x9e3779b97f4a7c15ULL);
}

#endif
