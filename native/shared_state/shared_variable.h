/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A shared variable: the lock, the owner and what ordered logging needs of it. What it guards is
 * the element's business and stands elsewhere in the arena's shared part.
 *
 * A worker that touches a variable it already owns logs nothing. One that takes it over logs a
 * PAL (log/output_record.h), and depends from then on on the record in which the previous owner
 * touched it last. That one number is enough: the earlier owners' records are dependencies of
 * that record, or of one before it, and the cut is closed under dependencies (output_logger/cut.h).
 *
 * Replay takes variables over in the order of the PALs: see standby/replay.h.
 */
#ifndef FTMB_SHARED_VARIABLE_H
#define FTMB_SHARED_VARIABLE_H

#include <stdatomic.h>
#include <stdint.h>

#include "ftmb_element.h"

struct ftmb_shared {
    _Atomic uint32_t lock; /* 0: free; the rest is guarded by it */
    uint32_t number;       /* the same in every process */
    uint32_t owner;        /* worker, or PAL_OWNER_NONE */
    uint32_t reserved0;
    uint64_t ownership_epoch; /* how many times it changed hands */
    uint64_t count;           /* accesses by the owner in this epoch */
    uint64_t record;          /* the owner's record that touched it last */
    uint64_t reserved1[3];
};
_Static_assert(sizeof(struct ftmb_shared) == FTMB_SHARED_SIZE, "a cache line each");

void shared_variable_init(struct ftmb_shared *variable, uint32_t number);

#endif
