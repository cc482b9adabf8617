/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The state: of each worker, in one block of the arena with every array at an offset from its head,
 * and, with the algorithm least_connections, the counters that all workers share.
 *
 * A worker has its own copy of the services' backends: it changes at the commands of the worker's
 * own log, so it needs no lock. Backends stand at places: those of service s at
 * s * backends_max and behind, the same in all workers, since all get the same commands in the same
 * order. A place that is given to another backend gets a new generation; connections name both.
 *
 * Threads: the worker's alone, but for the shared counters (balancer_load.c).
 */
#ifndef BALANCER_STATE_H
#define BALANCER_STATE_H

#include "arena/free_list.h"
#include "arena/hash_table.h"
#include "arena/timer_wheel.h"
#include "balancer_packet.h"

#define BALANCER_WHEEL_SLOTS 16384U  /* 164 s; what is due later is looked at once in that time */
#define BALANCER_UNIT_NS 10000000ULL /* time is kept in units of 10 ms, in 32 bits */
#define BALANCER_VARIABLES 16U       /* over the services */

enum balancer_backend_state {
    BALANCER_FREE, /* no backend: the place may be taken */
    BALANCER_ACTIVE,
    BALANCER_DRAINED,
    BALANCER_REMOVED, /* as free, but still shown and known by name */
};

struct balancer_backend {
    struct balancer_endpoint endpoint;
    uint32_t weight;
    uint32_t generation;
    uint32_t connections;
    uint32_t ended; /* connections, not yet taken off the shared counter */
    uint32_t order; /* a number that grows: when it was drained or removed */
    uint64_t packets, bytes, packets_back, bytes_back;
    uint16_t delta_address, delta_port; /* checksums, from the virtual address to the backend's */
    uint16_t service;
    uint16_t place;
    uint8_t state; /* enum balancer_backend_state */
    uint8_t has_ethernet;
    uint8_t ethernet[BALANCER_ETHERNET_SIZE];
    uint8_t padding[8];
};
_Static_assert(sizeof(struct balancer_backend) == 96, "a cache line and a half");

struct balancer_service {
    struct balancer_endpoint endpoint;
    uint64_t seed; /* of its connections' Maglev hashes: by its name, so the same in every box */
    uint64_t connections, stateless; /* opened; packets forwarded by hash without one */
    uint32_t active;                 /* backends that get new connections */
    uint32_t index;
};

enum balancer_connection_flag {
    BALANCER_SYN_BACK = 1U << 0,  /* the backend's SYN was seen */
    BALANCER_CONFIRMED = 1U << 1, /* the client has acknowledged it; directly: has sent more */
    BALANCER_FIN_CLIENT = 1U << 2,
    BALANCER_FIN_BACKEND = 1U << 3,
    BALANCER_RESET = 1U << 4,
};

struct balancer_connection {
    struct balancer_address client;
    uint64_t bytes; /* both ways, whole frames */
    uint32_t packets;
    uint32_t expires; /* unit of time; the timer may be set earlier, never later; free: next one */
    struct timer_wheel_link timer;
    uint32_t generation; /* of the backend's place */
    uint16_t client_port;
    uint16_t service;
    uint16_t backend; /* place */
    uint8_t flags;    /* enum balancer_connection_flag */
    uint8_t padding[9];
};
#define BALANCER_BYTES_PER_CONNECTION                                                              \
    (sizeof(struct balancer_connection) +                                                          \
     sizeof(struct hash_table_bucket) / HASH_TABLE_ENTRIES_PER_BUCKET + 1)
_Static_assert(sizeof(struct balancer_connection) == 64, "a connection is a cache line");
_Static_assert(BALANCER_BYTES_PER_CONNECTION <= 75, "what the option connections_max says");

enum balancer_timeout {
    BALANCER_TIMEOUT_UDP,
    BALANCER_TIMEOUT_TRANSITORY,
    BALANCER_TIMEOUT_ESTABLISHED,
    BALANCER_TIMEOUT_CLOSING,
    BALANCER_TIMEOUT_COUNT,
};

struct balancer_state {
    uint64_t seed; /* of the hash table of connections, drawn at the first packet */
    uint32_t seeded;
    uint32_t now; /* unit of time of the burst or tick at hand */
    uint32_t timeouts[BALANCER_TIMEOUT_COUNT];
    uint32_t places;           /* of all services */
    uint32_t commands_ignored; /* that did not fit the state */
    uint32_t order;            /* of backends, the last one given */
    uint32_t held;             /* shared variable held, plus one; 0: none */
    uint32_t changed;          /* bit i: variable i guards counters of places that are settling */
    uint32_t settling_count;   /* places with `ended` connections */
    struct free_list pool;
    uint64_t connections, by_client, wheel; /* offsets from here */
    uint64_t backends, by_endpoint;         /* the latter is not used with direct forwarding */
    uint64_t members;                       /* uint16_t: the active places of each service */
    uint64_t lookup;                        /* uint16_t: Maglev's table of each service */
    uint64_t settling;                      /* uint16_t: places */
    uint64_t service_index;                 /* hash table over `services` */
    struct balancer_service services[BALANCER_SERVICES_MAX];
};

