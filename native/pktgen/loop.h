/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A run: one thread sends what is due at one end and takes in what arrives at both, until all has
 * been sent and nothing more is awaited, or it is told to stop.
 */
#ifndef FTMB_PKTGEN_LOOP_H
#define FTMB_PKTGEN_LOOP_H

#include <stdint.h>

#include "host/idle.h"
#include "pktgen/end.h"
#include "pktgen/sender.h"

#define PKTGEN_LEAD_NS 5000000U /* between the call and the first packet */

struct pktgen_loop {
    struct pktgen_sender sender;
    struct pktgen_end *transmit, *receive; /* borrowed */
    struct pktgen_trace_index *trace;      /* of the plan's trace, if it has one; owned */
    enum idle_strategy idle;
    uint64_t drain_ns;        /* how long to wait for stragglers after the last was sent */
    uint64_t resolution_seen; /* ARP frames, after which the next hop was looked up again */
    uint32_t idle_rounds;     /* in a row in which nothing was sent and nothing came */
    uint64_t ended_ns;
    _Atomic uint64_t must_stop; /* set it from any thread to end the run early */
};

/* NULL when there is no memory. */
struct pktgen_loop *pktgen_loop_create(const struct pktgen_plan *plan, struct pktgen_end *transmit,
                                       struct pktgen_end *receive);
void pktgen_loop_destroy(struct pktgen_loop *loop);

/*
 * Returns when the run is over. `out` counts at the receiving end; `back`, if not NULL, answers
 * at the sending end, and makes the receiving end send them.
 */
void pktgen_loop_run(struct pktgen_loop *loop, struct pktgen_collector *out,
                     struct pktgen_collector *back);
/* The same step by step: until it returns false. */
void pktgen_loop_start(struct pktgen_loop *loop, struct pktgen_collector *out,
                       struct pktgen_collector *back);
bool pktgen_loop_step(struct pktgen_loop *loop);
void pktgen_loop_finish(struct pktgen_loop *loop);
/* From any thread. */
void pktgen_loop_stop(struct pktgen_loop *loop);
uint64_t pktgen_loop_sent(const struct pktgen_loop *loop);
/* Frames of the plan's trace that have another one alike in it; see trace.h. */
uint64_t pktgen_loop_ambiguous(const struct pktgen_loop *loop);
/* Packets that a port's device had to drop on receiving, since it was opened. */
uint64_t pktgen_port_missed(struct port *port);

#endif
