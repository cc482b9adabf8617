/* SPDX-License-Identifier: BSD-3-Clause */
#include "simulator/control.h"

#include "host/snapshot.h"
#include "simulator/commands.h"
#include "simulator/observe.h"
#include "simulator/replica.h"
#include "simulator/schedule.h"
#include "simulator/trace.h"

enum action {
    ACTION_NONE,
    ACTION_FAIL_OVER,
    ACTION_LOSE_STATE,
    ACTION_DROP_STANDBY,
    ACTION_START_EMPTY,
    ACTION_TAKE_SNAPSHOT,
    ACTION_LOAD_SNAPSHOT,
    ACTION_DECLARE_PROTECTED,
};

#define LOG_FILL_MAX_PERCENT 75U

static struct control *control(void) {
    return &simulation.control;
}

static uint32_t phase_of(const struct replica *replica) {
    return atomic_load_explicit(&simulation.logger->peers[replica->peer].page->phase,
                                memory_order_acquire);
}

/* A replica is lost when it died, or when its heartbeats were missed, rightly or not. */
static bool is_lost(const struct replica *replica) {
    if (replica->has_begun && !replica->is_torn && phase_of(replica) == PHASE_DIVERGED) {
        simulation_expect(replica->is_disturbed || replica->is_given_up,
                          "the replay of a standby diverged");
        return true;
    }
    return pages_is_dead(simulation.logger->peers[replica->peer].page) || replica->is_suspected;
}

static bool master_is_lost(void) {
    struct replica *master = control()->master;
    if (logger_master_is_rejected(simulation.logger)) {
        simulation_expect(master->is_torn, "a record of a sane master was rejected");
        return true;
    }
    return is_lost(master);
}

/* A standby that is not ready must not hold the logs until arrivals are dropped. */
static bool holds_logs_too_long(void) {
    for (uint32_t worker = 0; worker < simulation.settings.workers; worker++) {
        const struct input_queue *input = &simulation.logger->input.queues[worker];
        const struct output_queue *output = &simulation.logger->output.queues[worker];
        uint64_t input_fill = input->position - input->retained_position;
        uint64_t access_fill = output->access_position - output->access_retained;
        if (input_fill * 100 > input->ring.size * LOG_FILL_MAX_PERCENT ||
            access_fill * 100 > output->access.size * LOG_FILL_MAX_PERCENT) {
            return true;
        }
    }
    return false;
}

static bool standby_is_lost(void) {
    struct control *self = control();
    if (is_lost(self->standby) || self->standby->snapshot.has_failed) {
        return true;
    }
    return !self->is_protected && holds_logs_too_long();
}

/* First the cut must reach the snapshot, then the replay what was committed by then. */
static bool has_caught_up(void) {
    struct control *self = control();
    const struct process_page *page = simulation.logger->peers[self->standby->peer].page;
    uint32_t workers = simulation.settings.workers;
    if (!self->has_target) {
        for (uint32_t worker = 0; worker < workers; worker++) {
            self->target[worker] = logger_committed(simulation.logger, worker);
            if (self->target[worker] < self->standby->records_at_start[worker] &&
                !PLANTED(PROTECTED_BEFORE_CUT)) {
                return false;
            }
        }
        self->has_target = true;
    }
    for (uint32_t worker = 0; worker < workers; worker++) {
        if (atomic_load_explicit(&page->workers[worker].replayed, memory_order_acquire) <
            self->target[worker]) {
            return false;
        }
    }
    return true;
}

static enum action towards_protection(void) {
    struct control *self = control();
    if (self->standby == NULL) {
        if (phase_of(self->master) != PHASE_LIVE || self->rounds_to_spawn-- > 0) {
            return ACTION_NONE;
        }
        return ACTION_TAKE_SNAPSHOT;
    }
    if (!self->standby->has_begun) {
        return self->standby->snapshot.is_complete ? ACTION_LOAD_SNAPSHOT : ACTION_NONE;
    }
    return !self->is_protected && has_caught_up() ? ACTION_DECLARE_PROTECTED : ACTION_NONE;
}

static enum action plan(void) {
    struct control *self = control();
    if (self->master != NULL && master_is_lost()) {
        bool can_follow = self->standby != NULL && self->is_protected && !standby_is_lost();
        if (can_follow) {
            return ACTION_FAIL_OVER;
        }
        return self->standby != NULL ? ACTION_DROP_STANDBY : ACTION_LOSE_STATE;
    }
    if (self->standby != NULL && standby_is_lost()) {
        return ACTION_DROP_STANDBY;
    }
    if (self->master == NULL) {
        return self->rounds_to_spawn-- > 0 ? ACTION_NONE : ACTION_START_EMPTY;
    }
    return towards_protection();
}

static void expect_spawn(void) {
    control()->rounds_to_spawn = simulation.settings.spawn_delay;
}

static struct replica *spawn(void) {
    return replica_create(control()->next_epoch++);
}

static void fence(struct replica *replica) {
    replica->is_fenced = true;
    replica_forget_peer(replica);
}

