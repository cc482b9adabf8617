/* SPDX-License-Identifier: BSD-3-Clause */
/* Letting committed packets out, in order per worker, exactly once. */
#ifndef FTMB_RELEASE_H
#define FTMB_RELEASE_H

#include "output_logger/output_logger.h"

/*
 * The slot at `start`, copied first and then checked again: the memory is a master's, which may
 * have gone mad since the record was checked. False: it does not lie within its record any more.
 */
bool release_read_slot(const struct output_queue *queue, const struct pending_record *pending,
                       const uint8_t *start, struct output_slot *slot);

/* Sends what is committed, as far as the ports take it; returns how many records are out. */
uint64_t release_committed(struct output_logger *logger);

#endif
