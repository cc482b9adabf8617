/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hosts and totals, shared by all workers.
 *
 * The hosts' table is cut into stripes, each with a variable of its own; a burst takes each stripe
 * once for all of its entries that are in it, and the totals once.
 */
#include <errno.h>

#include "monitor.h"

#define MONITOR_STRIPES_MIN 16U /* shared variables over the table */
/* More workers meet less often with more stripes; with fewer, a burst takes fewer of them. */
#define MONITOR_STRIPES_PER_WORKER 8U
#define MONITOR_PROBES 8U /* places a host may be at */

static uint32_t next_power_of_two(uint32_t value) {
    uint32_t power = 1;
    while (power < value) {
        power *= 2;
    }
    return power;
}

int monitor_init_shared(struct ftmb_arena *arena, const void *configuration, uint32_t workers,
                        void **shared) {
    const struct monitor_config *config = configuration;
    uint32_t slots = next_power_of_two(config->hosts_max + config->hosts_max / 4);
    uint32_t stripes = next_power_of_two(workers * MONITOR_STRIPES_PER_WORKER);
    stripes = stripes < MONITOR_STRIPES_MIN ? MONITOR_STRIPES_MIN : stripes;
    struct monitor_shared *monitor = ftmb_allocate_shared(arena, sizeof(struct monitor_shared), 64);
    struct ftmb_shared *variables = ftmb_allocate_variables(arena, stripes + 1);
    struct monitor_host *table =
        ftmb_allocate_shared(arena, (size_t)slots * sizeof(struct monitor_host), 64);
    if (monitor == NULL || variables == NULL || table == NULL) {
        return -ENOMEM;
    }
    monitor->stripes = stripes;
    monitor->slots_per_stripe = slots / stripes;
    monitor->variables_offset = (uint64_t)((uint8_t *)variables - (uint8_t *)monitor);
    monitor->table_offset = (uint64_t)((uint8_t *)table - (uint8_t *)monitor);
    *shared = monitor;
    return 0;
}

static struct ftmb_shared *variable_at(struct monitor_shared *monitor, uint32_t index) {
    return ftmb_shared_at(monitor_at(monitor, monitor->variables_offset), index);
}

/* Where the search for a host begins within its stripe, and its stripe. */
static struct monitor_host *stripe_of(struct monitor_shared *monitor, uint32_t hash) {
    struct monitor_host *table = monitor_at(monitor, monitor->table_offset);
    return table + (size_t)(hash & (monitor->stripes - 1)) * monitor->slots_per_stripe;
}

static uint32_t first_slot(const struct monitor_shared *monitor, uint32_t hash) {
    return hash / monitor->stripes & (monitor->slots_per_stripe - 1);
}

void monitor_prefetch_host(struct monitor_shared *monitor, uint32_t hash) {
    __builtin_prefetch(stripe_of(monitor, hash) + first_slot(monitor, hash), 1);
}

/* The host's place, new if need be; NULL: there is none. Under the stripe's variable. */
static struct monitor_host *find_host(struct monitor_shared *monitor,
                                      const struct monitor_entry *entry, uint64_t *new_hosts) {
    struct monitor_host *stripe = stripe_of(monitor, entry->hash);
    uint32_t start = first_slot(monitor, entry->hash);
    for (uint32_t probe = 0; probe < MONITOR_PROBES; probe++) {
        struct monitor_host *host = &stripe[(start + probe) & (monitor->slots_per_stripe - 1)];
        if (ip_address_equal(host->address, entry->address)) {
            return host;
        }
        if ((host->address.high | host->address.low) == 0) {
            host->address = entry->address;
            ++*new_hosts;
            return host;
        }
    }
    return NULL;
}

/* Counts those of `left` that are in the stripe of the first of them; returns the others. */
static uint64_t count_stripe(struct ftmb_context *context, struct monitor_burst *burst,
                             uint64_t left) {
    struct monitor_shared *monitor = context->shared;
    uint32_t stripe = burst->entries[__builtin_ctzll(left)].hash & (monitor->stripes - 1);
    struct ftmb_shared *variable = variable_at(monitor, 1 + stripe);
    uint64_t others = 0;
    ftmb_shared_acquire(context, variable);
    for (bool is_first = true; left != 0; left &= left - 1) {
        uint32_t index = (uint32_t)__builtin_ctzll(left);
        const struct monitor_entry *entry = &burst->entries[index];
        if ((entry->hash & (monitor->stripes - 1)) != stripe) {
            others |= 1ULL << index;
            continue;
        }
        if (!is_first) {
            ftmb_shared_again(context, variable);
        }
        is_first = false;
        struct monitor_host *host = find_host(monitor, entry, &burst->new_hosts);
        if (host == NULL) {
            burst->untracked++;
            continue;
        }
        host->counts[entry->role].packets++;
        host->counts[entry->role].bytes += entry->bytes;
    }
    ftmb_shared_release(context, variable);
    return others;
}

void monitor_count_hosts(struct ftmb_context *context, struct monitor_burst *burst) {
    for (uint32_t bucket = 0; bucket < MONITOR_BUCKETS; bucket++) {
        for (uint64_t left = burst->buckets[bucket]; left != 0;) {
            left = count_stripe(context, burst, left);
        }
    }
}

static void stamp(struct ftmb_packet *packet, uint64_t total) {
    if (packet->length >= FTMB_ETHERNET_SIZE + FTMB_IPV4_SIZE_MIN + 8 + sizeof(total)) {
        memcpy(packet->data + packet->length - sizeof(total), &total, sizeof(total));
    }
}

void monitor_count_totals(struct ftmb_context *context, const struct monitor_burst *burst) {
    const struct monitor_config *config = context->config;
    struct monitor_shared *monitor = context->shared;
    struct ftmb_shared *totals = variable_at(monitor, 0);
    ftmb_shared_acquire(context, totals);
    for (uint32_t index = 0; index < burst->packet_count; index++) {
        if (index > 0) {
            ftmb_shared_again(context, totals);
        }
        monitor->packets++;
        if (config->stamp) {
            stamp(burst->packets[index], monitor->packets);
        }
    }
    monitor->bytes += burst->bytes;
    monitor->hosts += burst->new_hosts;
    monitor->untracked += burst->untracked;
    ftmb_shared_release(context, totals);
}
