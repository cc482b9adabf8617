/* SPDX-License-Identifier: BSD-3-Clause */
#include "output_logger/retention.h"

#include "simulator/points.h"

/* How far a reader of the access log is. A claim: the caller takes it for what it can bound. */
static uint64_t consumed_by(const struct process_page *reader, uint32_t index) {
    /* W1's partner. */
    return atomic_load_explicit(&reader->workers[index].access_consumed, memory_order_acquire);
}

/* Up to where nobody needs a worker's access log, and the input it refers to, any more. */
static uint64_t free_limit(const struct output_logger *logger, uint32_t index) {
    uint64_t limit = logger->queues[index].access_position;
    if (logger->standby != NULL) {
        uint64_t consumed = consumed_by(logger->standby, index);
        limit = consumed < limit ? consumed : limit;
    }
    if (logger->successor != NULL && logger->successor_end[index] != 0 &&
        !PLANTED(LOG_FREED_FOR_SUCCESSOR)) {
        uint64_t consumed = consumed_by(logger->successor, index);
        limit = consumed < limit ? consumed : limit;
    }
    return limit;
}

/* The successor needs no more when it has replayed all that was there when its epoch came. */
static void let_successor_go(struct output_logger *logger) {
    bool has_finished = true;
    for (uint32_t index = 0; index < logger->workers && logger->successor != NULL; index++) {
        if (logger->successor_end[index] != 0 &&
            consumed_by(logger->successor, index) >= logger->successor_end[index]) {
            logger->successor_end[index] = 0;
        }
        has_finished =
            (has_finished || PLANTED(SUCCESSOR_LET_GO_BY_ONE)) && logger->successor_end[index] == 0;
    }
    if (has_finished) {
        logger->successor = NULL;
    }
}

/* Frees what neither a release nor the standby nor the successor needs. */
static void free_logs(struct output_logger *logger) {
    if (logger->successor != NULL) {
        let_successor_go(logger);
    }
    for (uint32_t index = 0; index < logger->workers; index++) {
        struct output_queue *queue = &logger->queues[index];
        struct input_queue *input = &logger->input->queues[index];
        uint64_t limit = free_limit(logger, index) + (PLANTED(LOG_FREED_EARLY) ? 1 : 0);
        while (queue->access_retained < limit && queue->access_number < queue->released) {
            const struct access_record *record = ring_at(&queue->access, queue->access_retained);
            counter_add(&queue->access_retained, access_record_size(record->pal_count));
            queue->access_number = record->number;
            counter_set(&input->retained_position, record->input_end);
            input->retained_sequence += PLANTED(INPUTS_MISCOUNTED) ? 1 : record->input_count;
            POINT(FREED, index, queue->access_number);
        }
    }
}

static void free_unlogged(struct output_logger *logger) {
    for (uint32_t index = 0; index < logger->workers; index++) {
        struct output_queue *queue = &logger->queues[index];
        struct input_queue *input = &logger->input->queues[index];
        if (queue->access_number < queue->released) {
            queue->access_number = queue->released;
            uint64_t sequence =
                queue->pending[queue->released & (PENDING_RECORDS_MAX - 1)].input_sequence;
            counter_set(&input->retained_position, input_queue_end_of(input, sequence));
            input->retained_sequence = sequence;
        }
    }
}

void retention_free(struct output_logger *logger) {
    if (logger->is_logged) {
        free_logs(logger);
    } else {
        free_unlogged(logger);
    }
}
