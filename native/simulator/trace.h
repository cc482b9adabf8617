/* SPDX-License-Identifier: BSD-3-Clause */
/* What happens in a run, for people: a line for each point. */
#ifndef FTMB_SIMULATOR_TRACE_H
#define FTMB_SIMULATOR_TRACE_H

#include "simulator/simulation.h"

void trace_step(const struct task *task, enum simulation_point point, uint64_t a, uint64_t b);
/* Something that is no point: a death, a decision. Nothing unless the run is traced. */
void trace_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "epoch 3 worker 1", into a buffer that the next call overwrites. */
const char *trace_name(const struct task *task);

#endif
