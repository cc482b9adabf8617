/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/crash_point.h"
#include "host/cycles.h"
#include "simulator/points.h"

void process_set_phase(struct process *process, enum process_phase phase) {
    atomic_store_explicit(&process->page->phase, (uint32_t)phase, memory_order_release);
}

uint64_t process_replayed(const struct process *process, uint32_t worker) {
    return pipeline_worker_state(&process->arena, worker)->record_number;
}

static int init_worker(struct process *process, uint32_t index) {
    struct worker *worker = &process->workers[index];
    worker->context.worker = index;
    worker->context.workers = process->worker_count;
    worker->mode = WORKER_REPLAY;
    worker->process = process;
    worker->pipeline = process->pipeline;
    worker->arena = &process->arena;
    worker->status = &process->page->workers[index];
    worker->scratch = aligned_alloc(64, (OUTPUT_RECORD_SIZE_MAX + 63) & ~(size_t)63);
    worker->state = pipeline_worker_state(&process->arena, index);
    return worker->scratch == NULL ? -ENOMEM : 0;
}

/* Of all elements, one worker after the other; what was made stays to be freed if one fails. */
static int init_scratch(struct process *process) {
    int error = 0;
    for (uint32_t stage = 0; stage < process->pipeline->count; stage++) {
        const struct pipeline_stage *made = &process->pipeline->stages[stage];
        for (uint32_t index = 0;
             index < process->worker_count && made->element->init_scratch != NULL && error == 0;
             index++) {
            error = made->element->init_scratch(made->config, index, process->worker_count,
                                                &process->workers[index].element_scratch[stage]);
        }
    }
    return error;
}

static void free_scratch(struct worker *worker) {
    for (uint32_t stage = 0; worker->pipeline != NULL && stage < worker->pipeline->count; stage++) {
        if (worker->element_scratch[stage] != NULL) {
            worker->pipeline->stages[stage].element->free_scratch(worker->element_scratch[stage]);
        }
    }
}

static int init_process(struct process *process, const struct process_settings *settings) {
    int error = arena_create(&process->arena, settings->arena_address, settings->workers,
                             settings->arena_part_size);
    if (error != 0) {
        return error;
    }
    error = pipeline_init_state(process->pipeline, &process->arena, settings->configuration_digest,
                                settings->seed);
    for (uint32_t index = 0; index < settings->workers && error == 0; index++) {
        error = init_worker(process, index);
    }
    return error == 0 ? init_scratch(process) : error;
}

struct process *process_create(const struct process_settings *settings,
                               const struct pipeline *pipeline,
                               const struct logger_page *logger_page, struct process_page *page,
                               int *error) {
    if (settings->workers == 0 || settings->workers > FTMB_WORKERS_MAX) {
        *error = -EINVAL;
        return NULL;
    }
    if (logger_page->magic != PAGES_MAGIC || logger_page->version != PAGES_VERSION ||
        logger_page->workers != settings->workers) {
        *error = -EPROTO;
        return NULL;
    }
    struct process *process = aligned_alloc(64, (sizeof(*process) + 63) & ~(size_t)63);
    struct worker *workers = calloc(settings->workers, sizeof(*workers));
    if (process == NULL || workers == NULL) {
        free(process);
        free(workers);
        *error = -ENOMEM;
        return NULL;
    }
    memset(process, 0, sizeof(*process));
    process->epoch = settings->epoch;
    process->worker_count = settings->workers;
    process->is_logged = settings->is_logged;
    process->pals = (enum pal_mode)settings->pals;
    process->pipeline = pipeline;
    process->logger_page = logger_page;
    process->page = page;
    process->workers = workers;
    page->magic = PAGES_MAGIC;
    page->version = PAGES_VERSION;
    page->epoch = settings->epoch;
    *error = pages_begin_life(page);
    if (*error == 0) {
        *error = init_process(process, settings);
    }
    if (*error != 0) {
        process_destroy(process);
        return NULL;
    }
    return process;
}

