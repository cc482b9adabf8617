/* SPDX-License-Identifier: BSD-3-Clause */
/* Clock: the processor's own counter, which no function's name betrays. */
#include "bad.h"

static void process(struct ftmb_context *context, struct ftmb_packet **packets, uint32_t count) {
    for (uint32_t index = 0; index < count; index++) {
        stamp(context, packets[index], __builtin_ia32_rdtsc());
    }
}

BAD_ELEMENT();
