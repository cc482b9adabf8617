/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A NAPT: the parts of elements/nat/, seen by each other only.
 *
 * A packet from inside is looked up by its own endpoint (address, port, protocol) and the remote
 * one, a packet from outside by the external endpoint it is sent to and its source:
 *
 *     frame -> nat_packet.c (where the headers are, or why it is dropped)
 *           -> nat_session.c (the session; on its first packet the mapping, a port, a session)
 *           -> nat_translate.c (TCP state, addresses, ports, checksums)     or nat_icmp.c
 *
 * A *mapping* is the external endpoint that an inside endpoint has, for all its remotes (RFC
 * 4787); a *session* is what is remembered of one remote, as finely as filtering needs it. Both
 * belong to one worker: nat_steer() sends every packet of a mapping there, so nothing is shared.
 * ICMP queries are treated as UDP with the query identifier for a port.
 */
#ifndef NAT_H
#define NAT_H

#include "arena/free_list.h"
#include "arena/hash_table.h"
#include "arena/timer_wheel.h"
#include "ftmb_element.h"
#include "ftmb_packet.h"

#define NAT_PREFIXES_MAX 64U
#define NAT_EXTERNAL_MAX 4096U  /* external addresses */
#define NAT_STATIC_MAX 256U     /* static mappings */
#define NAT_STATIC_SLOTS 1024U  /* of the index over them */
#define NAT_WHEEL_SLOTS 16384U  /* 164 s; what is due later is looked at once in that time */
#define NAT_UNIT_NS 10000000ULL /* time is kept in units of 10 ms, in 32 bits */
#define NAT_FIRES_PER_TICK 1024U
#define NAT_FIRES_PER_BURST 32U /* while ticks leave some over */
#define NAT_SIBLINGS_MAX 64U    /* sessions of a mapping searched for a remote address */
#define NAT_NONE 0xffffffffU

/* Why a packet is dropped; the names are in nat.c. */
enum nat_reason {
    NAT_PASS = 0, /* it is not */
    NAT_WRONG_PORT,
    NAT_NOT_IPV4,
    NAT_TRUNCATED,
    NAT_MALFORMED,
    NAT_BAD_CHECKSUM,
    NAT_FRAGMENT,
    NAT_BAD_ADDRESS,
    NAT_LAND,
    NAT_BAD_PORT,
    NAT_BAD_TCP_FLAGS,
    NAT_PROTOCOL_UNSUPPORTED,
    NAT_ICMP_UNSUPPORTED,
    NAT_ICMP_MALFORMED,
    NAT_TO_SELF,
    NAT_TTL_EXPIRED,
    NAT_NOT_EXTERNAL,
    NAT_NO_MAPPING,
    NAT_FILTERED,
    NAT_TCP_UNSOLICITED,
    NAT_TCP_NO_SESSION,
    NAT_PORTS_EXHAUSTED,
    NAT_SESSIONS_FULL,
    NAT_TABLE_FULL,
    NAT_REASON_COUNT,
};
_Static_assert(NAT_REASON_COUNT - 1 <= FTMB_DROP_REASONS_MAX, "every reason has a counter");

enum nat_filtering {
    NAT_FILTER_ENDPOINT_INDEPENDENT,
    NAT_FILTER_ADDRESS_DEPENDENT,
    NAT_FILTER_ADDRESS_AND_PORT_DEPENDENT,
};

/* An endpoint is address << 32 | port << 16 | protocol; a remote one has protocol 0. */
static inline uint64_t nat_endpoint(uint32_t address, uint16_t port, uint8_t protocol) {
    return (uint64_t)address << 32 | (uint64_t)port << 16 | protocol;
}
static inline uint32_t nat_address(uint64_t endpoint) {
    return (uint32_t)(endpoint >> 32);
}
static inline uint16_t nat_port(uint64_t endpoint) {
    return (uint16_t)(endpoint >> 16);
}
static inline uint8_t nat_protocol(uint64_t endpoint) {
    return (uint8_t)endpoint;
}

/* ---- Configuration (nat_config.c) ---- */

struct nat_prefix {
    uint32_t first;
    uint32_t count;
    uint32_t index; /* of `first` among all external addresses */
};

struct nat_static {
    uint64_t inside;
    uint64_t outside;
};

