/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Acquire and release, as a worker sees them in each of its three modes. The lock is held while
 * the element works on what the variable guards; a waiting worker gives way, since several may
 * share a core.
 */
#include "shared_state/shared_variable.h"

#include "host/crash_point.h"
#include "host/idle.h"
#include "host/process.h"
#include "log/output_record.h"
#include "master/worker.h"
#include "simulator/points.h"
#include "standby/replay.h"

void shared_variable_init(struct ftmb_shared *variable, uint32_t number) {
    variable->number = number;
    variable->owner = PAL_OWNER_NONE;
}

/* S1: acquire; pairs with S2: what the worker before wrote under the lock is seen. */
static inline bool try_lock(struct ftmb_shared *variable) {
    return atomic_load_explicit(&variable->lock, memory_order_relaxed) == 0 &&
           atomic_exchange_explicit(&variable->lock, 1, memory_order_acquire) == 0;
}

/* S2: release; pairs with S1. */
static inline void unlock(struct ftmb_shared *variable) {
    atomic_store_explicit(&variable->lock, 0, memory_order_release);
}

/* The worker becomes the owner, and its record depends on the previous owner's last one. */
static void take_over(struct worker *worker, struct ftmb_shared *variable) {
    uint32_t previous = variable->owner;
    if (previous != PAL_OWNER_NONE && worker->state->vector[previous] < variable->record &&
        !PLANTED(VECTOR_NOT_MERGED)) {
        worker->state->vector[previous] = variable->record;
        worker->builder.raised |= 1ULL << previous;
    }
    variable->owner = worker->context.worker;
    variable->ownership_epoch++;
    variable->count = 0;
    POINT(MERGED, variable->number, previous);
}

static void acquire_logged(struct worker *worker, struct ftmb_shared *variable) {
    if (variable->owner != worker->context.worker || worker->process->pals == PAL_EVERY_ACCESS) {
        worker_add_pal(worker, &(struct pal){.access = worker->access,
                                             .variable = variable->number,
                                             .ownership_epoch = variable->ownership_epoch + 1,
                                             .previous_count = variable->count,
                                             .previous_owner = variable->owner});
        take_over(worker, variable);
        CRASH_POINT(MASTER_IN_HAND_OVER);
    }
}

/* Waits until the variable is as the log says this worker found it; holds the lock then. */
static void acquire_in_replay(struct worker *worker, struct ftmb_shared *variable) {
    const struct pal *pal = replay_next_pal(&worker->replay, worker->access);
    for (uint32_t waits = 0;; waits++) {
        if (try_lock(variable)) {
            if (replay_may_access(pal, variable, worker->context.worker)) {
                break;
            }
            unlock(variable);
            if (pal == NULL) { /* without a PAL the worker must be the owner already */
                worker_diverge(worker);
            }
        }
        idle_wait_for_peer(waits);
        worker_check_abandoned(worker);
    }
    if (pal != NULL) {
        take_over(worker, variable);
        CRASH_POINT(STANDBY_IN_HAND_OVER);
    }
}

void ftmb_shared_acquire(struct ftmb_context *context, struct ftmb_shared *variable) {
    struct worker *worker = worker_of(context);
    POINT(ACQUIRING, variable->number, worker->access);
    if (worker->mode == WORKER_REPLAY) {
        acquire_in_replay(worker, variable);
    } else {
        for (uint32_t waits = 0; !try_lock(variable); waits++) {
            idle_wait_for_peer(waits);
        }
        if (worker->mode == WORKER_UNLOGGED) {
            return;
        }
        acquire_logged(worker, variable);
    }
    variable->count++;
    if (PLANTED(VARIABLE_UNLOCKED_EARLY)) {
        unlock(variable);
    }
    POINT(ACQUIRED, variable->number, worker->access);
    worker->access++;
}

/* The lock is held already, so replay has nothing to wait for: it fits, or never will. */
static void again_in_replay(struct worker *worker, struct ftmb_shared *variable) {
    const struct pal *pal = replay_next_pal(&worker->replay, worker->access);
    if (!replay_may_access(pal, variable, worker->context.worker)) {
        unlock(variable);
        worker_diverge(worker);
    }
    if (pal != NULL) {
        take_over(worker, variable);
    }
}

void ftmb_shared_again(struct ftmb_context *context, struct ftmb_shared *variable) {
    struct worker *worker = worker_of(context);
    if (worker->mode == WORKER_UNLOGGED) {
        return;
    }
    POINT(ACQUIRING, variable->number, worker->access);
    if (worker->mode == WORKER_REPLAY) {
        again_in_replay(worker, variable);
    } else {
        acquire_logged(worker, variable);
    }
    variable->count++;
    POINT(ACQUIRED, variable->number, worker->access);
    worker->access++;
}

void ftmb_shared_release(struct ftmb_context *context, struct ftmb_shared *variable) {
    const struct worker_state *state = worker_of(context)->state;
    POINT(UNLOCKING, variable->number, state->record_number + 1);
    if (!(PLANTED(ELIDED_ACCESS_UNSTAMPED) && variable->count > 1)) {
        variable->record = state->record_number + (PLANTED(STAMPED_WITH_LAST_RECORD) ? 0 : 1);
    }
    unlock(variable);
    POINT(UNLOCKED, variable->number, state->record_number + 1);
}
