/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One simulated run: a whole box in one process, of which one thread moves at a time.
 *
 * The loggers, the workers of every replica and what reads and writes snapshots are the real code,
 * each thread a fiber; only the control thread is the simulator's own. At every POINT the seed
 * decides who moves next. The parts:
 *
 *     settings.c    what the seed draws before the run: pipeline, sizes, how restless it is
 *     schedule.c    who moves next
 *     failures.c    who dies, hangs or is suspected, and at which point
 *     replica.c     masters and standbys: begun, snapshotted, killed, their torn writes
 *     control.c     the logger process's control thread: detects, fails over, protects again
 *     traffic.c     the frames that come in, and the ports
 *     observe.c     what everybody did, and the invariants, at every point
 *     reference.c   at the end: all of it once more, one access after the other, and compared
 *     run.c         one seed from beginning to end
 *
 * There is one run at a time, `simulation`.
 */
#ifndef FTMB_SIMULATION_H
#define FTMB_SIMULATION_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#include "host/logger.h"
#include "host/process.h"
#include "simulator/fiber.h"
#include "simulator/points.h"
#include "simulator/random.h"

#define SIMULATED_PORTS 2U
#define TASKS_MAX 96U
#define REPLICAS_MAX 32U
#define VARIABLES_MAX 320U
#define FAILURES_MAX 8U
#define MESSAGE_SIZE 512U

struct settings {
    uint32_t workers;
    const char *pipeline_name;
    uint64_t input_size, access_size, output_size;
    uint32_t frames;   /* that come in, in all */
    uint32_t calm;     /* one round in so many is 10 ms after the one before, a tick */
    uint32_t arrivals; /* one look at a port in so many finds frames there */
    bool opens_late;   /* nothing comes in before there was a standby, as with real ports */
    bool has_large_frames;
    uint32_t slow;      /* the kind of thread that is far slower than the others; or SLOW_STANDBY */
    uint32_t stay;      /* a thread goes on at a point with probability 1 - 1/stay */
    uint32_t failures;  /* that strike, at most */
    uint32_t busy_port; /* one in so many frames finds the port busy; 0: never */
    uint32_t spawn_delay; /* rounds of the control thread before a new replica is there */
    enum pal_mode pals;
    enum release_mode release;   /* RELEASE_PARALLEL or RELEASE_NONE */
    const char *const *commands; /* that the first element may be told, NULL-terminated; or NULL */
    bool is_armed; /* the packet thread makes the standby follow a dead master by itself */
};

struct replica;

/* A snapshot on its way from the master to a standby. */
struct snapshot_job {
    struct replica *master;
    struct ftmb_arena copy; /* what fork() would give the child: the arena as it was */
    int descriptor;
    bool is_running, is_complete, has_failed;
};

/* A master, standby or fenced master. */
struct replica {
    uint32_t epoch; /* 0: this place is free */
    int peer;       /* of the logger; -1 once it was taken away */
    struct process *process;
    struct process_page *page;
    bool is_dead, has_begun;
    bool is_fenced;               /* its epoch is over, or it was given up as a standby */
    bool is_torn;                 /* it wrote garbage when it died */
    bool is_disturbed;            /* a bit of its memory flipped */
    uint32_t disturbed_worker;    /* in the record that this one replayed */
    bool is_given_up;             /* what it still reads may be written over */
    bool is_suspected;            /* the control thread takes it for hung */
    bool is_snapshotting;         /* its main thread is busy with one */
    struct snapshot_job snapshot; /* that it begins from, as a standby */
    uint64_t frozen_until;        /* step; hung before that */
    uint64_t records_at_start[FTMB_WORKERS_MAX];
    int32_t last_access[VARIABLES_MAX]; /* to each variable, as this replica knows; -1: none */
};

enum task_kind { TASK_LOGGERS, TASK_CONTROL, TASK_WORKER, TASK_SNAPSHOT, TASK_KINDS };
#define SLOW_STANDBY TASK_KINDS

struct task {
    struct fiber fiber;
    bool is_used, is_idle;
    enum task_kind kind;
    struct replica *replica; /* whose thread it is; NULL: the logger process's */
    uint32_t worker;
    uint32_t weight;
    uint64_t frozen_until; /* step; this thread alone does not move before */
};

struct control {
    struct replica *master, *standby;
    bool is_protected, was_ready, has_target;
    uint64_t target[FTMB_WORKERS_MAX];
    int32_t rounds_to_spawn;
    uint32_t next_epoch;
    uint32_t failovers, state_losses;
};

struct simulation {
    uint64_t seed;
    struct random random;
    struct settings settings;
    struct pipeline pipeline;
    struct logger *logger;
    struct logger_page *page; /* read-only, as replicas see it */
    struct replica replicas[REPLICAS_MAX];
    struct task tasks[TASKS_MAX];
    struct task *current; /* NULL: the run itself */
    struct fiber main;
    struct control control;
    uint64_t now_ns;
    uint64_t steps, steps_max;
    bool is_tracing, is_fencing, is_over, has_failed;
    bool is_reference; /* the re-execution at the end is under way */
    char failure[MESSAGE_SIZE];
    jmp_buf escape; /* of the run itself, when it fails outside of every task */
};

extern struct simulation simulation;

/* The run has failed: says why, once, and does not return. */
_Noreturn void simulation_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline void simulation_expect(bool holds, const char *what) {
    if (__builtin_expect(!holds, 0)) {
        simulation_fail("%s", what);
    }
}

static inline uint32_t chance(uint32_t bound) {
    return random_below(&simulation.random, bound);
}

#endif
