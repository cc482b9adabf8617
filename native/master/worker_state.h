/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the runtime itself keeps for a worker in the arena: where it stands in the logs, its
 * random generator, and its counts. It is state like an element's, so it is the same in master
 * and standby and is part of a snapshot.
 */
#ifndef FTMB_WORKER_STATE_H
#define FTMB_WORKER_STATE_H

#include <stdint.h>

#include "ftmb_element.h"

/* Drops that are the runtime's own, beside the elements' reasons. */
enum worker_drop {
    WORKER_DROP_NO_PATH, /* the configuration has none for it */
    WORKER_DROP_EMIT_OVERFLOW,
    WORKER_DROPS
};

struct worker_state {
    uint64_t record_number;  /* the last record built */
    uint64_t input_position; /* bytes of the input log consumed */
    uint64_t now_ns;         /* time of the last input consumed: tables count from it */
    uint64_t random[4];
    uint64_t packets; /* consumed */
    uint64_t bytes;
    uint64_t drops[FTMB_PIPELINE_MAX][FTMB_DROP_REASONS_MAX];
    uint64_t worker_drops[WORKER_DROPS];
    /* [j]: the highest record of worker j that this worker's state depends on. */
    uint64_t vector[FTMB_WORKERS_MAX];
};

#endif
