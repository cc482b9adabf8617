/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Probe: an element as sensitive as one can be. Each packet touches up to four shared variables,
 * which its own bytes name, draws a random number and reads the time, and all of that shows in its
 * last eight bytes: two runs in which anything came in another order send other packets.
 */
#ifndef FTMB_SIMULATOR_PROBE_H
#define FTMB_SIMULATOR_PROBE_H

#include "ftmb_element.h"

#define PROBE_VARIABLES_MAX 8U

struct probe_config {
    uint32_t variables; /* 1 .. PROBE_VARIABLES_MAX */
};

extern const struct ftmb_element_class probe_class;
/* Packets that it decided to send, so far: what a worker makes of them must be as many. */
extern uint64_t probe_sent;

#endif
