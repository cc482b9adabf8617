/* SPDX-License-Identifier: BSD-3-Clause */
/* What `ftmb state show` can see. */
#include <stddef.h>

#include "ids/ids_state.h"

#define NUMBER(structure, member, what, kind)                                                      \
    {                                                                                              \
        .name = #member, .help = what, .type = FTMB_FIELD_NUMBER, .metric = kind,                  \
        .offset = offsetof(struct structure, member),                                              \
        .size = sizeof(((struct structure *)NULL)->member)                                         \
    }

static const struct ftmb_field rule_fields[] = {
    NUMBER(ids_rule_row, gid, "the rule's group", FTMB_METRIC_LABEL),
    NUMBER(ids_rule_row, sid, "the rule's number in it", FTMB_METRIC_TOP),
    NUMBER(ids_rule_row, matches, "packets in which it matched, thresholds aside",
           FTMB_METRIC_COUNTER),
    NUMBER(ids_rule_row, alerts, "of it", FTMB_METRIC_COUNTER),
    NUMBER(ids_rule_row, drops, "packets that it dropped", FTMB_METRIC_COUNTER),
    {.name = NULL},
};

#define TOTAL(member, what) NUMBER(ids_totals, member, what, FTMB_METRIC_COUNTER)
static const struct ftmb_field total_fields[] = {
    TOTAL(packets, "looked at"),
    TOTAL(bytes, "of their payloads"),
    TOTAL(others, "packets that are no IP, passed"),
    TOTAL(fragments, "of IP, passed unseen"),
    TOTAL(flows, "begun"),
    TOTAL(flows_refused, "packets without a flow, as flows_max was reached"),
    TOTAL(stream_bytes, "of TCP, looked at in order"),
    TOTAL(alone, "payloads of TCP that are in no stream, looked at alone"),
    TOTAL(early, "segments that waited for what was missing"),
    TOTAL(early_refused, "segments that had no place to wait, looked at alone"),
    TOTAL(repeated, "segments with nothing new"),
    TOTAL(gaps, "in streams: acknowledged, never seen"),
    TOTAL(gap_bytes, "in all of them"),
    TOTAL(beyond_depth, "bytes not looked at, behind stream_depth"),
    TOTAL(memories_refused, "streams that began anew, as blocks_max was reached"),
    TOTAL(limits_unasked, "thresholds not counted, as a packet matched too many"),
    TOTAL(alerts, "that left"),
    TOTAL(alerts_refused, "alerts lost, as alerts_max was reached"),
    {.name = NULL},
};

static const char *const protocol_flags[] = {
    "client_is_second", "has_answer",   "first_sent",  "second_sent", "passed", "dropped",
    "followed",         "syn_answered", "established", "reset",       NULL,
};

static const struct ftmb_field flow_fields[] = {
    {.name = "protocol",
     .help = "of IP",
     .type = FTMB_FIELD_PROTOCOL,
     .offset = offsetof(struct ids_flow, key.protocol),
     .size = 1},
    {.name = "flow_id",
     .help = "as in its alerts",
     .type = FTMB_FIELD_NUMBER,
     .offset = offsetof(struct ids_flow, id),
     .size = 8},
    {.name = "first_address",
     .help = "the lesser end's",
     .type = FTMB_FIELD_ADDRESS_AS_NUMBERS,
     .offset = offsetof(struct ids_flow, key.ends[0]),
     .size = 16},
    {.name = "first_port",
     .help = "of the lesser end",
     .type = FTMB_FIELD_NUMBER,
     .offset = offsetof(struct ids_flow, key.ports[0]),
     .size = 2},
    {.name = "second_address",
     .help = "the greater end's",
     .type = FTMB_FIELD_ADDRESS_AS_NUMBERS,
     .offset = offsetof(struct ids_flow, key.ends[1]),
     .size = 16},
    {.name = "second_port",
     .help = "of the greater end",
     .type = FTMB_FIELD_NUMBER,
     .offset = offsetof(struct ids_flow, key.ports[1]),
     .size = 2},
    {.name = "flags",
     .help = "what is known of it",
     .type = FTMB_FIELD_FLAGS,
     .offset = offsetof(struct ids_flow, flags),
     .size = 2,
     .names = protocol_flags},
    {.name = NULL},
};

static uint64_t rule_rows(const void *config_pointer, const void *state_pointer,
                          const void **first) {
    const struct ids_config *config = config_pointer;
    const struct ids_state *state = state_pointer;
    *first = ids_at(state, state->rules);
    return config->rules->rule_count;
}

static uint64_t total_rows(const void *config, const void *state, const void **first) {
    (void)config;
    *first = &((const struct ids_state *)state)->totals;
    return 1;
}

static uint64_t flow_rows(const void *config, const void *state, const void **first) {
    *first = ids_flows(state);
    return ((const struct ids_config *)config)->flows_max;
}

static void mark_used_flows(const void *state_pointer, const void *first, uint64_t count,
                            uint8_t *used) {
    const struct ids_state *state = state_pointer;
    (void)count;
    free_list_mark_used(&state->pool, first, used);
}

const struct ftmb_table ids_tables[] = {
    {.name = "rules",
     .help = "how often each rule matched",
     .fields = rule_fields,
     .row_size = sizeof(struct ids_rule_row),
     .rows = rule_rows},
    {.name = "totals",
     .help = "of all that was looked at, and what was not",
     .fields = total_fields,
     .row_size = sizeof(struct ids_totals),
     .rows = total_rows},
    {.name = "flows",
     .help = "that are followed",
     .fields = flow_fields,
     .row_size = sizeof(struct ids_flow),
     .rows = flow_rows,
     .mark_used = mark_used_flows},
    {.name = NULL},
};
