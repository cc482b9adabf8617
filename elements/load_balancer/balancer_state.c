/* SPDX-License-Identifier: BSD-3-Clause */
/* A worker's state: one block of the arena, laid out once; nothing grows. */
#include "balancer_state.h"

#include <errno.h>
#include <stddef.h>

#define CACHE_LINE 64U

/* Offsets are handed out one after the other, each on a cache line. */
static uint64_t reserve(uint64_t *size, uint64_t bytes) {
    uint64_t offset = *size;
    *size += (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    return offset;
}

/* Fills in the offsets and returns the bytes in all. */
static uint64_t lay_out(const struct balancer_config *config, struct balancer_state *head) {
    uint64_t size = 0;
    uint64_t places = head->places;
    bool is_maglev = config->algorithm == BALANCER_MAGLEV;
    reserve(&size, sizeof(*head));
    head->connections =
        reserve(&size, (uint64_t)config->connections_max * sizeof(struct balancer_connection));
    head->by_client = reserve(&size, hash_table_size(config->connections_max));
    head->wheel = reserve(&size, timer_wheel_size(BALANCER_WHEEL_SLOTS));
    head->backends = reserve(&size, places * sizeof(struct balancer_backend));
    head->by_endpoint = reserve(&size, hash_table_size(head->places));
    head->members = reserve(&size, places * sizeof(uint16_t));
    head->settling = reserve(&size, places * sizeof(uint16_t));
    head->service_index = reserve(&size, hash_table_size(BALANCER_SERVICES_MAX));
    head->lookup = reserve(&size, is_maglev ? (uint64_t)config->service_count * config->table_size *
                                                  sizeof(uint16_t)
                                            : 0);
    return size;
}

/* One more, since the unit at hand has begun already: never shorter than asked for. */
static uint32_t units_of(uint64_t nanoseconds) {
    return (uint32_t)((nanoseconds + BALANCER_UNIT_NS - 1) / BALANCER_UNIT_NS) + 1;
}

static void fill(const struct balancer_config *config, struct balancer_state *state) {
    free_list_init(&state->pool, config->connections_max, sizeof(struct balancer_connection),
                   offsetof(struct balancer_connection, expires));
    hash_table_init(balancer_at(state, state->by_client), config->connections_max);
    hash_table_init(balancer_at(state, state->by_endpoint), state->places);
    hash_table_init(balancer_at(state, state->service_index), BALANCER_SERVICES_MAX);
    timer_wheel_init(balancer_at(state, state->wheel), BALANCER_WHEEL_SLOTS,
                     sizeof(struct balancer_connection),
                     offsetof(struct balancer_connection, timer));
    for (uint32_t i = 0; i < config->service_count; ++i) {
        balancer_put_service(config, state, (uint16_t)i);
    }
    for (uint32_t i = 0; i < config->backend_count; ++i) {
        balancer_apply(config, state, BALANCER_ADD, &config->backends[i]);
    }
    for (uint32_t i = 0; i < config->service_count; ++i) {
        balancer_rebuild(config, state, (uint16_t)i);
    }
}

int balancer_state_create(struct ftmb_arena *arena, const struct balancer_config *config,
                          uint32_t worker, struct balancer_state **created) {
    struct balancer_state head = {
        .places = config->service_count * config->backends_max,
        .timeouts = {[BALANCER_TIMEOUT_UDP] = units_of(config->udp_ns),
                     [BALANCER_TIMEOUT_TRANSITORY] = units_of(config->tcp_transitory_ns),
                     [BALANCER_TIMEOUT_ESTABLISHED] = units_of(config->tcp_established_ns),
                     [BALANCER_TIMEOUT_CLOSING] = units_of(config->tcp_closing_ns)},
    };
    uint64_t size = lay_out(config, &head);
    struct balancer_state *state = ftmb_allocate_worker(arena, worker, size, CACHE_LINE);
    if (state == NULL) {
        return -ENOMEM;
    }
    *state = head;
    fill(config, state);
    *created = state;
    return 0;
}
