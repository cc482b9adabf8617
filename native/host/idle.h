/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a thread does when it finds nothing to do. A setting, since the best choice depends on
 * how many cores there are for how many threads: spin (a core each), yield (some to share), sleep
 * (few cores, or a machine that is also used otherwise).
 */
#ifndef FTMB_IDLE_H
#define FTMB_IDLE_H

#include <sched.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "simulator/points.h"

enum idle_strategy { IDLE_SPIN = 0, IDLE_YIELD = 1, IDLE_SLEEP = 2 };

#define IDLE_SPINS 64U  /* empty rounds before a thread gives way */
#define IDLE_YIELDS 16U /* before it sleeps */
#define IDLE_SLEEP_NS_FIRST 20000L
#define IDLE_SLEEP_NS_MAX 320000L

#define NICE_LOGGERS (-20) /* a device has buffers for some milliseconds only */
#define NICE_WORKER (-10)

/*
 * At a thread's start. A thread that sleeps when it has nothing to do may come before others when
 * it has; without the privilege for that it is slower on a busy machine, and nothing else.
 */
static inline void idle_prepare_thread(enum idle_strategy strategy, int nice) {
    prctl(PR_SET_TIMERSLACK, 1000UL);
    /* On Linux: of the calling thread. One that never sleeps must not come before anybody. */
    setpriority(PRIO_PROCESS, 0, strategy == IDLE_SLEEP ? nice : 0);
}

static inline void idle_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* `rounds`: how many times in a row nothing was found. */
static inline void idle_wait(enum idle_strategy strategy, uint32_t rounds) {
    if (strategy == IDLE_SPIN || rounds < IDLE_SPINS) {
        idle_pause();
        return;
    }
    if (strategy == IDLE_YIELD || rounds < IDLE_SPINS + IDLE_YIELDS) {
        sched_yield();
        return;
    }
    uint32_t doublings = (rounds - IDLE_SPINS - IDLE_YIELDS) / 4;
    long sleep_ns = doublings > 4 ? IDLE_SLEEP_NS_MAX : IDLE_SLEEP_NS_FIRST << doublings;
    nanosleep(
        &(struct timespec){.tv_nsec = sleep_ns < IDLE_SLEEP_NS_MAX ? sleep_ns : IDLE_SLEEP_NS_MAX},
        NULL);
}

/* Waiting for another worker, which may need this core to get there. */
static inline void idle_wait_for_peer(uint32_t rounds) {
    POINT(WAITING, rounds, 0);
    if (rounds % 128 == 127) {
        sched_yield();
    } else {
        idle_pause();
    }
}

/* Waiting for another thread of the process to have served a request. */
static inline void idle_wait_for_answer(void) {
    POINT(WAITING, 0, 0);
#ifndef FTMB_SIMULATION
    usleep(20);
#endif
}

#endif
