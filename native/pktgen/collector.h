/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What arrived in one direction of a run, exactly: a place for every packet that was sent, one
 * for every flow and one for every millisecond, all made before the run by the caller.
 *
 * Threads: the loop's; others may read the counters while it runs.
 */
#ifndef FTMB_PKTGEN_COLLECTOR_H
#define FTMB_PKTGEN_COLLECTOR_H

#include <stdint.h>

#include "port/port.h"

#define PKTGEN_BIN_NS 1000000ULL

/* One flow; 32 bytes, so that a packet touches one cache line. */
struct pktgen_flow_counts {
    uint32_t received;   /* without duplicates */
    uint32_t duplicated; /* copies beyond the first */
    uint32_t reordered;  /* after one that was sent later */
    uint32_t sequence_next;
    uint32_t first_us, last_us; /* since the start; of no meaning while received is 0 */
    uint32_t gap_us_max;        /* between two of its packets */
    uint32_t corrupted;         /* of those whose stamp is still whole */
};
_Static_assert(sizeof(struct pktgen_flow_counts) == 32, "half a cache line");

struct pktgen_collector {
    _Atomic uint64_t received, duplicated, reordered;
    _Atomic uint64_t corrupted;  /* ours, and damaged; not among the received */
    _Atomic uint64_t stale;      /* ours, of another run */
    _Atomic uint64_t impossible; /* whole, but never sent */
    uint64_t start_ns;
    uint64_t first_ns, last_ns; /* of this collector's packets; 0: none yet */
    uint64_t gap_ns_max, gap_end_ns;
    uint32_t
        *latency_ns; /* for each packet: 0 while it has not arrived, UINT32_MAX: that or more */
    uint64_t packets_max;
    struct pktgen_flow_counts *flows;
    uint64_t flow_count;
    uint32_t
        *bins; /* arrivals, duplicates too, in each millisecond; the last one takes what is later
                */
    uint64_t bin_count;
};

/* A packet that is to be counted. */
struct pktgen_arrival {
    uint64_t due_ns; /* since the start */
    uint32_t sequence, flow;
};

/* A burst that was there at `now_ns`, with `sent` packets sent so far. */
void pktgen_collect(struct pktgen_collector *collector, const struct pktgen_arrival *arrivals,
                    uint32_t count, uint64_t sent, uint64_t now_ns);

/* A damaged packet that is known to be of this flow. */
void pktgen_collect_corrupted(struct pktgen_collector *collector, uint32_t flow);
/* A packet of this flow that came once more than it was sent. */
void pktgen_collect_surplus(struct pktgen_collector *collector, uint32_t flow);

#endif
