/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker: one thread of a master or a standby, with its own input log, output log and part of
 * the arena.
 *
 * The same code builds a record when it is live and when it replays; only where the record goes
 * (output log or scratch memory), how long the burst is (what is there, or what the log says) and
 * how shared variables are taken differ. worker_step() does one burst at most and returns, so that
 * threads, tests and a simulator can all drive it.
 *
 * Threads: everything here belongs to the worker's own thread, except what pages.h shows.
 */
#ifndef FTMB_WORKER_H
#define FTMB_WORKER_H

#include <setjmp.h>
#include <stdatomic.h>
#include <stdint.h>

#include "ftmb_element.h"
#include "host/pages.h"
#include "log/output_record.h"
#include "log/ring.h"
#include "master/pipeline.h"
#include "master/worker_state.h"
#include "standby/replay.h"

enum worker_mode {
    WORKER_UNLOGGED, /* live, without protection: no PALs, no vector */
    WORKER_LOGGED,   /* live */
    WORKER_REPLAY,
};

struct process;

/* The record being built, in the output log or in scratch memory. */
struct record_builder {
    uint8_t *start;
    uint32_t offset; /* of the next slot */
    uint32_t slot_count;
    uint32_t pal_count;
    uint32_t emitted_count; /* of the slots, those that the elements made themselves */
    uint64_t raised;        /* bit j: entry j of the worker's vector, by this record */
    struct output_slot *slots[RECORD_SLOTS_MAX];
    struct ftmb_packet packets[RECORD_SLOTS_MAX];
};

struct worker {
    struct ftmb_context context; /* first: worker_of() finds the worker by it */
    enum worker_mode mode;
    uint32_t stage;  /* of the pipeline, whose element is running */
    uint32_t access; /* to shared state, within the record */
    struct worker_state *state;
    struct process *process;
    struct worker_status *status;
    const struct pipeline *pipeline;
    const struct ftmb_arena *arena;
    struct ring input;  /* read-only */
    struct ring output; /* this process's own */
    uint64_t output_position;
    uint64_t output_records; /* published in this log */
    struct replay replay;
    uint8_t *scratch; /* for the record of a replay, OUTPUT_RECORD_SIZE_MAX bytes */
    void *element_scratch[FTMB_PIPELINE_MAX];
    struct record_builder builder;
    struct pal pals[RECORD_PALS_MAX];
    jmp_buf abandon;
};

static inline struct worker *worker_of(struct ftmb_context *context) {
    return (struct worker *)context;
}

enum worker_progress { WORKER_IDLE, WORKER_BUSY };

/* One burst of new input: copies, runs the pipeline, publishes the record. */
enum worker_progress worker_live_step(struct worker *worker);

/* Runs `input_count` input records through the pipeline into the builder. */
void worker_build(struct worker *worker, uint8_t *record, uint32_t input_count);

/* The record that was built is the last one now. */
void worker_advance_record(struct worker *worker);

/* Called by shared_variable.c. */
void worker_add_pal(struct worker *worker, const struct pal *pal);
/* Leave a replay that cannot go on: the log does not fit (diverge), or the process stops. */
_Noreturn void worker_diverge(struct worker *worker);
void worker_check_abandoned(struct worker *worker);
/* Copies the state's counts to where the logger process can read them. */
void worker_show_drops(struct worker *worker);

#endif
