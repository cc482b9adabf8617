/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Replay: a standby's worker follows the committed records of the master's worker.
 *
 * At the k-th access to shared state of a record it asks for the PAL with that number: with one,
 * it waits until the variable has the previous owner, that owner's count and the epoch before;
 * without one it is the owner already. Within the cut this never waits for what is not there.
 *
 * Each record's digest is computed anew and compared, so that an element that breaks the contract
 * is noticed while nothing has failed yet.
 */
#ifndef FTMB_REPLAY_H
#define FTMB_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "log/access_record.h"
#include "log/ring.h"

struct worker;
struct ftmb_shared;

struct replay {
    struct ring access; /* read-only */
    uint64_t position;
    const struct access_record *record; /* being replayed */
    uint32_t next_pal;
    bool is_finished; /* up to the cut, with the own epoch come */
};

/* The current record's PAL for this access, or NULL: the worker owns the variable already. */
const struct pal *replay_next_pal(struct replay *replay, uint32_t access);
bool replay_may_access(const struct pal *pal, const struct ftmb_shared *variable, uint32_t worker);

/* Bytes of the access log that are committed and not replayed. */
uint64_t replay_lag(const struct worker *worker);
/* Replays the next committed record, if there is one. */
int replay_step(struct worker *worker);

#endif
