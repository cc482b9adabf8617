/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Monitor: counts packets and bytes of hosts and in total, in tables that all workers share and
 * write on every packet. That is the hard case for ordered logging, and meant to be. Besides, if
 * they are on, of prefixes and of top talkers, which each worker counts for itself: nobody reads
 * them but who looks at the state, and sums add up.
 *
 * A packet is counted and sent on to the other port with nothing changed, except that, if `stamp`
 * is set, the running total is written over the last eight bytes of its payload: then the outside
 * sees the order in which the workers counted, and a replay that got it wrong would show. With
 * `sample_percent` only so many of the flows are counted, chosen by a hash, as collectors do whom
 * every packet would be too many.
 */
#include "monitor.h"

#include <errno.h>

#define IPV4_ADDRESSES (FTMB_ETHERNET_SIZE + 12U) /* source, then destination */
#define IPV6_ADDRESSES (FTMB_ETHERNET_SIZE + 8U)

enum monitor_drop { MONITOR_DROP_OTHER_PORT };
static const char *const drop_reasons[] = {"other_port", NULL};

static uint32_t hash_address(struct ip_address address) {
    uint64_t value = (address.low ^ address.high * 0xbf58476d1ce4e5b9ULL) * 0x9e3779b97f4a7c15ULL;
    return (uint32_t)(value >> 32);
}

/* An unspecified address is nobody's: such packets are counted in the totals alone. */
static void add_entry(struct monitor_shared *monitor, struct monitor_burst *burst,
                      const struct ftmb_packet *packet, const uint8_t *at, uint32_t version,
                      enum monitor_role role) {
    struct ip_address address = ip_address_load(at, version);
    if ((version == 4 ? (uint32_t)address.low : address.low | address.high) == 0) {
        return;
    }
    uint32_t index = burst->entry_count++;
    uint32_t hash = hash_address(address);
    burst->entries[index] = (struct monitor_entry){
        .address = address, .hash = hash, .bytes = packet->length, .role = (uint8_t)role};
    burst->buckets[hash % MONITOR_BUCKETS] |= 1ULL << index;
    monitor_prefetch_host(monitor, hash);
}

static void add_packet(const struct ftmb_context *context, struct monitor_burst *burst,
                       struct ftmb_packet *packet) {
    const struct monitor_config *config = context->config;
    const uint8_t *data = packet->data;
    burst->packets[burst->packet_count++] = packet;
    burst->bytes += packet->length;
    if (packet->length < FTMB_ETHERNET_SIZE + FTMB_IPV4_SIZE_MIN) {
        return;
    }
    uint32_t type = ftmb_load16(data + 12);
    bool is_ipv4 = type == FTMB_ETHER_TYPE_IPV4;
    bool is_ipv6 =
        type == FTMB_ETHER_TYPE_IPV6 && packet->length >= FTMB_ETHERNET_SIZE + FTMB_IPV6_SIZE;
    if (!is_ipv4 && !is_ipv6) {
        return;
    }
    const uint8_t *source = data + (is_ipv4 ? IPV4_ADDRESSES : IPV6_ADDRESSES);
    uint32_t version = is_ipv4 ? 4 : 6;
    add_entry(context->shared, burst, packet, source, version, MONITOR_SOURCE);
    if (config->destinations) {
        add_entry(context->shared, burst, packet, source + (is_ipv4 ? 4 : 16), version,
                  MONITOR_DESTINATION);
    }
}

/* By the flow's hash, stirred, since its upper bits have chosen the worker already. */
static bool is_counted(const struct monitor_config *config, const struct ftmb_packet *packet) {
    uint32_t stirred = packet->hash * 0x9e3779b1U;
    return config->sample_percent == 100 ||
           (((uint64_t)(stirred ^ stirred >> 16) & 0xffffU) * 100U >> 16) < config->sample_percent;
}

/* What each worker counts for itself. */
static void count_private(struct ftmb_context *context, const struct monitor_burst *burst) {
    const struct monitor_config *config = context->config;
    struct monitor_state *state = context->state;
    if (!state->seeded) {
        state->seed = ftmb_random(context);
        state->seeded = 1;
    }
    if (config->prefixes.count != 0) {
        monitor_count_prefixes(config, state, burst);
    }
    if (config->top != 0) {
        monitor_count_top(state, burst);
    }
}

static void monitor_process(struct ftmb_context *context, struct ftmb_packet **packets,
                            uint32_t count) {
    const struct monitor_config *config = context->config;
    struct monitor_burst burst;
    burst.packet_count = burst.entry_count = 0;
    burst.bytes = burst.new_hosts = burst.untracked = 0;
    memset(burst.buckets, 0, sizeof(burst.buckets));
    for (uint32_t index = 0; index < count; index++) {
        struct ftmb_packet *packet = packets[index];
        if (packet->port_in != config->first && packet->port_in != config->second) {
            ftmb_drop(context, packet, MONITOR_DROP_OTHER_PORT);
            continue;
        }
        packet->port_out = packet->port_in == config->first ? config->second : config->first;
        if (is_counted(config, packet)) {
            add_packet(context, &burst, packet);
        }
    }
    if (burst.packet_count == 0) {
        return;
    }
    monitor_count_hosts(context, &burst);
    monitor_count_totals(context, &burst);
    if (context->state != NULL) {
        count_private(context, &burst);
    }
}

static int monitor_init_worker(struct ftmb_arena *arena, const void *configuration, uint32_t worker,
                               uint32_t workers, void *shared, void **created) {
    const struct monitor_config *config = configuration;
    (void)workers;
    (void)shared;
    *created = NULL;
    if (config->top == 0 && config->prefixes.count == 0) {
        return 0;
    }
    struct monitor_state head = {.prefix_count = config->prefixes.count, .prefixes = sizeof(head)};
    uint64_t size = head.prefixes + head.prefix_count * sizeof(struct monitor_prefix);
    uint32_t sketches = config->top == 0 ? 0 : config->destinations ? 2 : 1;
    for (uint32_t role = 0; role < sketches; role++) {
        size = monitor_top_place(&head.tops[role], config->top, size);
    }
    struct monitor_state *state = ftmb_allocate_worker(arena, worker, size, 64);
    if (state == NULL) {
        return -ENOMEM;
    }
    *state = head;
    monitor_prefixes_init(config, state);
    for (uint32_t role = 0; role < sketches; role++) {
        monitor_top_init(state, (enum monitor_role)role);
    }
    *created = state;
    return 0;
}

const struct ftmb_element_class monitor_class = {
    .name = "monitor",
    .help = "counts packets and bytes of hosts, prefixes and top talkers, and in total",
    .state_version = 3,
    .config_size = sizeof(struct monitor_config),
    .options = monitor_options,
    .drop_reasons = drop_reasons,
    .tables = monitor_tables,
    .steering = FTMB_STEERING_ANY,
    .check = monitor_check,
    .init_shared = monitor_init_shared,
    .init_worker = monitor_init_worker,
    .process = monitor_process,
};
