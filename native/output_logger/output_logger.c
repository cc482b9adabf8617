/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Receiving and committing; sending is in release.c.
 *
 * Invariant: consumed <= committed <= cut <= received, per worker; all positions of logs are
 * derived from these numbers, and memory is freed only behind `consumed` (output log), behind the
 * standby (access log) and behind both (input log).
 */
#include "output_logger/output_logger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/cycles.h"
#include "host/process.h"
#include "output_logger/release.h"
#include "output_logger/retention.h"
#include "simulator/points.h"

static struct pending_record *pending_of(const struct output_queue *queue, uint64_t number) {
    return &queue->pending[number & (PENDING_RECORDS_MAX - 1)];
}

int output_logger_init(struct output_logger *logger, const struct output_logger_settings *settings,
                       const struct ring *access_rings, struct input_logger *input,
                       struct logger_page *page) {
    memset(logger, 0, sizeof(*logger));
    uint32_t workers = settings->workers;
    logger->workers = workers;
    logger->is_logged = settings->is_logged;
    logger->release = settings->release;
    logger->pals = settings->pals;
    logger->input = input;
    logger->page = page;
    for (uint32_t index = 0; index < workers; index++) {
        struct output_queue *queue = &logger->queues[index];
        queue->access = access_rings[index];
        queue->pending = calloc(PENDING_RECORDS_MAX, sizeof(*queue->pending));
        queue->changed = calloc(PENDING_RECORDS_MAX, sizeof(uint64_t));
        queue->vectors = calloc((size_t)PENDING_RECORDS_MAX * workers, sizeof(uint64_t));
        if (queue->pending == NULL || queue->changed == NULL || queue->vectors == NULL) {
            output_logger_release(logger);
            return -ENOMEM;
        }
        logger->cut_queues[index].changed = queue->changed;
        logger->cut_queues[index].vectors = queue->vectors;
        logger->cut_queues[index].mask = PENDING_RECORDS_MAX - 1;
    }
    return 0;
}

void output_logger_release(struct output_logger *logger) {
    for (uint32_t index = 0; index < logger->workers; index++) {
        struct output_queue *queue = &logger->queues[index];
        free(queue->pending);
        free(queue->changed);
        free(queue->vectors);
        ring_detach(&queue->access);
        memset(queue, 0, sizeof(*queue));
    }
}

/* Whether a record depends on one that cannot be: the other worker's log has no room for so many.
 * What is not that far ahead is waited for, UNCOMMITTED_NS at most. */
static bool depends_on_impossible(const struct output_logger *logger,
                                  const struct dependency *dependencies, uint32_t count) {
    uint64_t ahead_max =
        PENDING_RECORDS_MAX + logger->queues[0].ring.size / OUTPUT_RECORD_HEADER_SIZE;
    for (uint32_t index = 0; index < count; index++) {
        if (dependencies[index].record > logger->cut[dependencies[index].worker] + ahead_max) {
            return true;
        }
    }
    return false;
}

/* Copies and checks the record at the queue's position. */
static enum record_fault check_next(const struct output_logger *logger, uint32_t index,
                                    uint64_t available, struct pending_record *pending,
                                    struct dependency *dependencies) {
    const struct output_queue *queue = &logger->queues[index];
    if (available < OUTPUT_RECORD_HEADER_SIZE || available > queue->ring.size) {
        return RECORD_BAD_SIZE; /* published backwards, by halves, or more than there can be */
    }
    const uint8_t *start = ring_at(&queue->ring, queue->position);
    ring_copy(&pending->header, start, sizeof(pending->header));
    const struct record_expectation expected = {
        .available = available,
        .number = queue->received + 1,
        .input_available = logger->input->queues[index].sequence - queue->input_sequence,
        .vector = queue->vector,
        .epoch = logger->epoch,
        .worker = index,
        .workers = logger->workers,
        .ports = logger->input->port_count,
        .is_logged = logger->is_logged,
        .pals = logger->pals};
    enum record_fault fault =
        output_record_check(&pending->header, start, &expected, dependencies, &pending->outputs);
    if (fault != RECORD_FINE || !logger->is_logged) {
        return fault;
    }
    bool can_be = !depends_on_impossible(logger, dependencies, pending->header.dependency_count);
    return can_be ? RECORD_FINE : RECORD_BAD_VECTOR;
}

