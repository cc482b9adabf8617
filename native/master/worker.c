/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Building a record: input records are copied into slots, run through the pipeline in batches
 * (a tick ends a batch, so that timers fire between the same packets everywhere), and what the
 * elements decided is written back into the slots' headers.
 */
#include "master/worker.h"

#include <string.h>

#include "host/crash_point.h"
#include "host/cycles.h"
#include "host/process.h"
#include "log/input_record.h"
#include "simulator/points.h"

#define COPY_UNIT 16U

/* Both sides are padded to RING_ALIGNMENT, so short frames are copied in whole units. */
static inline void copy_frame(uint8_t *target, const uint8_t *source, uint32_t length) {
    if (length > 256) {
        memcpy(target, source, length);
        return;
    }
    for (uint32_t offset = 0; offset < length; offset += COPY_UNIT) {
        memcpy(target + offset, source + offset, COPY_UNIT);
    }
}

static struct ftmb_packet *add_slot(struct worker *worker, uint16_t length, uint64_t time_ns) {
    struct record_builder *builder = &worker->builder;
    struct output_slot *slot = (struct output_slot *)(builder->start + builder->offset);
    uint32_t stride = (uint32_t)output_slot_size(length);
    *slot = (struct output_slot){.port = FTMB_PORT_NONE, .stride = stride, .time_ns = time_ns};
    struct ftmb_packet *packet = &builder->packets[builder->slot_count];
    builder->slots[builder->slot_count++] = slot;
    builder->offset += stride;
    *packet = (struct ftmb_packet){.data = (uint8_t *)(slot + 1),
                                   .time_ns = time_ns,
                                   .length = length,
                                   .port_in = FTMB_PORT_NONE,
                                   .port_out = FTMB_PORT_NONE};
    return packet;
}

/* The input log is right; but a fenced master reads on until it notices, while what it reads is
 * written over, and a replay that begins in the wrong place of it reads anything. */
static _Noreturn void refuse_input(struct worker *worker) {
    invariant(worker->mode == WORKER_REPLAY, "an input record is longer than a frame");
    worker_diverge(worker);
}

static void add_input(struct worker *worker, const struct input_record *input) {
    if (__builtin_expect(input->length > FTMB_FRAME_SIZE_MAX, 0)) {
        refuse_input(worker);
    }
    struct ftmb_packet *packet = add_slot(worker, input->length, input->time_ns);
    if (PLANTED(TIME_BY_OWN_CLOCK)) {
        packet->time_ns = monotonic_ns();
    }
    packet->hash = input->hash;
    packet->port_in = input->port;
    packet->is_again = input->kind == INPUT_AGAIN;
    copy_frame(packet->data, input_record_bytes(input), input->length);
    worker->state->packets++;
    worker->state->bytes += input->length;
}

static void enter_stage(struct worker *worker, uint32_t stage, uint64_t now_ns) {
    const struct arena_header *header = arena_header(worker->arena);
    worker->stage = stage;
    worker->context.now_ns = now_ns;
    worker->context.config = worker->pipeline->stages[stage].config;
    worker->context.shared = arena_at(worker->arena, header->element_shared[stage]);
    worker->context.state =
        arena_at(worker->arena, header->element_state[stage][worker->context.worker]);
    worker->context.scratch = worker->element_scratch[stage];
}

/* Runs a stage over packets of a burst that began at `now_ns`; how many of them go on. Of the whole
 * burst: an element that stands in several paths must not see time go back. */
static uint32_t run_stage(struct worker *worker, uint32_t stage, uint64_t now_ns,
                          struct ftmb_packet **batch, uint32_t count, bool is_last) {
    enter_stage(worker, stage, now_ns);
    worker->pipeline->stages[stage].element->process(&worker->context, batch, count);
    CRASH_POINT(MASTER_IN_ELEMENT);
    uint32_t kept = 0;
    for (uint32_t index = 0; index < count && !is_last; index++) {
        if (batch[index]->port_out != FTMB_PORT_NONE) {
            batch[kept++] = batch[index];
        }
    }
    return kept;
}

/* Those of the builder slots [first, end) that have this path. */
static void run_path(struct worker *worker, const struct pipeline_path *path, uint32_t first,
                     uint32_t end, const struct pipeline_path *const *paths) {
    struct ftmb_packet *batch[FTMB_BURST_MAX];
    uint32_t count = 0;
    for (uint32_t index = first; index < end; index++) {
        if (paths[index - first] == path) {
            batch[count++] = &worker->builder.packets[index];
        }
    }
    for (uint32_t place = 0; place < path->count && count > 0; place++) {
        count = run_stage(worker, path->stages[place], worker->builder.packets[first].time_ns,
                          batch, count, place + 1 == path->count);
    }
}

