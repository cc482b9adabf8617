/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is sent, and when: packet i is due at start + i * interval, or at the time that the
 * capture has it, whatever happened to those
 * before it. One that cannot leave when it is due leaves later, as soon as it can, and still
 * carries the time at which it was due.
 *
 * Threads: the loop's; others may read the counters while it runs.
 */
#ifndef FTMB_PKTGEN_SENDER_H
#define FTMB_PKTGEN_SENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "pktgen/frame.h"
#include "pktgen/trace.h"
#include "port/port.h"

#define PKTGEN_SIZES_MAX 16U
#define PKTGEN_SEND_BURST 32U

/* All that is sent, made by the caller beforehand and borrowed for the run. */
struct pktgen_plan {
    const struct pktgen_flow
        *flows; /* prepared, in the order of sending; then from the beginning */
    uint64_t flow_count;
    uint16_t sizes[PKTGEN_SIZES_MAX]; /* of frames, without their check sequence */
    uint32_t size_count;
    const uint8_t *size_order; /* indexes of sizes, in the order of sending; then again */
    uint64_t size_order_count;
    const struct pktgen_trace
        *trace; /* not NULL: its frames instead, flows and sizes are not used */
    uint64_t packets;
    uint64_t interval_q32;      /* nanoseconds between packets, in units of 2^-32 */
    uint64_t span_ns;           /* from the start to when all has been due */
    uint64_t overtime_ns;       /* how long after the last is due sending may go on */
    uint8_t source_ethernet[6]; /* the sending interface */
    uint8_t next_hop_ethernet[6];
    uint8_t run;
};

struct pktgen_sender {
    _Atomic uint64_t sent;
    uint64_t start_ns, deadline_ns;
    uint64_t finished_ns; /* 0: still sending */
    uint64_t late_ns_max, late_ns_sum;
    uint64_t due_ns; /* of packet `built`, since the start */
    uint64_t built;
    uint64_t next_flow, next_size;
    uint64_t round; /* through the trace */
    uint32_t next_frame;
    uint8_t next_hop_ethernet[6]; /* the plan's, until another box takes over */
    const struct pktgen_plan *plan;
    struct pktgen_template templates[PKTGEN_SIZES_MAX];
    uint8_t *frames; /* of each template PKTGEN_SEND_BURST, each in PKTGEN_FRAME_ROOM bytes */
    struct frame waiting[PKTGEN_SEND_BURST]; /* built, and not taken by the port yet */
    uint32_t waiting_first, waiting_count;
};

/* 0 or -ENOMEM. Borrows the plan until pktgen_sender_release(). */
int pktgen_sender_init(struct pktgen_sender *sender, const struct pktgen_plan *plan);
void pktgen_sender_release(struct pktgen_sender *sender);
void pktgen_sender_start(struct pktgen_sender *sender, uint64_t start_ns);

/* Sends what is due, up to a burst; true if there was anything. */
bool pktgen_sender_step(struct pktgen_sender *sender, struct port *port, uint64_t now_ns);

#endif
