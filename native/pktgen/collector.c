/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A burst is gone through twice: flows are all over memory, so their counts are asked for first.
 */
#include "pktgen/collector.h"

#define NS_PER_US 1000U

static void note_time(struct pktgen_collector *collector, uint32_t count, uint64_t now_ns) {
    if (collector->first_ns == 0) {
        collector->first_ns = now_ns;
    } else if (now_ns - collector->last_ns > collector->gap_ns_max) {
        collector->gap_ns_max = now_ns - collector->last_ns;
        collector->gap_end_ns = now_ns;
    }
    collector->last_ns = now_ns;
    uint64_t bin = (now_ns - collector->start_ns) / PKTGEN_BIN_NS;
    collector->bins[bin < collector->bin_count ? bin : collector->bin_count - 1] += count;
}

static void note_flow(struct pktgen_collector *collector, const struct pktgen_arrival *arrival,
                      uint32_t now_us) {
    struct pktgen_flow_counts *flow = &collector->flows[arrival->flow];
    if (flow->received == 0) {
        flow->first_us = now_us;
    } else if (now_us - flow->last_us > flow->gap_us_max) {
        flow->gap_us_max = now_us - flow->last_us;
    }
    flow->last_us = now_us;
    flow->received++;
    if (arrival->sequence < flow->sequence_next) {
        flow->reordered++;
        counter_add(&collector->reordered, 1);
    } else {
        flow->sequence_next = arrival->sequence + 1;
    }
}

static uint32_t latency_of(uint64_t since_start_ns, uint64_t due_ns) {
    uint64_t latency_ns = since_start_ns - due_ns;
    if (since_start_ns <= due_ns) {
        return 1;
    }
    return latency_ns < UINT32_MAX ? (uint32_t)latency_ns : UINT32_MAX;
}

void pktgen_collect(struct pktgen_collector *collector, const struct pktgen_arrival *arrivals,
                    uint32_t count, uint64_t sent, uint64_t now_ns) {
    for (uint32_t index = 0; index < count; index++) {
        if (arrivals[index].flow < collector->flow_count) {
            __builtin_prefetch(&collector->flows[arrivals[index].flow], 1);
        }
    }
    uint64_t since_start_ns = now_ns - collector->start_ns;
    uint32_t now_us = (uint32_t)(since_start_ns / NS_PER_US), first_copies = 0, impossible = 0;
    for (uint32_t index = 0; index < count; index++) {
        const struct pktgen_arrival *arrival = &arrivals[index];
        if (arrival->sequence >= sent || arrival->flow >= collector->flow_count) {
            impossible++;
        } else if (collector->latency_ns[arrival->sequence] != 0) {
            collector->flows[arrival->flow].duplicated++;
            counter_add(&collector->duplicated, 1);
        } else {
            collector->latency_ns[arrival->sequence] = latency_of(since_start_ns, arrival->due_ns);
            note_flow(collector, arrival, now_us);
            first_copies++;
        }
    }
    counter_add(&collector->impossible, impossible);
    counter_add(&collector->received, first_copies);
    if (count > impossible) {
        note_time(collector, count - impossible, now_ns);
    }
}

void pktgen_collect_corrupted(struct pktgen_collector *collector, uint32_t flow) {
    counter_add(&collector->corrupted, 1);
    if (flow < collector->flow_count) {
        collector->flows[flow].corrupted++;
    }
}

void pktgen_collect_surplus(struct pktgen_collector *collector, uint32_t flow) {
    counter_add(&collector->duplicated, 1);
    collector->flows[flow].duplicated++;
}
