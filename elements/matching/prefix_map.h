/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A map from addresses to the longest of a configuration's prefixes that holds them.
 *
 * Prefixes nest or are disjoint, so they cut the line of all addresses into at most 2n + 3
 * stretches that each belong to one prefix, or to none; a look-up is a search for the stretch, by
 * halving: eleven steps for a thousand prefixes. The stretches are worked out as prefixes are
 * added. IPv4 stands at ::ffff:0:0/96, which a prefix of IPv6 that is shorter does not hold.
 *
 * Part of a configuration: filled by one thread, constant then. Nothing in it is allocated.
 */
#ifndef MATCHING_PREFIX_MAP_H
#define MATCHING_PREFIX_MAP_H

#include "matching/address.h"

#define PREFIX_MAP_MAX 512U
#define PREFIX_MAP_NONE 0xffffffffU

struct prefix_map_stretch {
    struct ip_address first; /* it ends where the next one begins */
    uint32_t prefix;         /* index, or PREFIX_MAP_NONE */
    uint32_t padding;
};

struct prefix_map {
    uint32_t count, stretch_count;
    struct ip_prefix prefixes[PREFIX_MAP_MAX]; /* as they were added */
    struct prefix_map_stretch stretches[2 * PREFIX_MAP_MAX + 3];
};

enum prefix_map_fault { PREFIX_MAP_FINE, PREFIX_MAP_FULL, PREFIX_MAP_TWICE };

/* Its index is the number of those before. */
enum prefix_map_fault prefix_map_add(struct prefix_map *map, const struct ip_prefix *prefix);

/* The index of a prefix that was added, or PREFIX_MAP_NONE. */
uint32_t prefix_map_index(const struct prefix_map *map, const struct ip_prefix *prefix);

/* The index of the longest prefix that holds an address, or PREFIX_MAP_NONE. */
static inline uint32_t prefix_map_find(const struct prefix_map *map, struct ip_address address) {
    uint32_t low = 0;
    uint32_t high = map->stretch_count;
    while (high - low > 1) { /* the stretch is one of low .. high - 1 */
        uint32_t middle = (low + high) / 2;
        if (ip_address_is_less(address, map->stretches[middle].first)) {
            high = middle;
        } else {
            low = middle;
        }
    }
    return map->stretch_count == 0 ? PREFIX_MAP_NONE : map->stretches[low].prefix;
}

#endif
