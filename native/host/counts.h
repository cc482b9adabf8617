/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counters as plain numbers, for whoever shows them: status, metrics, tests. Any thread; each
 * number is whole, but they are read one after the other.
 */
#ifndef FTMB_COUNTS_H
#define FTMB_COUNTS_H

#include "host/logger.h"
#include "host/pages.h"
#include "port/port.h"

struct port_counts {
    uint64_t received, received_bytes, sent, sent_bytes, resolution, missed;
    uint64_t drops[8]; /* enum port_drop */
};

struct logger_counts {
    uint64_t records, discarded, slots_out_again, slots_out, slots_dropped, pals, dependencies,
        cut_lag_max, access_waits;
    uint64_t rejected[8]; /* enum record_fault */
    uint64_t first_output_ns;
    uint64_t busy_cycles, rounds;
    uint32_t epoch;
};

struct queue_counts {
    uint64_t logged, dropped;
    uint64_t input_fill, input_size, access_fill, access_size; /* bytes */
    uint64_t received, committed, released;                    /* record numbers */
    uint64_t consumed; /* input records that the records received have covered */
};

struct worker_counts {
    uint64_t heartbeat, replayed, bursts, packets, busy_cycles, pals, digests_compared,
        digests_mismatched, output_waits;
    uint64_t drops[FTMB_PIPELINE_MAX][FTMB_DROP_REASONS_MAX];
    uint64_t worker_drops[WORKER_DROPS];
};

void counts_of_port(struct port *port, struct port_counts *counts);
void counts_of_logger(const struct logger *logger, struct logger_counts *counts);
void counts_of_queue(const struct logger *logger, uint32_t worker, struct queue_counts *counts);
void counts_of_worker(const struct process_page *page, uint32_t worker,
                      struct worker_counts *counts);
uint32_t phase_of_process(const struct process_page *page);
uint64_t heartbeat_of_process(const struct process_page *page, uint32_t worker);
uint64_t replayed_of_process(const struct process_page *page, uint32_t worker);

#endif
