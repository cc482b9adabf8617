/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes that nobody has written: whatever an earlier call left on the stack. */
#include "bad.h"

static void process(struct ftmb_context *context, struct ftmb_packet **packets, uint32_t count) {
    uint64_t left_over[64];
    for (uint32_t index = 0; index < count; index++) {
        uint64_t sum = 0;
        for (uint32_t word = 0; word < 64; word++) {
            sum = sum * 31 + left_over[word];
        }
        stamp(context, packets[index], sum);
    }
}

BAD_ELEMENT();
