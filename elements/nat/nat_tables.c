/* SPDX-License-Identifier: BSD-3-Clause */
/* The NAT's tables, for those who look at a copy of its state. */
#include "nat_tables.h"

#include <stddef.h>

#include "nat_session.h"

/* Of an endpoint: address << 32 | port << 16 | protocol, in little endian. */
#define ENDPOINT_FIELDS(row, member, what)                                                         \
    {.name = #member,                                                                              \
     .help = what,                                                                                 \
     .type = FTMB_FIELD_ADDRESS_AS_NUMBER,                                                         \
     .offset = offsetof(row, member) + 4,                                                          \
     .size = 4},                                                                                   \
    {                                                                                              \
        .name = #member "_port", .help = "its port, or the identifier of an ICMP query",           \
        .type = FTMB_FIELD_NUMBER, .offset = offsetof(row, member) + 2, .size = 2                  \
    }
#define PROTOCOL_FIELD(row, member)                                                                \
    {                                                                                              \
        .name = "protocol", .help = "of IP", .type = FTMB_FIELD_PROTOCOL,                          \
        .offset = offsetof(row, member), .size = 1                                                 \
    }

static const char *const session_flags[] = {"syn_out", "syn_in",    "fin_out",       "fin_in",
                                            "reset",   "confirmed", "begun_outside", NULL};

static const struct ftmb_field session_fields[] = {
    PROTOCOL_FIELD(struct nat_session, inside),
    ENDPOINT_FIELDS(struct nat_session, inside, "who is behind the NAT"),
    ENDPOINT_FIELDS(struct nat_session, outside, "the external endpoint that it has"),
    ENDPOINT_FIELDS(struct nat_session, remote, "with whom, as finely as filtering needs it"),
    {.name = "flags",
     .help = "what was seen of a TCP connection",
     .type = FTMB_FIELD_FLAGS,
     .offset = offsetof(struct nat_session, flags),
     .size = 1,
     .names = session_flags},
    {.name = "expires_s",
     .help = "in how many seconds, unless a packet comes before",
     .type = FTMB_FIELD_SECONDS_LEFT,
     .offset = offsetof(struct nat_session, expires),
     .size = 4,
     .unit_ns = NAT_UNIT_NS},
    {.name = NULL},
};

static const struct ftmb_field mapping_fields[] = {
    PROTOCOL_FIELD(struct nat_mapping, inside),
    ENDPOINT_FIELDS(struct nat_mapping, inside, "who is behind the NAT"),
    ENDPOINT_FIELDS(struct nat_mapping, outside, "the external endpoint for all its remotes"),
    {.name = "fixed",
     .help = "1: a static mapping",
     .type = FTMB_FIELD_NUMBER,
     .offset = offsetof(struct nat_mapping, fixed),
     .size = 4},
    {.name = NULL},
};

static uint64_t session_rows(const void *config, const void *state, const void **first) {
    const struct nat_state *head = state;
    (void)config;
    *first = (const uint8_t *)state + head->sessions;
    return head->session_pool.capacity;
}

static void mark_used_sessions(const void *state, const void *first, uint64_t count,
                               uint8_t *used) {
    (void)count;
    free_list_mark_used(&((const struct nat_state *)state)->session_pool, first, used);
}

static uint64_t mapping_rows(const void *config, const void *state, const void **first) {
    const struct nat_state *head = state;
    (void)config;
    *first = (const uint8_t *)state + head->mappings;
    return head->mapping_pool.capacity;
}

static void mark_used_mappings(const void *state, const void *first, uint64_t count,
                               uint8_t *used) {
    (void)count;
    free_list_mark_used(&((const struct nat_state *)state)->mapping_pool, first, used);
}

const struct ftmb_table nat_tables[] = {
    {.name = "sessions",
     .help = "who speaks with whom, and by which external endpoint",
     .fields = session_fields,
     .row_size = sizeof(struct nat_session),
     .rows = session_rows,
     .mark_used = mark_used_sessions},
    {.name = "mappings",
     .help = "the external endpoint of each inside one",
     .fields = mapping_fields,
     .row_size = sizeof(struct nat_mapping),
     .rows = mapping_rows,
     .mark_used = mark_used_mappings},
    {.name = NULL},
};
