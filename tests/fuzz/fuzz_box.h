/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A protected box for fuzzers: loggers, a master and a standby of up to two workers in one thread,
 * over real rings and ports whose frames are heap blocks of exactly their length, so that a read
 * beyond a frame is seen.
 *
 * The standby replays records in the order in which the master built them, so it never waits; and
 * after every input its state must be the master's. Rings, pages and file descriptors are made
 * once and used again; everything else is new for each input.
 */
#ifndef FUZZ_BOX_H
#define FUZZ_BOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/element_config.h"
#include "host/process.h"
#include "input_logger/input_logger.h"
#include "output_logger/output_logger.h"
#include "port/port.h"

#define FUZZ_WORKERS_MAX 2U
#define FUZZ_PORTS 2U
#define FUZZ_INPUT_SIZE (1U << 18)
#define FUZZ_OUTPUT_SIZE (1U << 19)

/* What must hold: a breach ends the fuzzer like any crash. */
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* The input, taken from the front; beyond its end everything is 0. */
struct fuzz_data {
    const uint8_t *at;
    size_t left;
};
uint8_t fuzz_take8(struct fuzz_data *data);
uint16_t fuzz_take16(struct fuzz_data *data);
uint64_t fuzz_take64(struct fuzz_data *data);
/* Up to `length` bytes, borrowed; fewer at the end. */
const uint8_t *fuzz_take(struct fuzz_data *data, size_t *length);

struct fuzz_box;
/* Called for each frame that leaves the box. */
typedef void fuzz_sent(struct fuzz_box *box, uint32_t port, const struct frame *frame);

struct fuzz_port {
    struct port base; /* first: it is what the loggers know */
    struct fuzz_box *box;
    uint32_t index;
    struct frame arriving[PORT_BURST_MAX];
    uint32_t count;
    uint32_t refuse; /* frames of the next `send` that it does not take */
};

struct fuzz_replica {
    struct process *process; /* NULL: none */
    struct process_page *page;
    struct ring *outputs;
};

struct fuzz_box {
    uint32_t workers;
    uint32_t epoch; /* of the replica made last */
    uint64_t now_ns;
    struct pipeline *pipeline;
    struct input_logger input;
    struct output_logger output;
    struct logger_page *page;
    struct fuzz_replica master, standby;
    struct fuzz_port ports[FUZZ_PORTS];
    fuzz_sent *sent;
    void *user; /* the target's own */
    uint64_t arrived, left;
};

/* A box with a master and a standby, live. Borrows the pipeline. */
void fuzz_box_open(struct fuzz_box *box, struct pipeline *pipeline, uint32_t workers,
                   fuzz_sent *sent);
/* Compares the states of master and standby, then frees all. */
void fuzz_box_close(struct fuzz_box *box);
/* Loggers and rings alone: the target is the master. */
void fuzz_box_open_without_replicas(struct fuzz_box *box, struct pipeline *pipeline,
                                    uint32_t workers, fuzz_sent *sent);
void fuzz_box_free(struct fuzz_box *box);
/* A process that has the box's logs and empty state. */
void fuzz_replica_open(struct fuzz_box *box, struct fuzz_replica *replica, uint32_t place);
void fuzz_replica_close(struct fuzz_replica *replica);

/* Copies a frame to where the input logger finds it in the next round; false if that is full. */
bool fuzz_box_arrive(struct fuzz_box *box, uint32_t port, const uint8_t *bytes, uint16_t length);
/* Everybody in turn until all is consumed, committed, released and replayed. */
void fuzz_box_round(struct fuzz_box *box);
/* The standby becomes master, and a copy of its state the next standby. */
void fuzz_box_fail_over(struct fuzz_box *box);

/* These elements between the box's two ports, once each, with a table of 1,024 hosts. */
void fuzz_add_forward(struct pipeline *pipeline);
void fuzz_add_monitor(struct pipeline *pipeline, bool is_stamping, bool counts_all);
/* Buckets of every kind, that some thousand bytes empty. */
void fuzz_add_limiter(struct pipeline *pipeline);
/* What elements dropped, by the master's state. */
uint64_t fuzz_box_drops(const struct fuzz_box *box);

#endif
