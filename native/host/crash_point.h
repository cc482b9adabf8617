/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Crash points: named places in the protocol at which a master or standby can be told to die, so
 * that drills and tests meet the interleavings that a kill at a random moment seldom finds.
 *
 * At most one point is armed in a process, by its name, over the same messages as everything else
 * that a replica is told. Whoever gets there first dies by a signal, with nothing cleaned up. What
 * is not armed costs a load and a branch, so points stand where something is done once for a
 * burst, a record or a hand-over, never once for a packet.
 *
 * A name begins with the role of the process that is armed. The orchestrator's own points are in
 * ftmb/orchestrator/crash_points.py.
 *
 * Threads: crash_arm() is called by the main thread, CRASH_POINT() by any.
 */
#ifndef FTMB_CRASH_POINT_H
#define FTMB_CRASH_POINT_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "simulator/points.h"

/* What has to happen in the box for an armed point to be reached. */
enum crash_when {
    CRASH_AT_TRAFFIC,  /* nothing: packets and ticks get there */
    CRASH_AT_FAILOVER, /* the master fails, this standby follows it */
    CRASH_AT_SNAPSHOT, /* the standby is lost and another one is made */
};

/*
 * X(symbol, name, when, whether state is lost, signal, help). State is lost where the process that
 * dies is the only one that has it: a master without a standby, or the standby of a dead master.
 */
#define CRASH_POINTS(X)                                                                            \
    X(MASTER_IN_ELEMENT, "master-in-element", CRASH_AT_TRAFFIC, false, SIGSEGV,                    \
      "in a burst, behind its first element, by SIGSEGV")                                          \
    X(MASTER_MID_RECORD, "master-mid-record", CRASH_AT_TRAFFIC, false, SIGKILL,                    \
      "in a record, with the packets before a tick done and the rest not")                         \
    X(MASTER_BEFORE_PUBLISH, "master-before-publish", CRASH_AT_TRAFFIC, false, SIGKILL,            \
      "with a record whole in the output log and not yet published")                               \
    X(MASTER_AFTER_PUBLISH, "master-after-publish", CRASH_AT_TRAFFIC, false, SIGKILL,              \
      "as soon as a record is published")                                                          \
    X(MASTER_IN_HAND_OVER, "master-in-hand-over", CRASH_AT_TRAFFIC, false, SIGKILL,                \
      "with a shared variable's lock held and its owner changed")                                  \
    X(MASTER_SNAPSHOT_HELD, "master-snapshot-held", CRASH_AT_SNAPSHOT, true, SIGKILL,              \
      "with all workers held for a snapshot, before the fork")                                     \
    X(MASTER_SNAPSHOT_FORKED, "master-snapshot-forked", CRASH_AT_SNAPSHOT, true, SIGKILL,          \
      "with all workers still held, after the fork")                                               \
    X(MASTER_SNAPSHOT_WRITING, "master-snapshot-writing", CRASH_AT_SNAPSHOT, true, SIGKILL,        \
      "while its child has written about half of the snapshot")                                    \
    X(MASTER_SNAPSHOT_CHILD, "master-snapshot-child", CRASH_AT_SNAPSHOT, false, SIGKILL,           \
      "the child alone, with about half of the snapshot written")                                  \
    X(STANDBY_IN_REPLAY, "standby-in-replay", CRASH_AT_TRAFFIC, false, SIGKILL,                    \
      "with a record built anew and not yet compared")                                             \
    X(STANDBY_IN_HAND_OVER, "standby-in-hand-over", CRASH_AT_TRAFFIC, false, SIGKILL,              \
      "with a shared variable taken over as the log says, its lock held")                          \
    X(STANDBY_EPOCH_COME, "standby-epoch-come", CRASH_AT_FAILOVER, true, SIGKILL,                  \
      "in a failover, as soon as a worker sees that its epoch has come")                           \
    X(STANDBY_ALL_REPLAYED, "standby-all-replayed", CRASH_AT_FAILOVER, true, SIGKILL,              \
      "in a failover, with all workers up to the cut and none live")                               \
    X(STANDBY_GOING_LIVE, "standby-going-live", CRASH_AT_FAILOVER, true, SIGKILL,                  \
      "in a failover, with the first worker live")                                                 \
    X(SPARE_LOADING, "spare-loading", CRASH_AT_SNAPSHOT, false, SIGKILL,                           \
      "on the way to being the standby, with a part of the snapshot loaded")                       \
    X(SPARE_LOADED, "spare-loaded", CRASH_AT_SNAPSHOT, false, SIGKILL,                             \
      "with the snapshot loaded and no worker started")

enum crash_point {
    CRASH_NOWHERE,
#define CRASH_SYMBOL(symbol, ...) CRASH_##symbol,
    CRASH_POINTS(CRASH_SYMBOL)
#undef CRASH_SYMBOL
        CRASH_POINTS_END
};

struct crash_point_description {
    const char *name;
    const char *help;
    enum crash_when when;
    bool loses_state;
    int signal;
};
/* From 0 on; NULL behind the last one. */
const struct crash_point_description *crash_point_at(uint32_t index);

/* Arms the point of this name, and no other; NULL: none. False: there is no such point. */
bool crash_arm(const char *name);

extern _Atomic uint32_t crash_armed; /* enum crash_point */
_Noreturn void crash_now(enum crash_point point) __attribute__((cold));
/* A child that was forked has inherited what was armed for it: the parent forgets it. */
void crash_forget(enum crash_point point);

static inline void crash_point(enum crash_point point) {
    /* Relaxed: whoever sees it late dies late. */
    uint32_t armed = atomic_load_explicit(&crash_armed, memory_order_relaxed);
    if (__builtin_expect(armed == (uint32_t)point, 0)) {
        crash_now(point);
    }
}

/* What stands in the code; in the simulator it is one of its points. */
#ifdef FTMB_SIMULATION
#define CRASH_POINT(symbol) POINT(CRASH_POINT, CRASH_##symbol, 0)
#else
#define CRASH_POINT(symbol) crash_point(CRASH_##symbol)
#endif

#endif
