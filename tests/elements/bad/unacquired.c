/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared state that all workers write with nothing acquired: no log has the order. */
#include "bad.h"

struct shared {
    uint64_t count;
};
FTMB_INIT_GUARDED(init_shared, struct shared)

static void process(struct ftmb_context *context, struct ftmb_packet **packets, uint32_t count) {
    struct shared *shared = context->shared;
    for (uint32_t index = 0; index < count; index++) {
        stamp(context, packets[index], ++shared->count);
    }
}

BAD_ELEMENT(.init_shared = init_shared);
