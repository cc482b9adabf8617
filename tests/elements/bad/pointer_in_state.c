/* SPDX-License-Identifier: BSD-3-Clause */
/* A pointer in the arena to what lies outside it: another process has something else there. */
#include "bad.h"

struct state {
    const struct config *config;
    uint64_t padding[7];
};

static int init_worker(struct ftmb_arena *arena, const void *config, uint32_t worker,
                       uint32_t workers, void *shared, void **state) {
    (void)config, (void)workers, (void)shared;
    *state = ftmb_allocate_worker(arena, worker, sizeof(struct state), 64);
    return *state == NULL ? -ENOMEM : 0;
}

static void process(struct ftmb_context *context, struct ftmb_packet **packets, uint32_t count) {
    struct state *state = context->state;
    state->config = (const struct config *)&context;
    for (uint32_t index = 0; index < count; index++) {
        stamp(context, packets[index], index);
    }
}

BAD_ELEMENT(.init_worker = init_worker);