/* The vector of the record just received: that of the one before, but for what changed. */
static void take_vector(struct output_logger *logger, struct output_queue *queue,
                        const struct dependency *dependencies, uint32_t count) {
    uint64_t place = queue->received & (PENDING_RECORDS_MAX - 1);
    for (uint32_t index = 0; index < count; index++) {
        uint64_t *entry = &queue->vector[dependencies[index].worker];
        *entry = dependencies[index].record > *entry ? dependencies[index].record : *entry;
    }
    if (count > 0) {
        queue->vector_changed = queue->received;
        memcpy(&queue->vectors[place * logger->workers], queue->vector,
               logger->workers * sizeof(uint64_t));
        counter_add(&logger->counters.dependencies, count);
    }
    queue->changed[place] = queue->vector_changed;
}

/* Takes the next record of a worker into `pending`, if it is whole and right. */
static bool receive_one(struct output_logger *logger, uint32_t index, uint64_t written) {
    struct output_queue *queue = &logger->queues[index];
    uint64_t available = written - queue->position;
    if (available == 0 || queue->received - queue->consumed == PENDING_RECORDS_MAX - 1) {
        return false;
    }
    struct pending_record *pending = pending_of(queue, queue->received + 1);
    struct dependency dependencies[FTMB_WORKERS_MAX];
    enum record_fault fault = check_next(logger, index, available, pending, dependencies);
    if (fault != RECORD_FINE) {
        counter_add(&logger->counters.rejected[fault], 1);
        logger->is_rejecting = true;
        POINT(REJECTED, index, fault);
        return false;
    }
    counter_add(&queue->received, 1);
    counter_add(&queue->input_sequence, pending->header.input_count);
    pending->start = queue->position;
    pending->input_sequence = queue->input_sequence;
    pending->sent = 0;
    pending->out_count = 0;
    take_vector(logger, queue, dependencies, pending->header.dependency_count);
    queue->position += pending->header.size;
    POINT(RECEIVED, index, queue->received);
    return true;
}

static uint64_t receive(struct output_logger *logger) {
    uint64_t count = 0;
    for (uint32_t index = 0; index < logger->workers && !logger->is_rejecting; index++) {
        /* Read once: a claim of the master's that must not change while it is used. */
        uint64_t written = ring_written(&logger->queues[index].ring);
        while (!logger->is_rejecting && receive_one(logger, index, written)) {
            count++;
        }
    }
    counter_add(&logger->counters.records, count);
    return count;
}

/* Without logs there are no dependencies: what counts is that it was received, or is held by a
 * snapshot. */
static void advance_unlogged(struct output_logger *logger) {
    for (uint32_t index = 0; index < logger->workers; index++) {
        const struct output_queue *queue = &logger->queues[index];
        uint64_t received = queue->received;
        bool is_held = logger->release == RELEASE_CHECKPOINT && queue->checkpoint < received;
        logger->cut[index] = is_held ? queue->checkpoint : received;
    }
}

/* Whether anything more is committed. */
static bool advance_cut(struct output_logger *logger) {
    uint64_t lag = 0;
    for (uint32_t index = 0; index < logger->workers; index++) {
        logger->cut_queues[index].received = logger->queues[index].received;
        lag += logger->queues[index].received - logger->cut[index];
    }
    if (!logger->is_logged) {
        advance_unlogged(logger);
        return lag > 0;
    }
    uint64_t advanced = cut_advance(logger->cut_queues, logger->workers, logger->cut);
    lag -= advanced;
    POINT(CUT_ADVANCED, advanced, lag);
    if (lag > atomic_load_explicit(&logger->counters.cut_lag_max, memory_order_relaxed)) {
        atomic_store_explicit(&logger->counters.cut_lag_max, lag, memory_order_relaxed);
    }
    return advanced > 0;
}

