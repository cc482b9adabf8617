/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/counts.h"

_Static_assert(PORT_DROPS <= 8 && RECORD_FAULTS <= 8, "as Python sees them");

static uint64_t load(const _Atomic uint64_t *counter) {
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* The later end is read last, so that a log never seems to hold less than nothing. */
static uint64_t between(const _Atomic uint64_t *start, const _Atomic uint64_t *end) {
    uint64_t from = atomic_load_explicit(start, memory_order_acquire);
    return load(end) - from;
}

void counts_of_port(struct port *port, struct port_counts *counts) {
    const struct port_counters *counters = &port->counters;
    *counts = (struct port_counts){.received = load(&counters->received),
                                   .received_bytes = load(&counters->received_bytes),
                                   .sent = load(&counters->sent),
                                   .sent_bytes = load(&counters->sent_bytes),
                                   .resolution = load(&counters->resolution),
                                   .missed = port->class->missed(port)};
    for (uint32_t reason = 0; reason < PORT_DROPS; reason++) {
        counts->drops[reason] = load(&counters->drops[reason]);
    }
}

void counts_of_logger(const struct logger *logger, struct logger_counts *counts) {
    const struct output_counters *counters = &logger->output.counters;
    *counts = (struct logger_counts){.records = load(&counters->records),
                                     .discarded = load(&counters->discarded),
                                     .slots_out_again = load(&counters->slots_out_again),
                                     .slots_out = load(&counters->slots_out),
                                     .slots_dropped = load(&counters->slots_dropped),
                                     .pals = load(&counters->pals),
                                     .dependencies = load(&counters->dependencies),
                                     .cut_lag_max = load(&counters->cut_lag_max),
                                     .access_waits = load(&counters->access_waits),
                                     .first_output_ns = load(&logger->output.first_output_ns),
                                     .busy_cycles = load(&logger->busy_cycles),
                                     .rounds = load(&logger->rounds),
                                     .epoch = logger->output.epoch};
    for (uint32_t fault = 0; fault < RECORD_FAULTS; fault++) {
        counts->rejected[fault] = load(&counters->rejected[fault]);
    }
}

void counts_of_queue(const struct logger *logger, uint32_t worker, struct queue_counts *counts) {
    const struct input_queue *input = &logger->input.queues[worker];
    const struct output_queue *output = &logger->output.queues[worker];
    *counts = (struct queue_counts){
        .logged = load(&input->sequence),
        .dropped = load(&input->dropped),
        .input_fill = between(&input->retained_position, &input->position),
        .input_size = input->ring.size,
        .access_fill = between(&output->access_retained, &output->access_position),
        .access_size = output->access.size,
        .received = load(&output->received),
        .committed = logger_committed(logger, worker),
        .released = load(&output->released),
        .consumed = load(&output->input_sequence)};
}

void counts_of_worker(const struct process_page *page, uint32_t worker,
                      struct worker_counts *counts) {
    const struct worker_status *status = &page->workers[worker];
    *counts = (struct worker_counts){.heartbeat = load(&status->heartbeat),
                                     .replayed = load(&status->replayed),
                                     .bursts = load(&status->bursts),
                                     .packets = load(&status->packets),
                                     .busy_cycles = load(&status->busy_cycles),
                                     .pals = load(&status->pals),
                                     .digests_compared = load(&status->digests_compared),
                                     .digests_mismatched = load(&status->digests_mismatched),
                                     .output_waits = load(&status->output_waits)};
    for (uint32_t stage = 0; stage < FTMB_PIPELINE_MAX; stage++) {
        for (uint32_t reason = 0; reason < FTMB_DROP_REASONS_MAX; reason++) {
            counts->drops[stage][reason] = load(&status->drops[stage][reason]);
        }
    }
    for (uint32_t reason = 0; reason < WORKER_DROPS; reason++) {
        counts->worker_drops[reason] = load(&status->worker_drops[reason]);
    }
}

uint32_t phase_of_process(const struct process_page *page) {
    return atomic_load_explicit(&page->phase, memory_order_acquire);
}

uint64_t heartbeat_of_process(const struct process_page *page, uint32_t worker) {
    return load(&page->workers[worker].heartbeat);
}

uint64_t replayed_of_process(const struct process_page *page, uint32_t worker) {
    return atomic_load_explicit(&page->workers[worker].replayed, memory_order_acquire);
}