struct nat_config {
    uint8_t inside, outside; /* ports */
    uint8_t inbound_refresh;
    uint8_t check_checksum;
    uint32_t filtering; /* enum nat_filtering */
    uint32_t sessions_max;
    uint32_t port_first, port_last; /* external ports that are given out */
    uint32_t icmp_errors_max;       /* per worker and second */
    uint32_t inside_address;        /* 0: none */
    uint64_t udp_ns, icmp_ns, tcp_established_ns, tcp_transitory_ns;
    uint32_t external_count, prefix_count;
    uint32_t external_lowest, external_highest;
    uint32_t static_count;
    struct nat_prefix prefixes[NAT_PREFIXES_MAX];
    struct nat_static statics[NAT_STATIC_MAX];
    uint16_t static_index[NAT_STATIC_SLOTS]; /* by outside endpoint: place in statics + 1 */
};

extern const struct ftmb_option nat_options[];
int nat_check(const void *config, uint32_t workers, char *error, size_t error_size);

/* The place of an external address among all, or NAT_NONE. */
static inline uint32_t nat_external_index(const struct nat_config *config, uint32_t address) {
    if (address < config->external_lowest || address > config->external_highest) {
        return NAT_NONE;
    }
    for (uint32_t i = 0; i < config->prefix_count; ++i) {
        if (address - config->prefixes[i].first < config->prefixes[i].count) {
            return config->prefixes[i].index + (address - config->prefixes[i].first);
        }
    }
    return NAT_NONE;
}
uint32_t nat_external_address(const struct nat_config *config, uint32_t index);

/* The static mapping of an external endpoint, or NULL. */
const struct nat_static *nat_static_find(const struct nat_config *config, uint64_t outside);

/* External ports of one worker: a range of their own for each. */
static inline uint32_t nat_ports_per_worker(const struct nat_config *config, uint32_t workers) {
    return (config->port_last - config->port_first + 1) / workers;
}

/* ---- Packets (nat_packet.c) ---- */

enum nat_kind {
    NAT_KIND_TRANSPORT, /* TCP, UDP, ICMP query */
    NAT_KIND_ERROR,     /* ICMP error: local and remote are those of the packet it quotes */
    NAT_KIND_SELF,      /* an ICMP echo request to the NAT itself, from inside */
};

/* What is to be known of a packet on its way through; filled by nat_parse(). */
struct nat_view {
    struct ftmb_packet *packet;
    uint64_t local;  /* the endpoint on this side: inside or external */
    uint64_t remote; /* the other one, reduced to what the session is kept by */
    uint64_t hash;   /* of both */
    uint16_t network, transport, end;
    uint16_t quoted_network, quoted_transport; /* in an ICMP error */
    uint16_t remote_port;
    uint8_t kind; /* enum nat_kind */
    uint8_t protocol;
    bool from_inside;
    bool hairpin; /* from inside to an external address */
};

/* Where the headers are and which endpoints they name; NAT_PASS or why the packet is dropped. */
enum nat_reason nat_parse(const struct nat_config *config, const uint8_t *frame, uint16_t length,
                          uint8_t port_in, struct nat_view *view);
uint32_t nat_steer(const void *config, uint32_t workers, const uint8_t *frame, uint16_t length,
                   uint8_t port_in, uint32_t hash);
uint32_t nat_worker_of_inside(uint64_t inside, uint32_t workers);

/* ---- State of a worker ---- */

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

/* ---- Translation (nat_translate.c, nat_icmp.c) ---- */

/* Each decides about the packet: sets port_out, or drops it. */
void nat_translate(struct ftmb_context *context, struct nat_view *view);
void nat_translate_error(struct ftmb_context *context, struct nat_view *view);
void nat_answer_echo(struct ftmb_context *context, struct nat_view *view);

void nat_drop(struct ftmb_context *context, struct ftmb_packet *packet, enum nat_reason reason);

/* Answers a packet whose time to live is used up, if a source address and the limit allow. */
void nat_time_exceeded(struct ftmb_context *context, const struct nat_view *view);

static inline uint8_t nat_port_to_inside(const struct nat_config *config) {
    return config->inside;
}
static inline uint8_t nat_port_to_outside(const struct nat_config *config,
                                          const struct nat_view *view) {
    return view->hairpin ? (uint8_t)(FTMB_PORT_AGAIN | config->outside) : config->outside;
}

#endif
