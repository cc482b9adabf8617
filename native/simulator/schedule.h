/* SPDX-License-Identifier: BSD-3-Clause */
/* Who moves next. */
#ifndef FTMB_SIMULATOR_SCHEDULE_H
#define FTMB_SIMULATOR_SCHEDULE_H

#include "simulator/simulation.h"

/* A new thread; `body` never returns. `replica` NULL: of the logger process. */
struct task *schedule_add(enum task_kind kind, struct replica *replica, uint32_t worker,
                          void (*body)(void *argument), void *argument);
/* All threads of a replica never move again. */
void schedule_remove(const struct replica *replica);
void schedule_remove_task(struct task *task);
/* Lets them move until the run is over or has failed. */
void schedule_run(void);
/* The running thread, which must not go on, gives way for ever. */
_Noreturn void schedule_leave(void);

#endif
