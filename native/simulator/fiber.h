/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Threads of which one moves at a time: contexts with a stack of their own (makecontext(3)).
 * Stacks are kept for the next run; one has a guard page below it.
 */
#ifndef FTMB_SIMULATOR_FIBER_H
#define FTMB_SIMULATOR_FIBER_H

#include <ucontext.h>

struct fiber {
    ucontext_t context;
    void *stack;
    void (*body)(void *argument);
    void *argument;
};

/* `body` begins when the fiber is first switched to; it must not return. 0 or -ENOMEM. */
int fiber_create(struct fiber *fiber, void (*body)(void *argument), void *argument);
/* Its stack goes back; whatever it was doing is never finished. */
void fiber_destroy(struct fiber *fiber);
void fiber_switch(struct fiber *from, struct fiber *to);

#endif
