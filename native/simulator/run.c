/* SPDX-License-Identifier: BSD-3-Clause */
#include "simulator/run.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "log/digest.h"
#include "simulator/commands.h"
#include "simulator/control.h"
#include "simulator/failures.h"
#include "simulator/observe.h"
#include "simulator/reference.h"
#include "simulator/replica.h"
#include "simulator/schedule.h"
#include "simulator/settings.h"
#include "simulator/trace.h"
#include "simulator/traffic.h"

#define STEPS_MAX 400000U /* of a run that does not come to rest */
#define START_NS 1000000000ULL
#define CLOCK_NS 1000U          /* that pass at least between two looks at the clock */
#define FENCE_CLOCK_NS 2000000U /* at most, while an epoch is finished: its patience is long */

struct simulation simulation;
enum simulation_mistake simulation_mistake = MISTAKE_NONE;

/* ---- What the host would do ---- */

uint64_t simulation_now_ns(void) {
    if (!simulation.is_reference) {
        simulation.now_ns += simulation.is_fencing ? chance(FENCE_CLOCK_NS) : CLOCK_NS;
    }
    return simulation.now_ns;
}

int pages_begin_life(struct process_page *page) {
    (void)page; /* replica_kill() marks the death */
    return 0;
}

void invariant_broken(const char *what) {
    if (simulation.current != NULL && simulation.current->replica != NULL &&
        simulation.current->replica->is_fenced) {
        trace_say("a fenced replica ends itself: %s", what);
        replica_kill(simulation.current->replica);
        schedule_leave();
    }
    simulation_fail("broken invariant: %s", what);
}

void simulation_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int used = snprintf(simulation.failure, MESSAGE_SIZE,
                        "step %llu, %s: ", (unsigned long long)simulation.steps,
                        simulation.is_reference ? "at the end" : trace_name(simulation.current));
    vsnprintf(simulation.failure + used, MESSAGE_SIZE - (size_t)used, format, arguments);
    va_end(arguments);
    simulation.has_failed = true;
    simulation.current = NULL;
    /* Fibers and the run itself alike: their stacks are left as they are. */
    longjmp(simulation.escape, 1);
}

/* ---- The run ---- */

static void run_loggers(void *argument) {
    struct logger *logger = argument;
    for (;;) {
        bool is_ending = traffic_left() == 0 && failures_are_over();
        uint32_t place = chance(simulation.settings.calm);
        if (!is_ending) {
            simulation.now_ns += place == 0 ? 10000000 : place < 8 ? chance(3000000) : chance(2000);
        }
        POINT(ROUND, logger_step(logger, simulation.now_ns), 0);
    }
}

static bool queue_is_quiet(uint32_t worker) {
    const struct input_queue *input = &simulation.logger->input.queues[worker];
    const struct output_logger *output = &simulation.logger->output;
    const struct output_queue *queue = &output->queues[worker];
    return queue->input_sequence == input->sequence && queue->received == queue->released &&
           ring_written(&input->ring) == input->position &&
           queue->access_retained == queue->access_position && /* nobody holds the logs */
           process_replayed(simulation.control.standby->process, worker) == queue->received &&
           process_replayed(simulation.control.master->process, worker) == queue->received;
}

static bool is_quiet(void) {
    const struct control *control = &simulation.control;
    if (traffic_left() != 0 || !failures_are_over() || !control->is_protected ||
        control->master->is_dead || control->standby->is_dead || control->standby->is_disturbed ||
        control->master->is_suspected || control->standby->is_suspected) {
        return false;
    }
    for (uint32_t worker = 0; worker < simulation.settings.workers; worker++) {
        if (!queue_is_quiet(worker)) {
            return false;
        }
    }
    return true;
}

/* Where everything stands, for a run that is traced. */
static void describe(void) {
    const struct output_logger *output = &simulation.logger->output;
    for (uint32_t worker = 0; worker < simulation.settings.workers; worker++) {
        const struct input_queue *input = &simulation.logger->input.queues[worker];
        const struct output_queue *queue = &output->queues[worker];
        trace_say(
            "worker %u: inputs logged %llu, consumed %llu, kept from %llu; records received "
            "%llu, cut %llu, committed %llu, released %llu, freed %llu; input log holds %llu "
            "bytes, access log %llu",
            worker, (unsigned long long)input->sequence, (unsigned long long)queue->input_sequence,
            (unsigned long long)input->retained_sequence, (unsigned long long)queue->received,
            (unsigned long long)output->cut[worker], (unsigned long long)output->committed[worker],
            (unsigned long long)queue->released, (unsigned long long)queue->access_number,
            (unsigned long long)(input->position - input->retained_position),
            (unsigned long long)(queue->access_position - queue->access_retained));
    }
}

