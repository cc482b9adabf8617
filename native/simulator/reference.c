/* SPDX-License-Identifier: BSD-3-Clause */
#include "simulator/reference.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log/digest.h"
#include "log/output_record.h"
#include "simulator/observe.h"
#include "simulator/probe.h"

#define OUTPUTS_MAX 64U /* of a record, that is 2 * FTMB_BURST_MAX and more */
#define ARENA_PART_SIZE (512U << 10)

/* One worker's: what it has still to do. */
struct part {
    struct fiber fiber;
    struct ring input, output;
    int input_descriptor, output_descriptor;
    uint64_t end;          /* the last record to execute */
    uint32_t input_count;  /* inputs given to it */
    uint32_t next_release; /* of what was observed */
    bool is_done;
};

static struct {
    struct process *process;
    struct logger_page page;
    struct process_page process_page;
    struct ring access;
    int access_descriptor;
    struct part parts[FTMB_WORKERS_MAX];
    uint32_t current;                                       /* whose fiber runs */
    uint32_t waits;                                         /* in a row, in which nobody got on */
    uint32_t first[VARIABLES_MAX + 1], next[VARIABLES_MAX]; /* into `order` */
    uint32_t order[ACCESSES_MAX]; /* accesses by variable, each variable's in the order observed */
    uint64_t slots_sent;          /* that have a port */
} reference;

/* ---- The order of accesses ---- */

static bool belongs(const struct observed_access *access, uint32_t start) {
    uint32_t first_epoch = observed.starts[start].first_epoch;
    bool is_last = start + 1 == observed.start_count;
    return access->epoch >= first_epoch &&
           (is_last || access->epoch < observed.starts[start + 1].first_epoch) &&
           observed_is_committed(access);
}

/* A counting sort by variable. */
static void sort_accesses(uint32_t start) {
    uint32_t *first = reference.first;
    memset(first, 0, sizeof(reference.first));
    for (uint32_t index = 0; index < observed.access_count; index++) {
        const struct observed_access *access = &observed.accesses[index];
        first[access->variable + 1] += belongs(access, start);
    }
    for (uint32_t variable = 0; variable < VARIABLES_MAX; variable++) {
        first[variable + 1] += first[variable];
        reference.next[variable] = first[variable];
    }
    for (uint32_t index = 0; index < observed.access_count; index++) {
        const struct observed_access *access = &observed.accesses[index];
        if (belongs(access, start)) {
            reference.order[reference.next[access->variable]++] = index;
        }
    }
    memcpy(reference.next, first, sizeof(reference.next));
}

static bool is_its_turn(uint32_t worker, uint64_t record, uint32_t variable, uint32_t access) {
    uint32_t place = reference.next[variable];
    if (place == reference.first[variable + 1]) {
        simulation_fail("re-execution: record %" PRIu64 " of worker %u touches variable %u more "
                        "often than its master did",
                        record, worker, variable);
    }
    const struct observed_access *wanted = &observed.accesses[reference.order[place]];
    return wanted->worker == worker && wanted->record == record && wanted->access == access;
}

static void give_way(void) {
    uint32_t before = reference.current;
    uint32_t workers = simulation.settings.workers;
    if (reference.waits++ > 4 * workers) {
        simulation_fail("re-execution: the committed records cannot be executed in the order "
                        "observed, worker %u waits for what is not committed",
                        before);
    }
    do {
        reference.current = (reference.current + 1) % workers;
    } while (reference.parts[reference.current].is_done && reference.current != before);
    if (reference.current != before) {
        fiber_switch(&reference.parts[before].fiber, &reference.parts[reference.current].fiber);
    }
}

void reference_reach(enum simulation_point point, uint64_t a, uint64_t b) {
    const struct worker *worker = &reference.process->workers[reference.current];
    if (worker->mode != WORKER_LOGGED) {
        return;
    }
    if (point == POINT_ACQUIRING) {
        while (!is_its_turn(reference.current, worker->state->record_number + 1, (uint32_t)a,
                            (uint32_t)b)) {
            give_way();
        }
        reference.waits = 0;
    } else if (point == POINT_ACQUIRED) {
        reference.next[a]++;
    }
}

/* ---- What comes out ---- */