/* Each packet takes the path that it matches as it came in, path by path. */
static void run_paths(struct worker *worker, uint32_t first, uint32_t end) {
    const struct pipeline *pipeline = worker->pipeline;
    const struct pipeline_path *paths[FTMB_BURST_MAX];
    uint32_t used = 0;
    for (uint32_t index = first; index < end; index++) {
        const struct pipeline_path *path =
            pipeline_path_of(pipeline, &worker->builder.packets[index]);
        paths[index - first] = path;
        if (path == NULL) {
            worker->state->worker_drops[WORKER_DROP_NO_PATH]++;
        } else {
            used |= 1U << (path - pipeline->paths);
        }
    }
    for (; used != 0; used &= used - 1) {
        run_path(worker, &pipeline->paths[__builtin_ctz(used)], first, end, paths);
    }
}

/* Runs the packets of builder slots [first, end) through the elements. */
static void run_batch(struct worker *worker, uint32_t first, uint32_t end) {
    const struct pipeline *pipeline = worker->pipeline;
    if (pipeline->path_count > 0) {
        run_paths(worker, first, end);
        return;
    }
    struct ftmb_packet *batch[FTMB_BURST_MAX];
    uint32_t count = 0;
    for (uint32_t index = first; index < end; index++) {
        batch[count++] = &worker->builder.packets[index];
    }
    for (uint32_t stage = 0; stage < pipeline->count && count > 0; stage++) {
        count = run_stage(worker, stage, worker->builder.packets[first].time_ns, batch, count,
                          stage + 1 == pipeline->count);
    }
}

static void run_tick(struct worker *worker, const struct input_record *input) {
    if (PLANTED(TICK_BY_OWN_CLOCK) && worker->mode != WORKER_REPLAY &&
        monotonic_ns() - input->time_ns > INPUT_TICK_INTERVAL_NS) {
        return;
    }
    const struct pipeline *pipeline = worker->pipeline;
    for (uint32_t stage = 0; stage < pipeline->count; stage++) {
        if (pipeline->stages[stage].element->tick != NULL) {
            enter_stage(worker, stage, input->time_ns);
            pipeline->stages[stage].element->tick(&worker->context);
        }
    }
    worker_show_drops(worker);
}

static void run_command(struct worker *worker, const struct input_record *input) {
    const struct pipeline *pipeline = worker->pipeline;
    char text[FTMB_COMMAND_SIZE_MAX];
    if (input->port >= pipeline->count || input->length == 0 || input->length > sizeof(text) ||
        pipeline->stages[input->port].element->command == NULL) {
        refuse_input(worker);
    }
    if (PLANTED(COMMAND_NOT_REPLAYED) && worker->mode == WORKER_REPLAY) {
        return;
    }
    memcpy(text, input_record_bytes(input), input->length);
    text[input->length - 1] = 0;
    enter_stage(worker, input->port, input->time_ns);
    pipeline->stages[input->port].element->command(&worker->context, text);
}

/* What the elements decided goes from the packets to the slots' headers. */
static void write_back(struct record_builder *builder) {
    for (uint32_t index = 0; index < builder->slot_count; index++) {
        bool is_lost =
            PLANTED(EMITTED_LOST) && index + builder->emitted_count >= builder->slot_count;
        builder->slots[index]->port = is_lost ? FTMB_PORT_NONE : builder->packets[index].port_out;
        builder->slots[index]->length = builder->packets[index].length;
    }
}

void worker_build(struct worker *worker, uint8_t *record, uint32_t input_count) {
    struct record_builder *builder = &worker->builder;
    builder->start = record;
    builder->offset = OUTPUT_RECORD_HEADER_SIZE;
    builder->slot_count = 0;
    builder->pal_count = 0;
    builder->emitted_count = 0;
    builder->raised = 0;
    worker->access = 0;
    uint32_t first = 0;
    for (uint32_t index = 0; index < input_count; index++) {
        const struct input_record *input = ring_at(&worker->input, worker->state->input_position);
        POINT(INPUT_READ, worker->context.worker, worker->state->input_position);
        if (input->kind == INPUT_TICK || input->kind == INPUT_COMMAND) {
            run_batch(worker, first, builder->slot_count);
            CRASH_POINT(MASTER_MID_RECORD);
            if (input->kind == INPUT_TICK) {
                run_tick(worker, input);
            } else {
                run_command(worker, input);
            }
            first = builder->slot_count;
        } else {
            add_input(worker, input);
        }
        worker->state->input_position += input_record_size(input);
        worker->state->now_ns = input->time_ns;
    }
    run_batch(worker, first, builder->slot_count);
    write_back(builder);
}

