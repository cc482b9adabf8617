/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A failure waits for its step, and then for a thread of its victim to be at its point, if it has
 * one; so every point of every role is hit, also by several failures in a row.
 */
#include "simulator/failures.h"

#include "simulator/replica.h"
#include "simulator/schedule.h"
#include "simulator/trace.h"

enum failure_kind {
    KILL_MASTER,   /* also one that still replays, after a failover */
    KILL_STANDBY,  /* also one that waits for its snapshot */
    KILL_CHILD,    /* that writes a snapshot */
    FREEZE_MASTER, /* it is noticed, fenced, and comes back */
    FREEZE_STANDBY,
    FREEZE_THREAD,   /* one worker, or the loggers, or the control thread: slow, not hung */
    SUSPECT_MASTER,  /* a healthy one is taken for hung */
    DISTURB_STANDBY, /* a flipped bit: its replay must notice, within that record */
    FAILURE_KINDS
};

struct failure {
    enum failure_kind kind;
    uint64_t step;
    bool has_point;
    bool needs_protection; /* it waits until somebody could follow */
    bool needs_full_log;   /* it waits until the access log is full */
    bool is_at_once;       /* and strikes before anybody else moves */
    enum simulation_point point;
};

#define SPREAD_MAX 3000U /* steps between two failures */
#define FREEZE_MAX 4000U /* steps */
#define FENCED_LIFE_MAX 600U
#define PATIENCE 4000U /* steps that a failure waits for its victim to be at its point */
#define FULL_LOG_PATIENCE 16000U

static struct failure failures[FAILURES_MAX];
static uint32_t failure_count, next_failure;

void failures_draw(void) {
    uint64_t step = 0;
    failure_count = simulation.settings.failures;
    next_failure = 0;
    for (uint32_t index = 0; index < failure_count; index++) {
        /* A third of them follow at once, while the last one is still being dealt with. */
        step += chance(3) == 0 ? chance(200) : chance(SPREAD_MAX);
        failures[index] = (struct failure){.kind = (enum failure_kind)chance(FAILURE_KINDS),
                                           .step = step,
                                           .has_point = chance(2) == 0,
                                           .needs_protection = chance(4) != 0,
                                           .is_at_once = chance(4) == 0,
                                           .point = (enum simulation_point)chance(POINTS)};
        if (chance(2) == 0) {
            failures[index].kind = KILL_MASTER;
        }
        failures[index].needs_full_log = simulation.settings.slow == SLOW_STANDBY && chance(2) == 0;
    }
}

bool failures_are_over(void) {
    if (next_failure < failure_count) {
        return false;
    }
    for (uint32_t index = 0; index < TASKS_MAX; index++) {
        if (simulation.tasks[index].is_used &&
            simulation.tasks[index].frozen_until > simulation.steps) {
            return false;
        }
    }
    for (uint32_t index = 0; index < REPLICAS_MAX; index++) {
        if (simulation.replicas[index].epoch != 0 &&
            replica_is_frozen(&simulation.replicas[index])) {
            return false;
        }
    }
    return true;
}

static struct replica *victim_of(enum failure_kind kind) {
    bool is_standby = kind == KILL_STANDBY || kind == FREEZE_STANDBY || kind == KILL_CHILD ||
                      kind == DISTURB_STANDBY;
    return is_standby ? simulation.control.standby : simulation.control.master;
}

static void freeze(struct replica *replica) {
    trace_say("epoch %u hangs", replica->epoch);
    replica->frozen_until = simulation.steps + 100 + chance(FREEZE_MAX);
    replica->is_suspected = chance(4) != 0; /* else it comes back before anybody noticed */
}

