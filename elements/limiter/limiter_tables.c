/* SPDX-License-Identifier: BSD-3-Clause */
/* The limiter's tables, for those who look at a copy of its state, and which of it are metrics. */
#include "limiter.h"

static const char *const directions[] = {"upload", "download", NULL};

#define NUMBER(row, member, called, what, kind)                                                    \
    {                                                                                              \
        .name = called, .help = what, .type = FTMB_FIELD_NUMBER, .metric = kind,                   \
        .offset = offsetof(row, member), .size = 8                                                 \
    }
#define LEFT(row, member, called, what)                                                            \
    {                                                                                              \
        .name = called, .help = what, .type = FTMB_FIELD_PARTS, .offset = offsetof(row, member),   \
        .size = 8, .parts = LIMITER_PARTS_PER_BYTE                                                 \
    }

static const struct ftmb_field host_fields[] = {
    {.name = "address",
     .help = "the first one that counts as this host",
     .type = FTMB_FIELD_ADDRESS_AS_NUMBERS,
     .offset = offsetof(struct limiter_host, address),
     .size = 16},
    LEFT(struct limiter_host, buckets[LIMITER_UPLOAD].parts, "upload_bytes",
         "in its bucket after its last packet"),
    LEFT(struct limiter_host, buckets[LIMITER_DOWNLOAD].parts, "download_bytes", "likewise"),
    {.name = "own",
     .help = "0: the common limits; else the number of its own",
     .type = FTMB_FIELD_NUMBER,
     .offset = offsetof(struct limiter_host, own),
     .size = 4},
    {.name = NULL},
};

#define GATE_FIELDS                                                                                \
    {.name = "direction",                                                                          \
     .help = "as seen from inside",                                                                \
     .type = FTMB_FIELD_CHOICE,                                                                    \
     .metric = FTMB_METRIC_LABEL,                                                                  \
     .offset = offsetof(struct limiter_gate, direction),                                           \
     .size = 8,                                                                                    \
     .names = directions},                                                                         \
        NUMBER(struct limiter_gate, limit.rate, "rate", "bit/s; 0: unlimited", FTMB_METRIC_GAUGE), \
        NUMBER(struct limiter_gate, limit.burst, "burst", "bytes", FTMB_METRIC_NONE),              \
        LEFT(struct limiter_gate, bucket.parts, "left_bytes",                                      \
             "in its bucket after the last packet"),                                               \
        NUMBER(struct limiter_gate, passed_packets, "passed_packets", "by this bucket",            \
               FTMB_METRIC_COUNTER),                                                               \
        NUMBER(struct limiter_gate, passed_bytes, "passed_bytes", "of them, with overhead",        \
               FTMB_METRIC_COUNTER),                                                               \
        NUMBER(struct limiter_gate, refused_packets, "refused_packets", "by this bucket",          \
               FTMB_METRIC_COUNTER),                                                               \
        NUMBER(struct limiter_gate, refused_bytes, "refused_bytes", "of them, with overhead",      \
               FTMB_METRIC_COUNTER)

static const struct ftmb_field prefix_fields[] = {
    {.name = "prefix",
     .help = "of the configuration",
     .type = FTMB_FIELD_PREFIX,
     .metric = FTMB_METRIC_LABEL,
     .offset = offsetof(struct limiter_gate, address),
     .size = 24},
    GATE_FIELDS,
    {.name = NULL},
};

static const struct ftmb_field total_fields[] = {GATE_FIELDS, {.name = NULL}};

#define CLASS(member, direction, called, what)                                                     \
    NUMBER(struct limiter_class_counts, member[direction], called, what, FTMB_METRIC_COUNTER)

