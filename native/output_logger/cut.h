/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The cut: which records are committed.
 *
 * R[j] is the number of records received from worker j without a gap. The cut C is the greatest
 * vector with C <= R and, for every worker i, D(i, C[i]) <= C, where D(i, n) is the vector at the
 * end of record n of worker i. Only such a closed set can be rebuilt: a record may depend on the
 * first half of another whose second half depends on something not received yet.
 *
 * Pure calculation; one thread.
 */
#ifndef FTMB_CUT_H
#define FTMB_CUT_H

#include <stdint.h>

#include "ftmb_element.h"

/* Of the records received and not yet committed, by record number. Only records that changed their
 * worker's vector have one of their own; the entry of the worker itself is not looked at. */
struct cut_queue {
    uint64_t received;       /* R[j]: number of the last record */
    const uint64_t *changed; /* record n's vector is that of record changed[n & mask] <= n */
    const uint64_t *vectors; /* if that is m, at (m & mask) * workers; committed: in the cut */
    uint64_t mask;
};

/*
 * Raises `cut` (in: an earlier cut, which is closed; out: the greatest one). Returns by how many
 * records, over all workers. Vectors of records above the earlier cut must be there.
 */
uint64_t cut_advance(const struct cut_queue *queues, uint32_t workers, uint64_t *cut);

#endif
