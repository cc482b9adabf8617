/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Receiving and committing; sending is in release.c.
 *
 * Invariant: released <= committed <= cut <= received, per worker; all positions of logs are
 * derived from these numbers, and memory is freed only behind `released` (output log), behind the
 * standby (access log) and behind both (input log).
 */
#include "output_logger/output_logger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/cycles.h"
#include "host/process.h"
#include "log/digest.h"
#include "output_logger/release.h"

static struct pending_record *pending_of(const struct output_queue *queue, uint64_t number) {
    return &queue->pending[number & (PENDING_RECORDS_MAX - 1)];
}

int output_logger_init(struct output_logger *logger, uint32_t workers, bool is_logged,
                       const struct ring *access_rings, struct input_logger *input,
                       struct logger_page *page) {
    memset(logger, 0, sizeof(*logger));
    logger->workers = workers;
    logger->is_logged = is_logged;
    logger->input = input;
    logger->page = page;
    for (uint32_t index = 0; index < workers; index++) {
        struct output_queue *queue = &logger->queues[index];
        queue->access = access_rings[index];
        queue->pending = calloc(PENDING_RECORDS_MAX, sizeof(*queue->pending));
        queue->vectors = calloc((size_t)PENDING_RECORDS_MAX * workers, sizeof(uint64_t));
        if (queue->pending == NULL || queue->vectors == NULL) {
            output_logger_release(logger);
            return -ENOMEM;
        }
        logger->cut_queues[index].vectors = queue->vectors;
        logger->cut_queues[index].mask = PENDING_RECORDS_MAX - 1;
    }
    return 0;
}

void output_logger_release(struct output_logger *logger) {
    for (uint32_t index = 0; index < logger->workers; index++) {
        struct output_queue *queue = &logger->queues[index];
        free(queue->pending);
        free(queue->vectors);
        ring_detach(&queue->access);
        memset(queue, 0, sizeof(*queue));
    }
}

/* Takes the next record of a worker into `pending`, if it is whole and right. */
static bool receive_one(struct output_logger *logger, uint32_t index, uint64_t written) {
    struct output_queue *queue = &logger->queues[index];
    uint64_t available = written - queue->position;
    if (available < OUTPUT_RECORD_HEADER_SIZE || available > queue->ring.size ||
        queue->received - queue->released == PENDING_RECORDS_MAX - 1) {
        return false;
    }
    const uint8_t *start = ring_at(&queue->ring, queue->position);
    struct pending_record *pending = pending_of(queue, queue->received + 1);
    memcpy(&pending->header, start, sizeof(pending->header));
    const struct record_expectation expected = {
        .available = available,
        .number = queue->received + 1,
        .input_available = logger->input->queues[index].sequence - queue->input_sequence,
        .previous_vector = queue->vector,
        .epoch = logger->epoch,
        .workers = logger->workers,
        .ports = logger->input->port_count,
        .is_logged = logger->is_logged};
    enum record_fault fault = output_record_check(&pending->header, start, &expected);
    if (fault != RECORD_FINE) {
        counter_add(&logger->counters.rejected[fault], 1);
        logger->is_rejecting = true;
        return false;
    }
    const struct output_record *header = &pending->header;
    queue->received++;
    queue->input_sequence += header->input_count;
    pending->start = queue->position;
    pending->input_sequence = queue->input_sequence;
    pending->sent = 0;
    if (logger->is_logged) {
        memcpy(queue->vector, start + header->pals_offset + header->pal_count * sizeof(struct pal),
               logger->workers * sizeof(uint64_t));
        memcpy(&queue->vectors[(queue->received & (PENDING_RECORDS_MAX - 1)) * logger->workers],
               queue->vector, logger->workers * sizeof(uint64_t));
    }
    queue->position += header->size;
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

static void advance_cut(struct output_logger *logger) {
    uint64_t lag = 0;
    for (uint32_t index = 0; index < logger->workers; index++) {
        logger->cut_queues[index].received = logger->queues[index].received;
        lag += logger->queues[index].received - logger->cut[index];
    }
    if (logger->is_logged) {
        lag -= cut_advance(logger->cut_queues, logger->workers, logger->cut);
        if (lag > atomic_load_explicit(&logger->counters.cut_lag_max, memory_order_relaxed)) {
            atomic_store_explicit(&logger->counters.cut_lag_max, lag, memory_order_relaxed);
        }
        return;
    }
    for (uint32_t index = 0; index < logger->workers; index++) {
        logger->cut[index] = logger->queues[index].received;
    }
}

/* What the standby will compare its own outputs with: a digest of what is about to be sent. */
static void fill_digest(const struct output_queue *queue, const struct pending_record *pending,
                        struct access_record *record) {
    const uint8_t *slot_start =
        (const uint8_t *)ring_at(&queue->ring, pending->start) + OUTPUT_RECORD_HEADER_SIZE;
    for (uint32_t index = 0; index < pending->header.slot_count; index++) {
        struct output_slot slot;
        if (!release_read_slot(queue, pending, slot_start, &slot)) {
            return; /* changed since it was checked: the digest will not fit, and will be seen */
        }
        if (slot.port != FTMB_PORT_NONE) {
            record->digest = digest_add(record->digest, record->output_count++, slot.port,
                                        slot_start + sizeof(slot), slot.length);
        }
        slot_start += slot.stride;
    }
}

/* Appends a record's access log entry; false while the standby leaves no room for it. */
static bool append_access(struct output_logger *logger, uint32_t index, uint64_t number) {
    struct output_queue *queue = &logger->queues[index];
    const struct pending_record *pending = pending_of(queue, number);
    uint64_t size = access_record_size(pending->header.pal_count);
    if (queue->access.size - (queue->access_position - queue->access_retained) < size) {
        counter_add(&logger->counters.access_waits, 1);
        return false;
    }
    struct access_record *record = ring_at(&queue->access, queue->access_position);
    *record = (struct access_record){
        .number = number,
        .input_end = input_queue_end_of(&logger->input->queues[index], pending->input_sequence),
        .input_count = (uint16_t)pending->header.input_count,
        .pal_count = pending->header.pal_count};
    const uint8_t *start = ring_at(&queue->ring, pending->start);
    memcpy(record + 1, start + pending->header.pals_offset,
           pending->header.pal_count * sizeof(struct pal));
    fill_digest(queue, pending, record);
    queue->access_position += size;
    counter_add(&logger->counters.pals, pending->header.pal_count);
    return true;
}

/* Moves records that are in the cut into the access log; then they may be released. */
static void commit(struct output_logger *logger) {
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
        }
    }
}

