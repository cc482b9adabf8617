/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The state of one worker: flows, what is known of their streams, alerts that wait, and counts, in
 * one block of the arena, every array at an offset from the block's head. All of it is private to
 * the worker. What workers share is in ids_threshold.h.
 */
#ifndef IDS_STATE_H
#define IDS_STATE_H

#include "arena/free_list.h"
#include "arena/hash_table.h"
#include "arena/timer_wheel.h"
#include "ids/ids_blocks.h"
#include "ids/ids_engine.h"
#include "ids/ids_packet.h"

#define IDS_WHEEL_SLOTS 8192U   /* 82 s; what is due later is looked at once in that time */
#define IDS_UNIT_NS 10000000ULL /* time is kept in units of 10 ms, in 32 bits */

enum ids_flow_flag {
    IDS_CLIENT_IS_SECOND = 1U << 0, /* of the key's ends; else the first is */
    IDS_HAS_ANSWER = 1U << 1,       /* both ends have sent */
    IDS_SEEN_FIRST = 1U << 2,       /* the key's first end has sent a packet */
    IDS_SEEN_SECOND = 1U << 3,
    IDS_PASSED = 1U << 4,  /* a rule says that it is not looked at any more */
    IDS_DROPPED = 1U << 5, /* or that nothing of it passes */
    /* TCP */
    IDS_IS_FOLLOWED = 1U << 6,  /* its beginning was seen, or it was picked up */
    IDS_SYN_ANSWERED = 1U << 7, /* a SYN-ACK was seen */
    IDS_ESTABLISHED = 1U << 8,
    IDS_RESET = 1U << 9,
};

enum ids_direction_flag {
    IDS_HAS_NEXT = 1U << 0, /* `next` means something */
    IDS_RESUMED = 1U << 1,  /* the beginning is not known, or was lost in a gap */
    IDS_HAS_FIN = 1U << 2,  /* `end` means something */
    IDS_FINISHED = 1U << 3, /* everything up to the FIN was looked at */
    IDS_IS_DEEP = 1U << 4,  /* stream_depth was reached */
    IDS_SKIPS = 1U << 5,    /* the receiver has acknowledged `skip`, without us */
};

/* One direction of a TCP connection. */
struct ids_direction {
    uint32_t next;        /* sequence number of the first byte not looked at */
    uint32_t end;         /* that of the FIN */
    uint32_t skip;        /* bytes before it will not come any more */
    uint32_t memory;      /* chain: what is known of the stream (ids_engine.h) */
    uint32_t memory_size; /* bytes; 0: nothing yet */
    uint32_t early;       /* chain of the first segment that came early (ids_early.c) */
    uint32_t depth;       /* bytes looked at, as far as stream_depth counts */
    uint16_t early_count;
    uint16_t flags; /* enum ids_direction_flag */
};

struct ids_flow {
    struct ids_key key;
    uint16_t flags;   /* enum ids_flow_flag */
    uint32_t expires; /* unit of time; the timer may be set earlier, never later */
    uint32_t free;    /* the next free one */
    struct timer_wheel_link timer;
    uint64_t id; /* as alerts show it */
    uint64_t flowbits[IDS_FLOWBIT_WORDS];
    struct ids_direction directions[2]; /* by the sending end of the key */
};

/* What a flow costs in memory, its streams not counted: itself and its place in the hash table. */
#define IDS_BYTES_PER_FLOW                                                                         \
    (sizeof(struct ids_flow) + sizeof(struct hash_table_bucket) / HASH_TABLE_ENTRIES_PER_BUCKET + 1)
_Static_assert(IDS_BYTES_PER_FLOW <= 202, "what the option flows_max says");

/* An alert that waits for its turn to leave. */
struct ids_alert {
    uint64_t time_ns, flow_id;
    struct ids_address source, destination;
    uint16_t source_port, destination_port; /* of ICMP: type and code */
    uint32_t rule;
    uint8_t protocol, version;
    bool has_flow;
    uint8_t padding[5];
};

_Static_assert(sizeof(struct ids_alert) == 64, "what the README says");

struct ids_rule_row {
    uint64_t matches; /* all conditions held, thresholds not asked yet */
    uint64_t alerts, drops;
    uint32_t sid, gid;
};

struct ids_totals {
    uint64_t packets, bytes;   /* looked at; bytes of payload */
    uint64_t others;           /* packets that are no IP */
    uint64_t fragments;        /* that passed unseen */
    uint64_t flows;            /* begun */
    uint64_t flows_refused;    /* packets without a flow, as there was no place */
    uint64_t stream_bytes;     /* looked at in order */
    uint64_t alone;            /* TCP payloads that are in no stream, looked at alone */
    uint64_t early;            /* segments that came early and waited */
    uint64_t early_refused;    /* that could not wait, and were looked at alone */
    uint64_t repeated;         /* TCP payloads of nothing new */
    uint64_t gaps, gap_bytes;  /* acknowledged by the receiver, never seen here */
    uint64_t beyond_depth;     /* bytes not looked at, behind stream_depth */
    uint64_t memories_refused; /* streams that began anew, as blocks_max was reached */
    uint64_t limits_unasked;   /* thresholds not counted: a packet matched too many rules */
    uint64_t alerts;           /* that left */
    uint64_t alerts_refused;   /* that alerts_max left no place for */
};

