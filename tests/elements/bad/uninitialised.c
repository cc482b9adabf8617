/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes that nobody has written: whatever an earlier call left on the stack. */
#include "bad.h"

#define WORDS 512U

static uint64_t __attribute__((noipa)) sum_of(const uint64_t *words) {
    uint64_t sum = 0;
    for (uint32_t word = 0; word < WORDS; word++) {
        sum = sum * 31 + words[word];
    }
    return sum;
}

static void process(struct ftmb_context *context, struct ftmb_packet **packets, uint32_t count) {
    uint64_t left_over[WORDS];
    for (uint32_t index = 0; index < count; index++) {
        stamp(context, packets[index], sum_of(left_over));
    }
}

BAD_ELEMENT();
