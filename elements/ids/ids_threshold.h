/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Thresholds: how often a rule matched for a host, or a pair of hosts, within a time. The table is
 * shared by all workers, as packets of one host are on all of them; a stripe of it is guarded by a
 * shared variable, which only packets take that match a rule with a threshold.
 */
#ifndef IDS_THRESHOLD_H
#define IDS_THRESHOLD_H

#include "ids/ids_packet.h"

struct ids_threshold {
    uint64_t start_ns;
    struct ids_address source, destination; /* as far as they are tracked */
    uint32_t rule;                          /* number plus one; 0: free */
    uint32_t count;
    uint8_t padding[16];
};
_Static_assert(sizeof(struct ids_threshold) == 64, "a cache line");

struct ids_shared {
    uint32_t stripes, slots_per_stripe;      /* powers of two */
    uint64_t variables_offset, table_offset; /* from here */
    uint64_t seed;
};

enum ids_limit_answer {
    IDS_LIMIT_NO_MATCH, /* as if the rule had not matched */
    IDS_LIMIT_NO_ALERT, /* what else it says is done */
    IDS_LIMIT_ALERT,
};

int ids_shared_create(struct ftmb_arena *arena, const struct ids_config *config, uint32_t workers,
                      struct ids_shared **shared);

enum ids_limit_answer ids_threshold_ask(struct ftmb_context *context, const struct ids_view *view,
                                        uint32_t number, const struct ids_rule *rule);

#endif
