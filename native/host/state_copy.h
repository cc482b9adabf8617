/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading elements' tables from a copy of an arena: a snapshot's file, mapped anywhere, that nobody
 * writes any more. It is not trusted: what lies outside of it is not read.
 */
#ifndef FTMB_STATE_COPY_H
#define FTMB_STATE_COPY_H

#include <stdint.h>

#include "master/pipeline.h"

struct state_copy {
    const uint8_t *bytes;
    uint64_t size;
    const struct pipeline *pipeline; /* of the same configuration */
};

/* Whether this is the state of a box of that pipeline: 0, or -EPROTO (no snapshot), -EINVAL (of
 * another configuration, by `configuration_digest`). */
int state_copy_check(const struct state_copy *copy, uint64_t configuration_digest);

/* The time of the last input that a worker of it had consumed; 0: none. */
uint64_t state_copy_now_ns(const struct state_copy *copy);

/* The workers of a copy that passed the check. */
uint32_t state_copy_workers(const struct state_copy *copy);

/*
 * The rows of table number `table` of the element at this place of the pipeline; `worker` does not
 * matter for a shared one. Their number, or -ENOENT (the element has no such state), or -EPROTO
 * (they would lie outside of the copy).
 */
int64_t state_copy_rows(const struct state_copy *copy, uint32_t place, uint32_t table,
                        uint32_t worker, const void **first);

/* used[i], all 0 before, of rows found so. */
void state_copy_mark_used(const struct state_copy *copy, uint32_t place, uint32_t table,
                          uint32_t worker, const void *first, uint64_t count, uint8_t *used);

#endif