static void check_slot(const struct observed_release *releases, uint32_t count, uint64_t *matched,
                       const struct output_slot *slot, uint32_t worker) {
    uint64_t digest = digest_add(0, 0, 0, (const uint8_t *)(slot + 1), slot->length);
    for (uint32_t index = 0; index < count; index++) {
        const struct observed_release *release = &releases[index];
        bool was_dropped = release->digest == 0 && (slot->port & FTMB_PORT_AGAIN) != 0;
        if ((*matched & (1ULL << index)) != 0 || (release->port != slot->port && !was_dropped)) {
            continue;
        }
        if (release->digest != digest && !was_dropped) {
            simulation_fail("exactly once: worker %u, record %" PRIu64
                            ": the packet that left by port %u is not the one that should",
                            worker, release->record, slot->port);
        }
        *matched |= 1ULL << index;
        return;
    }
    simulation_fail("exactly once: a packet of worker %u, record %" PRIu64 ", port %u never left",
                    worker, reference.process->workers[worker].state->record_number, slot->port);
}

/* The record just built, against what was seen to leave for it. */
static void check_outputs(uint32_t worker, uint64_t number) {
    struct part *part = &reference.parts[worker];
    const struct observed_queue *queue = &observed.queues[worker];
    const struct observed_release *releases = &queue->releases[part->next_release];
    uint32_t count = 0;
    while (part->next_release + count < queue->release_count && releases[count].record == number) {
        count++;
    }
    simulation_expect(count <= OUTPUTS_MAX, "exactly once: far more packets left than one record "
                                            "can hold");
    const uint8_t *start = ring_at(&part->output, ring_consumed(&part->output));
    const struct output_record *record = (const struct output_record *)start;
    uint64_t matched = 0;
    start += OUTPUT_RECORD_HEADER_SIZE;
    for (uint32_t index = 0; index < record->slot_count; index++) {
        const struct output_slot *slot = (const struct output_slot *)start;
        if (slot->port != FTMB_PORT_NONE) {
            reference.slots_sent++;
            check_slot(releases, count, &matched, slot, worker);
        }
        start += slot->stride;
    }
    if (count > 0 && matched != (count == 64 ? ~0ULL : (1ULL << count) - 1)) {
        simulation_fail("exactly once: worker %u, record %" PRIu64 ": a packet left that should "
                        "not, or twice",
                        worker, number);
    }
    part->next_release += count;
}

static void execute_part(void *argument) {
    struct part *part = argument;
    uint32_t index = (uint32_t)(part - reference.parts);
    const struct observed_queue *queue = &observed.queues[index];
    struct worker *worker = &reference.process->workers[index];
    while (worker->state->record_number < part->end) {
        uint64_t number = worker->state->record_number + 1;
        part->input_count += queue->records[number].input_count;
        ring_publish(&part->input, queue->input_ends[part->input_count]);
        process_step(reference.process, index);
        simulation_expect(worker->state->record_number == number,
                          "re-execution: a record was not built");
        check_outputs(index, number);
        ring_consume(&part->output, ring_written(&part->output));
        ring_count_consumed(&part->output, worker->output_records);
        reference.waits = 0;
    }
    part->is_done = true;
    for (uint32_t other = 0; other < simulation.settings.workers; other++) {
        if (!reference.parts[other].is_done) {
            reference.current = other;
            fiber_switch(&part->fiber, &reference.parts[other].fiber);
        }
    }
    fiber_switch(&part->fiber, &simulation.main);
}

/* ---- One re-execution, from one empty start to the next ---- */

static void make_ring(struct ring *ring, int *descriptor, uint64_t at_least) {
    uint64_t size = RING_SIZE_MIN;
    while (size < at_least) {
        size *= 2;
    }
    simulation_expect(ring_create(ring, "reference", size, descriptor) == 0,
                      "no memory for the re-execution");
}

