/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The greatest fixed point from above: begin with everything received and take back, worker by
 * worker, records that depend on what is not in the cut, until nothing more has to be taken back.
 * Vectors never shrink from one record of a worker to the next, so looking at the last record
 * suffices, and no record is looked at after it was taken back: the work is bounded by the
 * backlog. An earlier cut is closed and stays a floor.
 */
#include "output_logger/cut.h"

#include <stdbool.h>
#include <string.h>

#include "simulator/points.h"

static bool is_closed(const struct cut_queue *queue, uint64_t number, uint64_t floor,
                      const uint64_t *cut, uint32_t workers) {
    uint64_t changed = queue->changed[number & queue->mask];
    if (changed <= floor) {
        return true; /* it depends on nothing new */
    }
    const uint64_t *vector = queue->vectors + (changed & queue->mask) * workers;
    for (uint32_t other = 0; other < workers; other++) {
        if (vector[other] > cut[other]) {
            return false;
        }
    }
    return true;
}

#ifdef FTMB_SIMULATION
/* The mistake CUT_FROM_RECEIVED: a dependency counts as met when it was received. */
static void take_what_was_received(const struct cut_queue *queues, uint32_t workers,
                                   const uint64_t *floor, uint64_t *cut) {
    uint64_t received[FTMB_WORKERS_MAX];
    for (uint32_t worker = 0; worker < workers; worker++) {
        received[worker] = queues[worker].received;
    }
    for (uint32_t worker = 0; worker < workers; worker++) {
        cut[worker] = received[worker];
        while (cut[worker] > floor[worker] &&
               !is_closed(&queues[worker], cut[worker], floor[worker], received, workers)) {
            cut[worker]--;
        }
    }
}
#else
#define take_what_was_received(queues, workers, floor, cut) ((void)0)
#endif

uint64_t cut_advance(const struct cut_queue *queues, uint32_t workers, uint64_t *cut) {
    uint64_t floor[FTMB_WORKERS_MAX];
    for (uint32_t worker = 0; worker < workers; worker++) {
        floor[worker] = cut[worker];
        cut[worker] = queues[worker].received;
    }
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t worker = 0; worker < workers; worker++) {
            while (cut[worker] > floor[worker] &&
                   !is_closed(&queues[worker], cut[worker], floor[worker], cut, workers)) {
                cut[worker]--;
                changed = !PLANTED(CUT_IN_ONE_PASS);
            }
        }
    }
    if (PLANTED(CUT_FROM_RECEIVED)) {
        take_what_was_received(queues, workers, floor, cut);
    }
    uint64_t advanced = 0;
    for (uint32_t worker = 0; worker < workers; worker++) {
        advanced += cut[worker] - floor[worker];
    }
    return advanced;
}
