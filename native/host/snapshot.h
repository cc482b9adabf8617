/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The native snapshot: the arena at a position between two records, as a sparse memfd with the
 * arena's own layout. Where each worker stands is in its worker_state, so nothing else is needed.
 *
 * Taking one holds the workers only for a fork: the child has the arena as it was, copied on
 * write, writes its touched pages into the memfd and ends. Called by the process's main thread.
 */
#ifndef FTMB_SNAPSHOT_H
#define FTMB_SNAPSHOT_H

#include <stdint.h>
#include <sys/types.h>

#include "host/process.h"

/*
 * Starts one into `descriptor` (writable, empty). Returns the child that writes it, or -errno;
 * *pause_ns is how long workers were held, and `records` (one for each worker) the last record that
 * the snapshot holds. The caller waits for the child: exit status 0 is success.
 */
pid_t snapshot_begin(struct process *process, int descriptor, uint64_t *pause_ns,
                     uint64_t *records);

/* The same of a standby, to be looked at: -EAGAIN when its workers did not all come to a halt, or
 * when it is to be master. Being asked again is fine. */
#define SNAPSHOT_REPLAY_PATIENCE_NS 100000000ULL
pid_t snapshot_begin_in_replay(struct process *process, int descriptor, uint64_t *pause_ns,
                               uint64_t *records);

/* What the child does: writes an arena that nobody changes. 0 or -errno. */
int snapshot_write(const struct ftmb_arena *arena, int descriptor);

/*
 * Fills the arena of a process that has not started. 0, -EPROTO (not a snapshot of this version),
 * -EINVAL (of another configuration), -errno; after an error the process can only be destroyed.
 *
 * What the runtime keeps is checked. What elements keep is taken as it is: a master whose state is
 * broken has a standby whose state is broken, and that one's crash is its own.
 */
int snapshot_load(struct process *process, int descriptor);

#endif
