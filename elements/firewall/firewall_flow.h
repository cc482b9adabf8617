/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The state of one worker: its flows, in one block of the arena, every array at an offset from the
 * block's head. All of it is private to the worker, which is the only one that calls this.
 */
#ifndef FIREWALL_FLOW_H
#define FIREWALL_FLOW_H

#include "arena/free_list.h"
#include "arena/hash_table.h"
#include "arena/timer_wheel.h"
#include "firewall_packet.h"

#define FIREWALL_WHEEL_SLOTS 16384U  /* 164 s; what is due later is looked at once in that time */
#define FIREWALL_UNIT_NS 10000000ULL /* time is kept in units of 10 ms, in 32 bits */
#define FIREWALL_NONE 0xffffffffU

enum firewall_flow_flag {
    FIREWALL_BY_UNTRUSTED = 1U << 0, /* that side began */
    FIREWALL_HAS_ANSWER = 1U << 1,   /* else it is among the pending ones */
    /* TCP; its beginner's SYN is what made the flow */
    FIREWALL_SYN_BACK = 1U << 2,  /* the other side's SYN was seen */
    FIREWALL_CONFIRMED = 1U << 3, /* the beginner has acknowledged it */
    FIREWALL_FIN_BEGINNER = 1U << 4,
    FIREWALL_FIN_OTHER = 1U << 5,
    FIREWALL_RESET = 1U << 6,
    FIREWALL_SYN_ACKNOWLEDGED = 1U << 7, /* by a SYN-ACK of either side */
};

struct firewall_flow {
    struct ip_address trusted, untrusted;
    uint32_t ports;
    uint32_t expires; /* unit of time; the timer may be set earlier, never later; untimed: 0 */
    struct timer_wheel_link timer;
    uint32_t older, newer; /* while pending: its neighbours in age, or FIREWALL_NONE; free: next */
    uint8_t protocol;
    uint8_t flags; /* enum firewall_flow_flag */
    uint8_t version;
    uint8_t policy; /* enum firewall_policy, for who looks at it */
    uint8_t padding[4];
};

/* What a flow costs in memory: itself and its place in the hash table. */
#define FIREWALL_BYTES_PER_FLOW                                                                    \
    (sizeof(struct firewall_flow) +                                                                \
     sizeof(struct hash_table_bucket) / HASH_TABLE_ENTRIES_PER_BUCKET + 1)
_Static_assert(sizeof(struct firewall_flow) == 64, "a flow is a cache line");
_Static_assert(FIREWALL_BYTES_PER_FLOW <= 75, "what the option flows_max says");

enum firewall_timeout {
    FIREWALL_TIMEOUT_PENDING,
    FIREWALL_TIMEOUT_UDP,
    FIREWALL_TIMEOUT_ICMP,
    FIREWALL_TIMEOUT_OTHER,
    FIREWALL_TIMEOUT_TRANSITORY,
    FIREWALL_TIMEOUT_ESTABLISHED,
    FIREWALL_TIMEOUT_CLOSING,
    FIREWALL_TIMEOUT_COUNT,
};

struct firewall_state {
    uint64_t seed; /* of the hash table, drawn at the first packet */
    uint32_t seeded;
    uint32_t now; /* unit of time of the burst or tick at hand */
    uint32_t timeouts[FIREWALL_TIMEOUT_COUNT];
    uint32_t pending_count, pending_oldest, pending_newest;
    uint32_t padding;
    struct free_list pool;
    uint64_t flows, table, wheel; /* offsets from here */
};

static inline void *firewall_at(struct firewall_state *state, uint64_t offset) {
    return (uint8_t *)state + offset;
}
static inline struct firewall_flow *firewall_flows(struct firewall_state *state) {
    return firewall_at(state, state->flows);
}

/* 0 or -ENOMEM. */
int firewall_state_create(struct ftmb_arena *arena, const struct firewall_config *config,
                          uint32_t worker, struct firewall_state **state);

/* The live flow of a key, or NULL. */
struct firewall_flow *firewall_flow_find(const struct firewall_config *config,
                                         struct firewall_state *state,
                                         const struct firewall_view *view);
/* A flow that this packet begins: FIREWALL_PASS, or why there is none. */
enum firewall_reason firewall_flow_open(const struct firewall_config *config,
                                        struct firewall_state *state,
                                        const struct firewall_view *view);
void firewall_flow_close(const struct firewall_config *config, struct firewall_state *state,
                         struct firewall_flow *flow);
/* A packet of the flow passes: notes an answer, and puts off the end of the flow. */
void firewall_flow_refresh(const struct firewall_config *config, struct firewall_state *state,
                           struct firewall_flow *flow, bool is_answer);

/* Ends what is due, at most `budget` flows. */
void firewall_flows_expire(const struct firewall_config *config, struct firewall_state *state,
                           uint32_t budget);

/* What can be looked at (firewall_tables.c). */
extern const struct ftmb_table firewall_tables[];

/* ---- TCP (firewall_tcp.c) ---- */

enum firewall_tcp_verdict {
    FIREWALL_TCP_FITS,         /* the flow's state is now that after the segment */
    FIREWALL_TCP_OUT_OF_PLACE, /* nothing changed */
    FIREWALL_TCP_ANEW,         /* a SYN after the end: the first packet of another connection */
};
enum firewall_tcp_verdict firewall_tcp_track(struct firewall_flow *flow, uint8_t flags,
                                             bool by_beginner);
enum firewall_timeout firewall_tcp_timeout(const struct firewall_flow *flow);
/* SYN alone: what may begin a connection. */
bool firewall_tcp_begins(uint8_t flags);
bool firewall_tcp_is_reset(uint8_t flags);

#endif
