/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A generator of traffic as a port, and at the other end a sink that measures: benchmarks run the
 * real loggers between two of these, with no NIC between them and the figures.
 *
 * Open loop: with an interval, frame i is due at start + i * interval and carries that time in its
 * last 8 bytes. The sink's samples are the time from when it was due to when it was sent, so a
 * stall is felt by every frame that was due in it (no coordinated omission).
 *
 * Threads: the class functions in the packet thread; the rest by one other thread.
 */
#ifndef FTMB_GENERATOR_PORT_H
#define FTMB_GENERATOR_PORT_H

#include "port/port.h"

struct generator_port;

/*
 * `count` frames of `length` bytes in a row at `frames` (borrowed, stamped in place), sent round
 * and round; `samples` (borrowed; may be NULL) takes up to `samples_max` times in nanoseconds of
 * what is sent to this port. NULL: out of memory.
 */
struct generator_port *generator_port_create(uint8_t *frames, uint32_t count, uint16_t length,
                                             uint32_t *samples, uint64_t samples_max);
void generator_port_destroy(struct generator_port *port);
/* Frame i has lengths[i] bytes (borrowed), `length` at most, instead of `length` each. */
void generator_port_set_lengths(struct generator_port *port, const uint16_t *lengths);
/* No more than `window` frames between this port and `sink` (borrowed): full speed without loss,
 * as long as the elements drop nothing. */
void generator_port_set_window(struct generator_port *port, const struct generator_port *sink,
                               uint64_t window);
struct port *generator_port_base(struct generator_port *port);

/* Starts `total` frames, one each `interval_ns`, or as fast as they are taken if 0. */
void generator_port_send(struct generator_port *port, uint64_t total, uint64_t interval_ns);
uint64_t generator_port_left(const struct generator_port *port);
/* What was measured up to here does not count; nothing may be on its way. */
void generator_port_discard_samples(struct generator_port *port);
uint64_t generator_port_samples(const struct generator_port *port);

#endif
