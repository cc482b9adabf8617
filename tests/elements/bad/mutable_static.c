/* SPDX-License-Identifier: BSD-3-Clause */
/* Mutable static: a count that no snapshot has. */
#include "bad.h"

static uint64_t seen;

static void process(struct ftmb_context *context, struct ftmb_packet **packets, uint32_t count) {
    for (uint32_t index = 0; index < count; index++) {
        stamp(context, packets[index], ++seen);
    }
}

BAD_ELEMENT();
