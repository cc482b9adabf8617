/* SPDX-License-Identifier: BSD-3-Clause */
/* Clock: the time of day, where packet->time_ns is the only time there is. */
#include <time.h>

#include "bad.h"

static void process(struct ftmb_context *context, struct ftmb_packet **packets, uint32_t count) {
    for (uint32_t index = 0; index < count; index++) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        stamp(context, packets[index], (uint64_t)now.tv_nsec);
    }
}

BAD_ELEMENT();
