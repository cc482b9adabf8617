/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/crash_point.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

_Atomic uint32_t crash_armed = CRASH_NOWHERE;

static const struct crash_point_description descriptions[] = {
#define CRASH_DESCRIPTION(symbol, name_, when_, loses, signal_, help_)                             \
    [CRASH_##symbol] = {                                                                           \
        .name = name_, .help = help_, .when = when_, .loses_state = loses, .signal = signal_},
    CRASH_POINTS(CRASH_DESCRIPTION)
#undef CRASH_DESCRIPTION
};

const struct crash_point_description *crash_point_at(uint32_t index) {
    uint32_t point = index + 1;
    return point < CRASH_POINTS_END ? &descriptions[point] : NULL;
}

bool crash_arm(const char *name) {
    uint32_t found = CRASH_NOWHERE;
    for (uint32_t point = 1; name != NULL && point < CRASH_POINTS_END; point++) {
        if (strcmp(descriptions[point].name, name) == 0) {
            found = point;
        }
    }
    atomic_store_explicit(&crash_armed, found, memory_order_relaxed);
    return name == NULL || found != CRASH_NOWHERE;
}

void crash_forget(enum crash_point point) {
    uint32_t armed = (uint32_t)point;
    atomic_compare_exchange_strong_explicit(&crash_armed, &armed, CRASH_NOWHERE,
                                            memory_order_relaxed, memory_order_relaxed);
}

void crash_now(enum crash_point point) {
    /* The one point that is in the child and ends the master, with whom the child has to go. */
    pid_t victim = point == CRASH_MASTER_SNAPSHOT_WRITING ? getppid() : getpid();
    kill(victim, descriptions[point].signal);
    for (;;) {
        pause();
    }
}
