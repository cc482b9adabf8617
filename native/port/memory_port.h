/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port in memory: frames are put in and taken out by the program itself. For tests, for
 * benchmarks without a NIC, and for any machine without DPDK.
 *
 * Two ways to feed it: memory_port_push() queues single frames; memory_port_replay() gives it an
 * array of frames to deliver over and over, as a generator would, without copying.
 */
#ifndef FTMB_MEMORY_PORT_H
#define FTMB_MEMORY_PORT_H

#include "port/port.h"

struct memory_port;

/* Up to `capacity` frames queued each way. NULL: out of memory. */
struct memory_port *memory_port_create(uint32_t capacity);
void memory_port_destroy(struct memory_port *port);
struct port *memory_port_base(struct memory_port *port);

/* 0, or -ENOSPC when the queue is full. Copies. */
int memory_port_push(struct memory_port *port, const uint8_t *bytes, uint16_t length);
/* The next frame that was sent: its length, or 0 if there is none. `bytes` has
 * FTMB_FRAME_SIZE_MAX. */
uint16_t memory_port_pop(struct memory_port *port, uint8_t *bytes);

/*
 * Delivers `count` frames of `length` bytes each, lying one after another at `frames` (borrowed),
 * in rounds until `total` have been delivered; sent frames are counted and not kept.
 */
void memory_port_replay(struct memory_port *port, const uint8_t *frames, uint32_t count,
                        uint16_t length, uint64_t total);

#endif
