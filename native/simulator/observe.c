/* SPDX-License-Identifier: BSD-3-Clause */
#include "simulator/observe.h"

#include <stdlib.h>
#include <string.h>

#include "log/access_record.h"
#include "log/digest.h"
#include "log/input_record.h"
#include "simulator/traffic.h"

struct observed observed;

static struct {
    uint8_t port; /* of the frames being logged */
    uint32_t delivered, logged;
    uint64_t dropped;                   /* inputs for which a log had no room */
    uint64_t tick_ns[FTMB_WORKERS_MAX]; /* of the last one, logged or left out */
    uint64_t let_go[FTMB_WORKERS_MAX];  /* of the access log, while an epoch is finished */
    bool has_standby;                   /* who may make room for it */
    uint64_t progress_ns;               /* when something was released last, by then */
    uint32_t releasing_worker;
    uint64_t releasing_record;
    uint32_t releasing_epoch;
    uint32_t cursor[FTMB_WORKERS_MAX]; /* accesses before it are of records committed */
} now;

void observe_begin(void) {
    memset(&now, 0, sizeof(now));
    observed.access_count = 0;
    observed.start_count = 0;
    observed.doubled = 0;
    for (uint32_t worker = 0; worker < FTMB_WORKERS_MAX; worker++) {
        struct observed_queue *queue = &observed.queues[worker];
        if (queue->inputs == NULL) {
            queue->inputs = malloc(INPUT_BYTES_MAX);
            simulation_expect(queue->inputs != NULL, "no memory for what is observed");
        }
        queue->input_bytes = queue->input_count = queue->release_count = 0;
        queue->packets = queue->commands = queue->record_count = queue->cut_before = 0;
    }
}

/* ---- What comes in ---- */

void observe_delivery(uint8_t port, uint32_t count) {
    simulation_expect(now.logged == now.delivered, "a frame that came in was not logged");
    now.port = port;
    now.delivered = count;
    now.logged = 0;
}

static void add_release(uint8_t port, uint64_t digest) {
    struct observed_queue *queue = &observed.queues[now.releasing_worker];
    simulation_expect(queue->release_count < RELEASES_MAX, "the run is too long for the simulator");
    queue->releases[queue->release_count++] =
        (struct observed_release){.epoch = now.releasing_epoch,
                                  .record = now.releasing_record,
                                  .digest = digest,
                                  .port = port};
}

static void check_packet(const struct input_record *record) {
    simulation_expect(now.logged < now.delivered, "a frame was logged that never came in");
    const struct frame *frame = traffic_delivered(now.logged++);
    bool is_same = record->length == frame->length && record->port == now.port &&
                   memcmp(input_record_bytes(record), frame->bytes, frame->length) == 0;
    simulation_expect(is_same, "a frame was logged that is not the one that came in");
}

static void input_appended(uint32_t index) {
    const struct input_queue *input = &simulation.logger->input.queues[index];
    struct observed_queue *queue = &observed.queues[index];
    const struct input_record *record = ring_at(&input->ring, queue->input_bytes);
    uint64_t size = input_record_size(record);
    simulation_expect(queue->input_bytes + size == input->position &&
                          queue->input_count + 1 == input->sequence,
                      "the input log does not go on where it ended");
    simulation_expect(queue->input_bytes + size <= INPUT_BYTES_MAX &&
                          queue->input_count + 1 < INPUTS_MAX,
                      "the run is too long for the simulator");
    memcpy(queue->inputs + queue->input_bytes, record, size);
    queue->input_bytes += size;
    queue->input_ends[++queue->input_count] = (uint32_t)queue->input_bytes;
    if (record->kind == INPUT_PACKET) {
        queue->packets++;
        check_packet(record);
    } else if (record->kind == INPUT_TICK) {
        now.tick_ns[index] = record->time_ns;
    } else if (record->kind == INPUT_COMMAND) {
        queue->commands++;
    } else {
        add_release(FTMB_PORT_AGAIN | record->port,
                    digest_add(0, 0, 0, input_record_bytes(record), record->length));
    }
}

