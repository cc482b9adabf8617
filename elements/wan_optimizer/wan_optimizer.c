/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The WAN optimizer as the runtime sees it: state, and a burst parted by where it came from.
 *
 * Memory: two caches of cache_kib, their indexes, and one line for each worker (README.md).
 */
#include <errno.h>
#include <string.h>

#include "wan_state.h"

static const char *const drop_reasons[] = {
    [WAN_DROP_OTHER_PORT] = "other_port",
    [WAN_DROP_FOREIGN] = "foreign",
    [WAN_DROP_MALFORMED] = "malformed",
    [WAN_DROP_VERSION] = "version",
    [WAN_DROP_ROLE] = "role",
    [WAN_DROP_GONE] = "gone",
    [WAN_DROP_NO_ROOM] = "no_room",
    [WAN_DROP_NO_ROOM + 1] = NULL,
};

static struct ftmb_shared *own_variable(struct wan_shared *shared) {
    return (struct ftmb_shared *)((uint8_t *)shared + shared->variable);
}

uint32_t wan_generation(struct ftmb_context *context) {
    struct wan_worker *worker = context->state;
    struct wan_shared *shared = context->shared;
    if (worker->generation == 0) {
        uint64_t drawn = ftmb_random(context) ^ context->now_ns * 0x9e3779b97f4a7c15ULL;
        ftmb_shared_acquire(context, own_variable(shared));
        if (shared->generation == 0) {
            shared->generation = (uint32_t)(drawn >> 32) | 1U;
        }
        worker->generation = shared->generation;
        ftmb_shared_release(context, own_variable(shared));
    }
    return worker->generation;
}

/* Of the two, the stripes follow: what another worker puts in between is left out as well, which
 * costs only what it would have saved. */
void wan_meet_peer(struct ftmb_context *context, uint32_t generation) {
    struct wan_worker *worker = context->state;
    struct wan_shared *shared = context->shared;
    if (worker->peer_generation == generation) {
        return;
    }
    worker->peer_generation = generation;
    ftmb_shared_acquire(context, own_variable(shared));
    bool is_restart = shared->peer_generation != 0 && shared->peer_generation != generation;
    shared->peer_generation = generation;
    ftmb_shared_release(context, own_variable(shared));
    if (!is_restart) {
        return;
    }
    worker->totals.peer_restarts++;
    for (uint32_t stripe = 0; stripe < shared->sent.stripe_count; stripe++) {
        ftmb_shared_acquire(context, wan_variable(&shared->sent, stripe));
        wan_stripe_retire(wan_stripe_at(&shared->sent, stripe));
        ftmb_shared_release(context, wan_variable(&shared->sent, stripe));
    }
}

static int init_shared(struct ftmb_arena *arena, const void *config_pointer, uint32_t workers,
                       void **state) {
    const struct wan_config *config = config_pointer;
    struct wan_shared *shared = ftmb_allocate_shared(arena, sizeof(*shared), 64);
    struct ftmb_shared *variable = ftmb_allocate_variables(arena, 1);
    uint64_t size = (uint64_t)config->cache_kib * 1024;
    if (shared == NULL || variable == NULL) {
        return -ENOMEM;
    }
    shared->stripe_count = wan_stripes_for(workers);
    shared->variable = (uint8_t *)variable - (uint8_t *)shared;
    int error = 0;
    if (wan_encodes(config)) {
        error =
            wan_cache_init(&shared->sent, arena, size, shared->stripe_count, shared->stripes, true);
    }
    if (error == 0 && wan_decodes(config)) {
        error = wan_cache_init(&shared->received, arena, size, shared->stripe_count,
                               shared->stripes + WAN_STRIPES_MAX, false);
    }
    *state = shared;
    return error;
}

static int init_worker(struct ftmb_arena *arena, const void *config, uint32_t worker,
                       uint32_t workers, void *shared, void **state) {
    (void)config;
    (void)workers;
    (void)shared;
    *state = ftmb_allocate_worker(arena, worker, sizeof(struct wan_worker), 64);
    return *state == NULL ? -ENOMEM : 0;
}

static void process(struct ftmb_context *context, struct ftmb_packet **packets, uint32_t count) {
    const struct wan_config *config = context->config;
    struct ftmb_packet *out[FTMB_BURST_MAX], *in[FTMB_BURST_MAX];
    uint32_t out_count = 0, in_count = 0;
    for (uint32_t index = 0; index < count; index++) {
        struct ftmb_packet *packet = packets[index];
        if (packet->port_in == config->lan) {
            out[out_count++] = packet;
        } else if (packet->port_in == config->wan) {
            in[in_count++] = packet;
        } else {
            ftmb_drop(context, packet, WAN_DROP_OTHER_PORT);
        }
    }
    if (out_count > 0) {
        wan_encode(context, out, out_count);
    }
    if (in_count > 0) {
        wan_decode(context, in, in_count);
    }
}

const struct ftmb_element_class wan_optimizer_class = {
    .name = "wan_optimizer",
    .help = "sends over a WAN only what the other end has not had yet: one box at each end",
    .state_version = 1,
    .config_size = sizeof(struct wan_config),
    .options = wan_options,
    .drop_reasons = drop_reasons,
    .tables = wan_tables,
    .check = wan_check,
    .init_shared = init_shared,
    .init_worker = init_worker,
    .process = process,
};