static uint32_t count_inputs(const struct worker *worker) {
    uint64_t written = ring_written(&worker->input);
    uint64_t position = worker->state->input_position;
    uint32_t count = 0;
    while (position < written && count < FTMB_BURST_MAX) {
        const struct input_record *input = ring_at(&worker->input, position);
        __builtin_prefetch(input + 1);
        position += input_record_size(input);
        count++;
    }
    return count;
}

void worker_advance_record(struct worker *worker) {
    struct worker_state *state = worker->state;
    state->record_number++;
    state->vector[worker->context.worker] = state->record_number;
}

/* With PAL_EVERY_ACCESS, for each packet. */
static uint32_t append_vectors(const struct worker *worker, uint8_t *tail) {
    if (worker->mode != WORKER_LOGGED) {
        return 0;
    }
    uint32_t workers = worker->context.workers;
    uint32_t count =
        output_record_vector_count(workers, worker->builder.slot_count, worker->process->pals);
    for (uint32_t first = 0; first < count; first += workers) {
        memcpy(tail + first * sizeof(uint64_t), worker->state->vector, workers * sizeof(uint64_t));
    }
    return count;
}

/* What changed in the worker's vector. */
static uint32_t append_dependencies(const struct worker *worker, uint8_t *tail) {
    if (worker->mode != WORKER_LOGGED) {
        return 0;
    }
    struct dependency *dependencies = (struct dependency *)tail;
    uint64_t others = worker->builder.raised & ~(1ULL << worker->context.worker);
    uint32_t count = 0;
    for (; others != 0; others &= others - 1) {
        uint32_t other = (uint32_t)__builtin_ctzll(others);
        dependencies[count++] =
            (struct dependency){.record = worker->state->vector[other], .worker = other};
    }
    return count;
}

/* PALs, dependencies and header follow the slots; then the record is the output logger's to see. */
static void finish_record(struct worker *worker, uint32_t input_count) {
    struct record_builder *builder = &worker->builder;
    struct worker_state *state = worker->state;
    uint8_t *tail = builder->start + builder->offset;
    memcpy(tail, worker->pals, builder->pal_count * sizeof(struct pal));
    tail += builder->pal_count * sizeof(struct pal);
    worker_advance_record(worker);
    POINT(RECORD_BUILT, worker->context.worker, state->record_number);
    if (PLANTED(PUBLISHED_BEFORE_WHOLE)) {
        uint64_t end = (uint64_t)(tail - builder->start) +
                       (uint64_t)__builtin_popcountll(builder->raised) * sizeof(struct dependency);
        ring_publish(&worker->output, worker->output_position + ring_align(end));
        POINT(RECORD_WRITTEN, worker->context.worker, state->record_number);
    }
    uint32_t vector_count = append_vectors(worker, tail);
    tail += vector_count * sizeof(uint64_t);
    uint32_t dependency_count = append_dependencies(worker, tail);
    tail += dependency_count * sizeof(struct dependency);

    struct output_record *record = (struct output_record *)builder->start;
    *record =
        (struct output_record){.size = (uint32_t)ring_align((uint64_t)(tail - builder->start)),
                               .epoch = worker->process->epoch,
                               .number = state->record_number,
                               .input_count = input_count,
                               .slot_count = builder->slot_count,
                               .pal_count = builder->pal_count,
                               .pals_offset = builder->offset,
                               .vector_count = vector_count,
                               .dependency_count = dependency_count};
    worker->output_position += record->size;
    worker->output_records++;
    POINT(RECORD_WRITTEN, worker->context.worker, state->record_number);
    CRASH_POINT(MASTER_BEFORE_PUBLISH);
    ring_publish(&worker->output, worker->output_position);
    POINT(RECORD_PUBLISHED, worker->context.worker, state->record_number);
    CRASH_POINT(MASTER_AFTER_PUBLISH);
}

/*
 * In bytes and in records. If the output logger had to leave whole records unread for want of
 * places, all could wait for ever: records may depend on one another both ways, since a record
 * depends on the whole of those it met half done.
 */
