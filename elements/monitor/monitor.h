/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the monitor's parts share. A burst goes through all that are on:
 *
 *     monitor.c          which packets are counted, and what of them
 *     monitor_hosts.c    hosts and totals: shared by all workers, written on every packet
 *     monitor_prefixes.c the configured prefixes: each worker counts for itself
 *     monitor_top.c      top talkers, by a sketch of bounded size: each worker has its own
 *     monitor_tables.c   the tables that are shown
 *
 * Threads: all of it runs on one worker; the shared part is written under shared variables.
 */
#ifndef MONITOR_H
#define MONITOR_H

#include "ftmb_element.h"
#include "matching/prefix_map.h"

enum monitor_role { MONITOR_SOURCE, MONITOR_DESTINATION, MONITOR_ROLES };
#define MONITOR_ENTRIES_MAX (MONITOR_ROLES * FTMB_BURST_MAX)
#define MONITOR_BUCKETS 16U

struct monitor_config {
    uint8_t first, second; /* ports */
    uint8_t stamp;
    uint8_t destinations;
    uint32_t hosts_max;
    uint32_t sample_percent;
    uint32_t top; /* entries of each sketch; 0: none */
    struct prefix_map prefixes;
};

struct monitor_count {
    uint64_t packets, bytes;
};

struct monitor_host {
    struct ip_address address; /* ::: free */
    struct monitor_count counts[MONITOR_ROLES];
};

/* The shared part: `totals` are guarded by variable 0, the table's stripes by the others. */
struct monitor_shared {
    uint64_t packets, bytes, hosts;
    uint64_t untracked;                      /* counts of hosts for which there was no place */
    uint32_t stripes, slots_per_stripe;      /* powers of two */
    uint64_t variables_offset, table_offset; /* from this struct, as the arena holds no pointers */
};

struct monitor_prefix {
    struct ip_address address;
    uint64_t bits;
    struct monitor_count counts[MONITOR_ROLES];
};

struct monitor_talker {
    struct ip_address address;
    uint64_t bytes;   /* as many at least as it had: too many by `over` at most */
    uint64_t over;    /* what its entry counted when it got it */
    uint64_t packets; /* since then */
    uint32_t place;   /* in the heap */
    uint32_t padding;
};

/* A sketch: `talkers`, a heap of their indices with the least bytes on top, and a hash table. */
struct monitor_top {
    uint64_t bytes;                /* all that it was told of */
    uint32_t capacity, count;      /* talkers; no capacity: there is none of it */
    uint64_t talkers, heap, table; /* offsets from the worker's part */
};

/* The part of a worker, there if prefixes or top are on. */
struct monitor_state {
    uint64_t seed; /* of the hash tables, drawn at the first packet */
    uint32_t seeded;
    uint32_t prefix_count;
    uint64_t prefixes; /* offset from here */
    struct monitor_top tops[MONITOR_ROLES];
};

/* One address of a packet that is to be counted. */
struct monitor_entry {
    struct ip_address address;
    uint32_t hash;
    uint16_t bytes;
    uint8_t role; /* enum monitor_role */
};

/* What is to be counted of a burst. */
struct monitor_burst {
    struct ftmb_packet *packets[FTMB_BURST_MAX];
    struct monitor_entry entries[MONITOR_ENTRIES_MAX];
    uint32_t packet_count, entry_count;
    uint64_t buckets[MONITOR_BUCKETS]; /* by the lowest bits of the hash: bit i is entry i */
    uint64_t bytes, new_hosts, untracked;
};

static inline void *monitor_at(void *from, uint64_t offset) {
    return (uint8_t *)from + offset;
}

extern const struct ftmb_option monitor_options[];
extern const struct ftmb_table monitor_tables[];
int monitor_check(const void *config, uint32_t workers, char *error, size_t error_size);

/* 0 or -ENOMEM. */
int monitor_init_shared(struct ftmb_arena *arena, const void *config, uint32_t workers,
                        void **shared);
/* Asks for the place where an entry's host will be. */
void monitor_prefetch_host(struct monitor_shared *monitor, uint32_t hash);
void monitor_count_hosts(struct ftmb_context *context, struct monitor_burst *burst);
/* After the hosts, whose counts of new and untracked ones go into the totals. */
void monitor_count_totals(struct ftmb_context *context, const struct monitor_burst *burst);

void monitor_prefixes_init(const struct monitor_config *config, struct monitor_state *state);
void monitor_count_prefixes(const struct monitor_config *config, struct monitor_state *state,
                            const struct monitor_burst *burst);

/* A sketch for so many talkers from `offset` on, of the worker's part; where it ends. */
uint64_t monitor_top_place(struct monitor_top *top, uint32_t capacity, uint64_t offset);
void monitor_top_init(struct monitor_state *state, enum monitor_role role);
void monitor_count_top(struct monitor_state *state, const struct monitor_burst *burst);

#endif
