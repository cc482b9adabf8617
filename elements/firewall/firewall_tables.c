/* SPDX-License-Identifier: BSD-3-Clause */
/* The firewall's flows, for those who look at a copy of its state. */
#include <stddef.h>

#include "firewall_flow.h"

static const char *const flow_flags[] = {"by_untrusted", "answered",     "syn_back",
                                         "confirmed",    "fin_beginner", "fin_other",
                                         "reset",        "syn_acked",    NULL};

#define AT(member) .offset = offsetof(struct firewall_flow, member)

static const struct ftmb_field flow_fields[] = {
    {.name = "protocol", .help = "of IP", .type = FTMB_FIELD_PROTOCOL, AT(protocol), .size = 1},
    {.name = "trusted",
     .help = "the end on the trusted side",
     .type = FTMB_FIELD_ADDRESS_AS_NUMBERS,
     AT(trusted),
     .size = 16},
    {.name = "trusted_port",
     .help = "its port, or the identifier of an ICMP query",
     .type = FTMB_FIELD_NUMBER,
     .offset = offsetof(struct firewall_flow, ports) + 2,
     .size = 2},
    {.name = "untrusted",
     .help = "the other end",
     .type = FTMB_FIELD_ADDRESS_AS_NUMBERS,
     AT(untrusted),
     .size = 16},
    {.name = "untrusted_port",
     .help = "its port, or the type of an ICMP query (and 256 if this end asks)",
     .type = FTMB_FIELD_NUMBER,
     AT(ports),
     .size = 2},
    {.name = "state",
     .help = "who began, whether the other answered, and what was seen of a TCP connection",
     .type = FTMB_FIELD_FLAGS,
     AT(flags),
     .size = 1,
     .names = flow_flags},
    {.name = "policy",
     .help = "what keeps it",
     .type = FTMB_FIELD_CHOICE,
     AT(policy),
     .size = 1,
     .names = firewall_policies},
    {.name = "expires_s",
     .help = "in how many seconds, unless a packet comes before; none: silence does not end it",
     .type = FTMB_FIELD_SECONDS_LEFT,
     AT(expires),
     .size = 4,
     .unit_ns = FIREWALL_UNIT_NS},
    {.name = NULL},
};

static uint64_t flow_rows(const void *config, const void *state, const void **first) {
    const struct firewall_state *head = state;
    (void)config;
    *first = (const uint8_t *)state + head->flows;
    return head->pool.capacity;
}

static void mark_used_flows(const void *state, const void *first, uint64_t count, uint8_t *used) {
    (void)count;
    free_list_mark_used(&((const struct firewall_state *)state)->pool, first, used);
}

const struct ftmb_table firewall_tables[] = {
    {.name = "flows",
     .help = "who speaks with whom, and until when",
     .fields = flow_fields,
     .row_size = sizeof(struct firewall_flow),
     .rows = flow_rows,
     .mark_used = mark_used_flows},
    {.name = NULL},
};
