/* SPDX-License-Identifier: BSD-3-Clause */
/* Identity: which thread it is, when context->worker is all that may be known. */
#include <pthread.h>

#include "bad.h"

static void process(struct ftmb_context *context, struct ftmb_packet **packets, uint32_t count) {
    for (uint32_t index = 0; index < count; index++) {
        stamp(context, packets[index], (uint64_t)pthread_self());
    }
}

BAD_ELEMENT();
