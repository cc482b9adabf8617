/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a thread does when it finds nothing to do. A setting, since the best choice depends on
 * how many cores there are for how many threads: spin (a core each), yield (some share one, and
 * nobody else needs it), sleep (few cores, or a machine that is also used otherwise).
 *
 * Threads that share a core by yielding must also do so while they are busy: the kernel's time
 * slices are milliseconds, and a packet would wait for one. So each takes turns of microseconds,
 * the shortest a standby that is not behind, since no packet waits for it.
 */
#ifndef FTMB_IDLE_H
#define FTMB_IDLE_H

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "host/cycles.h"
#include "simulator/points.h"

enum idle_strategy { IDLE_SPIN = 0, IDLE_YIELD = 1, IDLE_SLEEP = 2 };

#define IDLE_SPINS 64U     /* empty rounds before a thread gives way */
#define IDLE_YIELDS 16U    /* before it sleeps */
#define IDLE_NAP_NS 30000L /* of a standby with nothing to replay */
#define TURN_NS 20000U
#define TURN_NS_LEAST 5000U    /* of the loggers, also when they find nothing */
#define TURN_NS_STANDBY 4000U  /* no packet should wait for longer */
#define TURN_NS_BEHIND 200000U /* of one that is far behind */
#define IDLE_SLEEP_NS_FIRST 20000L
#define IDLE_SLEEP_NS_MAX 320000L

#define IDLE_SLICE_NS 100000U /* the kernel's shortest */

#define NICE_LOGGERS (-20) /* a device has buffers for some milliseconds only */
#define NICE_WORKER (-10)

/* struct sched_attr of sched_setattr(2), which the C library does not know yet. */
struct idle_scheduling {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
};

/*
 * Asks for short time slices: who does comes before those with longer ones when it wakes up. (Linux
 * since 6.12; before that, without effect.)
 */
static inline void idle_ask_for_short_slices(int nice) {
    const struct idle_scheduling wanted = {
        .size = sizeof(wanted), .nice = nice, .runtime_ns = IDLE_SLICE_NS};
    syscall(SYS_sched_setattr, 0, &wanted, 0U);
}

/*
 * At a thread's start. A thread that sleeps when it has nothing to do may come before others when
 * it has; without the privilege for that it is slower on a busy machine, and nothing else.
 */
static inline void idle_prepare_thread(enum idle_strategy strategy, int nice) {
    prctl(PR_SET_TIMERSLACK, 1000UL);
    /* On Linux: of the calling thread. One that never sleeps must not come before anybody. */
    setpriority(PRIO_PROCESS, 0, strategy == IDLE_SLEEP ? nice : 0);
    if (strategy == IDLE_SLEEP) {
        idle_ask_for_short_slices(getpriority(PRIO_PROCESS, 0));
    }
}

static inline void idle_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/*
 * Sleeps, but not longer than until `word`, in memory that processes share, is no longer
 * `expected` and idle_wake() says so. Whether it was woken. The memory may be read-only here.
 */
static inline bool idle_sleep_on(const _Atomic uint32_t *word, uint32_t expected, long sleep_ns) {
    const struct timespec limit = {.tv_nsec = sleep_ns};
    return syscall(SYS_futex, word, FUTEX_WAIT, expected, &limit, NULL, 0) == 0 || errno == EAGAIN;
}

static inline void idle_wake(_Atomic uint32_t *word) {
#ifndef FTMB_SIMULATION
    syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
#else
    (void)word;
#endif
}

/* A busy thread's turn at a core that it shares; the time is CLOCK_MONOTONIC. A turn begins when
 * the others have had theirs. */
static inline void idle_take_turn(enum idle_strategy strategy, uint64_t *turn_end_ns,
                                  uint64_t now_ns, uint32_t turn_ns) {
    if (strategy == IDLE_YIELD && now_ns >= *turn_end_ns) {
        if (*turn_end_ns != 0) {
            sched_yield();
        }
        *turn_end_ns = monotonic_ns() + turn_ns;
    }
}

/* The further behind, the longer: one that never kept up would fill the logs. `lag` is bytes of the
 * access log, at least 32 for a record. */
static inline uint32_t idle_turn_of_standby(uint64_t lag) {
    uint64_t turn_ns = TURN_NS_STANDBY + lag / 8;
    return turn_ns < TURN_NS_BEHIND ? (uint32_t)turn_ns : TURN_NS_BEHIND;
}

/* The same when there is nothing to do: what comes before its least turn is over is met at once. */
static inline void idle_end_turn(uint64_t *turn_end_ns, uint64_t *least_end_ns, uint64_t now_ns) {
    if (now_ns < *least_end_ns) {
        idle_pause();
        return;
    }
    sched_yield();
    *turn_end_ns = 0;
    *least_end_ns = monotonic_ns() + TURN_NS_LEAST;
}

/* A standby with nothing to replay, on a core that is others' first: what comes meanwhile it
 * replays at one go, which interrupts the others less often. */
static inline void idle_wait_as_follower(const _Atomic uint32_t *epoch, uint32_t seen) {
    idle_sleep_on(epoch, seen, IDLE_NAP_NS);
}

/* Pauses or yields, or says for how long to sleep; 0: no longer. */
static inline long idle_give_way(enum idle_strategy strategy, uint32_t rounds) {
    if (strategy == IDLE_SPIN || (strategy == IDLE_SLEEP && rounds < IDLE_SPINS)) {
        idle_pause();
        return 0;
    }
    if (strategy == IDLE_YIELD || rounds < IDLE_SPINS + IDLE_YIELDS) {
        sched_yield();
        return 0;
    }
    uint32_t doublings = (rounds - IDLE_SPINS - IDLE_YIELDS) / 4;
    long sleep_ns = doublings > 4 ? IDLE_SLEEP_NS_MAX : IDLE_SLEEP_NS_FIRST << doublings;
    return sleep_ns < IDLE_SLEEP_NS_MAX ? sleep_ns : IDLE_SLEEP_NS_MAX;
}

/* `rounds`: how many times in a row nothing was found. */
static inline void idle_wait(enum idle_strategy strategy, uint32_t rounds) {
    long sleep_ns = idle_give_way(strategy, rounds);
    if (sleep_ns > 0) {
        nanosleep(&(struct timespec){.tv_nsec = sleep_ns}, NULL);
    }
}

/* The same, ended early by idle_wake() as idle_sleep_on() is; returns the rounds as they are then.
 */
static inline uint32_t idle_wait_on(enum idle_strategy strategy, uint32_t rounds,
                                    const _Atomic uint32_t *word, uint32_t expected) {
    long sleep_ns = idle_give_way(strategy, rounds);
    bool is_woken = sleep_ns > 0 && idle_sleep_on(word, expected, sleep_ns);
    return is_woken ? 0 : rounds + 1;
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

/* Waiting for another thread of the process to have served the request `kind`. */
static inline void idle_wait_for_answer(const _Atomic uint32_t *word, uint32_t kind) {
    POINT(WAITING, 0, 0);
#ifndef FTMB_SIMULATION
    idle_sleep_on(word, kind, IDLE_SLEEP_NS_MAX);
#else
    (void)word, (void)kind;
#endif
}

#endif
