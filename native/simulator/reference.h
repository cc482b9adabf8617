/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The judge at the end of a run: everything that was committed is executed once more, from empty
 * state, by live workers, one access to shared state after the other in the order in which the
 * masters were *seen* to make them. No access log, no vectors, no replay: if these were wrong, the
 * packets that left, or the state that is left, differ from what comes out here.
 */
#ifndef FTMB_SIMULATOR_REFERENCE_H
#define FTMB_SIMULATOR_REFERENCE_H

#include "simulator/simulation.h"

/* Fails the run if a packet or the master's or standby's state is not what it should be. */
void reference_check(void);
/* Its memory goes, also after a failure in the middle. */
void reference_release(void);
/* What POINT does meanwhile. */
void reference_reach(enum simulation_point point, uint64_t a, uint64_t b);

#endif
