/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Monitor: counts packets and bytes of each source host and in total, in tables that all workers
 * share and write on every packet. That is the hard case for ordered logging, and meant to be.
 *
 * A packet is counted and sent on to the other port with nothing changed, except that, if `stamp`
 * is set, the running total is written over the last eight bytes of its payload: then the outside
 * sees the order in which the workers counted, and a replay that got it wrong would show. With
 * `sample_percent` only so many of the flows are counted, chosen by a hash, as collectors do whom
 * every packet would be too many.
 */
#include <errno.h>
#include <string.h>

#include "ftmb_element.h"

#define MONITOR_STRIPES_MIN 16U /* shared variables over the table */
/* More workers meet less often with more stripes; with fewer, a burst takes fewer of them. */
#define MONITOR_STRIPES_PER_WORKER 8U
#define MONITOR_PROBES 8U /* places a host may be at */
#define MONITOR_BUCKETS 16U
#define ETHERNET_SIZE 14U
#define IPV4_SIZE 20U

struct monitor_config {
    uint8_t first, second; /* ports */
    uint8_t stamp;
    uint32_t hosts_max;
    uint32_t sample_percent;
};

struct monitor_host {
    uint32_t address; /* network byte order; 0: free */
    uint32_t reserved;
    uint64_t packets, bytes;
};

/* The shared part: `totals` are guarded by variable 0, the table's stripes by the others. */
struct monitor_shared {
    uint64_t packets, bytes, hosts;
    uint64_t untracked;                      /* packets of hosts for which the table had no place */
    uint32_t stripes, slots_per_stripe;      /* powers of two */
    uint64_t variables_offset, table_offset; /* from this struct, as the arena holds no pointers */
};

enum monitor_drop { MONITOR_DROP_OTHER_PORT };
static const char *const monitor_drops[] = {"other_port", NULL};

static const struct ftmb_option monitor_options[] = {
    {.name = "first",
     .help = "one of the two ports",
     .type = FTMB_OPTION_PORT,
     .offset = offsetof(struct monitor_config, first)},
    {.name = "second",
     .help = "the other one",
     .type = FTMB_OPTION_PORT,
     .offset = offsetof(struct monitor_config, second)},
    {.name = "hosts_max",
     .help = "hosts that the table has room for",
     .type = FTMB_OPTION_UNSIGNED,
     .offset = offsetof(struct monitor_config, hosts_max),
     .minimum = 1024,
     .maximum = 1U << 26,
     .initial = "65536"},
    {.name = "sample_percent",
     .help = "how many in a hundred flows are counted",
     .type = FTMB_OPTION_UNSIGNED,
     .offset = offsetof(struct monitor_config, sample_percent),
     .minimum = 0,
     .maximum = 100,
     .initial = "100"},
    {.name = "stamp",
     .help = "write the running total over the last 8 bytes of each packet",
     .type = FTMB_OPTION_BOOLEAN,
     .offset = offsetof(struct monitor_config, stamp),
     .initial = "false"},
    {.name = NULL},
};

static const struct ftmb_field host_fields[] = {
    {.name = "address",
     .help = "the source of the packets",
     .type = FTMB_FIELD_ADDRESS,
     .offset = offsetof(struct monitor_host, address),
     .size = 4},
    {.name = "packets",
     .help = "from it",
     .type = FTMB_FIELD_NUMBER,
     .offset = offsetof(struct monitor_host, packets),
     .size = 8},
    {.name = "bytes",
     .help = "from it, whole frames",
     .type = FTMB_FIELD_NUMBER,
     .offset = offsetof(struct monitor_host, bytes),
     .size = 8},
    {.name = NULL},
};

#define TOTAL_FIELD(member, what)                                                                  \
    {                                                                                              \
        .name = #member, .help = what, .type = FTMB_FIELD_NUMBER,                                  \
        .offset = offsetof(struct monitor_shared, member), .size = 8                               \
    }
static const struct ftmb_field total_fields[] = {
    TOTAL_FIELD(packets, "counted"),
    TOTAL_FIELD(bytes, "of them, whole frames"),
    TOTAL_FIELD(hosts, "in the table"),
    TOTAL_FIELD(untracked, "packets of hosts for which there was no place"),
    {.name = NULL},
};