void run_look(void) {
    if (is_quiet()) {
        simulation.is_over = true;
    } else if (simulation.steps > simulation.steps_max) {
        describe();
        simulation_fail("liveness: the box does not come to rest (%s, %u frames to come)",
                        simulation.control.is_protected ? "protected" : "not protected",
                        traffic_left());
    }
}

static void begin(uint64_t seed, bool is_tracing) {
    memset(&simulation, 0, sizeof(simulation));
    simulation.seed = seed;
    simulation.random.state = seed * 0x9e3779b97f4a7c15ULL + 1;
    simulation.is_tracing = is_tracing;
    simulation.now_ns = START_NS;
    simulation.steps_max = STEPS_MAX;
}

static void build(void) {
    int error = 0;
    settings_draw(&simulation.settings, &simulation.pipeline);
    const struct settings *settings = &simulation.settings;
    trace_say("%s on %u workers, logs of %llu, %llu and %llu bytes, %u frames, %u failures%s",
              settings->pipeline_name, settings->workers, (unsigned long long)settings->input_size,
              (unsigned long long)settings->access_size, (unsigned long long)settings->output_size,
              settings->frames, settings->failures,
              settings->release == RELEASE_NONE ? ", release none" : "");
    observe_begin();
    const struct logger_settings logger_settings = {.workers = settings->workers,
                                                    .input_size = settings->input_size,
                                                    .access_size = settings->access_size,
                                                    .output_size = settings->output_size,
                                                    .is_logged = true,
                                                    .release = settings->release,
                                                    .pals = settings->pals};
    simulation.logger = logger_create(&logger_settings, &simulation.pipeline, &error);
    simulation_expect(simulation.logger != NULL, "the loggers cannot be created");
    simulation.page = pages_map_logger(simulation.logger->page_descriptor, &error);
    simulation_expect(simulation.page != NULL, "the loggers' page cannot be mapped");
    commands_begin();
    traffic_begin(simulation.logger);
    logger_expect_thread(simulation.logger);
    failures_draw();
    schedule_add(TASK_LOGGERS, NULL, 0, run_loggers, simulation.logger);
    control_begin();
}

static void tear_down(void) {
    simulation.current = NULL;
    simulation.is_reference = false;
    reference_release();
    for (uint32_t index = 0; index < TASKS_MAX; index++) {
        if (simulation.tasks[index].is_used) {
            schedule_remove_task(&simulation.tasks[index]);
        }
    }
    for (uint32_t index = 0; index < REPLICAS_MAX; index++) {
        if (simulation.replicas[index].epoch != 0) {
            replica_destroy(&simulation.replicas[index]);
        }
    }
    if (simulation.page != NULL) {
        munmap(simulation.page, (sizeof(*simulation.page) + 4095) & ~(size_t)4095);
    }
    logger_destroy(simulation.logger);
}

static uint64_t digest_of_outputs(void) {
    uint64_t digest = simulation.steps;
    for (uint32_t worker = 0; worker < simulation.settings.workers; worker++) {
        const struct observed_queue *queue = &observed.queues[worker];
        for (uint32_t index = 0; index < queue->release_count; index++) {
            digest = digest * 31 + queue->releases[index].digest + queue->releases[index].record;
        }
    }
    return digest;
}

void run_seed(uint64_t seed, bool is_tracing, struct run_result *result) {
    begin(seed, is_tracing);
    if (setjmp(simulation.escape) == 0) {
        build();
        schedule_run();
        observe_end();
        reference_check();
    }
    *result = (struct run_result){.has_failed = simulation.has_failed, .steps = simulation.steps};
    memcpy(result->failure, simulation.failure, MESSAGE_SIZE);
    result->failovers = simulation.control.failovers;
    result->state_losses = simulation.control.state_losses;
    for (uint32_t worker = 0; worker < simulation.settings.workers; worker++) {
        result->records += (uint32_t)observed.queues[worker].record_count;
    }
    result->doubled = observed.doubled;
    result->digest = digest_of_outputs();
    tear_down();
}