/* What is left out must not have found room. */
static void input_dropped(uint32_t index, enum input_kind kind) {
    const struct input_queue *input = &simulation.logger->input.queues[index];
    uint64_t length = kind == INPUT_PACKET ? traffic_delivered(now.logged)->length
                      : kind == INPUT_TICK ? 0
                                           : FTMB_FRAME_SIZE_MAX;
    uint64_t room = input->ring.size - (input->position - input->retained_position);
    bool is_full = room < ring_align(sizeof(struct input_record) + length) ||
                   input->sequence - input->retained_sequence >= input->capacity - 1;
    simulation_expect(is_full, "an input was dropped for which the log had room");
    if (kind == INPUT_TICK) {
        now.tick_ns[index] = simulation.logger->input.now_ns;
        return;
    }
    now.dropped++;
    if (kind == INPUT_PACKET) {
        now.logged++;
    } else {
        add_release(FTMB_PORT_AGAIN, 0);
    }
}

static void input_published(uint32_t index) {
    uint64_t now_ns = simulation.logger->input.now_ns;
    simulation_expect(now_ns - now.tick_ns[index] < INPUT_TICK_INTERVAL_NS,
                      "a worker is told too seldom that time passes");
}

/* ---- What is done with shared state ---- */

bool observed_is_committed(const struct observed_access *access) {
    const struct observed_queue *queue = &observed.queues[access->worker];
    return access->record <= queue->record_count &&
           queue->records[access->record].epoch == access->epoch;
}

static struct replica *replica_of(uint32_t epoch) {
    struct replica *replica = simulation.replicas;
    while (replica->epoch != epoch) {
        replica++;
    }
    return replica;
}

/* The new master knows of each variable what was committed before its epoch. */
static void epoch_begun(uint32_t epoch) {
    struct replica *master = replica_of(epoch);
    uint32_t first_epoch = observed.starts[observed.start_count - 1].first_epoch;
    for (uint32_t index = 0; index < observed.access_count; index++) {
        const struct observed_access *access = &observed.accesses[index];
        if (access->epoch >= first_epoch && access->epoch < epoch &&
            observed_is_committed(access)) {
            master->last_access[access->variable] = (int32_t)index;
        }
    }
    memset(now.cursor, 0, sizeof(now.cursor));
}

static void acquired(uint32_t variable, uint32_t access) {
    struct replica *replica = simulation.current->replica;
    const struct worker *worker = &replica->process->workers[simulation.current->worker];
    if (worker->mode != WORKER_LOGGED) {
        return;
    }
    simulation_expect(observed.access_count < ACCESSES_MAX && variable < VARIABLES_MAX,
                      "the run is too long for the simulator");
    observed.accesses[observed.access_count] =
        (struct observed_access){.epoch = replica->epoch,
                                 .worker = worker->context.worker,
                                 .record = worker->state->record_number + 1,
                                 .access = access,
                                 .variable = variable,
                                 .previous = replica->last_access[variable]};
    replica->last_access[variable] = (int32_t)observed.access_count++;
}

/* ---- What is committed ---- */

static void check_dependencies(uint32_t epoch, uint32_t worker, uint64_t record) {
    const uint64_t *cut = simulation.logger->output.cut;
    for (uint32_t index = now.cursor[worker]; index < observed.access_count; index++) {
        const struct observed_access *access = &observed.accesses[index];
        if (access->epoch != epoch || access->worker != worker || access->record != record) {
            continue;
        }
        now.cursor[worker] = index + 1;
        if (access->previous < 0) {
            continue;
        }
        const struct observed_access *previous = &observed.accesses[access->previous];
        if (previous->worker != worker && previous->record > cut[previous->worker]) {
            simulation_fail("output commit: record %llu of worker %u is committed, and depends on "
                            "record %llu of worker %u, which is not (variable %u)",
                            (unsigned long long)record, worker,
                            (unsigned long long)previous->record, previous->worker,
                            access->variable);
        }
    }
}

static void access_appended(uint32_t worker, uint64_t number) {
    const struct output_logger *output = &simulation.logger->output;
    const struct output_record *header =
        &output->queues[worker].pending[number & (PENDING_RECORDS_MAX - 1)].header;
    struct observed_queue *queue = &observed.queues[worker];
    simulation_expect(number == queue->record_count + 1, "records are committed out of order");
    simulation_expect(number < RECORDS_MAX, "the run is too long for the simulator");
    queue->records[++queue->record_count] =
        (struct observed_record){.epoch = output->epoch, .input_count = header->input_count};
    check_dependencies(output->epoch, worker, number);
}

/* ---- What goes out ---- */

