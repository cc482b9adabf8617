/* SPDX-License-Identifier: BSD-3-Clause */
/* Output past the log: the standby writes it once more. */
#include <stdio.h>

#include "bad.h"

static void process(struct ftmb_context *context, struct ftmb_packet **packets, uint32_t count) {
    for (uint32_t index = 0; index < count; index++) {
        fprintf(stderr, "a packet of %u bytes\n", (unsigned)packets[index]->length);
        stamp(context, packets[index], 0);
    }
}

BAD_ELEMENT();
