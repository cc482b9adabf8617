/* SPDX-License-Identifier: BSD-3-Clause */
/* Written outside the arena: before the frame, into what the worker says of the record. */
#include "bad.h"

static void process(struct ftmb_context *context, struct ftmb_packet **packets, uint32_t count) {
    for (uint32_t index = 0; index < count; index++) {
        stamp(context, packets[index], 0);
        memset(packets[index]->data - 64, 0xee, 64);
    }
}

BAD_ELEMENT();
