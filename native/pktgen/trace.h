/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames of a capture that are sent as they are. Nothing can be written into them, so what comes
 * back is known by what a router or a NAT leaves alone: identification, lengths and everything
 * behind the ports, but not the Ethernet header, addresses, ports, checksums or time to live.
 *
 * Frames that are alike in that (repetitions, further rounds through the capture) are taken to
 * arrive in the order in which they were sent; one that has not come within `patience_ns` is not
 * awaited any longer once the next one like it has left.
 *
 * Threads: the loop's.
 */
#ifndef FTMB_PKTGEN_TRACE_H
#define FTMB_PKTGEN_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "pktgen/collector.h"

/* The caller's; borrowed. Arrays with a place for each frame. */
struct pktgen_trace {
    uint8_t *bytes;          /* of frames; their Ethernet addresses are written as they are sent */
    const uint64_t *offsets; /* into bytes */
    const uint16_t *lengths;
    const uint32_t *flows;
    const uint64_t *due_ns; /* since the round began, never falling; NULL: at the plan's interval */
    uint64_t round_ns;      /* from the beginning of one round to that of the next */
    uint32_t count;
    uint64_t patience_ns;
    bool keep_ethernet; /* but not then */
};

struct pktgen_trace_index;

/* NULL when there is no memory. Borrows the trace until it is destroyed. */
struct pktgen_trace_index *pktgen_trace_index_create(const struct pktgen_trace *trace,
                                                     uint64_t interval_q32);
void pktgen_trace_index_destroy(struct pktgen_trace_index *index);
/* How many frames have another one alike in the trace, before or after them. */
uint64_t pktgen_trace_ambiguous(const struct pktgen_trace_index *index);

/* When a frame of a round (from 0) is due, since the start. */
uint64_t pktgen_trace_due(const struct pktgen_trace *trace, uint64_t interval_q32, uint64_t round,
                          uint32_t frame);

enum pktgen_trace_verdict {
    PKTGEN_TRACE_UNKNOWN, /* there is no such frame in the trace */
    PKTGEN_TRACE_SURPLUS, /* there is, and no more of them are awaited; only the flow is said */
    PKTGEN_TRACE_AWAITED,
};

/* Which packet a received frame is, with `sent` packets sent so far; it is not awaited again. */
enum pktgen_trace_verdict pktgen_trace_find(struct pktgen_trace_index *index,
                                            const struct frame *frame, uint64_t sent,
                                            uint64_t since_start_ns,
                                            struct pktgen_arrival *arrival);

#endif
