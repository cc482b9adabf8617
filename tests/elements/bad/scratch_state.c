/* SPDX-License-Identifier: BSD-3-Clause */
/* State in scratch memory, which a process that takes over has anew. */
#include <stdlib.h>

#include "bad.h"

static int init_scratch(void *config, uint32_t worker, uint32_t workers, void **scratch) {
    (void)config, (void)worker, (void)workers;
    *scratch = calloc(1, sizeof(uint64_t));
    return *scratch == NULL ? -ENOMEM : 0;
}

static void process(struct ftmb_context *context, struct ftmb_packet **packets, uint32_t count) {
    uint64_t *seen = context->scratch;
    for (uint32_t index = 0; index < count; index++) {
        stamp(context, packets[index], ++*seen);
    }
}

BAD_ELEMENT(.init_scratch = init_scratch, .free_scratch = free);
