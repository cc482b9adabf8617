/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port in memory: frames are put in and taken out one by one by the program itself. For tests;
 * a source and a sink of traffic is port/generator_port.h.
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

#endif