/* Frees what neither a release nor the standby needs. */
static void free_logs(struct output_logger *logger) {
    for (uint32_t index = 0; index < logger->workers; index++) {
        struct output_queue *queue = &logger->queues[index];
        uint64_t limit = queue->access_position;
        if (logger->standby != NULL) {
            /* W1's partner. A claim: never beyond what there is, never backwards. */
            uint64_t consumed = atomic_load_explicit(
                &logger->standby->workers[index].access_consumed, memory_order_acquire);
            limit = consumed < limit ? consumed : limit;
        }
        struct input_queue *input = &logger->input->queues[index];
        while (queue->access_retained < limit &&
               (queue->access_number < queue->released || !logger->is_logged)) {
            const struct access_record *record = ring_at(&queue->access, queue->access_retained);
            queue->access_retained += access_record_size(record->pal_count);
            queue->access_number = record->number;
            input->retained_position = record->input_end;
            input->retained_sequence += record->input_count;
        }
    }
}

static void free_unlogged(struct output_logger *logger) {
    for (uint32_t index = 0; index < logger->workers; index++) {
        struct output_queue *queue = &logger->queues[index];
        struct input_queue *input = &logger->input->queues[index];
        if (queue->access_number < queue->released) {
            queue->access_number = queue->released;
            uint64_t sequence = pending_of(queue, queue->released)->input_sequence;
            input->retained_position = input_queue_end_of(input, sequence);
            input->retained_sequence = sequence;
        }
    }
}

uint64_t output_logger_poll(struct output_logger *logger) {
    if (!logger->has_master) {
        return 0;
    }
    uint64_t moved = receive(logger);
    if (moved > 0) {
        advance_cut(logger);
    }
    commit(logger);
    moved += release_committed(logger);
    if (logger->is_logged) {
        free_logs(logger);
    } else {
        free_unlogged(logger);
    }
    return moved;
}

static bool everything_is_released(const struct output_logger *logger) {
    for (uint32_t index = 0; index < logger->workers; index++) {
        if (logger->queues[index].released < logger->cut[index]) {
            return false;
        }
    }
    return true;
}

/*
 * Everything in the cut leaves. Ports that take nothing are bounded in release.c; a standby that
 * leaves no room in the access log for STANDBY_STALL_NS is dead too and is let go.
 */
static void finish_epoch(struct output_logger *logger) {
    receive(logger);
    advance_cut(logger);
    uint64_t stalled_since = monotonic_ns();
    while (!everything_is_released(logger)) {
        commit(logger);
        if (release_committed(logger) > 0) {
            stalled_since = monotonic_ns();
        } else if (monotonic_ns() - stalled_since > STANDBY_STALL_NS) {
            logger->standby = NULL;
        }
        free_logs(logger);
    }
    for (uint32_t index = 0; index < logger->workers; index++) {
        counter_add(&logger->counters.discarded,
                    logger->queues[index].received - logger->cut[index]);
    }
}

void output_logger_change_master(struct output_logger *logger, uint32_t epoch,
                                 const struct ring *rings) {
    if (logger->has_master) {
        finish_epoch(logger);
    }
    for (uint32_t index = 0; index < logger->workers; index++) {
        struct output_queue *queue = &logger->queues[index];
        if (queue->received > logger->cut[index]) {
            /* The next master builds these numbers anew, from the first input not consumed. */
            queue->received = logger->cut[index];
            queue->input_sequence =
                queue->received == 0 ? 0 : pending_of(queue, queue->received)->input_sequence;
        }
        queue->ring = rings != NULL ? rings[index] : (struct ring){0};
        queue->position = 0;
        memset(queue->vector, 0, sizeof(queue->vector));
    }
    logger->has_master = rings != NULL;
    logger->is_rejecting = false;
    logger->epoch = epoch;
    logger->standby = NULL;
    atomic_store_explicit(&logger->first_output_ns, 0, memory_order_relaxed);
    /* P1: release; the final cut of the epoch before is seen by whoever sees this epoch. */
    atomic_store_explicit(&logger->page->epoch, epoch, memory_order_release);
}

void output_logger_set_standby(struct output_logger *logger, const struct process_page *standby) {
    logger->standby = standby;
}

void output_logger_discard_input(struct output_logger *logger) {
    for (uint32_t index = 0; index < logger->workers && !logger->has_master; index++) {
        struct input_queue *input = &logger->input->queues[index];
        logger->queues[index].input_sequence = input->sequence;
        input->retained_sequence = input->sequence;
        input->retained_position = input->position;
    }
}