static uint64_t host_rows(const void *config, const void *state, const void **first) {
    const struct monitor_shared *monitor = state;
    (void)config;
    *first = (const uint8_t *)state + monitor->table_offset;
    return (uint64_t)monitor->stripes * monitor->slots_per_stripe;
}

static void mark_used_hosts(const void *state, const void *first, uint64_t count, uint8_t *used) {
    const struct monitor_host *hosts = first;
    (void)state;
    for (uint64_t index = 0; index < count; index++) {
        used[index] = hosts[index].address != 0;
    }
}

static uint64_t total_rows(const void *config, const void *state, const void **first) {
    (void)config;
    *first = state;
    return 1;
}

static const struct ftmb_table monitor_tables[] = {
    {.name = "hosts",
     .help = "packets and bytes by source",
     .fields = host_fields,
     .row_size = sizeof(struct monitor_host),
     .is_shared = true,
     .rows = host_rows,
     .mark_used = mark_used_hosts},
    {.name = "totals",
     .help = "of all packets that were counted",
     .fields = total_fields,
     .row_size = sizeof(struct monitor_shared),
     .is_shared = true,
     .rows = total_rows},
    {.name = NULL},
};

static uint32_t next_power_of_two(uint32_t value) {
    uint32_t power = 1;
    while (power < value) {
        power *= 2;
    }
    return power;
}

static int monitor_init_shared(struct ftmb_arena *arena, const void *configuration,
                               uint32_t workers, void **shared) {
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
    void *first = (uint8_t *)monitor + monitor->variables_offset;
    return ftmb_shared_at(first, index);
}

/* Where the search for a host begins within its stripe, and its stripe. */
static struct monitor_host *stripe_of(struct monitor_shared *monitor, uint32_t hash) {
    struct monitor_host *table = (void *)((uint8_t *)monitor + monitor->table_offset);
    return table + (size_t)(hash & (monitor->stripes - 1)) * monitor->slots_per_stripe;
}

static uint32_t first_slot(const struct monitor_shared *monitor, uint32_t hash) {
    return hash / monitor->stripes & (monitor->slots_per_stripe - 1);
}

/* The host's entry, new if need be; NULL: no place. Under the stripe's variable. */
static struct monitor_host *find_host(struct monitor_shared *monitor, uint32_t hash,
                                      uint32_t address, uint64_t *new_hosts) {
    struct monitor_host *stripe = stripe_of(monitor, hash);
    uint32_t start = first_slot(monitor, hash);
    for (uint32_t probe = 0; probe < MONITOR_PROBES; probe++) {
        struct monitor_host *host = &stripe[(start + probe) & (monitor->slots_per_stripe - 1)];
        if (host->address == address) {
            return host;
        }
        if (host->address == 0) {
            host->address = address;
            ++*new_hosts;
            return host;
        }
    }
    return NULL;
}

static uint32_t hash_address(uint32_t address) {
    uint64_t value = address * 0x9e3779b97f4a7c15ULL;
    return (uint32_t)(value >> 32);
}

/* 0 for what is not IPv4: that is counted in the totals alone. */
static uint32_t source_of(const struct ftmb_packet *packet) {
    if (packet->length < ETHERNET_SIZE + IPV4_SIZE || packet->data[12] != 0x08 ||
        packet->data[13] != 0x00) {
        return 0;
    }
    uint32_t address;
    memcpy(&address, packet->data + ETHERNET_SIZE + 12, sizeof(address));
    return address;
}

/* What is to be counted of a burst. */
struct monitor_burst {
    struct ftmb_packet *packets[FTMB_BURST_MAX];
    uint32_t addresses[FTMB_BURST_MAX], hashes[FTMB_BURST_MAX];
    uint32_t count;
    uint32_t buckets[MONITOR_BUCKETS]; /* by the lowest bits of the hash: bit i is packet i */
    uint64_t bytes, new_hosts, untracked;
};