static inline void *balancer_at(struct balancer_state *state, uint64_t offset) {
    return (uint8_t *)state + offset;
}
static inline struct balancer_backend *balancer_backends(struct balancer_state *state) {
    return balancer_at(state, state->backends);
}
static inline struct balancer_connection *balancer_connections(struct balancer_state *state) {
    return balancer_at(state, state->connections);
}

/* 0 or -ENOMEM. The services have the configuration's backends. */
int balancer_state_create(struct ftmb_arena *arena, const struct balancer_config *config,
                          uint32_t worker, struct balancer_state **state);

/* ---- Backends (balancer_backends.c) ---- */

uint16_t balancer_find_service(struct balancer_state *state,
                               const struct balancer_endpoint *endpoint);
bool balancer_has_address(const struct balancer_config *config,
                          const struct balancer_address *address);
/* The place of a backend that is or was, with rewriting; BALANCER_NONE. */
uint16_t balancer_find_backend(struct balancer_state *state,
                               const struct balancer_endpoint *endpoint);
/* Only while the box starts. */
void balancer_put_service(const struct balancer_config *config, struct balancer_state *state,
                          uint16_t service);
/* False, and nothing changed, if it does not fit. */
bool balancer_apply(const struct balancer_config *config, struct balancer_state *state,
                    enum balancer_command command, const struct balancer_line *line);
/* What Maglev says of a client of a service: a place, or BALANCER_NONE if none is active. */
uint16_t balancer_lookup(const struct balancer_config *config, struct balancer_state *state,
                         const struct balancer_view *view);
const uint16_t *balancer_members(const struct balancer_config *config, struct balancer_state *state,
                                 uint16_t service);
/* After balancer_apply(), for the service of the line: its active backends, and Maglev's table. */
void balancer_rebuild(const struct balancer_config *config, struct balancer_state *state,
                      uint16_t service);

/* ---- Shared counters (balancer_load.c) ---- */

/* 0 or -ENOMEM. */
int balancer_load_create(struct ftmb_arena *arena, const struct balancer_config *config,
                         void **shared);
/* The active backend with the fewest connections for its weight, which has one more from now on;
 * BALANCER_NONE if none is active. Holds a variable until balancer_load_let_go(). */
uint16_t balancer_load_choose(struct ftmb_context *context, const struct balancer_view *view);
/* One that was chosen did not come to be. The variable is still held. */
void balancer_load_take_back(struct ftmb_context *context, uint16_t place);
void balancer_load_let_go(struct ftmb_context *context);
/* Takes off what has ended. At the end of each burst, tick and command. */
void balancer_load_settle(struct ftmb_context *context);

/* ---- Connections (balancer_connection.c) ---- */

uint64_t balancer_hash(struct balancer_state *state, const struct balancer_view *view);
struct balancer_connection *balancer_find(const struct balancer_config *config,
                                          struct balancer_state *state,
                                          const struct balancer_view *view);
/* NULL: there is no room. */
struct balancer_connection *balancer_open(const struct balancer_config *config,
                                          struct balancer_state *state,
                                          const struct balancer_view *view, uint16_t place);
void balancer_close(const struct balancer_config *config, struct balancer_state *state,
                    struct balancer_connection *connection);
/* Whether the backend that it went to is not there any more. */
bool balancer_is_orphan(struct balancer_state *state, const struct balancer_connection *connection);
/* A packet of it passes: what TCP is at, and when it ends. */
void balancer_track(const struct balancer_config *config, struct balancer_state *state,
                    const struct balancer_view *view, struct balancer_connection *connection);
/* Whether a SYN of the client begins another one in its place. */
bool balancer_is_over(const struct balancer_connection *connection);
/* Ends what is due, at most `budget`. */
void balancer_expire(const struct balancer_config *config, struct balancer_state *state,
                     uint32_t budget);

/* ---- Forwarding (balancer_forward.c, balancer_icmp.c) ---- */

/* To the backend, or back from it, with all headers as they must be; false: no hops are left. */
bool balancer_forward(const struct balancer_config *config, struct balancer_state *state,
                      const struct balancer_view *view, uint16_t place);
bool balancer_forward_error(const struct balancer_config *config, struct balancer_state *state,
                            const struct balancer_view *view, uint16_t place);
void balancer_answer_echo(const struct balancer_view *view);

extern const struct ftmb_table balancer_tables[];

#endif
