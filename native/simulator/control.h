/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The logger process's control thread: the same decisions in the same order as recovery/plan.py,
 * carried out by the same calls as recovery/protection.py. An orchestrator that is gone is a long
 * time until the next replica comes.
 */
#ifndef FTMB_SIMULATOR_CONTROL_H
#define FTMB_SIMULATOR_CONTROL_H

#include "simulator/simulation.h"

void control_begin(void);

#endif
