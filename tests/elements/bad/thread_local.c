/* SPDX-License-Identifier: BSD-3-Clause */
/* Identity: a variable that each thread has for itself. */
#include "bad.h"

static _Thread_local uint64_t seen;

static void process(struct ftmb_context *context, struct ftmb_packet **packets, uint32_t count) {
    for (uint32_t index = 0; index < count; index++) {
        stamp(context, packets[index], ++seen);
    }
}

BAD_ELEMENT();
