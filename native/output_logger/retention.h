/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How long logs are kept: an access log for the standby, and for a successor that still replays;
 * the input log for these and for what has not been released.
 */
#ifndef FTMB_RETENTION_H
#define FTMB_RETENTION_H

#include "output_logger/output_logger.h"

/* Frees what nobody needs any more. */
void retention_free(struct output_logger *logger);

#endif