static bool has_room_for_record(const struct worker *worker) {
    uint64_t used = worker->output_position - ring_consumed(&worker->output);
    uint64_t pending = worker->output_records - ring_consumed_records(&worker->output);
    return (worker->output.size - used >= OUTPUT_RECORD_SIZE_MAX || PLANTED(OUTPUT_OVERWRITTEN)) &&
           (pending < PENDING_RECORDS_MAX - 1 || PLANTED(RECORDS_UNBOUNDED));
}

enum worker_progress worker_live_step(struct worker *worker) {
    uint64_t start = cycles_now();
    uint32_t input_count = count_inputs(worker);
    if (input_count == 0) {
        return WORKER_IDLE;
    }
    struct worker_status *status = worker->status;
    if (!has_room_for_record(worker)) {
        status_add(&status->output_waits, 1);
        return WORKER_IDLE;
    }
    POINT(BURST_BEGUN, worker->context.worker, input_count);
    worker_build(worker, ring_at(&worker->output, worker->output_position), input_count);
    finish_record(worker, input_count);
    status_add(&status->bursts, 1);
    status_add(&status->packets, input_count);
    status_add(&status->pals, worker->builder.pal_count);
    status_add(&status->busy_cycles, cycles_now() - start);
    return WORKER_BUSY;
}

void worker_add_pal(struct worker *worker, const struct pal *pal) {
    invariant(worker->builder.pal_count < RECORD_PALS_MAX,
              "an element takes over more shared variables in a burst than a record can hold");
    worker->pals[worker->builder.pal_count++] = *pal;
}

_Noreturn void worker_diverge(struct worker *worker) {
    process_set_phase(worker->process, PHASE_DIVERGED);
    atomic_store_explicit(&worker->process->is_abandoned, true, memory_order_release);
    longjmp(worker->abandon, 1);
}

void worker_check_abandoned(struct worker *worker) {
    if (atomic_load_explicit(&worker->process->is_abandoned, memory_order_acquire)) {
        longjmp(worker->abandon, 1);
    }
}

void worker_show_drops(struct worker *worker) {
    const struct worker_state *state = worker->state;
    struct worker_status *status = worker->status;
    for (uint32_t stage = 0; stage < worker->pipeline->count; stage++) {
        for (uint32_t reason = 0; reason < FTMB_DROP_REASONS_MAX; reason++) {
            atomic_store_explicit(&status->drops[stage][reason], state->drops[stage][reason],
                                  memory_order_relaxed);
        }
    }
    for (uint32_t reason = 0; reason < WORKER_DROPS; reason++) {
        atomic_store_explicit(&status->worker_drops[reason], state->worker_drops[reason],
                              memory_order_relaxed);
    }
}

static inline uint64_t rotate_left(uint64_t value, int bits) {
    return (value << bits) | (value >> (64 - bits));
}

uint64_t ftmb_random(struct ftmb_context *context) { /* xoshiro256++, Blackman and Vigna */
    uint64_t *state = worker_of(context)->state->random;
#ifdef FTMB_SIMULATION
    static uint64_t outside_arena[4] = {1, 2, 3, 4};
    state = PLANTED(RANDOM_OUTSIDE_ARENA) ? outside_arena : state;
#endif
    uint64_t result = rotate_left(state[0] + state[3], 23) + state[0];
    uint64_t carried = state[1] << 17;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= carried;
    state[3] = rotate_left(state[3], 45);
    return result;
}

void ftmb_drop(struct ftmb_context *context, struct ftmb_packet *packet, uint32_t reason) {
    struct worker *worker = worker_of(context);
    packet->port_out = FTMB_PORT_NONE;
    worker->state->drops[worker->stage][reason % FTMB_DROP_REASONS_MAX]++;
}

uint32_t ftmb_emit_room(const struct ftmb_context *context) {
    const struct worker *worker = (const struct worker *)(const void *)context;
    return FTMB_BURST_MAX - worker->builder.emitted_count;
}

struct ftmb_packet *ftmb_emit(struct ftmb_context *context, uint16_t length, uint8_t port_out) {
    struct worker *worker = worker_of(context);
    struct record_builder *builder = &worker->builder;
    if (builder->emitted_count == FTMB_BURST_MAX || length > FTMB_FRAME_SIZE_MAX) {
        worker->state->worker_drops[WORKER_DROP_EMIT_OVERFLOW]++;
        return NULL;
    }
    builder->emitted_count++;
    struct ftmb_packet *packet = add_slot(worker, length, context->now_ns);
    memset(packet->data, 0, length);
    packet->port_out = port_out;
    return packet;
}
