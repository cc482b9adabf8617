/* SPDX-License-Identifier: BSD-3-Clause */
/* Pointer order: which of two objects comes first, and where one of them lies, as a number. */
#include "bad.h"

static int init_worker(struct ftmb_arena *arena, const void *config, uint32_t worker,
                       uint32_t workers, void *shared, void **state) {
    (void)config, (void)workers, (void)shared;
    *state = ftmb_allocate_worker(arena, worker, 64, 64);
    return *state == NULL ? -ENOMEM : 0;
}

static void process(struct ftmb_context *context, struct ftmb_packet **packets, uint32_t count) {
    uint64_t local = 0;
    const void *here = &local, *there = context->state;
    uint64_t number = (uint64_t)here + (here < there);
    for (uint32_t index = 0; index < count; index++) {
        stamp(context, packets[index], number);
    }
}

BAD_ELEMENT(.init_worker = init_worker);
