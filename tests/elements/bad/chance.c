/* SPDX-License-Identifier: BSD-3-Clause */
/* Chance: the kernel's, where ftmb_random() is part of the state. */
#include <sys/random.h>

#include "bad.h"

static void process(struct ftmb_context *context, struct ftmb_packet **packets, uint32_t count) {
    for (uint32_t index = 0; index < count; index++) {
        uint64_t number = 0;
        if (getrandom(&number, sizeof(number), 0) == sizeof(number)) {
            stamp(context, packets[index], number);
        }
    }
}

BAD_ELEMENT();