static void give_up_standby(void) {
    control()->standby->is_suspected = true; /* it had stopped reading */
    control()->standby->is_given_up = true;
}

static void follow(void) {
    struct control *self = control();
    fence(self->master);
    self->master = self->standby;
    self->standby = NULL;
    self->is_protected = false;
    self->failovers++;
    expect_spawn();
}

/* Takes note of what the packet thread did by itself; whether it did. */
static bool adopt_succession(void) {
    struct succession succession;
    if (!logger_take_succession(simulation.logger, &succession)) {
        return false;
    }
    trace_say("control: the packet thread made epoch %u follow", succession.epoch);
    if (succession.has_succeeded) {
        follow();
    } else {
        give_up_standby();
    }
    return true;
}

static void fail_over(void) {
    struct control *self = control();
    logger_arm(simulation.logger, -1);
    if (adopt_succession()) {
        return;
    }
    if (logger_change_master(simulation.logger, self->standby->peer) != 0) {
        give_up_standby();
        return;
    }
    logger_watch(simulation.logger, self->standby->peer);
    follow();
}

static void declare_protected(void) {
    struct control *self = control();
    self->is_protected = self->was_ready = true;
    if (simulation.settings.is_armed) {
        logger_arm(simulation.logger, self->standby->peer);
    }
}

static void lose_state(void) {
    struct control *self = control();
    logger_change_master(simulation.logger, -1);
    logger_watch(simulation.logger, -1);
    fence(self->master);
    self->master = NULL;
    self->state_losses++;
    expect_spawn();
}

static void drop_standby(void) {
    struct control *self = control();
    struct replica *standby = self->standby;
    logger_arm(simulation.logger, -1);
    if (adopt_succession()) {
        return;
    }
    standby->is_fenced = true; /* from here on nobody waits for what it still reads */
    logger_set_standby(simulation.logger, -1);
    fence(standby);
    if (!standby->is_dead && !standby->has_begun) {
        replica_kill(standby); /* its connection is closed, and so it ends */
    }
    self->standby = NULL;
    self->is_protected = false;
    expect_spawn();
}

static void start_empty(void) {
    struct control *self = control();
    struct replica *replica = spawn();
    observe_empty_start();
    for (uint32_t worker = 0; worker < simulation.settings.workers; worker++) {
        uint64_t record, position;
        logger_start_of(simulation.logger, worker, &record, &position);
        process_set_start(replica->process, worker, record, position);
    }
    replica_begin(replica);
    logger_change_master(simulation.logger, replica->peer);
    logger_watch(simulation.logger, replica->peer);
    self->master = replica;
    expect_spawn();
}

static void take_snapshot(void) {
    struct control *self = control();
    self->standby = spawn();
    self->has_target = false;
    if (!PLANTED(LOGS_KEPT_AFTER_SNAPSHOT)) {
        logger_set_standby(simulation.logger, self->standby->peer);
    }
    replica_begin_snapshot(self->master, self->standby);
}

static void load_snapshot(void) {
    struct replica *standby = control()->standby;
    if (PLANTED(LOGS_KEPT_AFTER_SNAPSHOT)) {
        logger_set_standby(simulation.logger, standby->peer);
    }
    uint64_t access[FTMB_WORKERS_MAX];
    for (uint32_t worker = 0; worker < simulation.settings.workers; worker++) {
        access[worker] = logger_access_start(simulation.logger, worker);
        POINT(WAITING, 0, 0);
    }
    int error = snapshot_load(standby->process, standby->snapshot.descriptor);
    simulation_expect(error == 0, "a complete snapshot was refused");
    for (uint32_t worker = 0; worker < simulation.settings.workers; worker++) {
        process_set_access_start(standby->process, worker, access[worker]);
        POINT(WAITING, 0, 0);
    }
    if (!standby->is_dead) {
        replica_begin(standby);
    }
}

static void act(enum action action) {
    static const char *const names[] = {"",
                                        "fail over",
                                        "the state is lost",
                                        "drop the standby",
                                        "start with empty state",
                                        "take a snapshot",
                                        "load the snapshot",
                                        "protected"};
    trace_say("control: %s", names[action]);
    switch (action) {
    case ACTION_FAIL_OVER:
        fail_over();
        break;
    case ACTION_LOSE_STATE:
        lose_state();
        break;
    case ACTION_DROP_STANDBY:
        drop_standby();
        break;
    case ACTION_START_EMPTY:
        start_empty();
        break;
    case ACTION_TAKE_SNAPSHOT:
        take_snapshot();
        break;
    case ACTION_LOAD_SNAPSHOT:
        load_snapshot();
        break;
    default:
        declare_protected();
    }
}

static void run_control(void *argument) {
    (void)argument;
    for (;;) {
        enum action action = adopt_succession() ? ACTION_NONE : plan();
        if (action != ACTION_NONE) {
            act(action);
            POINT(ACTED, action, 0);
        }
        commands_give();
        POINT(WAITING, 0, 0);
    }
}

void control_begin(void) {
    *control() = (struct control){.next_epoch = 1};
    schedule_add(TASK_CONTROL, NULL, 0, run_control, NULL);
}
