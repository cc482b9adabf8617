/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Addresses and prefixes of both versions of IP, as elements keep and compare them: 128 bits, IPv4
 * as ::ffff:a.b.c.d. A real IPv6 packet with such an address is none that may be on a wire
 * (RFC 6890), so whoever keeps both in one table drops it or counts it as what it looks like.
 *
 * Pure functions over what they are given: any thread may call them.
 */
#ifndef MATCHING_ADDRESS_H
#define MATCHING_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ftmb_packet.h"

#define IP_ADDRESS_IPV4_MAPPED 0x0000ffff00000000ULL /* the lower half of ::ffff:0:0 */

struct ip_address {
    uint64_t high, low; /* host order */
};

struct ip_prefix {
    struct ip_address address, mask;
    uint32_t version; /* ::/0 has no IPv4 address in it */
    uint32_t bits;    /* of 128: an IPv4 prefix has 96 more than it is written with */
};

/* Four or sixteen bytes in network byte order. */
static inline struct ip_address ip_address_load(const uint8_t *at, uint32_t version) {
    if (version == 4) {
        return (struct ip_address){.low = IP_ADDRESS_IPV4_MAPPED | ftmb_load32(at)};
    }
    return (struct ip_address){.high = (uint64_t)ftmb_load32(at) << 32 | ftmb_load32(at + 4),
                               .low = (uint64_t)ftmb_load32(at + 8) << 32 | ftmb_load32(at + 12)};
}

static inline bool ip_address_equal(struct ip_address one, struct ip_address other) {
    return one.high == other.high && one.low == other.low;
}

static inline bool ip_address_is_less(struct ip_address one, struct ip_address other) {
    return one.high < other.high || (one.high == other.high && one.low < other.low);
}

static inline bool ip_address_is_mapped(struct ip_address address) {
    return address.high == 0 && address.low >> 32 == IP_ADDRESS_IPV4_MAPPED >> 32;
}

/* Of the first `bits` of 128. */
static inline struct ip_address ip_address_mask(uint32_t bits) {
    return (struct ip_address){
        .high = bits == 0 ? 0 : ~0ULL << (bits >= 64 ? 0 : 64 - bits),
        .low = bits <= 64 ? 0 : ~0ULL << (128 - bits),
    };
}

static inline struct ip_address ip_address_and(struct ip_address one, struct ip_address other) {
    return (struct ip_address){.high = one.high & other.high, .low = one.low & other.low};
}

static inline bool ip_prefix_contains(const struct ip_prefix *prefix, struct ip_address address,
                                      uint32_t version) {
    return prefix->version == version &&
           ip_address_equal(ip_address_and(address, prefix->mask), prefix->address);
}

/*
 * An address, or a prefix without bits beyond its length, such as "10.0.0.0/8" or "2001:db8::1", in
 * `length` characters; false if it is none.
 */
bool ip_prefix_read(const char *text, size_t length, struct ip_prefix *prefix);

#endif
