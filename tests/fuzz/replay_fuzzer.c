/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A standby that reads an access log which no master and no logger would have written: records of
 * any numbers, counts and PALs, over an input log that is a right one. It diverges, waits, or
 * replays, and its memory stays its own. The logger alone writes that log, so this is a second
 * line: what a mad master can get into it is the content of PALs.
 */
#include "fuzz_box.h"

#include "host/counts.h"
#include "log/access_record.h"
#include "log/input_record.h"

#define OPERATIONS_MAX 48U

/* Waiting for another worker ends at once: in one thread there is nobody to wait for. */
static struct process *waiting;
int sched_yield(void) {
    if (waiting != NULL) {
        atomic_store(&waiting->is_abandoned, true);
    }
    return 0;
}

static void on_sent(struct fuzz_box *box, uint32_t port, const struct frame *frame) {
    (void)box;
    (void)port;
    (void)frame;
    MUST(!"a packet leaves without a master");
}

/* A record that fits, of which the input changes some bytes; PALs are the input's own. */
static void append(struct fuzz_box *box, struct fuzz_data *data, uint32_t worker,
                   uint64_t *position) {
    struct ring *ring = &box->output.queues[worker].access;
    uint8_t choice = fuzz_take8(data);
    const struct worker_state *state = box->standby.process->workers[worker].state;
    struct access_record record = {.number = state->record_number + 1,
                                   .digest = fuzz_take8(data),
                                   .input_end = box->input.queues[worker].position,
                                   .input_count = choice & 15,
                                   .pal_count = choice >> 4 & 3};
    size_t noise = (choice & 0x40) != 0 ? fuzz_take8(data) : 0;
    for (; noise > 0 && data->left > 0 && noise < 8; noise--) {
        ((uint8_t *)&record)[fuzz_take8(data) % sizeof(record)] ^= fuzz_take8(data);
    }
    uint8_t *start = ring_at(ring, *position);
    memcpy(start, &record, sizeof(record));
    for (uint32_t index = 0; index < (choice >> 4 & 3U); index++) {
        struct pal pal = {.access = fuzz_take8(data),
                          .variable = fuzz_take16(data),
                          .ownership_epoch = fuzz_take8(data),
                          .previous_count = fuzz_take8(data),
                          .previous_owner = (choice & 0x80) != 0 ? PAL_OWNER_NONE : choice};
        memcpy(start + sizeof(record) + index * sizeof(pal), &pal, sizeof(pal));
    }
    *position += sizeof(record) + (choice >> 4 & 3U) * sizeof(struct pal);
    ring_publish(ring, *position);
}

static void feed(struct fuzz_box *box, struct fuzz_data *data) {
    for (uint32_t count = fuzz_take8(data) & 15; count > 0; count--) {
        uint8_t frame[64] = {[12] = 8, [14] = 0x45, [26] = 10, [29] = fuzz_take8(data)};
        fuzz_box_arrive(box, count, frame, sizeof(frame));
    }
    box->now_ns += 1ULL << (fuzz_take8(data) % 32);
    input_logger_poll(&box->input, box->now_ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static struct pipeline pipeline;
    static struct fuzz_box box;
    struct fuzz_data data = {.at = bytes, .left = size};
    uint8_t choices = fuzz_take8(&data);
    uint64_t positions[FUZZ_WORKERS_MAX] = {0};
    pipeline = (struct pipeline){0};
    if ((choices & 2) != 0) {
        fuzz_add_forward(&pipeline);
    } else {
        fuzz_add_monitor(&pipeline, true, false);
    }
    fuzz_box_open_without_replicas(&box, &pipeline, 1 + (choices & 1), on_sent);
    fuzz_replica_open(&box, &box.standby, 2);
    waiting = box.standby.process;
    for (uint32_t count = 0; count < OPERATIONS_MAX && data.left > 0; count++) {
        uint8_t operation = fuzz_take8(&data);
        uint32_t worker = (operation >> 7) % box.workers;
        if ((operation & 3) == 0) {
            feed(&box, &data);
        } else if ((operation & 3) == 1) {
            uint64_t end = positions[worker] + fuzz_take16(&data);
            size_t length = fuzz_take8(&data);
            const uint8_t *noise = fuzz_take(&data, &length);
            memcpy(ring_at(&box.output.queues[worker].access, positions[worker]), noise, length);
            ring_publish(&box.output.queues[worker].access, end);
            positions[worker] = end;
        } else {
            append(&box, &data, worker, &positions[worker]);
        }
        process_step(waiting, worker);
    }
    for (uint32_t worker = 0; worker < box.workers; worker++) {
        box.output.queues[worker].access_position = positions[worker]; /* to be wiped */
    }
    waiting = NULL;
    fuzz_replica_close(&box.standby);
    fuzz_box_free(&box);
    return 0;
}
