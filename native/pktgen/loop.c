/* SPDX-License-Identifier: BSD-3-Clause */
#include "pktgen/loop.h"

#include <stdlib.h>

#include "host/cycles.h"

struct pktgen_loop *pktgen_loop_create(const struct pktgen_plan *plan, struct pktgen_end *transmit,
                                       struct pktgen_end *receive) {
    struct pktgen_loop *loop = calloc(1, sizeof(*loop));
    if (loop == NULL || pktgen_sender_init(&loop->sender, plan) != 0) {
        free(loop);
        return NULL;
    }
    if (plan->trace != NULL) {
        loop->trace = pktgen_trace_index_create(plan->trace, plan->interval_q32);
        if (loop->trace == NULL) {
            pktgen_loop_destroy(loop);
            return NULL;
        }
    }
    loop->transmit = transmit;
    loop->receive = receive;
    return loop;
}

void pktgen_loop_destroy(struct pktgen_loop *loop) {
    if (loop != NULL) {
        pktgen_trace_index_destroy(loop->trace);
        pktgen_sender_release(&loop->sender);
        free(loop);
    }
}

void pktgen_loop_stop(struct pktgen_loop *loop) {
    atomic_store_explicit(&loop->must_stop, 1, memory_order_relaxed);
}

uint64_t pktgen_loop_sent(const struct pktgen_loop *loop) {
    return atomic_load_explicit(&loop->sender.sent, memory_order_relaxed);
}

static void watch(struct pktgen_end *end, struct pktgen_collector *collector, uint16_t magic,
                  uint8_t run) {
    end->collector = collector;
    end->magic = magic;
    end->run = run;
}

static bool is_over(const struct pktgen_loop *loop, uint64_t now_ns) {
    return atomic_load_explicit(&loop->must_stop, memory_order_relaxed) != 0 ||
           (loop->sender.finished_ns != 0 && now_ns - loop->sender.finished_ns > loop->drain_ns);
}

void pktgen_loop_start(struct pktgen_loop *loop, struct pktgen_collector *out,
                       struct pktgen_collector *back) {
    uint64_t start_ns = monotonic_ns() + PKTGEN_LEAD_NS;
    uint8_t run = loop->sender.plan->run;
    out->start_ns = start_ns;
    if (back != NULL) {
        back->start_ns = start_ns;
    }
    watch(loop->receive, out, PKTGEN_MAGIC_OUT, run);
    watch(loop->transmit, back, PKTGEN_MAGIC_ANSWER, run);
    loop->receive->answers = back != NULL;
    loop->receive->trace = loop->trace;
    loop->receive->takes_any_ethernet =
        loop->trace != NULL && loop->sender.plan->trace->keep_ethernet;
    pktgen_sender_start(&loop->sender, start_ns);
}

/* A box that takes over from another says so by ARP: packets follow it. */
static void follow_next_hop(struct pktgen_loop *loop, uint64_t now_ns) {
    uint64_t seen = atomic_load_explicit(&loop->transmit->resolution, memory_order_relaxed);
    if (seen != loop->resolution_seen) {
        loop->resolution_seen = seen;
        pktgen_end_next_hop(loop->transmit, now_ns, loop->sender.next_hop_ethernet);
    }
}

bool pktgen_loop_step(struct pktgen_loop *loop) {
    uint64_t now_ns = monotonic_ns();
    bool has_sent = pktgen_sender_step(&loop->sender, loop->transmit->port, now_ns);
    uint64_t sent = pktgen_loop_sent(loop);
    bool has_received = pktgen_end_step(loop->receive, sent, now_ns);
    has_received |= pktgen_end_step(loop->transmit, sent, now_ns);
    follow_next_hop(loop, now_ns);
    loop->idle_rounds = has_sent || has_received ? 0 : loop->idle_rounds + 1;
    if (!is_over(loop, now_ns)) {
        return true;
    }
    loop->ended_ns = now_ns;
    return false;
}

void pktgen_loop_finish(struct pktgen_loop *loop) {
    loop->receive->trace = NULL;
    loop->receive->takes_any_ethernet = false;
    watch(loop->receive, NULL, 0, 0);
    watch(loop->transmit, NULL, 0, 0);
}

void pktgen_loop_run(struct pktgen_loop *loop, struct pktgen_collector *out,
                     struct pktgen_collector *back) {
    pktgen_loop_start(loop, out, back);
    while (pktgen_loop_step(loop)) {
        if (loop->idle_rounds > 0) {
            idle_wait(loop->idle, loop->idle_rounds);
        }
    }
    pktgen_loop_finish(loop);
}

uint64_t pktgen_loop_ambiguous(const struct pktgen_loop *loop) {
    return loop->trace == NULL ? 0 : pktgen_trace_ambiguous(loop->trace);
}

uint64_t pktgen_port_missed(struct port *port) {
    return port->class->missed(port);
}
