/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pages by which the processes of a box know of one another, beside the logs.
 *
 * The logger's page has one writer, the logger's packet thread, and is read-only everywhere else.
 * A process's page is written by a master or standby; the logger process only believes what it
 * can bound.
 *
 * Which role a process has follows from one number: a process has a place in the sequence of
 * masters, its *epoch*, from the day it is attached. Page epoch equal to its own: it is the
 * master; smaller: it is the standby; greater: it is fenced.
 */
#ifndef FTMB_PAGES_H
#define FTMB_PAGES_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "ftmb_element.h"
#include "master/worker_state.h"

#define PAGES_MAGIC 0x46544d4250414745ULL /* "FTMBPAGE" */
#define PAGES_VERSION 2U

struct logger_page {
    uint64_t magic;
    uint32_t version;
    uint32_t workers;
    /* P1: stored with release after the final cut of the epoch before; P2 loads with acquire. */
    _Alignas(64) _Atomic uint32_t epoch;
    _Atomic uint64_t heartbeat;
    /* Records of each worker that are committed, in the sequence that goes on across epochs. */
    _Alignas(64) _Atomic uint64_t cut[FTMB_WORKERS_MAX];
};

enum process_phase {
    PHASE_LOADING,
    PHASE_REPLAYING,
    PHASE_LIVE,
    PHASE_FENCED,
    PHASE_DIVERGED, /* replay did not give what the log says: not fit to take over */
};

/* Written by one worker thread. Counts start at 0 with the process. */
struct worker_status {
    _Alignas(64) _Atomic uint64_t heartbeat;
    _Atomic uint64_t replayed;        /* number of the last record replayed */
    _Atomic uint64_t access_consumed; /* position in the access log */
    _Atomic uint64_t bursts;
    _Atomic uint64_t packets;
    _Atomic uint64_t busy_cycles; /* of the time stamp counter, in steps that did something */
    _Atomic uint64_t pals;
    _Atomic uint64_t digests_compared;
    _Atomic uint64_t digests_mismatched;
    _Atomic uint64_t output_waits; /* bursts put off since the output log was full */
    /* Copies of the state's own counts, refreshed at every tick. */
    _Alignas(64) _Atomic uint64_t drops[FTMB_PIPELINE_MAX][FTMB_DROP_REASONS_MAX];
    _Atomic uint64_t worker_drops[WORKER_DROPS];
};

/*
 * `life` is a robust mutex that the process's main thread holds for as long as it lives. When that
 * thread dies the kernel marks it at once (set_robust_list(2)), long before a dying process's
 * memory is unmapped and its sockets hang up: with large logs that takes tens of milliseconds.
 */
struct process_page {
    uint64_t magic;
    uint32_t version;
    uint32_t epoch; /* the process's place in the sequence of masters */
    _Atomic uint32_t phase;
    _Alignas(64) pthread_mutex_t life;
    struct worker_status workers[FTMB_WORKERS_MAX];
};

/* In a master or standby: takes `life`, on the thread whose death is to be noticed. 0 or -errno. */
int pages_begin_life(struct process_page *page);
/* In the logger process: whether the kernel says that the holder of `life` died. */
bool pages_is_dead(const struct process_page *page);

/* In a master or standby: maps what the logger process handed over, until the process ends.
 * NULL with *error: -EPROTO (another version's), or -errno. */
struct logger_page *pages_map_logger(int descriptor, int *error);
struct process_page *pages_map_process(int descriptor, int *error);

#endif
