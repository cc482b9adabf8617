/* SPDX-License-Identifier: BSD-3-Clause */
/* The load balancer's tables, for those who look at a copy of its state. */
#include <stddef.h>

#include "balancer_load.h"
#include "balancer_state.h"

#define NUMBER(row, member, what)                                                                  \
    {                                                                                              \
        .name = #member, .help = what, .type = FTMB_FIELD_NUMBER, .offset = offsetof(row, member), \
        .size = sizeof(((row *)NULL)->member)                                                      \
    }
#define ENDPOINT_FIELDS(row, what)                                                                 \
    {.name = "protocol",                                                                           \
     .help = "of IP",                                                                              \
     .type = FTMB_FIELD_PROTOCOL,                                                                  \
     .offset = offsetof(row, endpoint) + offsetof(struct balancer_endpoint, protocol),             \
     .size = 1},                                                                                   \
        {.name = "address",                                                                        \
         .help = what,                                                                             \
         .type = FTMB_FIELD_ADDRESS,                                                               \
         .offset = offsetof(row, endpoint),                                                        \
         .size = 16},                                                                              \
    {                                                                                              \
        .name = "port", .help = "of the protocol", .type = FTMB_FIELD_NUMBER,                      \
        .offset = offsetof(row, endpoint) + offsetof(struct balancer_endpoint, port), .size = 2    \
    }

static const char *const backend_states[] = {
    [BALANCER_FREE] = "free",
    [BALANCER_ACTIVE] = "active",
    [BALANCER_DRAINED] = "drained",
    [BALANCER_REMOVED] = "removed",
    NULL,
};

static const struct ftmb_field backend_fields[] = {
    NUMBER(struct balancer_backend, place, "by which connections name it"),
    NUMBER(struct balancer_backend, service, "index, as in the table of services"),
    ENDPOINT_FIELDS(struct balancer_backend, "of the backend"),
    {.name = "state",
     .help = "whether it gets new connections, only has those that are, or is gone",
     .type = FTMB_FIELD_CHOICE,
     .offset = offsetof(struct balancer_backend, state),
     .size = 1,
     .names = backend_states},
    NUMBER(struct balancer_backend, weight, "its share of new connections"),
    NUMBER(struct balancer_backend, connections, "of this worker's clients, that are"),
    NUMBER(struct balancer_backend, packets, "to it"),
    NUMBER(struct balancer_backend, bytes, "to it, whole frames"),
    NUMBER(struct balancer_backend, packets_back, "from it"),
    NUMBER(struct balancer_backend, bytes_back, "from it, whole frames"),
    {.name = NULL},
};

static const struct ftmb_field service_fields[] = {
    NUMBER(struct balancer_service, index, "by which others name it"),
    ENDPOINT_FIELDS(struct balancer_service, "that clients ask for"),
    NUMBER(struct balancer_service, active, "backends that get new connections"),
    NUMBER(struct balancer_service, connections, "opened, ever, by this worker's clients"),
    NUMBER(struct balancer_service, stateless, "packets forwarded by hash, without a connection"),
    {.name = NULL},
};

static const char *const connection_flags[] = {"syn_back",    "confirmed", "fin_client",
                                               "fin_backend", "reset",     NULL};

static const struct ftmb_field connection_fields[] = {
    {.name = "client",
     .help = "who asked",
     .type = FTMB_FIELD_ADDRESS,
     .offset = offsetof(struct balancer_connection, client),
     .size = 16},
    NUMBER(struct balancer_connection, client_port, "its port"),
    NUMBER(struct balancer_connection, service, "index, as in the table of services"),
    NUMBER(struct balancer_connection, backend, "place, as in the table of backends"),
    {.name = "flags",
     .help = "what was seen of a TCP connection",
     .type = FTMB_FIELD_FLAGS,
     .offset = offsetof(struct balancer_connection, flags),
     .size = 1,
     .names = connection_flags},
    NUMBER(struct balancer_connection, packets, "both ways"),
    NUMBER(struct balancer_connection, bytes, "both ways, whole frames"),
    {.name = "expires_s",
     .help = "when, in seconds of the box's clock (CLOCK_MONOTONIC)",
     .type = FTMB_FIELD_SECONDS,
     .offset = offsetof(struct balancer_connection, expires),
     .size = 4,
     .unit_ns = BALANCER_UNIT_NS},
    {.name = NULL},
};

static const struct ftmb_field load_fields[] = {
    NUMBER(struct balancer_load, place, "of the backend, as in the table of backends"),
    NUMBER(struct balancer_load, connections, "of all workers, that are"),
    NUMBER(struct balancer_load, connections_ever, "of all workers, opened"),
    {.name = NULL},
};

static uint64_t backend_rows(const void *config, const void *state, const void **first) {
    const struct balancer_state *head = state;
    (void)config;
    *first = (const uint8_t *)state + head->backends;
    return head->places;
}

static void mark_used_backends(const void *state, const void *first, uint64_t count,
                               uint8_t *used) {
    const struct balancer_backend *backends = first;
    (void)state;
    for (uint64_t index = 0; index < count; ++index) {
        used[index] = backends[index].state != BALANCER_FREE;
    }
}

static uint64_t service_rows(const void *config, const void *state, const void **first) {
    *first = ((const struct balancer_state *)state)->services;
    return ((const struct balancer_config *)config)->service_count;
}

static uint64_t connection_rows(const void *config, const void *state, const void **first) {
    const struct balancer_state *head = state;
    (void)config;
    *first = (const uint8_t *)state + head->connections;
    return head->pool.capacity;
}

static void mark_used_connections(const void *state, const void *first, uint64_t count,
                                  uint8_t *used) {
    (void)count;
    free_list_mark_used(&((const struct balancer_state *)state)->pool, first, used);
}

static uint64_t load_rows(const void *config, const void *state, const void **first) {
    const struct balancer_shared *shared = state;
    (void)config;
    *first = shared->loads;
    return shared->places;
}

static void mark_used_load(const void *state, const void *first, uint64_t count, uint8_t *used) {
    const struct balancer_load *loads = first;
    (void)state;
    for (uint64_t index = 0; index < count; ++index) {
        used[index] = loads[index].generation != 0;
    }
}

const struct ftmb_table balancer_tables[] = {
    {.name = "services",
     .help = "virtual addresses",
     .fields = service_fields,
     .row_size = sizeof(struct balancer_service),
     .rows = service_rows},
    {.name = "backends",
     .help = "who answers for them",
     .fields = backend_fields,
     .row_size = sizeof(struct balancer_backend),
     .rows = backend_rows,
     .mark_used = mark_used_backends},
    {.name = "connections",
     .help = "which client went where",
     .fields = connection_fields,
     .row_size = sizeof(struct balancer_connection),
     .rows = connection_rows,
     .mark_used = mark_used_connections},
    {.name = "load",
     .help = "connections that all workers have counted, with least_connections",
     .fields = load_fields,
     .row_size = sizeof(struct balancer_load),
     .is_shared = true,
     .rows = load_rows,
     .mark_used = mark_used_load},
    {.name = NULL},
};
