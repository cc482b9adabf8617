/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port that ends in a file: what elements send to it are lines of JSON, such as an IDS's alerts.
 *
 * A frame is 8 bytes of input time (ns, host order) and then the members of an object with its
 * closing brace; the line that is written begins with that time by the wall clock:
 *
 *     {"timestamp": "2026-11-21T19:07:58.123456+0000", ...the frame's text
 *
 * As any frame, one leaves when it is committed, and once. A thread of the port's own writes, so
 * that no disk is waited for; what it has not written yet is in a buffer, and a buffer that is full
 * makes the port a busy one. A file that was renamed away is made anew within a second, for those
 * who rotate logs.
 */
#ifndef FTMB_JOURNAL_PORT_H
#define FTMB_JOURNAL_PORT_H

#include "port/port.h"

#define JOURNAL_TIME_SIZE 8U

struct journal_port;

/* Opens the file for appending and starts the thread. NULL with *error, -errno of what failed. */
struct journal_port *journal_port_create(const char *path, uint64_t buffer_size, int *error);
/* Writes what is in the buffer, unless the file does not take it, and closes. Accepts NULL. */
void journal_port_destroy(struct journal_port *port);
struct port *journal_port_base(struct journal_port *port);
/* Why the last attempt to write failed, an errno; 0: it did not. Any thread. */
int journal_port_fault(const struct journal_port *port);

#endif