static void releasing(uint32_t worker, uint64_t number) {
    const struct output_logger *output = &simulation.logger->output;
    const struct output_queue *queue = &output->queues[worker];
    bool is_unheld = output->release == RELEASE_NONE && !output->is_finishing;
    simulation_expect(number <= (is_unheld ? queue->received : output->committed[worker]),
                      "output commit: a record is released that is not committed");
    const struct pending_record *pending = &queue->pending[number & (PENDING_RECORDS_MAX - 1)];
    bool is_present = false;
    for (uint32_t peer = 0; peer < PEERS_MAX; peer++) {
        const struct peer *master = &simulation.logger->peers[peer];
        is_present = is_present || (master->is_used && master->epoch == output->epoch &&
                                    master->outputs[worker].data == queue->ring.data);
    }
    simulation_expect(is_present && pending->header.epoch == output->epoch,
                      "fencing: a record is released that is not the present master's");
    now.releasing_worker = worker;
    now.releasing_record = number;
    now.releasing_epoch = output->epoch;
}

void observe_release(uint8_t port, const uint8_t *bytes, uint16_t length) {
    add_release(port, digest_add(0, 0, 0, bytes, length));
}

/* ---- Always ---- */

static void check_queue(uint32_t worker) {
    const struct output_logger *output = &simulation.logger->output;
    const struct output_queue *queue = &output->queues[worker];
    const struct input_queue *input = &simulation.logger->input.queues[worker];
    bool may_be_ahead = output->release == RELEASE_NONE;
    simulation_expect(
        queue->released <= (may_be_ahead ? queue->received : output->committed[worker]) &&
            queue->consumed <= queue->released && queue->consumed <= output->committed[worker] &&
            output->committed[worker] <= output->cut[worker] &&
            output->cut[worker] <= queue->received,
        "consumed <= released <= committed <= cut <= received does not hold");
    simulation_expect(output->cut[worker] >= observed.queues[worker].cut_before,
                      "the cut went back");
    observed.queues[worker].cut_before = output->cut[worker];
    simulation_expect(input->position - input->retained_position <= input->ring.size,
                      "bounds: the input log was written over");
    simulation_expect(queue->access_position - queue->access_retained <= queue->access.size,
                      "bounds: the access log was written over");
}

static void check_replica(const struct replica *replica, uint32_t worker, uint64_t freed) {
    const struct worker *reader = &replica->process->workers[worker];
    if (replica->has_begun && reader->mode == WORKER_REPLAY && !replica->is_dead) {
        simulation_expect(freed <= reader->state->record_number,
                          "bounds: a log was freed that is still to be replayed");
    }
}

static void freed(uint32_t worker, uint64_t record) {
    const struct control *control = &simulation.control;
    if (control->standby != NULL && !control->standby->is_fenced &&
        simulation.logger->output.standby != NULL) {
        check_replica(control->standby, worker, record);
    }
    /* A master that still replays; when it is being replaced nobody waits for it any more. */
    if (!simulation.is_fencing) {
        check_replica(replica_of(simulation.logger->output.epoch), worker, record);
    }
    const struct input_queue *input = &simulation.logger->input.queues[worker];
    bool is_counted =
        input->retained_sequence <= observed.queues[worker].input_count &&
        observed.queues[worker].input_ends[input->retained_sequence] == input->retained_position;
    simulation_expect(is_counted, "bounds: the inputs kept are not those that are counted");
    simulation_expect(record <= simulation.logger->output.queues[worker].released,
                      "bounds: a log was freed before its packets were out");
}

/* A standby that makes room while an epoch is finished must not be given up for want of it: what it
 * had let go at the last look is free now. */
static void finishing(void) {
    const struct output_logger *output = &simulation.logger->output;
    const struct replica *standby = simulation.control.standby;
    if (now.has_standby && output->standby == NULL) {
        simulation_expect(simulation.now_ns - now.progress_ns > STANDBY_STALL_NS,
                          "a standby was given up before its time");
        now.has_standby = false;
    }
    if (output->standby == NULL || output->successor != NULL || standby == NULL ||
        standby->is_torn) {
        return;
    }
    for (uint32_t worker = 0; worker < simulation.settings.workers; worker++) {
        const struct output_queue *queue = &output->queues[worker];
        simulation_expect(queue->access_number == queue->released ||
                              queue->access_retained >= now.let_go[worker],
                          "a log that was let go is kept while an epoch is finished");
        now.let_go[worker] = atomic_load_explicit(&output->standby->workers[worker].access_consumed,
                                                  memory_order_relaxed);
    }
}