static const struct ftmb_field class_fields[] = {
    {.name = "class",
     .help = "its name",
     .type = FTMB_FIELD_TEXT,
     .metric = FTMB_METRIC_LABEL,
     .offset = offsetof(struct limiter_class_counts, name),
     .size = LIMITER_NAME_SIZE},
    CLASS(passed_packets, LIMITER_UPLOAD, "upload_packets", "that passed"),
    CLASS(passed_bytes, LIMITER_UPLOAD, "upload_bytes", "of them, with overhead"),
    CLASS(refused_packets, LIMITER_UPLOAD, "upload_refused_packets", "by any bucket"),
    CLASS(refused_bytes, LIMITER_UPLOAD, "upload_refused_bytes", "of them, with overhead"),
    CLASS(passed_packets, LIMITER_DOWNLOAD, "download_packets", "that passed"),
    CLASS(passed_bytes, LIMITER_DOWNLOAD, "download_bytes", "of them, with overhead"),
    CLASS(refused_packets, LIMITER_DOWNLOAD, "download_refused_packets", "by any bucket"),
    CLASS(refused_bytes, LIMITER_DOWNLOAD, "download_refused_bytes", "of them, with overhead"),
    {.name = NULL},
};

static const struct ftmb_field order_fields[] = {
    NUMBER(struct limiter_state, commands_ignored, "commands_ignored",
           "for which there was no place (of the first worker alone)", FTMB_METRIC_COUNTER),
    {.name = NULL},
};

static const void *at(const struct limiter_shared *shared, uint64_t offset) {
    return (const uint8_t *)shared + offset;
}

static uint64_t host_rows(const void *config, const void *state, const void **first) {
    const struct limiter_shared *shared = state;
    (void)config;
    *first = at(shared, shared->hosts);
    return (uint64_t)shared->stripes * shared->slots_per_stripe;
}

static void mark_used_hosts(const void *state, const void *first, uint64_t count, uint8_t *used) {
    const struct limiter_host *hosts = first;
    (void)state;
    for (uint64_t index = 0; index < count; ++index) {
        used[index] = (hosts[index].address.high | hosts[index].address.low) != 0;
    }
}

static uint64_t prefix_rows(const void *config, const void *state, const void **first) {
    const struct limiter_shared *shared = state;
    (void)config;
    *first = at(shared, shared->gates + LIMITER_DIRECTIONS * sizeof(struct limiter_gate));
    return shared->gate_count - LIMITER_DIRECTIONS;
}

static uint64_t total_rows(const void *configuration, const void *state, const void **first) {
    const struct limiter_config *config = configuration;
    const struct limiter_shared *shared = state;
    *first = at(shared, shared->gates);
    return config->has_total ? LIMITER_DIRECTIONS : 0;
}

static uint64_t class_rows(const void *config, const void *state, const void **first) {
    const struct limiter_state *head = state;
    (void)config;
    *first = head->classes;
    return head->class_count;
}

static uint64_t order_rows(const void *config, const void *state, const void **first) {
    (void)config;
    *first = state;
    return 1;
}

const struct ftmb_table limiter_tables[] = {
    {.name = "totals",
     .help = "the limits of everything",
     .fields = total_fields,
     .row_size = sizeof(struct limiter_gate),
     .is_shared = true,
     .rows = total_rows},
    {.name = "prefixes",
     .help = "those of prefixes",
     .fields = prefix_fields,
     .row_size = sizeof(struct limiter_gate),
     .is_shared = true,
     .rows = prefix_rows},
    {.name = "hosts",
     .help = "hosts whose buckets are not full, and some that were not",
     .fields = host_fields,
     .row_size = sizeof(struct limiter_host),
     .is_shared = true,
     .rows = host_rows,
     .mark_used = mark_used_hosts},
    {.name = "classes",
     .help = "what passed and what did not, by class",
     .fields = class_fields,
     .row_size = sizeof(struct limiter_class_counts),
     .rows = class_rows},
    {.name = "commands",
     .help = "what became of commands",
     .fields = order_fields,
     .row_size = sizeof(struct limiter_state),
     .rows = order_rows},
    {.name = NULL},
};