/* Appends a record's access log entry; false while the standby leaves no room for it. */
static bool append_access(struct output_logger *logger, uint32_t index, uint64_t number) {
    struct output_queue *queue = &logger->queues[index];
    const struct pending_record *pending = pending_of(queue, number);
    uint64_t size = access_record_size(pending->header.pal_count);
    if (queue->access.size - (queue->access_position - queue->access_retained) < size &&
        !PLANTED(ACCESS_OVERWRITTEN)) {
        counter_add(&logger->counters.access_waits, 1);
        return false;
    }
    struct access_record *record = ring_at(&queue->access, queue->access_position);
    *record = (struct access_record){
        .number = number,
        .digest = pending->outputs.digest,
        .input_end = input_queue_end_of(&logger->input->queues[index], pending->input_sequence),
        .input_count = (uint16_t)pending->header.input_count,
        .output_count = (uint16_t)pending->outputs.count,
        .pal_count = pending->header.pal_count};
    const uint8_t *start = ring_at(&queue->ring, pending->start);
    memcpy(record + 1, start + pending->header.pals_offset,
           pending->header.pal_count * sizeof(struct pal));
    counter_add(&queue->access_position, size);
    counter_add(&logger->counters.pals, pending->header.pal_count);
    POINT(ACCESS_APPENDED, index, number);
    return true;
}

/* Moves records that are in the cut into the access log; then they may be released. */
static uint64_t commit(struct output_logger *logger) {
    uint64_t count = 0;
    for (uint32_t index = 0; index < logger->workers; index++) {
        struct output_queue *queue = &logger->queues[index];
        uint64_t before = logger->committed[index];
        while (logger->committed[index] < logger->cut[index]) {
            if (logger->is_logged && !append_access(logger, index, logger->committed[index] + 1)) {
                break;
            }
            logger->committed[index]++;
        }
        if (logger->committed[index] != before) {
            ring_publish(&queue->access, queue->access_position);
            atomic_store_explicit(&logger->page->cut[index], logger->committed[index],
                                  memory_order_release);
            POINT(COMMITTED, index, logger->committed[index]);
            count += logger->committed[index] - before;
        }
    }
    return count;
}

/* Records that wait for a dependency for so long depend on what no sane master has written. */
static void check_progress(struct output_logger *logger, bool has_advanced) {
    bool is_waiting = false;
    for (uint32_t index = 0; index < logger->workers; index++) {
        is_waiting = is_waiting || logger->cut[index] < logger->queues[index].received;
    }
    uint64_t now_ns = logger->input->now_ns;
    if (!is_waiting || has_advanced) {
        logger->uncommitted_since_ns = is_waiting ? now_ns : 0;
    } else if (logger->uncommitted_since_ns == 0) {
        logger->uncommitted_since_ns = now_ns;
    } else if (now_ns - logger->uncommitted_since_ns > UNCOMMITTED_NS && !logger->is_rejecting) {
        counter_add(&logger->counters.rejected[RECORD_BAD_VECTOR], 1);
        logger->is_rejecting = true;
    }
}

uint64_t output_logger_poll(struct output_logger *logger) {
    if (!logger->has_master) {
        return 0;
    }
    uint64_t moved = receive(logger);
    bool may_advance = moved > 0 || logger->release == RELEASE_CHECKPOINT;
    bool has_advanced = may_advance && advance_cut(logger);
    if (logger->is_logged) {
        check_progress(logger, has_advanced);
    }
    commit(logger);
    moved += release_committed(logger);
    retention_free(logger);
    return moved;
}

static bool everything_is_released(const struct output_logger *logger) {
    for (uint32_t index = 0; index < logger->workers; index++) {
        if (logger->queues[index].consumed < logger->cut[index]) {
            return false;
        }
    }
    return true;
}

/* What is behind the cut will be executed again; of RELEASE_NONE some of it has left already, of a
 * record that a busy port held up perhaps a part. */
static void count_discarded(struct output_logger *logger) {
    for (uint32_t index = 0; index < logger->workers; index++) {
        const struct output_queue *queue = &logger->queues[index];
        counter_add(&logger->counters.discarded, queue->received - logger->cut[index]);
        for (uint64_t number = logger->cut[index] + 1; number <= queue->received; number++) {
            counter_add(&logger->counters.slots_out_again, pending_of(queue, number)->out_count);
        }
    }
}

/*
 * Everything in the cut leaves. Ports that take nothing are bounded in release.c; a standby that
 * leaves no room in the access log for STANDBY_STALL_NS is dead too and is given up: false.
 */