/* Something of the record that is about to be compared becomes another. */
static bool disturb(struct replica *replica) {
    if (!replica->has_begun) {
        return false;
    }
    struct worker *worker = &replica->process->workers[simulation.current->worker];
    const struct record_builder *builder = &worker->builder;
    replica->is_disturbed = true;
    replica->disturbed_worker = worker->context.worker;
    uint32_t kind = chance(4);
    for (uint32_t index = 0; index < builder->slot_count && kind < 2; index++) {
        struct output_slot *slot = builder->slots[index];
        if (slot->port != FTMB_PORT_NONE && slot->length > 0) {
            uint8_t *bytes = (uint8_t *)(slot + 1);
            bytes[chance(slot->length)] ^= (uint8_t)(1U << chance(8));
            slot->port = kind == 0 ? slot->port : FTMB_PORT_NONE;
            return true;
        }
    }
    if (kind == 3 && worker->replay.next_pal > 0) {
        worker->replay.next_pal--; /* as if a variable had not been touched */
    } else {
        worker->state->input_position += RING_ALIGNMENT;
    }
    return true;
}

/* False: there is nobody whom this could hit now. */
static bool strike(const struct failure *failure, struct replica *victim) {
    switch (failure->kind) {
    case KILL_MASTER:
    case KILL_STANDBY:
        replica_kill(victim);
        return true;
    case KILL_CHILD:
        return replica_kill_snapshot(victim);
    case DISTURB_STANDBY:
        trace_say("a bit flips in epoch %u", victim->epoch);
        return disturb(victim);
    case FREEZE_MASTER:
    case FREEZE_STANDBY:
        freeze(victim);
        return true;
    case FREEZE_THREAD:
        trace_say("%s stands still", trace_name(simulation.current));
        simulation.current->frozen_until = simulation.steps + chance(FREEZE_MAX);
        return true;
    default:
        trace_say("epoch %u is suspected", victim->epoch);
        victim->is_suspected = true;
        return true;
    }
}

static uint64_t patience_of(const struct failure *failure) {
    return failure->needs_full_log ? FULL_LOG_PATIENCE : PATIENCE;
}

static bool has_full_log(void) {
    const struct output_logger *output = &simulation.logger->output;
    for (uint32_t worker = 0; worker < simulation.settings.workers; worker++) {
        if (output->committed[worker] < output->cut[worker]) {
            return true;
        }
    }
    return false;
}

static bool is_at_point(const struct failure *failure, const struct replica *victim,
                        enum simulation_point point) {
    if (failure->kind == DISTURB_STANDBY) {
        return point == POINT_REPLAY_BUILT && simulation.current->replica == victim;
    }
    bool is_patient = simulation.steps < failure->step + patience_of(failure);
    if (is_patient && ((failure->needs_protection && !simulation.control.is_protected) ||
                       (failure->needs_full_log && !has_full_log()))) {
        return false;
    }
    if (failure->is_at_once && failure->needs_protection) {
        return true;
    }
    if (!failure->has_point || !is_patient) {
        return true;
    }
    const struct replica *at = simulation.current->replica;
    return failure->point == point && (at == victim || at == NULL);
}

/* Fenced masters go on for a while and are a danger to nobody; then they are killed. */
static void end_fenced(void) {
    for (uint32_t index = 0; index < REPLICAS_MAX; index++) {
        struct replica *replica = &simulation.replicas[index];
        if (replica->epoch != 0 && replica->is_fenced && !replica->is_dead &&
            !replica_is_frozen(replica) && chance(FENCED_LIFE_MAX) == 0) {
            replica_kill(replica);
        }
    }
}

void failures_strike(enum simulation_point point) {
    const struct task *task = simulation.current;
    end_fenced();
    const struct failure *failure = &failures[next_failure];
    if (next_failure < failure_count && failure->step <= simulation.steps) {
        struct replica *victim = victim_of(failure->kind);
        if (victim != NULL && !victim->is_dead && is_at_point(failure, victim, point)) {
            next_failure += strike(failure, victim) ? 1 : 0;
        }
        if (next_failure < failure_count &&
            failure->step + 2 * patience_of(failure) < simulation.steps) {
            next_failure++; /* its victim does not come any more */
        }
    }
    if (!task->is_used) {
        schedule_leave();
    }
}