static void make_part(uint32_t worker, uint32_t start) {
    struct part *part = &reference.parts[worker];
    const struct observed_queue *queue = &observed.queues[worker];
    const struct observed_start *origin = &observed.starts[start];
    bool is_last = start + 1 == observed.start_count;
    uint32_t next_release = start == 0 ? 0 : part->next_release;
    *part = (struct part){.next_release = next_release};
    part->end = is_last ? queue->record_count : observed.starts[start + 1].records[worker];
    make_ring(&part->input, &part->input_descriptor, queue->input_bytes + 1);
    memcpy(part->input.data, queue->inputs, queue->input_bytes);
    make_ring(&part->output, &part->output_descriptor, 2 * OUTPUT_RECORD_SIZE_MAX);
    while (part->input_count < queue->input_count && origin->positions[worker] != 0 &&
           queue->input_ends[part->input_count] < origin->positions[worker]) {
        part->input_count++;
    }
    ring_publish(&part->input, origin->positions[worker]);
    int error = process_attach_logs(reference.process, worker, part->input_descriptor,
                                    reference.access_descriptor, part->output_descriptor);
    simulation_expect(error == 0, "no memory for the re-execution");
    process_set_start(reference.process, worker, origin->records[worker],
                      origin->positions[worker]);
    atomic_store(&reference.page.cut[worker], origin->records[worker]);
    simulation_expect(fiber_create(&part->fiber, execute_part, part) == 0,
                      "no memory for a thread's stack");
}

static void make_process(void) {
    int error;
    reference.page.magic = PAGES_MAGIC;
    reference.page.version = PAGES_VERSION;
    reference.page.workers = simulation.settings.workers;
    atomic_store(&reference.page.epoch, 1);
    const struct process_settings settings = {.epoch = 1,
                                              .workers = simulation.settings.workers,
                                              .arena_part_size = ARENA_PART_SIZE,
                                              .configuration_digest = simulation.seed,
                                              .seed = simulation.seed,
                                              .is_logged = true,
                                              .pals = simulation.settings.pals};
    reference.process = process_create(&settings, &simulation.pipeline, &reference.page,
                                       &reference.process_page, &error);
    simulation_expect(reference.process != NULL, "no memory for the re-execution");
    make_ring(&reference.access, &reference.access_descriptor, RING_SIZE_MIN);
}

void reference_release(void) {
    if (reference.process == NULL) {
        return;
    }
    process_destroy(reference.process);
    reference.process = NULL;
    ring_detach(&reference.access);
    close(reference.access_descriptor);
    for (uint32_t worker = 0; worker < simulation.settings.workers; worker++) {
        struct part *part = &reference.parts[worker];
        fiber_destroy(&part->fiber);
        ring_detach(&part->input);
        ring_detach(&part->output);
        close(part->input_descriptor);
        close(part->output_descriptor);
    }
}

static void compare_state(void) {
    uint64_t expected = process_state_digest(reference.process);
    const struct control *control = &simulation.control;
    simulation_expect(process_state_digest(control->master->process) == expected,
                      "replay equals run: the master's state is not that of the re-execution");
    simulation_expect(process_state_digest(control->standby->process) == expected,
                      "replay equals run: the standby's state is not that of the re-execution");
}

/* The worker's own code is the same here and there: of what it does with an element's decisions
 * the probe alone can tell. */
static void check_sent(void) {
    bool is_probe = simulation.pipeline.stages[0].element == &probe_class;
    simulation_expect(!is_probe || probe_sent == reference.slots_sent,
                      "a worker does not send what its element decided to send");
}

static void check_start(uint32_t start) {
    sort_accesses(start);
    make_process();
    for (uint32_t worker = 0; worker < simulation.settings.workers; worker++) {
        make_part(worker, start);
    }
    process_begin(reference.process);
    reference.current = reference.waits = 0;
    probe_sent = reference.slots_sent = 0;
    simulation.is_reference = true;
    for (uint32_t step = 0; step < 2 * simulation.settings.workers; step++) { /* all go live */
        process_step(reference.process, step % simulation.settings.workers);
    }
    fiber_switch(&simulation.main, &reference.parts[0].fiber);
    simulation.is_reference = false;
    if (!simulation.has_failed) {
        check_sent();
        for (uint32_t variable = 0; variable < VARIABLES_MAX; variable++) {
            simulation_expect(reference.next[variable] == reference.first[variable + 1],
                              "re-execution: a master touched a variable more often");
        }
        if (start + 1 == observed.start_count) {
            compare_state();
        }
    }
    reference_release();
}

void reference_check(void) {
    for (uint32_t start = 0; start < observed.start_count && !simulation.has_failed; start++) {
        check_start(start);
    }
}
