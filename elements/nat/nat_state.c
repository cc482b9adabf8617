/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker's state: one block of the arena, laid out once, with every array at an offset from
 * its head. All arrays have the size that the configuration gives; nothing grows.
 */
#include "nat_session.h"

#include <errno.h>
#include <stddef.h>

#define CACHE_LINE 64U

/* Offsets are handed out one after the other, each on a cache line. */
static uint64_t reserve(uint64_t *size, uint64_t bytes) {
    uint64_t offset = *size;
    *size += (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    return offset;
}

/* Mappings: one for each session, and the static ones, which need none. */
static uint32_t mapping_count(const struct nat_config *config) {
    return config->sessions_max + config->static_count;
}

/* Fills in the offsets and returns the bytes in all. */
static uint64_t lay_out(const struct nat_config *config, uint32_t workers, struct nat_state *head) {
    uint64_t size = 0;
    uint32_t sessions = config->sessions_max;
    uint32_t mappings = mapping_count(config);
    reserve(&size, sizeof *head);
    head->sessions = reserve(&size, (uint64_t)sessions * sizeof(struct nat_session));
    head->mappings = reserve(&size, (uint64_t)mappings * sizeof(struct nat_mapping));
    head->sessions_by_inside = reserve(&size, hash_table_size(sessions));
    head->sessions_by_outside = reserve(&size, hash_table_size(sessions));
    head->mappings_by_inside = reserve(&size, hash_table_size(mappings));
    head->mappings_by_outside = reserve(&size, hash_table_size(mappings));
    head->wheel = reserve(&size, timer_wheel_size(NAT_WHEEL_SLOTS));
    head->ports = reserve(&size, nat_ports_size(config, workers));
    return size;
}

/* One more, since the unit at hand has begun already: never shorter than asked for. */
static uint32_t units_of(uint64_t nanoseconds) {
    return (uint32_t)((nanoseconds + NAT_UNIT_NS - 1) / NAT_UNIT_NS) + 1;
}

int nat_state_create(struct ftmb_arena *arena, const struct nat_config *config, uint32_t worker,
                     uint32_t workers, struct nat_state **created) {
    struct nat_state head = {0};
    uint64_t size = lay_out(config, workers, &head);
    struct nat_state *state = ftmb_allocate_worker(arena, worker, size, CACHE_LINE);
    if (state == NULL) {
        return -ENOMEM;
    }
    *state = head;
    state->port_count = nat_ports_per_worker(config, workers);
    state->port_first = config->port_first + worker * state->port_count;
    state->timeouts[NAT_TIMEOUT_UDP] = units_of(config->udp_ns);
    state->timeouts[NAT_TIMEOUT_ICMP] = units_of(config->icmp_ns);
    state->timeouts[NAT_TIMEOUT_ESTABLISHED] = units_of(config->tcp_established_ns);
    state->timeouts[NAT_TIMEOUT_TRANSITORY] = units_of(config->tcp_transitory_ns);
    free_list_init(&state->session_pool, config->sessions_max, sizeof(struct nat_session),
                   offsetof(struct nat_session, mapping));
    free_list_init(&state->mapping_pool, mapping_count(config), sizeof(struct nat_mapping),
                   offsetof(struct nat_mapping, first));
    hash_table_init(nat_at(state, state->sessions_by_inside), config->sessions_max);
    hash_table_init(nat_at(state, state->sessions_by_outside), config->sessions_max);
    hash_table_init(nat_at(state, state->mappings_by_inside), mapping_count(config));
    hash_table_init(nat_at(state, state->mappings_by_outside), mapping_count(config));
    timer_wheel_init(nat_at(state, state->wheel), NAT_WHEEL_SLOTS, sizeof(struct nat_session),
                     offsetof(struct nat_session, timer));
    nat_ports_init(config, state);
    *created = state;
    return 0;
}

/* The tables are empty, so static mappings find room: they are far fewer than the places. */
void nat_state_start(struct ftmb_context *context) {
    const struct nat_config *config = context->config;
    struct nat_state *state = context->state;
    state->seed = ftmb_random(context);
    state->seeded = 1;
    for (uint32_t i = 0; i < config->static_count; ++i) {
        const struct nat_static *fixed = &config->statics[i];
        if (nat_worker_of_inside(fixed->inside, context->workers) != context->worker) {
            continue;
        }
        uint32_t index = free_list_take(&state->mapping_pool, nat_mappings(state));
        nat_mappings(state)[index] = (struct nat_mapping){
            .inside = fixed->inside, .outside = fixed->outside, .first = NAT_NONE, .fixed = 1};
        nat_mapping_insert(state, index);
    }
}