static bool finish_epoch(struct output_logger *logger) {
    bool has_standby = true;
    POINT(FENCING, logger->epoch, 0);
    receive(logger);
    advance_cut(logger);
    logger->is_finishing = true;
    uint64_t stalled_since = monotonic_ns();
    while (!everything_is_released(logger)) {
        if (commit(logger) + release_committed(logger) > 0) {
            stalled_since = monotonic_ns();
        } else if (monotonic_ns() - stalled_since > STANDBY_STALL_NS) {
            has_standby = false;
            logger->standby = NULL;
            logger->successor = NULL;
        }
        if (logger->is_logged && !PLANTED(LOG_KEPT_WHILE_FINISHING)) {
            retention_free(logger);
        }
        POINT(FINISHING, logger->epoch, 0);
    }
    logger->is_finishing = false;
    count_discarded(logger);
    return has_standby;
}

/* The next master builds the numbers behind the cut anew, from the first input not consumed. */
static void go_back_to_cut(struct output_logger *logger, uint32_t index) {
    struct output_queue *queue = &logger->queues[index];
    if (queue->received > logger->cut[index] && !PLANTED(RECEIVED_KEPT_AT_FENCE)) {
        counter_set(&queue->received, logger->cut[index]);
        if (!PLANTED(INPUT_KEPT_AT_FENCE)) {
            uint64_t last = queue->received;
            counter_set(&queue->input_sequence,
                        last == 0 ? 0 : pending_of(queue, last)->input_sequence);
        }
    }
    if (queue->released > logger->cut[index] && !PLANTED(RELEASED_KEPT_AT_FENCE)) {
        counter_set(&queue->released, logger->cut[index]);
    }
    queue->consumed = queue->released;
    queue->position = 0;
    queue->ring_records = 0;
    /* What it depended on is in the cut. */
    memcpy(queue->vector, logger->cut, sizeof(queue->vector));
    queue->vector_changed = queue->received;
}

bool output_logger_change_master(struct output_logger *logger, const struct next_master *next) {
    if (PLANTED(EPOCH_BEFORE_LAST_CUT) && next != NULL) {
        atomic_store_explicit(&logger->page->epoch, next->epoch, memory_order_release);
    }
    bool has_standby = !logger->has_master || finish_epoch(logger);
    next = has_standby ? next : NULL;
    for (uint32_t index = 0; index < logger->workers; index++) {
        struct output_queue *queue = &logger->queues[index];
        go_back_to_cut(logger, index);
        if (!PLANTED(EPOCH_UNCHECKED_AT_RELEASE) || queue->ring.data == NULL) {
            queue->ring = next != NULL ? next->rings[index] : (struct ring){0};
        }
        logger->successor_end[index] = queue->access_position;
    }
    logger->has_master = next != NULL;
    logger->is_rejecting = false;
    logger->uncommitted_since_ns = 0;
    logger->standby = NULL;
    logger->successor = next != NULL ? next->page : NULL;
    atomic_store_explicit(&logger->first_output_ns, 0, memory_order_relaxed);
    if (next != NULL) {
        atomic_store_explicit(&logger->epoch, next->epoch, memory_order_relaxed);
        /* P1: release; the final cut of the epoch before is seen by whoever sees this epoch. */
        atomic_store_explicit(&logger->page->epoch, next->epoch, memory_order_release);
        idle_wake(&logger->page->epoch);
        POINT(EPOCH_BEGUN, next->epoch, 0);
    }
    return has_standby;
}

void output_logger_set_standby(struct output_logger *logger, const struct process_page *standby) {
    logger->standby = standby;
}

bool output_logger_checkpoint(struct output_logger *logger, const uint64_t *records) {
    if (!logger->has_master) {
        return false;
    }
    receive(logger);
    for (uint32_t index = 0; index < logger->workers; index++) {
        const struct output_queue *queue = &logger->queues[index];
        if (logger->is_rejecting || records[index] < queue->checkpoint ||
            records[index] > queue->received) {
            return false;
        }
    }
    for (uint32_t index = 0; index < logger->workers; index++) {
        logger->queues[index].checkpoint = records[index];
    }
    return true;
}

void output_logger_discard_input(struct output_logger *logger) {
    for (uint32_t index = 0; index < logger->workers && !logger->has_master; index++) {
        struct input_queue *input = &logger->input->queues[index];
        counter_set(&logger->queues[index].input_sequence, input->sequence);
        input->retained_sequence = input->sequence;
        counter_set(&input->retained_position, input->position);
    }
}
