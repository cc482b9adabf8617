/* SPDX-License-Identifier: BSD-3-Clause */
/* Letting committed packets out, in order per worker, exactly once. */
#ifndef FTMB_RELEASE_H
#define FTMB_RELEASE_H

#include "output_logger/output_logger.h"

/* Sends what is committed, as far as the ports take it; returns how many records are out. */
uint64_t release_committed(struct output_logger *logger);

#endif