static void add_packet(struct monitor_shared *monitor, struct monitor_burst *burst,
                       struct ftmb_packet *packet) {
    uint32_t index = burst->count++;
    uint32_t address = source_of(packet);
    burst->packets[index] = packet;
    burst->addresses[index] = address;
    burst->bytes += packet->length;
    if (address != 0) {
        uint32_t hash = hash_address(address);
        burst->hashes[index] = hash;
        burst->buckets[hash % MONITOR_BUCKETS] |= 1U << index;
        __builtin_prefetch(stripe_of(monitor, hash) + first_slot(monitor, hash), 1);
    }
}

/* Counts those of `left` that are in the stripe of the first of them; returns the others. */
static uint32_t count_stripe(struct ftmb_context *context, struct monitor_burst *burst,
                             uint32_t left) {
    struct monitor_shared *monitor = context->shared;
    uint32_t stripe = burst->hashes[__builtin_ctz(left)] & (monitor->stripes - 1);
    struct ftmb_shared *variable = variable_at(monitor, 1 + stripe);
    uint32_t others = 0;
    ftmb_shared_acquire(context, variable);
    for (bool is_first = true; left != 0; left &= left - 1) {
        uint32_t index = (uint32_t)__builtin_ctz(left);
        uint32_t hash = burst->hashes[index];
        if ((hash & (monitor->stripes - 1)) != stripe) {
            others |= 1U << index;
            continue;
        }
        if (!is_first) {
            ftmb_shared_again(context, variable);
        }
        is_first = false;
        struct monitor_host *host =
            find_host(monitor, hash, burst->addresses[index], &burst->new_hosts);
        if (host == NULL) {
            burst->untracked++;
            continue;
        }
        host->packets++;
        host->bytes += burst->packets[index]->length;
    }
    ftmb_shared_release(context, variable);
    return others;
}

static void stamp(struct ftmb_packet *packet, uint64_t total) {
    if (packet->length >= ETHERNET_SIZE + IPV4_SIZE + 8 + sizeof(total)) {
        memcpy(packet->data + packet->length - sizeof(total), &total, sizeof(total));
    }
}

static void count_totals(struct ftmb_context *context, const struct monitor_burst *burst) {
    const struct monitor_config *config = context->config;
    struct monitor_shared *monitor = context->shared;
    struct ftmb_shared *totals = variable_at(monitor, 0);
    ftmb_shared_acquire(context, totals);
    for (uint32_t index = 0; index < burst->count; index++) {
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

/* By the flow's hash, stirred, since its upper bits have chosen the worker already. */
static bool is_counted(const struct monitor_config *config, const struct ftmb_packet *packet) {
    uint32_t stirred = packet->hash * 0x9e3779b1U;
    return config->sample_percent == 100 ||
           (((uint64_t)(stirred ^ stirred >> 16) & 0xffffU) * 100U >> 16) < config->sample_percent;
}

static void monitor_process(struct ftmb_context *context, struct ftmb_packet **packets,
                            uint32_t count) {
    const struct monitor_config *config = context->config;
    struct monitor_burst burst;
    memset(&burst, 0, sizeof(burst));
    for (uint32_t index = 0; index < count; index++) {
        struct ftmb_packet *packet = packets[index];
        if (packet->port_in != config->first && packet->port_in != config->second) {
            ftmb_drop(context, packet, MONITOR_DROP_OTHER_PORT);
            continue;
        }
        packet->port_out = packet->port_in == config->first ? config->second : config->first;
        if (is_counted(config, packet)) {
            add_packet(context->shared, &burst, packet);
        }
    }
    for (uint32_t bucket = 0; bucket < MONITOR_BUCKETS; bucket++) {
        for (uint32_t left = burst.buckets[bucket]; left != 0;) {
            left = count_stripe(context, &burst, left);
        }
    }
    if (burst.count > 0) {
        count_totals(context, &burst);
    }
}

const struct ftmb_element_class monitor_class = {
    .name = "monitor",
    .help = "counts packets and bytes per source host and in total, shared by all workers",
    .state_version = 2,
    .config_size = sizeof(struct monitor_config),
    .options = monitor_options,
    .drop_reasons = monitor_drops,
    .tables = monitor_tables,
    .steering = FTMB_STEERING_ANY,
    .init_shared = monitor_init_shared,
    .process = monitor_process,
};
