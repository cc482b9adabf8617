/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The state of one worker: mappings, sessions and external ports, in one block of the arena.
 *
 * Everything is found by index or by offset from the block's head. One thread, the worker's, calls
 * all of this; nothing here is shared between workers.
 */
#ifndef NAT_SESSION_H
#define NAT_SESSION_H

#include "arena/free_list.h"
#include "arena/hash_table.h"
#include "arena/timer_wheel.h"
#include "nat_packet.h"

#define NAT_WHEEL_SLOTS 16384U  /* 164 s; what is due later is looked at once in that time */
#define NAT_UNIT_NS 10000000ULL /* time is kept in units of 10 ms, in 32 bits */
#define NAT_SIBLINGS_MAX 64U    /* sessions of a mapping searched for a remote address */

struct nat_mapping {
    uint64_t inside;
    uint64_t outside;
    uint32_t first; /* its session opened last; NAT_NONE: it goes, unless fixed; free: next free */
    uint32_t fixed; /* a static mapping */
};

enum nat_session_flag {
    NAT_SYN_OUT = 1U << 0,
    NAT_SYN_IN = 1U << 1,
    NAT_FIN_OUT = 1U << 2,
    NAT_FIN_IN = 1U << 3,
    NAT_RESET = 1U << 4,
    NAT_CONFIRMED = 1U << 5, /* who began has acknowledged the other's SYN */
    NAT_BEGUN_OUTSIDE = 1U << 6,
};

struct nat_session {
    uint64_t inside;
    uint64_t outside;
    uint64_t remote;
    uint32_t mapping;
    uint32_t older, newer; /* sessions of the same mapping, or NAT_NONE */
    uint32_t expires;      /* unit of time; the timer may be set earlier, never later */
    struct timer_wheel_link timer;
    uint16_t delta_address; /* checksum deltas from inside to outside */
    uint16_t delta_port;
    uint8_t flags; /* enum nat_session_flag */
    uint8_t padding[11];
};

/*
 * A flow costs a session, a mapping, and a place in two hash tables for each; its timer and free
 * list are inside it. The external ports themselves cost one bit for each port and protocol.
 */
#define NAT_BYTES_PER_FLOW                                                                         \
    (sizeof(struct nat_session) + sizeof(struct nat_mapping) +                                     \
     4 * sizeof(struct hash_table_bucket) / HASH_TABLE_ENTRIES_PER_BUCKET + 1)
_Static_assert(sizeof(struct nat_session) == 64, "a session is a cache line");
_Static_assert(sizeof(struct nat_mapping) == 24, "a mapping is small");
_Static_assert(NAT_BYTES_PER_FLOW <= 128, "what a flow may cost in memory");

enum nat_timeout {
    NAT_TIMEOUT_UDP,
    NAT_TIMEOUT_ICMP,
    NAT_TIMEOUT_ESTABLISHED,
    NAT_TIMEOUT_TRANSITORY,
    NAT_TIMEOUT_COUNT,
};

/* The one that a session begins with. */
static inline enum nat_timeout nat_timeout_of(uint8_t protocol) {
    return protocol == FTMB_PROTOCOL_UDP    ? NAT_TIMEOUT_UDP
           : protocol == FTMB_PROTOCOL_ICMP ? NAT_TIMEOUT_ICMP
                                            : NAT_TIMEOUT_TRANSITORY;
}

/* The head of a worker's block in the arena; the arrays follow, by offset from it. */
struct nat_state {
    uint64_t seed; /* of the hash tables, drawn at the first packet */
    uint32_t seeded;
    uint32_t now; /* unit of time of the burst or tick at hand */
    uint32_t timeouts[NAT_TIMEOUT_COUNT];
    uint32_t port_first, port_count;    /* this worker's external ports */
    uint32_t error_window, error_count; /* ICMP errors made in this second */
    struct free_list session_pool, mapping_pool;
    uint64_t sessions, mappings;                      /* arrays of entries */
    uint64_t sessions_by_inside, sessions_by_outside; /* hash tables */
    uint64_t mappings_by_inside, mappings_by_outside; /* hash tables */
    uint64_t wheel, ports;
};

static inline void *nat_at(struct nat_state *state, uint64_t offset) {
    return (uint8_t *)state + offset;
}
static inline struct nat_session *nat_sessions(struct nat_state *state) {
    return nat_at(state, state->sessions);
}
static inline struct nat_mapping *nat_mappings(struct nat_state *state) {
    return nat_at(state, state->mappings);
}

/* ---- External ports (nat_ports.c) ---- */

/* Bytes for the ports of one worker. */
size_t nat_ports_size(const struct nat_config *config, uint32_t workers);
void nat_ports_init(const struct nat_config *config, struct nat_state *state);

/* A free external endpoint for an inside one; 0 if its address has none left. */
uint64_t nat_ports_take(struct ftmb_context *context, uint64_t inside);
void nat_ports_give(const struct nat_config *config, struct nat_state *state, uint64_t outside);

/* ---- The whole of it (nat_state.c) ---- */

int nat_state_create(struct ftmb_arena *arena, const struct nat_config *config, uint32_t worker,
                     uint32_t workers, struct nat_state **state);

/* Draws the seed and puts the static mappings in: before the first packet. */
void nat_state_start(struct ftmb_context *context);

/* ---- Sessions and mappings (nat_session.c) ---- */

/* Puts a mapping that is filled in into both tables; false if there is no room. */
bool nat_mapping_insert(struct nat_state *state, uint32_t index);

/* The live session of a packet, or NULL. */
struct nat_session *nat_session_find(const struct nat_config *config, struct nat_state *state,
                                     const struct nat_view *view);

/* A session for the first packet of one: NAT_PASS, or why there is none. */
enum nat_reason nat_session_open(struct ftmb_context *context, const struct nat_view *view,
                                 struct nat_session **session);

/* Sets when a session ends, and moves its timer if that is earlier than before. */
void nat_session_expire_in(struct nat_state *state, struct nat_session *session, uint32_t units);

/* Ends what is due; true when nothing was left over. */
bool nat_sessions_expire(const struct nat_config *config, struct nat_state *state, uint32_t budget);

#endif