void process_destroy(struct process *process) {
    if (process == NULL) {
        return;
    }
    process_stop(process);
    for (uint32_t index = 0; index < process->worker_count; index++) {
        struct worker *worker = &process->workers[index];
        ring_detach(&worker->input);
        ring_detach(&worker->output);
        ring_detach(&worker->replay.access);
        free_scratch(worker);
        free(worker->scratch);
    }
    arena_destroy(&process->arena);
    free(process->workers);
    free(process);
}

int process_attach_logs(struct process *process, uint32_t worker, int input, int access,
                        int output) {
    struct worker *target = &process->workers[worker];
    int error = ring_attach(&target->input, input, false);
    if (error == 0) {
        error = ring_attach(&target->replay.access, access, false);
    }
    if (error == 0) {
        error = ring_attach(&target->output, output, true);
    }
    return error;
}

void process_set_access_start(struct process *process, uint32_t worker, uint64_t position) {
    struct worker *target = &process->workers[worker];
    target->replay.position = position;
    atomic_store_explicit(&target->status->access_consumed, position, memory_order_release);
}

void process_set_start(struct process *process, uint32_t worker, uint64_t record_number,
                       uint64_t input_position) {
    struct worker *target = &process->workers[worker];
    target->state->record_number = record_number;
    target->state->input_position = input_position;
    /* What others committed before is not its past. */
    process_set_access_start(process, worker, ring_written(&target->replay.access));
}

uint64_t process_state_digest(const struct process *process) {
    return arena_digest(&process->arena);
}

uint64_t process_state_size(const struct process *process) {
    return arena_used(&process->arena);
}

/* Whether this worker has replayed all that the epoch before committed; then waits for the rest. */
static bool has_finished_replay(struct worker *worker) {
    struct process *process = worker->process;
    uint32_t index = worker->context.worker;
    uint64_t cut = atomic_load_explicit(&process->logger_page->cut[index], memory_order_acquire);
    if (worker->replay.is_finished || worker->state->record_number < cut) {
        return worker->replay.is_finished;
    }
    invariant(worker->state->record_number == cut, "a standby is past the cut");
    worker->replay.is_finished = true;
    /* What is left to skip, since the snapshot held it, is consumed too; the logger waits for it.
     */
    if (!PLANTED(SKIPPED_LOG_KEPT)) {
        process_set_access_start(process, index, ring_written(&worker->replay.access));
    }
    atomic_fetch_add_explicit(&process->finished_count, 1, memory_order_acq_rel);
    POINT(REPLAY_FINISHED, index, cut);
    return true;
}

/* Nobody goes live before everybody has finished: a live worker may touch any shared state. */
static enum worker_progress step_to_live(struct worker *worker) {
    struct process *process = worker->process;
    CRASH_POINT(STANDBY_EPOCH_COME);
    if (!has_finished_replay(worker)) {
        return (enum worker_progress)replay_step(worker);
    }
    if (atomic_load_explicit(&process->finished_count, memory_order_acquire) <
            process->worker_count &&
        !PLANTED(LIVE_BEFORE_ALL_FINISHED)) {
        return WORKER_IDLE;
    }
    CRASH_POINT(STANDBY_ALL_REPLAYED);
    worker->mode = process->is_logged ? WORKER_LOGGED : WORKER_UNLOGGED;
    process_set_phase(process, PHASE_LIVE);
    POINT(LIVE, worker->context.worker, worker->state->record_number);
    CRASH_POINT(STANDBY_GOING_LIVE);
    return WORKER_BUSY;
}

static enum worker_progress step(struct worker *worker) {
    struct process *process = worker->process;
    /* P2: acquire; pairs with P1, so that the final cut is seen with the epoch. */
    uint32_t epoch = atomic_load_explicit(&process->logger_page->epoch, memory_order_acquire);
    if (epoch > process->epoch && !PLANTED(FENCE_UNNOTICED)) {
        process_set_phase(process, PHASE_FENCED);
        return WORKER_IDLE;
    }
    if (worker->mode != WORKER_REPLAY) {
        return worker_live_step(worker);
    }
    if (setjmp(worker->abandon) != 0) { /* see worker_diverge() */
        return WORKER_IDLE;
    }
    worker_check_abandoned(worker);
    return epoch == process->epoch ? step_to_live(worker)
                                   : (enum worker_progress)replay_step(worker);
}

