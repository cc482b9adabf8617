/* SPDX-License-Identifier: BSD-3-Clause */
/* Written outside the arena: a count in the configuration, which each process has for itself. */
#include "bad.h"

static void process(struct ftmb_context *context, struct ftmb_packet **packets, uint32_t count) {
    struct config *config = (struct config *)context->config;
    for (uint32_t index = 0; index < count; index++) {
        stamp(context, packets[index], ++config->count);
    }
}

BAD_ELEMENT();
