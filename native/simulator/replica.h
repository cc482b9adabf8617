/* SPDX-License-Identifier: BSD-3-Clause */
/* Masters and standbys of the simulated box. */
#ifndef FTMB_SIMULATOR_REPLICA_H
#define FTMB_SIMULATOR_REPLICA_H

#include "simulator/simulation.h"

/* A process with its memory and empty state; its workers do not run yet. */
struct replica *replica_create(uint32_t epoch);
/* Its workers begin. */
void replica_begin(struct replica *replica);
/* SIGKILL: nothing of it moves any more; perhaps it wrote garbage at its last moment. */
void replica_kill(struct replica *replica);
/* What kept it in the logger process goes: its rings and its page. */
void replica_forget_peer(struct replica *replica);
/* Its memory goes, at the end of the run or when its place is needed. */
void replica_destroy(struct replica *replica);
/* The master holds its workers, and a child writes what was held. */
void replica_begin_snapshot(struct replica *master, struct replica *standby);
/* The child that writes the standby's snapshot dies, and nobody else; false: there is none. */
bool replica_kill_snapshot(struct replica *standby);

static inline bool replica_is_frozen(const struct replica *replica) {
    return replica->frozen_until > simulation.steps;
}

#endif