static void replayed(uint64_t record) {
    const struct task *task = simulation.current;
    bool is_next = record > process_replayed(task->replica->process, task->worker);
    simulation_expect(is_next || !task->replica->is_disturbed || task->replica->is_fenced ||
                          task->worker != task->replica->disturbed_worker,
                      "a replay that went wrong was not noticed");
    if (!task->replica->is_fenced) {
        simulation_expect(record <= simulation.logger->output.committed[task->worker],
                          "a standby is past what is committed");
    }
}

void observe_empty_start(void) {
    struct observed_start *start = &observed.starts[observed.start_count++];
    start->first_epoch = simulation.control.next_epoch - 1;
    for (uint32_t worker = 0; worker < simulation.settings.workers; worker++) {
        logger_start_of(simulation.logger, worker, &start->records[worker],
                        &start->positions[worker]);
    }
}

void observe(enum simulation_point point, uint64_t a, uint64_t b) {
    switch (point) {
    case POINT_INPUT_APPENDED:
        input_appended((uint32_t)a);
        break;
    case POINT_INPUT_DROPPED:
        input_dropped((uint32_t)a, (enum input_kind)b);
        break;
    case POINT_INPUT_PUBLISHED:
        input_published((uint32_t)a);
        break;
    case POINT_BURST_BEGUN:
        simulation_expect(simulation.page->epoch <= simulation.current->replica->epoch,
                          "fencing: a master goes on that could see that its epoch is over");
        break;
    case POINT_ACQUIRED:
        acquired((uint32_t)a, (uint32_t)b);
        break;
    case POINT_ACCESS_APPENDED:
        access_appended((uint32_t)a, b);
        break;
    case POINT_RELEASING:
        releasing((uint32_t)a, b);
        break;
    case POINT_RELEASED:
        now.progress_ns = simulation.now_ns;
        break;
    case POINT_FREED:
        freed((uint32_t)a, b);
        break;
    case POINT_REPLAY_BEGUN:
    case POINT_REPLAYED:
        replayed(b);
        break;
    case POINT_EPOCH_BEGUN:
        epoch_begun((uint32_t)a);
        break;
    case POINT_FINISHING:
        finishing();
        break;
    case POINT_FENCING:
        memset(now.let_go, 0, sizeof(now.let_go));
        now.has_standby = simulation.logger->output.standby != NULL;
        now.progress_ns = simulation.now_ns;
        simulation.is_fencing = true;
        break;
    default:
        break;
    }
    if (simulation.current->kind == TASK_LOGGERS) {
        simulation.is_fencing = simulation.is_fencing && point != POINT_ROUND;
        for (uint32_t worker = 0; worker < simulation.settings.workers; worker++) {
            check_queue(worker);
        }
    }
}

/* Takes out of what left all that left too early; only RELEASE_NONE may have made it leave, and
 * counts what of it went by a port. What is committed must have left once, as ever. */
static void take_out_doubled(void) {
    for (uint32_t worker = 0; worker < simulation.settings.workers; worker++) {
        struct observed_queue *queue = &observed.queues[worker];
        uint32_t kept = 0;
        for (uint32_t index = 0; index < queue->release_count; index++) {
            const struct observed_release *release = &queue->releases[index];
            if (release->record <= queue->record_count &&
                queue->records[release->record].epoch == release->epoch) {
                queue->releases[kept++] = *release;
            } else {
                observed.doubled += (release->port & FTMB_PORT_AGAIN) == 0;
            }
        }
        bool is_promised = simulation.settings.release == RELEASE_PARALLEL;
        simulation_expect(!is_promised || kept == queue->release_count,
                          "exactly once: a packet left whose record is not committed");
        queue->release_count = kept;
    }
    simulation_expect(observed.doubled ==
                          atomic_load_explicit(&simulation.logger->output.counters.slots_out_again,
                                               memory_order_relaxed),
                      "packets that left too early were not counted, or others were");
}

void observe_end(void) {
    take_out_doubled();
    uint64_t dropped = 0;
    for (uint32_t worker = 0; worker < simulation.settings.workers; worker++) {
        dropped += atomic_load_explicit(&simulation.logger->input.queues[worker].dropped,
                                        memory_order_relaxed);
    }
    simulation_expect(now.logged == now.delivered, "a frame that came in was not logged");
    simulation_expect(dropped == now.dropped, "inputs were dropped and not counted");
}
