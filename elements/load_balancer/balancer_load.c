/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How many connections each backend has, counted by all workers together: what the algorithm
 * least_connections chooses by, and nothing else needs.
 *
 * A shared variable guards the counters of every sixteenth service. Choosing takes it, and keeps it
 * while the burst goes on, so that a burst of new connections takes it once; what ends is gathered
 * and taken off once for each burst or tick. A place that got another backend counts from 0: the
 * first worker that comes to it after the command says so by the generation, and a worker whose log
 * has the command later on leaves the counter alone until then.
 */
#include <errno.h>

#include "balancer_load.h"
#include "balancer_state.h"

static struct ftmb_shared *variable_at(struct balancer_shared *shared, uint32_t index) {
    return ftmb_shared_at((struct ftmb_shared *)((uint8_t *)shared + shared->variables), index);
}

int balancer_load_create(struct ftmb_arena *arena, const struct balancer_config *config,
                         void **created) {
    bool is_used = config->algorithm == BALANCER_LEAST_CONNECTIONS;
    uint32_t places = is_used ? config->service_count * config->backends_max : 0;
    struct balancer_shared *shared =
        ftmb_allocate_shared(arena, sizeof(*shared) + places * sizeof(struct balancer_load), 64);
    struct ftmb_shared *variables =
        is_used ? ftmb_allocate_variables(arena, BALANCER_VARIABLES) : NULL;
    if (shared == NULL || (is_used && variables == NULL)) {
        return -ENOMEM;
    }
    shared->places = places;
    shared->variables = is_used ? (uint64_t)((uint8_t *)variables - (uint8_t *)shared) : 0;
    *created = shared;
    return 0;
}

void balancer_load_let_go(struct ftmb_context *context) {
    struct balancer_state *state = context->state;
    if (state->held != 0) {
        ftmb_shared_release(context, variable_at(context->shared, state->held - 1));
        state->held = 0;
    }
}

static void hold(struct ftmb_context *context, uint32_t index) {
    struct balancer_state *state = context->state;
    if (state->held == index + 1) {
        ftmb_shared_again(context, variable_at(context->shared, index));
        return;
    }
    balancer_load_let_go(context);
    ftmb_shared_acquire(context, variable_at(context->shared, index));
    state->held = index + 1;
}

/* The counter of a backend as this worker knows it; NULL: others are ahead. */
static struct balancer_load *load_of(struct ftmb_context *context, uint16_t place) {
    struct balancer_shared *shared = context->shared;
    struct balancer_load *load = &shared->loads[place];
    const struct balancer_backend *backend = &balancer_backends(context->state)[place];
    if (load->generation < backend->generation) {
        *load = (struct balancer_load){.generation = backend->generation, .place = place};
    }
    return load->generation == backend->generation ? load : NULL;
}

uint16_t balancer_load_choose(struct ftmb_context *context, const struct balancer_view *view) {
    struct balancer_state *state = context->state;
    const uint16_t *members = balancer_members(context->config, state, view->service);
    uint32_t count = state->services[view->service].active;
    uint32_t start = hash_table_reduce(view->hash, count == 0 ? 1 : count);
    uint16_t best = BALANCER_NONE;
    uint64_t best_connections = 0;
    uint64_t best_weight = 1;
    hold(context, view->service % BALANCER_VARIABLES);
    for (uint32_t i = 0; i < count; ++i) { /* among equals by the client's hash */
        uint16_t place = members[start + i < count ? start + i : start + i - count];
        const struct balancer_load *load = load_of(context, place);
        uint64_t connections = 1 + (load == NULL ? 0 : load->connections);
        uint64_t weight = balancer_backends(state)[place].weight;
        if (best == BALANCER_NONE || connections * best_weight < best_connections * weight) {
            best = place;
            best_connections = connections;
            best_weight = weight;
        }
    }
    struct balancer_load *load = best == BALANCER_NONE ? NULL : load_of(context, best);
    if (load != NULL) {
        load->connections++;
        load->connections_ever++;
    }
    return best;
}

void balancer_load_take_back(struct ftmb_context *context, uint16_t place) {
    struct balancer_load *load = load_of(context, place);
    if (load != NULL) {
        load->connections--;
        load->connections_ever--;
    }
}

/* Those of the places whose services this variable guards. */
static void settle(struct ftmb_context *context, uint32_t variable) {
    struct balancer_state *state = context->state;
    struct balancer_backend *backends = balancer_backends(state);
    const uint16_t *places = balancer_at(state, state->settling);
    hold(context, variable);
    for (uint32_t i = 0; i < state->settling_count; ++i) {
        struct balancer_backend *backend = &backends[places[i]];
        if (backend->service % BALANCER_VARIABLES != variable || backend->ended == 0) {
            continue;
        }
        struct balancer_load *load = load_of(context, places[i]);
        if (load != NULL) {
            load->connections -= backend->ended;
        }
        backend->ended = 0;
    }
}

void balancer_load_settle(struct ftmb_context *context) {
    struct balancer_state *state = context->state;
    for (uint32_t left = state->changed; left != 0; left &= left - 1) {
        settle(context, (uint32_t)__builtin_ctz(left));
    }
    state->changed = 0;
    state->settling_count = 0;
    balancer_load_let_go(context);
}
