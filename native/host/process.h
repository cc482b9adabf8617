/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A master or standby: an arena, a pipeline and one worker thread a queue. It starts either with
 * empty state or from a snapshot, replays while it is the standby, and goes live when the
 * logger's page says that its epoch has come.
 *
 * Threads: process_* functions are called by the thread that set it up (Python's main thread);
 * each worker thread runs process_step() in a loop.
 */
#ifndef FTMB_PROCESS_H
#define FTMB_PROCESS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "arena/arena.h"
#include "host/idle.h"
#include "host/pages.h"
#include "log/ring.h"
#include "master/pipeline.h"
#include "master/worker.h"

struct process_settings {
    uint32_t epoch; /* its place in the sequence of masters */
    uint32_t workers;
    uint64_t arena_address;   /* 0: anywhere */
    uint64_t arena_part_size; /* bytes of address space for each worker, and for what is shared */
    uint64_t configuration_digest;
    uint64_t seed; /* of the workers' random generators; a snapshot brings its own */
    bool is_logged;
    uint32_t pals; /* enum pal_mode */
};

struct process {
    uint32_t epoch;
    uint32_t worker_count;
    enum idle_strategy idle;
    bool is_logged;
    enum pal_mode pals;
    struct ftmb_arena arena;
    const struct pipeline *pipeline;
    const struct logger_page *logger_page; /* read-only */
    struct process_page *page;
    struct worker *workers;
    pthread_t threads[FTMB_WORKERS_MAX];
    bool has_thread[FTMB_WORKERS_MAX];
    /* Held by a worker during each step; all of them held is the state standing still. */
    struct step_lock {
        _Alignas(64) _Atomic uint32_t is_held;
    } step_locks[FTMB_WORKERS_MAX];
    _Alignas(64) _Atomic uint32_t finished_count; /* workers that have replayed up to the cut */
    _Atomic bool must_hold;                       /* workers do not begin a step */
    _Atomic uint64_t hold_at[FTMB_WORKERS_MAX];   /* of a standby: behind this of the access log */
    _Atomic bool is_abandoned;
    _Atomic bool must_stop;
};

/*
 * Makes a process with empty state, its rings not attached yet. Borrows the pipeline and the two
 * pages until process_destroy(). NULL with *error: -EEXIST (arena address taken), -ENOMEM (arena
 * too small for the elements, or memory short), -EPROTO (a page of another version).
 */
struct process *process_create(const struct process_settings *settings,
                               const struct pipeline *pipeline,
                               const struct logger_page *logger_page, struct process_page *page,
                               int *error);
/* Stops the threads and frees everything. Accepts NULL. */
void process_destroy(struct process *process);

/* The three logs of one worker, by descriptors that stay the caller's. 0 or -errno. */
int process_attach_logs(struct process *process, uint32_t worker, int input, int access,
                        int output);
/* With empty state and the logs attached: where in them a worker begins. */
void process_set_start(struct process *process, uint32_t worker, uint64_t record_number,
                       uint64_t input_position);
/* Where in the access log a standby begins to read; older records are skipped. */
void process_set_access_start(struct process *process, uint32_t worker, uint64_t position);
/* Its state is as it shall be: from now on it replays. */
void process_begin(struct process *process);
/* process_begin(), and the worker threads start; cores[i] < 0: not pinned. 0 or -errno. */
int process_start(struct process *process, const int *cores, enum idle_strategy idle);
/* Asks all threads to end and waits for them. */
void process_stop(struct process *process);
/* One step of one worker on the caller's thread: for tests and simulation. */
enum worker_progress process_step(struct process *process, uint32_t worker);

void process_set_phase(struct process *process, enum process_phase phase);
uint64_t process_replayed(const struct process *process, uint32_t worker);
/* A digest of the whole state, and its size in bytes; no worker may be running. */
uint64_t process_state_digest(const struct process *process);
uint64_t process_state_size(const struct process *process);

/* Stops a master's state between two records, all workers at once, and lets it go on. */
void process_hold_workers(struct process *process);
/*
 * The same for a standby, whose workers may wait for one another within a record: each goes on
 * until it has replayed what was committed when this was called. False, and nobody is held: that
 * took longer than `patience_ns`, or the standby is to be master.
 */
bool process_hold_replay(struct process *process, uint64_t patience_ns);
void process_release_workers(struct process *process);

static inline void status_add(_Atomic uint64_t *counter, uint64_t amount) {
    /* One writer a counter, so load and store will do; readers see either value. */
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, value + amount, memory_order_relaxed);
}

/* Stays on in release builds: a broken invariant ends the process, and the standby takes over. */
void invariant_broken(const char *what) __attribute__((noreturn));
static inline void invariant(bool holds, const char *what) {
    if (__builtin_expect(!holds, 0)) {
        invariant_broken(what);
    }
}

#endif