/* H1: acquire on taking, release on giving back: whoever holds it sees all earlier steps. */
static void take_step_lock(struct step_lock *lock) {
    for (uint32_t waits = 0; atomic_exchange_explicit(&lock->is_held, 1, memory_order_acquire) != 0;
         waits++) {
        idle_wait_for_peer(waits);
    }
}

static void give_step_lock(struct step_lock *lock) {
    atomic_store_explicit(&lock->is_held, 0, memory_order_release);
}

/* Not a standby's worker that others may wait for: it has still to replay what is committed. */
static bool may_hold(const struct worker *worker) {
    uint64_t hold_at = atomic_load_explicit(&worker->process->hold_at[worker->context.worker],
                                            memory_order_relaxed);
    return worker->mode != WORKER_REPLAY || worker->replay.position >= hold_at;
}

enum worker_progress process_step(struct process *process, uint32_t index) {
    struct worker *worker = &process->workers[index];
    if (atomic_load_explicit(&process->must_hold, memory_order_acquire) && may_hold(worker)) {
        status_add(&process->workers[index].status->heartbeat, 1); /* it is not to blame */
        return WORKER_IDLE; /* lets the holder have the lock, which is not a fair one */
    }
    POINT(STEPPING, index, 0);
    take_step_lock(&process->step_locks[index]);
    enum worker_progress progress = step(worker);
    give_step_lock(&process->step_locks[index]);
    status_add(&worker->status->heartbeat, 1);
    return progress;
}

void process_hold_workers(struct process *process) {
    atomic_store_explicit(&process->must_hold, true, memory_order_relaxed);
    for (uint32_t index = 0; index < process->worker_count; index++) {
        POINT(HOLDING, index, 0);
        if (!PLANTED(SNAPSHOT_MID_RECORD) || index > 0) {
            take_step_lock(&process->step_locks[index]);
        }
    }
    POINT(HELD, process->worker_count, 0);
}

static bool has_replayed_to_hold(const struct process *process) {
    for (uint32_t index = 0; index < process->worker_count; index++) {
        uint64_t consumed = atomic_load_explicit(&process->workers[index].status->access_consumed,
                                                 memory_order_acquire);
        if (consumed < atomic_load_explicit(&process->hold_at[index], memory_order_relaxed)) {
            return false;
        }
    }
    return true;
}

static bool try_all_step_locks(struct process *process) {
    for (uint32_t index = 0; index < process->worker_count; index++) {
        if (atomic_exchange_explicit(&process->step_locks[index].is_held, 1,
                                     memory_order_acquire) != 0) {
            while (index-- > 0) {
                give_step_lock(&process->step_locks[index]);
            }
            return false;
        }
    }
    return true;
}

/*
 * A worker may have begun a record after its `hold_at` was read, and wait in it for one that is
 * held. Then its lock is not free, and all go on until what is committed by now: that is closed
 * under dependencies sooner or later, so all of them get there.
 */
bool process_hold_replay(struct process *process, uint64_t patience_ns) {
    uint64_t deadline = monotonic_ns() + patience_ns;
    do {
        for (uint32_t index = 0; index < process->worker_count; index++) {
            uint64_t written = ring_written(&process->workers[index].replay.access);
            atomic_store_explicit(&process->hold_at[index], written, memory_order_relaxed);
        }
        atomic_store_explicit(&process->must_hold, true, memory_order_release);
        while (!has_replayed_to_hold(process) && monotonic_ns() < deadline) {
            sched_yield();
        }
        uint32_t epoch = atomic_load_explicit(&process->logger_page->epoch, memory_order_relaxed);
        if (epoch >= process->epoch || monotonic_ns() >= deadline) {
            atomic_store_explicit(&process->must_hold, false, memory_order_relaxed);
            return false;
        }
    } while (!try_all_step_locks(process));
    return true;
}

