/* SPDX-License-Identifier: BSD-3-Clause */
/* Who dies, hangs or is suspected, drawn before the run: after how many steps, and at which point.
 */
#ifndef FTMB_SIMULATOR_FAILURES_H
#define FTMB_SIMULATOR_FAILURES_H

#include "simulator/simulation.h"

/* Draws this run's failures. */
void failures_draw(void);
/* A thread is at a point: what is due strikes, perhaps the thread itself (then it never returns).
 */
void failures_strike(enum simulation_point point);
/* Whether none is left, and nobody hangs any more. */
bool failures_are_over(void);

#endif
