/* SPDX-License-Identifier: BSD-3-Clause */
/* One seed, from beginning to end. */
#ifndef FTMB_SIMULATOR_RUN_H
#define FTMB_SIMULATOR_RUN_H

#include "simulator/simulation.h"

struct run_result {
    bool has_failed;
    char failure[MESSAGE_SIZE];
    uint64_t steps, digest; /* the digest covers all that left: same seed, same digest */
    uint32_t records, failovers, state_losses;
    uint64_t doubled; /* packets that left, and again in a later epoch: with RELEASE_NONE alone */
};

void run_seed(uint64_t seed, bool is_tracing, struct run_result *result);
/* Called now and then while a run goes on: is it over? */
void run_look(void);

#endif