void process_release_workers(struct process *process) {
    atomic_store_explicit(&process->must_hold, false, memory_order_relaxed);
    for (uint32_t index = PLANTED(SNAPSHOT_MID_RECORD) ? 1 : 0; index < process->worker_count;
         index++) {
        give_step_lock(&process->step_locks[index]);
    }
}

/* A round that found something, on a core that others may want. */
static void take_turn(const struct worker *worker, uint64_t *turn_end_ns) {
    if (worker->process->idle == IDLE_YIELD) {
        uint32_t turn_ns = TURN_NS;
        if (worker->mode == WORKER_REPLAY) {
            turn_ns = idle_turn_of_standby(replay_lag(worker));
        }
        idle_take_turn(IDLE_YIELD, turn_end_ns, monotonic_ns(), turn_ns);
    }
}

/* A round that found nothing; returns how many in a row. */
static uint32_t wait_for_work(const struct worker *worker, uint32_t idle_rounds, uint32_t epoch) {
    struct process *process = worker->process;
    bool is_follower = worker->mode == WORKER_REPLAY && epoch < process->epoch;
    if (is_follower && process->idle == IDLE_YIELD) {
        idle_wait_as_follower(&process->logger_page->epoch, epoch);
        return idle_rounds + 1;
    }
    return idle_wait_on(process->idle, idle_rounds, &process->logger_page->epoch, epoch);
}

static void *run_worker(void *argument) {
    struct worker *worker = argument;
    struct process *process = worker->process;
    char name[16];
    snprintf(name, sizeof(name), "worker %u", worker->context.worker);
    pthread_setname_np(pthread_self(), name);
    idle_prepare_thread(process->idle, NICE_WORKER);
    uint32_t idle_rounds = 0;
    uint64_t turn_end_ns = 0;
    while (!atomic_load_explicit(&process->must_stop, memory_order_relaxed)) {
        /* Looked at first: a change after that is not slept over. */
        uint32_t epoch = atomic_load_explicit(&process->logger_page->epoch, memory_order_relaxed);
        if (process_step(process, worker->context.worker) == WORKER_BUSY) {
            idle_rounds = 0;
            take_turn(worker, &turn_end_ns);
        } else {
            idle_rounds = wait_for_work(worker, idle_rounds, epoch);
        }
    }
    return NULL;
}

void process_begin(struct process *process) {
    process_set_phase(process, PHASE_REPLAYING);
    for (uint32_t index = 0; index < process->worker_count; index++) {
        const struct worker *worker = &process->workers[index];
        atomic_store_explicit(&worker->status->replayed, worker->state->record_number,
                              memory_order_release);
    }
}

int process_start(struct process *process, const int *cores, enum idle_strategy idle) {
    process->idle = idle;
    process_begin(process);
    for (uint32_t index = 0; index < process->worker_count; index++) {
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        if (cores[index] >= 0) {
            cpu_set_t set;
            CPU_ZERO(&set);
            CPU_SET((size_t)cores[index], &set);
            pthread_attr_setaffinity_np(&attributes, sizeof(set), &set);
        }
        int error = pthread_create(&process->threads[index], &attributes, run_worker,
                                   &process->workers[index]);
        pthread_attr_destroy(&attributes);
        if (error != 0) {
            return -error;
        }
        process->has_thread[index] = true;
    }
    return 0;
}

void process_stop(struct process *process) {
    atomic_store_explicit(&process->must_stop, true, memory_order_relaxed);
    atomic_store_explicit(&process->is_abandoned, true, memory_order_release);
    for (uint32_t index = 0; index < process->worker_count; index++) {
        if (process->has_thread[index]) {
            pthread_join(process->threads[index], NULL);
            process->has_thread[index] = false;
        }
    }
}
