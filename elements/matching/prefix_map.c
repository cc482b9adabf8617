/* SPDX-License-Identifier: BSD-3-Clause */
#include "matching/prefix_map.h"

static const struct ip_address first_ipv4 = {.high = 0, .low = IP_ADDRESS_IPV4_MAPPED};
static const struct ip_address behind_ipv4 = {.high = 0, .low = 0x0001000000000000ULL};

/* The first address behind a prefix; false if there is none. */
static bool behind(const struct ip_prefix *prefix, struct ip_address *next) {
    next->low = (prefix->address.low | ~prefix->mask.low) + 1;
    next->high = (prefix->address.high | ~prefix->mask.high) + (next->low == 0);
    return next->low != 0 || next->high != 0;
}

/* A prefix of IPv6 that is shorter than /96 goes round IPv4. */
static bool holds(const struct ip_prefix *prefix, struct ip_address address) {
    return ip_prefix_contains(prefix, address, ip_address_is_mapped(address) ? 4 : 6);
}

/* A stretch begins at this address, and belongs to whom the one that it is cut off from does. */
static void add_start(struct prefix_map *map, struct ip_address start) {
    uint32_t at = map->stretch_count;
    while (at > 0 && ip_address_is_less(start, map->stretches[at - 1].first)) {
        --at;
    }
    if (at > 0 && ip_address_equal(map->stretches[at - 1].first, start)) {
        return;
    }
    memmove(&map->stretches[at + 1], &map->stretches[at],
            (map->stretch_count - at) * sizeof(map->stretches[0]));
    map->stretches[at] = (struct prefix_map_stretch){
        .first = start, .prefix = at > 0 ? map->stretches[at - 1].prefix : PREFIX_MAP_NONE};
    ++map->stretch_count;
}

uint32_t prefix_map_index(const struct prefix_map *map, const struct ip_prefix *prefix) {
    for (uint32_t i = 0; i < map->count; ++i) {
        if (ip_address_equal(map->prefixes[i].address, prefix->address) &&
            map->prefixes[i].bits == prefix->bits && map->prefixes[i].version == prefix->version) {
            return i;
        }
    }
    return PREFIX_MAP_NONE;
}

enum prefix_map_fault prefix_map_add(struct prefix_map *map, const struct ip_prefix *prefix) {
    if (map->count == PREFIX_MAP_MAX) {
        return PREFIX_MAP_FULL;
    }
    if (prefix_map_index(map, prefix) != PREFIX_MAP_NONE) {
        return PREFIX_MAP_TWICE;
    }
    struct ip_address next;
    uint32_t index = map->count++;
    map->prefixes[index] = *prefix;
    add_start(map, (struct ip_address){0, 0});
    add_start(map, first_ipv4);
    add_start(map, behind_ipv4);
    add_start(map, prefix->address);
    if (behind(prefix, &next)) {
        add_start(map, next);
    }
    for (uint32_t i = 0; i < map->stretch_count; ++i) {
        struct prefix_map_stretch *stretch = &map->stretches[i];
        bool is_free = stretch->prefix == PREFIX_MAP_NONE ||
                       map->prefixes[stretch->prefix].bits < prefix->bits;
        if (is_free && holds(prefix, stretch->first)) {
            stretch->prefix = index;
        }
    }
    return PREFIX_MAP_FINE;
}
