/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What everybody did, kept apart from the logs themselves, and the invariants of the design,
 * asserted at every point:
 *
 * - output commit: a record enters the access log only when every access to shared state before
 *   one of its own, as they really happened, is of a record in the cut;
 * - exactly once: a record's packets leave once, in order, and only those of the present epoch;
 *   with RELEASE_NONE those of a record that was not in the cut when its epoch ended have left
 *   besides, and are counted;
 * - bounds: nothing that is still needed is written over;
 * - a standby is never past what is committed, and positions only rise.
 */
#ifndef FTMB_SIMULATOR_OBSERVE_H
#define FTMB_SIMULATOR_OBSERVE_H

#include "simulator/simulation.h"

#define RECORDS_MAX 2048U /* of one worker in a run */
#define ACCESSES_MAX 32768U
#define RELEASES_MAX 4096U /* of one worker in a run */
#define INPUT_BYTES_MAX (256U << 10)
#define INPUTS_MAX 4096U

/* A worker had the variable; `previous` is the access before it, as its master saw it, or -1. */
struct observed_access {
    uint32_t epoch, worker;
    uint64_t record;
    uint32_t access, variable;
    int32_t previous;
};

struct observed_record {
    uint32_t epoch; /* of the master whose record was committed */
    uint32_t input_count;
};

struct observed_release {
    uint32_t epoch; /* of the master whose packet it was */
    uint64_t record;
    uint64_t digest; /* of the frame; 0: it came back as an input that was dropped */
    uint8_t port;
};

/* All of one worker's. */
struct observed_queue {
    uint8_t *inputs; /* the whole input log, INPUT_BYTES_MAX */
    uint64_t input_bytes;
    uint32_t input_count;
    uint32_t input_ends[INPUTS_MAX];
    uint64_t packets;  /* of the inputs, those that came from a port */
    uint64_t commands; /* likewise, those of the operator */
    uint64_t record_count;
    struct observed_record records[RECORDS_MAX]; /* by number */
    uint32_t release_count;
    struct observed_release releases[RELEASES_MAX];
    uint64_t cut_before;
};

/* The state began anew, with nothing of what was before. */
struct observed_start {
    uint32_t first_epoch;
    uint64_t records[FTMB_WORKERS_MAX];
    uint64_t positions[FTMB_WORKERS_MAX];
};

struct observed {
    struct observed_queue queues[FTMB_WORKERS_MAX];
    struct observed_access accesses[ACCESSES_MAX];
    uint32_t access_count;
    struct observed_start starts[REPLICAS_MAX];
    uint32_t start_count;
    uint64_t doubled; /* packets that left by a port though their record was not committed */
};
extern struct observed observed;

void observe_begin(void);
void observe(enum simulation_point point, uint64_t a, uint64_t b);
/* The next `count` frames that are logged come from this port. */
void observe_delivery(uint8_t port, uint32_t count);
/* A frame left by a port. */
void observe_release(uint8_t port, const uint8_t *bytes, uint16_t length);
/* A replica is about to begin with empty state. */
void observe_empty_start(void);
/* Whether the access is of a record that was committed. */
bool observed_is_committed(const struct observed_access *access);
/* Everything that came in was logged once, or dropped for want of room and counted. */
void observe_end(void);

#endif
