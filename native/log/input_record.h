/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An input record: everything that can influence a middlebox's state is one of these, in the
 * order of one worker's input log. Its sequence in the queue is its place in the log.
 *
 * Written by the input logger, read-only for everybody else; the bytes follow the header and are
 * padded to RING_ALIGNMENT.
 */
#ifndef FTMB_INPUT_RECORD_H
#define FTMB_INPUT_RECORD_H

#include <stdint.h>

#include "log/ring.h"

enum input_kind {
    INPUT_PACKET = 0,
    INPUT_TICK = 1,    /* no bytes; every INPUT_TICK_INTERVAL_NS on every queue */
    INPUT_AGAIN = 2,   /* a packet that an element sent to FTMB_PORT_AGAIN */
    INPUT_COMMAND = 3, /* text for the element at place `port` of the pipeline, with its end */
};

#define INPUT_TICK_INTERVAL_NS 10000000ULL

struct input_record {
    uint64_t time_ns; /* CLOCK_MONOTONIC, never smaller than the record's before */
    uint32_t hash;    /* symmetric hash of the 5-tuple */
    uint16_t length;  /* bytes that follow */
    uint8_t port;
    uint8_t kind; /* enum input_kind */
};
_Static_assert(sizeof(struct input_record) == 16, "input records are packed into the log");

static inline uint64_t input_record_size(const struct input_record *record) {
    return ring_align(sizeof(*record) + record->length);
}

static inline const uint8_t *input_record_bytes(const struct input_record *record) {
    return (const uint8_t *)(record + 1);
}

#endif
