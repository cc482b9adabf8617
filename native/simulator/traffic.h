/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What comes in, made up by the seed when the input logger asks a port for it; and what the ports
 * let out, which observe.h is told of.
 */
#ifndef FTMB_SIMULATOR_TRAFFIC_H
#define FTMB_SIMULATOR_TRAFFIC_H

#include "port/port.h"
#include "simulator/simulation.h"

/* Both ports anew; they stay the simulator's. */
void traffic_begin(struct logger *logger);
/* Frames that have not come in yet. */
uint32_t traffic_left(void);
/* The frames that the last `receive` delivered, in order. */
const struct frame *traffic_delivered(uint32_t place);

#endif
