/* SPDX-License-Identifier: BSD-3-Clause */
/* The monitor's tables, for those who look at a copy of its state, and which of it are metrics. */
#include "monitor.h"

#define NUMBER(row, member, called, what, kind)                                                    \
    {                                                                                              \
        .name = called, .help = what, .type = FTMB_FIELD_NUMBER, .metric = kind,                   \
        .offset = offsetof(row, member), .size = 8                                                 \
    }
#define COUNTS(row, kind)                                                                          \
    NUMBER(row, counts[MONITOR_SOURCE].packets, "packets", "from it", kind),                       \
        NUMBER(row, counts[MONITOR_SOURCE].bytes, "bytes", "from it, whole frames", kind),         \
        NUMBER(row, counts[MONITOR_DESTINATION].packets, "packets_to", "to it", kind),             \
        NUMBER(row, counts[MONITOR_DESTINATION].bytes, "bytes_to", "to it, whole frames", kind)
#define ADDRESS(row, kind)                                                                         \
    {                                                                                              \
        .name = "address", .help = "whose packets", .type = FTMB_FIELD_ADDRESS_AS_NUMBERS,         \
        .metric = kind, .offset = offsetof(row, address), .size = 16                               \
    }

static const struct ftmb_field host_fields[] = {
    ADDRESS(struct monitor_host, FTMB_METRIC_NONE),
    COUNTS(struct monitor_host, FTMB_METRIC_NONE),
    {.name = NULL},
};

static const struct ftmb_field total_fields[] = {
    NUMBER(struct monitor_shared, packets, "packets", "counted", FTMB_METRIC_COUNTER),
    NUMBER(struct monitor_shared, bytes, "bytes", "of them, whole frames", FTMB_METRIC_COUNTER),
    NUMBER(struct monitor_shared, hosts, "hosts", "in the table", FTMB_METRIC_GAUGE),
    NUMBER(struct monitor_shared, untracked, "untracked",
           "packets of hosts for which there was no place", FTMB_METRIC_COUNTER),
    {.name = NULL},
};

static const struct ftmb_field prefix_fields[] = {
    {.name = "prefix",
     .help = "of the configuration",
     .type = FTMB_FIELD_PREFIX,
     .metric = FTMB_METRIC_LABEL,
     .offset = offsetof(struct monitor_prefix, address),
     .size = 24},
    COUNTS(struct monitor_prefix, FTMB_METRIC_COUNTER),
    {.name = NULL},
};

static const struct ftmb_field talker_fields[] = {
    ADDRESS(struct monitor_talker, FTMB_METRIC_TOP),
    NUMBER(struct monitor_talker, bytes, "bytes", "at most; whole frames", FTMB_METRIC_GAUGE),
    NUMBER(struct monitor_talker, over, "over", "by how many they may be too many",
           FTMB_METRIC_GAUGE),
    NUMBER(struct monitor_talker, packets, "packets", "since it has its entry", FTMB_METRIC_NONE),
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
        used[index] = (hosts[index].address.high | hosts[index].address.low) != 0;
    }
}

static uint64_t total_rows(const void *config, const void *state, const void **first) {
    (void)config;
    *first = state;
    return 1;
}

static uint64_t prefix_rows(const void *config, const void *state, const void **first) {
    const struct monitor_state *head = state;
    (void)config;
    *first = (const uint8_t *)state + head->prefixes;
    return head->prefix_count;
}

static uint64_t talker_rows(const struct monitor_state *state, enum monitor_role role,
                            const void **first) {
    *first = (const uint8_t *)state + state->tops[role].talkers;
    return state->tops[role].count;
}

static uint64_t source_rows(const void *config, const void *state, const void **first) {
    (void)config;
    return talker_rows(state, MONITOR_SOURCE, first);
}

static uint64_t destination_rows(const void *config, const void *state, const void **first) {
    (void)config;
    return talker_rows(state, MONITOR_DESTINATION, first);
}

const struct ftmb_table monitor_tables[] = {
    {.name = "hosts",
     .help = "packets and bytes by host",
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
    {.name = "prefixes",
     .help = "of the configured prefixes, each address in the longest that holds it",
     .fields = prefix_fields,
     .row_size = sizeof(struct monitor_prefix),
     .rows = prefix_rows},
    {.name = "top_sources",
     .help = "who sends the most, by a sketch of each worker: add up the workers' rows",
     .fields = talker_fields,
     .row_size = sizeof(struct monitor_talker),
     .rows = source_rows},
    {.name = "top_destinations",
     .help = "to whom the most is sent, likewise",
     .fields = talker_fields,
     .row_size = sizeof(struct monitor_talker),
     .rows = destination_rows},
    {.name = NULL},
};
