/* SPDX-License-Identifier: BSD-3-Clause */
/* What `ftmb state show` tells of the WAN optimizer. */
#include "wan_state.h"

#define NUMBER(row, member, what)                                                                  \
    {                                                                                              \
        .name = #member, .help = what, .type = FTMB_FIELD_NUMBER,                                  \
        .offset = offsetof(struct row, member), .size = sizeof(((struct row *)0)->member)          \
    }

static const struct ftmb_field total_fields[] = {
    NUMBER(wan_totals, lan_packets, "from the LAN, sent on"),
    NUMBER(wan_totals, lan_bytes, "of these, whole frames"),
    NUMBER(wan_totals, encoded_packets, "of these, encoded"),
    NUMBER(wan_totals, encoded_bytes, "of those encoded, before"),
    NUMBER(wan_totals, saved_bytes, "by which those encoded are shorter"),
    NUMBER(wan_totals, wan_packets, "from the WAN, requests included"),
    NUMBER(wan_totals, wan_bytes, "of these, whole frames"),
    NUMBER(wan_totals, decoded_packets, "of these, decoded"),
    NUMBER(wan_totals, decoded_bytes, "of those decoded, after"),
    NUMBER(wan_totals, missed_packets, "of these, not decoded but asked for"),
    NUMBER(wan_totals, requests, "of the other box"),
    NUMBER(wan_totals, requests_gone, "of them, for what was not in the cache any more"),
    NUMBER(wan_totals, copies, "packets sent again as they were"),
    NUMBER(wan_totals, peer_restarts, "the other box was seen to begin from nothing"),
    {.name = NULL},
};

static const char *const direction_names[] = {"sent", "received", NULL};

static const struct ftmb_field cache_fields[] = {
    {.name = "cache",
     .help = "of what was sent to the WAN, or received from it",
     .type = FTMB_FIELD_CHOICE,
     .offset = offsetof(struct wan_stripe, is_received),
     .size = 4,
     .names = direction_names},
    NUMBER(wan_stripe, number, "of the stripe"),
    NUMBER(wan_stripe, used, "bytes"),
    NUMBER(wan_stripe, size, "bytes"),
    NUMBER(wan_stripe, packets, "ever put in"),
    {.name = NULL},
};

static uint64_t total_rows(const void *config, const void *state, const void **first) {
    (void)config;
    *first = &((const struct wan_worker *)state)->totals;
    return 1;
}

static uint64_t cache_rows(const void *config, const void *state, const void **first) {
    const struct wan_shared *shared = state;
    (void)config;
    *first = shared->stripes;
    return (uint64_t)2 * WAN_STRIPES_MAX;
}

static void mark_used(const void *state, const void *first, uint64_t count, uint8_t *used) {
    const struct wan_stripe *stripes = first;
    (void)state;
    for (uint64_t index = 0; index < count; index++) {
        used[index] = stripes[index].size != 0;
    }
}

const struct ftmb_table wan_tables[] = {
    {.name = "totals",
     .help = "packets and bytes of each worker, and what was saved",
     .fields = total_fields,
     .row_size = sizeof(struct wan_totals),
     .rows = total_rows},
    {.name = "caches",
     .help = "how full they are",
     .fields = cache_fields,
     .row_size = sizeof(struct wan_stripe),
     .is_shared = true,
     .rows = cache_rows,
     .mark_used = mark_used},
    {.name = NULL},
};
