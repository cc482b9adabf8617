/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The input logger: takes frames from the ports, stamps them and appends each to the input log of
 * the worker that it is steered to; and lets time pass in the logs, as ticks.
 *
 * It owns the input logs. A record is kept until the output logger says that neither a release
 * nor the standby needs it any more; when a log is full, arrivals for that worker are dropped and
 * counted, and nothing that was logged is touched.
 *
 * Threads: the logger process's packet thread; counters may be read by any.
 */
#ifndef FTMB_INPUT_LOGGER_H
#define FTMB_INPUT_LOGGER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "ftmb_element.h"
#include "log/ring.h"
#include "master/pipeline.h"
#include "port/port.h"

#define INPUT_BYTES_PER_RECORD_MIN 64U /* what the index of record ends is sized by */

/* What is atomic here only the packet thread changes: the control thread looks at it. */
struct input_queue {
    struct ring ring;
    _Atomic uint64_t position; /* bytes logged; published at the end of a poll */
    _Atomic uint64_t sequence; /* records logged */
    _Atomic uint64_t retained_position;
    uint64_t retained_sequence;
    /* Where record `sequence` ends, in units of RING_ALIGNMENT: the logger's own memory, so that
     * what a master says it consumed can be checked. */
    uint32_t *ends;
    uint64_t capacity; /* records, a power of two */
    _Atomic uint64_t dropped;
};

struct input_logger {
    struct input_queue queues[FTMB_WORKERS_MAX];
    uint32_t workers;
    struct port *ports[FTMB_PORTS_MAX];
    uint32_t port_count;
    /* The rule of the first element that brings one; NULL: by the symmetric hash. */
    uint32_t (*steering)(const void *config, uint32_t workers, const uint8_t *frame,
                         uint16_t length, uint8_t port_in, uint32_t hash);
    const void *steering_config;
    uint64_t now_ns;
    uint64_t next_tick_ns;
    bool is_open; /* whether frames are taken from the ports */
};

/* Takes over the queues' rings, which are mapped writable. 0 or -ENOMEM. */
int input_logger_init(struct input_logger *logger, uint32_t workers, const struct ring *rings,
                      const struct pipeline *pipeline);
void input_logger_release(struct input_logger *logger);
int input_logger_add_port(struct input_logger *logger, struct port *port);

/* From now on frames are taken from the ports; what waited in them until now is old and is let go.
 */
void input_logger_open(struct input_logger *logger);
/* One round over the ports at time `now_ns`; returns how many frames were taken. */
uint32_t input_logger_poll(struct input_logger *logger, uint64_t now_ns);
/* A frame that was released with FTMB_PORT_AGAIN comes in as if by `port`. */
void input_logger_again(struct input_logger *logger, uint8_t port, const uint8_t *bytes,
                        uint16_t length);
/*
 * A command for the element at place `stage` of the pipeline, into the log of every worker: text of
 * at most FTMB_COMMAND_SIZE_MAX bytes, its end included. False: a log has no room, and it is in
 * none. `sequences`: its number in each worker's log.
 */
bool input_logger_command(struct input_logger *logger, uint8_t stage, const char *text,
                          uint64_t *sequences);
/* Position behind record `sequence` (1-based count of records), which must still be retained. */
uint64_t input_queue_end_of(const struct input_queue *queue, uint64_t sequence);

#endif