enum ids_timeout {
    IDS_TIMEOUT_TCP_NEW,
    IDS_TIMEOUT_TCP_ESTABLISHED,
    IDS_TIMEOUT_TCP_CLOSED,
    IDS_TIMEOUT_OTHER_NEW,
    IDS_TIMEOUT_OTHER_ESTABLISHED,
    IDS_TIMEOUT_COUNT,
};

struct ids_state {
    uint64_t seed; /* of the hash table, drawn at the first packet */
    uint32_t seeded;
    uint32_t now; /* unit of time of the burst or tick at hand */
    uint32_t timeouts[IDS_TIMEOUT_COUNT];
    uint32_t alert_first, alert_count; /* in the ring of alerts_max */
    uint32_t padding;
    struct free_list pool;
    uint64_t flows, table, wheel, blocks, alerts, rules; /* offsets from here */
    struct ids_totals totals;
};

static inline void *ids_at(const struct ids_state *state, uint64_t offset) {
    return (uint8_t *)(uintptr_t)state + offset;
}
static inline struct ids_flow *ids_flows(const struct ids_state *state) {
    return ids_at(state, state->flows);
}
static inline struct ids_blocks *ids_blocks(const struct ids_state *state) {
    return ids_at(state, state->blocks);
}

/* 0 or -ENOMEM. */
int ids_state_create(struct ftmb_arena *arena, const struct ids_config *config, uint32_t worker,
                     struct ids_state **state);

/* A packet on its way through: what its parts of the code hand to one another. */
struct ids_work {
    struct ftmb_context *context;
    const struct ids_config *config;
    const struct ids_rules *rules;
    struct ids_state *state;
    struct ids_scanner *scanner;
    const struct ids_view *view;
    struct ids_flow *flow; /* NULL: there was no place */
    enum ids_database database;
    bool by_client;
    bool is_first;        /* of its flow and direction */
    bool was_established; /* before this packet, a TCP connection */
    bool in_stream;       /* bytes of its stream were looked at */
    bool is_alone;        /* its payload was, as a stream of its own */
    bool is_loaded;       /* what is known of the stream is in the scanner */
};

/* ---- Flows (ids_flow.c) ---- */

/* The packet's flow, or a new one, or NULL; `by_client` and `is_first` are set. */
void ids_flow_meet(struct ids_work *work);
/* Ends one that begins again: a SYN after the end. */
void ids_flow_restart(struct ids_work *work);
void ids_flow_refresh(struct ids_state *state, struct ids_flow *flow);
/* Ends what is due, at most `budget` flows. */
void ids_flows_expire(struct ids_state *state, uint32_t budget);

/* ---- TCP (ids_tcp.c, ids_early.c) ---- */

/* Follows the connection, and looks at what of the payload comes next in its stream. */
void ids_tcp_begin(struct ids_work *work);
/* After the rules were asked: packs what is known of the stream. */
void ids_tcp_end(struct ids_work *work);
void ids_direction_clear(struct ids_state *state, struct ids_direction *direction);

/* Keeps what is not yet there of a segment; false: there is no place for it. */
bool ids_early_add(struct ids_state *state, struct ids_direction *direction, uint32_t sequence,
                   const uint8_t *bytes, uint32_t size);
/* The first segment that waits, if it begins at `sequence` or before: bytes of it into `bytes`
 * (FTMB_FRAME_SIZE_MAX); 0: none does. It is taken out. */
uint32_t ids_early_take(struct ids_state *state, struct ids_direction *direction, uint32_t sequence,
                        uint32_t *first, uint8_t *bytes);
/* Where the first that waits begins; false: none does. */
bool ids_early_first(const struct ids_state *state, const struct ids_direction *direction,
                     uint32_t *sequence);
void ids_early_clear(struct ids_state *state, struct ids_direction *direction);

/* ---- Rules (ids_judge.c, ids_match.c) ---- */

/* Asks all rules that may match, in their order: notes alerts; IDS_RULE if one says drop. */
enum ids_reason ids_judge(struct ids_work *work);
/* Whether all that a rule says of the packet holds, flowbits not asked. */
bool ids_header_matches(const struct ids_work *work, const struct ids_rule *rule);

/* ---- Alerts (ids_alert.c) ---- */

void ids_alert_add(struct ids_work *work, uint32_t rule);
/* As many as there is room for leave. */
void ids_alerts_send(struct ftmb_context *context);

extern const struct ftmb_table ids_tables[];

#endif
