/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A thread that did something goes on with probability 1 - 1/stay; else one is drawn by weights
 * that change now and then, so that in some stretches one thread is far slower than the others.
 */
#include "simulator/schedule.h"

#include <stdio.h>
#include <string.h>

#include "simulator/failures.h"
#include "simulator/observe.h"
#include "simulator/reference.h"
#include "simulator/run.h"
#include "simulator/trace.h"
#include "simulator/traffic.h"

#define STEP_NS 20U
#define REWEIGH_EVERY 256U
#define WEIGHT_SHIFT_MAX 5U
#define SLOWNESS 16U
#define STANDBY_SLOWNESS 1024U /* so that logs are full before it has read them */

struct task *schedule_add(enum task_kind kind, struct replica *replica, uint32_t worker,
                          void (*body)(void *argument), void *argument) {
    for (uint32_t index = 0; index < TASKS_MAX; index++) {
        struct task *task = &simulation.tasks[index];
        if (task->is_used) {
            continue;
        }
        *task = (struct task){.is_used = true,
                              .kind = kind,
                              .replica = replica,
                              .worker = worker,
                              .weight = 1U << chance(WEIGHT_SHIFT_MAX)};
        if (fiber_create(&task->fiber, body, argument) != 0) {
            simulation_fail("no memory for a thread's stack");
        }
        return task;
    }
    simulation_fail("more threads than the simulator has places for");
}

void schedule_remove_task(struct task *task) {
    task->is_used = false;
    if (task != simulation.current) { /* one does not pull away the stack one stands on */
        fiber_destroy(&task->fiber);
    }
}

void schedule_remove(const struct replica *replica) {
    for (uint32_t index = 0; index < TASKS_MAX; index++) {
        struct task *task = &simulation.tasks[index];
        if (task->is_used && task->replica == replica) {
            schedule_remove_task(task);
        }
    }
}

static bool may_move(const struct task *task) {
    return task->is_used && task->frozen_until <= simulation.steps &&
           (task->replica == NULL || task->replica->frozen_until <= simulation.steps);
}

/* A standby that is slow before it protects is only given up. */
static bool is_slow_standby(const struct task *task) {
    const struct control *control = &simulation.control;
    return task->kind == TASK_WORKER && control->is_protected && traffic_left() > 0 &&
           task->replica == control->standby;
}

static uint32_t weight_of(const struct task *task) {
    uint32_t weight = task->weight * (task->is_idle ? 1 : 8);
    if (simulation.settings.slow == SLOW_STANDBY) {
        return is_slow_standby(task) ? weight : weight * STANDBY_SLOWNESS;
    }
    return task->kind == simulation.settings.slow ? weight : weight * SLOWNESS;
}

static uint32_t weigh(uint32_t *weights) {
    uint32_t total = 0;
    for (uint32_t index = 0; index < TASKS_MAX; index++) {
        const struct task *task = &simulation.tasks[index];
        weights[index] = may_move(task) ? weight_of(task) : 0;
        total += weights[index];
    }
    return total;
}

/* Idle threads are drawn less often, but are drawn: polling is what shows them that there is work.
 */
static struct task *draw(void) {
    uint32_t weights[TASKS_MAX];
    uint32_t total = weigh(weights);
    while (total == 0) { /* everybody stands still: time passes */
        simulation.steps++;
        total = weigh(weights);
    }
    uint32_t place = chance(total);
    for (uint32_t index = 0;; index++) {
        if (place < weights[index]) {
            return &simulation.tasks[index];
        }
        place -= weights[index];
    }
}

static void reweigh(void) {
    for (uint32_t index = 0; index < TASKS_MAX; index++) {
        simulation.tasks[index].weight = 1U << chance(WEIGHT_SHIFT_MAX);
    }
}

static void move_on(void) {
    struct task *before = simulation.current;
    if (simulation.is_over || simulation.has_failed) {
        simulation.current = NULL;
        fiber_switch(&before->fiber, &simulation.main);
        return;
    }
    struct task *next = draw();
    if (next != before) {
        simulation.current = next;
        fiber_switch(&before->fiber, &next->fiber);
    }
}

_Noreturn void schedule_leave(void) {
    struct task *leaving = simulation.current;
    struct fiber last = leaving->fiber; /* its place may be taken by another at once */
    simulation.current = simulation.is_over || simulation.has_failed ? NULL : draw();
    fiber_destroy(&leaving->fiber);
    fiber_switch(&last, simulation.current == NULL ? &simulation.main : &simulation.current->fiber);
    __builtin_unreachable();
}

static bool is_idle_at(enum simulation_point point, uint64_t a, uint64_t b) {
    return point == POINT_WAITING || point == POINT_FINISHING ||
           (point == POINT_STEPPED && b == WORKER_IDLE) || (point == POINT_ROUND && a == 0);
}

void simulation_reach(enum simulation_point point, uint64_t a, uint64_t b) {
    struct task *task = simulation.current;
    if (simulation.is_reference) {
        reference_reach(point, a, b);
        return;
    }
    if (task == NULL) {
        return;
    }
    simulation.now_ns += STEP_NS;
    simulation.steps++;
    if (simulation.is_tracing) {
        trace_step(task, point, a, b);
    }
    observe(point, a, b);
    if (point != POINT_STEPPING) { /* whether there is something to do shows behind it */
        task->is_idle = is_idle_at(point, a, b);
    }
    failures_strike(point);
    if (simulation.steps % REWEIGH_EVERY == 0) {
        reweigh();
        run_look();
    }
    if (task->is_idle || chance(simulation.settings.stay) == 0 || !may_move(task) ||
        simulation.is_over) {
        move_on();
    }
}

void schedule_run(void) {
    simulation.current = draw();
    fiber_switch(&simulation.main, &simulation.current->fiber);
}
