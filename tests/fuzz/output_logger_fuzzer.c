/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The output logger against a master that writes what it likes: right records, records that are
 * wrong in some bytes, noise, claims about how far it is, changes after the check, and a standby
 * that claims anything. After every round the logger's own numbers are in order, the cut is closed
 * under what records depend on, what was sent lay within the record whose turn it was, and the
 * access log holds nothing but whole records.
 */
#include "fuzz_box.h"

#include <sys/syscall.h>
#include <unistd.h>

#include "log/access_record.h"

#define OPERATIONS_MAX 64U

/* The logger's clock runs fast, so that waiting for a stalled standby takes no time. */
static bool is_fast;
int clock_gettime(clockid_t clock, struct timespec *now) {
    static uint64_t fast_ns = 1000000000;
    if (!is_fast || clock != CLOCK_MONOTONIC) {
        return (int)syscall(SYS_clock_gettime, clock, now);
    }
    fast_ns += 20000000;
    *now = (struct timespec){.tv_sec = (time_t)(fast_ns / 1000000000),
                             .tv_nsec = (long)(fast_ns % 1000000000)};
    return 0;
}

struct mad_master {
    struct fuzz_box *box;
    struct fuzz_data *data;
    uint64_t position[FUZZ_WORKERS_MAX]; /* where its next record goes */
    uint64_t number[FUZZ_WORKERS_MAX];
};

static void on_sent(struct fuzz_box *box, uint32_t port, const struct frame *frame) {
    bool is_within = false;
    for (uint32_t index = 0; index < box->workers; index++) {
        const struct output_queue *queue = &box->output.queues[index];
        if (queue->ring.data == NULL || queue->released == box->output.committed[index]) {
            continue;
        }
        const struct pending_record *pending =
            &queue->pending[(queue->released + 1) & (PENDING_RECORDS_MAX - 1)];
        const uint8_t *record = ring_at(&queue->ring, pending->start);
        is_within = is_within || (frame->bytes >= record + OUTPUT_RECORD_HEADER_SIZE &&
                                  frame->bytes + frame->length <= record + pending->header.size);
    }
    MUST(is_within);
    MUST(port < FUZZ_PORTS && frame->length <= FTMB_FRAME_SIZE_MAX);
}

static uint8_t *at(struct mad_master *master, uint32_t worker, uint64_t position) {
    return ring_at(&master->box->master.outputs[worker], position);
}

/* Slots with lengths and ports of the input's choice; returns the bytes they take. */
static uint64_t write_slots(struct mad_master *master, uint8_t *start, uint32_t count) {
    uint64_t offset = OUTPUT_RECORD_HEADER_SIZE;
    for (uint32_t index = 0; index < count; index++) {
        uint8_t choice = fuzz_take8(master->data);
        uint16_t length = (choice & 0x1f) == 0x1f ? FTMB_FRAME_SIZE_MAX : choice & 0x1f;
        uint8_t port = (choice & 0x60) == 0x60 ? FTMB_PORT_NONE : (uint8_t)(choice >> 5 & 1);
        port |= (choice & 0x80) != 0 && port != FTMB_PORT_NONE ? FTMB_PORT_AGAIN : 0;
        struct output_slot slot = {
            .length = length, .port = port, .stride = (uint32_t)output_slot_size(length)};
        memcpy(start + offset, &slot, sizeof(slot));
        offset += slot.stride;
    }
    return offset;
}

static uint32_t write_tail(struct mad_master *master, uint32_t worker, uint8_t *tail,
                           uint32_t pal_count, uint8_t choice) {
    uint8_t *from = tail;
    for (uint32_t index = 0; index < pal_count; index++) {
        struct pal pal = {.access = index, .variable = choice, .previous_owner = 0};
        memcpy(tail, &pal, sizeof(pal));
        tail += sizeof(pal);
    }
    uint32_t other = 1 - worker;
    if (other < master->box->workers && (choice & 4) != 0) { /* on the past, or on the future */
        uint64_t record = master->number[other] + ((choice & 8) != 0 ? choice >> 4 : 0);
        memcpy(tail, &(struct dependency){.record = record, .worker = other},
               sizeof(struct dependency));
        tail += sizeof(struct dependency);
    }
    return (uint32_t)(tail - from);
}

/* A right record, of which some bytes may then be made wrong. */
static void write_record(struct mad_master *master, uint32_t worker, bool is_wrong) {
    struct fuzz_data *data = master->data;
    uint8_t *start = at(master, worker, master->position[worker]);
    uint8_t choice = fuzz_take8(data);
    uint32_t slots = (choice & 3) == 3 ? RECORD_SLOTS_MAX : choice & 3;
    uint32_t pals = (choice & 0x30) == 0x30 ? RECORD_PALS_MAX : choice >> 4 & 3;
    struct output_record record = {.epoch = master->box->output.epoch,
                                   .number = ++master->number[worker],
                                   .input_count = 1,
                                   .slot_count = slots,
                                   .pal_count = pals};
    record.pals_offset = (uint32_t)write_slots(master, start, slots);
    uint32_t tail = write_tail(master, worker, start + record.pals_offset, pals, fuzz_take8(data));
    record.dependency_count =
        (tail - pals * (uint32_t)sizeof(struct pal)) / (uint32_t)sizeof(struct dependency);
    record.size = (uint32_t)ring_align(record.pals_offset + tail);
    memcpy(start, &record, sizeof(record));
    for (uint32_t count = is_wrong ? 1 + (fuzz_take8(data) & 3) : 0; count > 0; count--) {
        uint32_t place = fuzz_take16(data);
        start[place < 0x8000 ? place % 48 : place % record.size] ^= fuzz_take8(data);
    }
    master->position[worker] += record.size;
    ring_publish(&master->box->master.outputs[worker], master->position[worker]);
}

static void write_noise(struct mad_master *master, uint32_t worker) {
    uint64_t position = fuzz_take16(master->data) * 16ULL;
    size_t length = fuzz_take8(master->data);
    const uint8_t *noise = fuzz_take(master->data, &length);
    uint64_t start = (fuzz_take8(master->data) & 1) != 0 ? position : master->position[worker];
    memcpy(at(master, worker, start), noise, length);
}

static void claim(struct mad_master *master, uint32_t worker) {
    uint8_t choice = fuzz_take8(master->data);
    uint64_t value = fuzz_take64(master->data);
    struct ring *ring = &master->box->master.outputs[worker];
    struct worker_status *status = &master->box->standby.page->workers[worker];
    if ((choice & 3) == 0) {
        ring_publish(ring, value);
    } else if ((choice & 3) == 1) {
        ring_publish(ring, master->position[worker] + (uint64_t)(int8_t)value);
    } else if ((choice & 3) == 2) {
        ring_consume(ring, value);
    } else {
        uint64_t end = master->box->output.queues[worker].access_position;
        atomic_store(&status->access_consumed, (choice & 4) != 0 ? value : end);
    }
}

/* The next master begins behind the cut, in a log that this mad one may have written too. */
static void change_master(struct mad_master *master) {
    struct fuzz_box *box = master->box;
    uint8_t choice = fuzz_take8(master->data);
    struct process_page *page = (choice & 1) != 0 ? box->standby.page : box->master.page;
    const struct next_master next = {
        .epoch = box->output.epoch + 1, .rings = box->master.outputs, .page = page};
    bool has_next = (choice & 6) != 0;
    has_next = output_logger_change_master(&box->output, has_next ? &next : NULL) && has_next;
    output_logger_set_standby(&box->output, (choice & 8) != 0 ? box->standby.page : NULL);
    for (uint32_t index = 0; index < box->workers; index++) {
        MUST(box->output.queues[index].received == box->output.cut[index]);
        master->number[index] = box->output.queues[index].received;
        master->position[index] = 0;
        if ((choice & 0x10) == 0) {
            ring_publish(&box->master.outputs[index], 0);
        }
    }
    MUST(box->output.has_master == has_next);
    if (!has_next && !box->output.is_logged) {
        output_logger_discard_input(&box->output);
    }
}

static void check_access_log(const struct output_queue *queue) {
    MUST(queue->access_retained <= queue->access_position);
    MUST(queue->access_position - queue->access_retained <= queue->access.size);
    uint64_t number = queue->access_number;
    for (uint64_t position = queue->access_retained; position < queue->access_position;) {
        const struct access_record *record = ring_at(&queue->access, position);
        MUST(record->number == ++number);
        MUST(record->input_count >= 1 && record->input_count <= FTMB_BURST_MAX);
        MUST(record->pal_count <= RECORD_PALS_MAX && record->output_count <= RECORD_SLOTS_MAX);
        position += access_record_size(record->pal_count);
        MUST(position <= queue->access_position);
    }
}

/* No record in the cut depends on one that is not. */
static void check_cut(const struct output_logger *logger, uint32_t index) {
    const struct output_queue *queue = &logger->queues[index];
    for (uint64_t number = queue->released + 1; number <= logger->cut[index]; number++) {
        uint64_t changed = queue->changed[number & (PENDING_RECORDS_MAX - 1)];
        if (changed <= queue->released) {
            continue; /* its vector may be overwritten */
        }
        const uint64_t *vector =
            &queue->vectors[(changed & (PENDING_RECORDS_MAX - 1)) * logger->workers];
        for (uint32_t other = 0; other < logger->workers; other++) {
            MUST(vector[other] <= logger->cut[other]);
        }
    }
}

static void check(const struct fuzz_box *box) {
    const struct output_logger *logger = &box->output;
    for (uint32_t index = 0; index < box->workers; index++) {
        const struct output_queue *queue = &logger->queues[index];
        const struct input_queue *input = &box->input.queues[index];
        MUST(queue->released <= logger->committed[index]);
        MUST(logger->committed[index] <= logger->cut[index]);
        MUST(logger->cut[index] <= queue->received);
        MUST(queue->input_sequence <= input->sequence);
        MUST(input->retained_sequence <= input->sequence);
        MUST(input->retained_position <= input->position);
        MUST(input->position - input->retained_position <= input->ring.size);
        check_access_log(queue);
        if (logger->is_logged) {
            check_cut(logger, index);
        }
    }
}

static void play_one(struct mad_master *master) {
    struct fuzz_box *box = master->box;
    uint8_t operation = fuzz_take8(master->data);
    uint32_t worker = (operation >> 7) % box->workers;
    uint8_t frame[60] = {operation};
    switch (operation & 7) {
    case 0:
    case 1:
        write_record(master, worker, false);
        return;
    case 2:
        write_record(master, worker, true);
        break;
    case 3:
        write_noise(master, worker);
        break;
    case 4:
        claim(master, worker);
        break;
    case 5: /* so that records stay committed and not released */
        box->ports[operation >> 6 & 1].refuse = operation >> 3 & 7;
        break;
    case 6:
        change_master(master);
        break;
    case 7:
        for (uint32_t count = 0; count < 4U * (operation >> 3 & 15); count++) {
            fuzz_box_arrive(box, count, frame, sizeof(frame));
        }
        box->now_ns += (operation & 0x40) != 0 ? UNCOMMITTED_NS : 1000;
        input_logger_poll(&box->input, box->now_ns);
        break;
    }
    output_logger_poll(&box->output);
    check(box);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static struct pipeline pipeline;
    static struct fuzz_box box;
    struct fuzz_data data = {.at = bytes, .left = size};
    struct mad_master master = {.box = &box, .data = &data};
    uint8_t choices = fuzz_take8(&data);
    pipeline = (struct pipeline){0};
    fuzz_add_forward(&pipeline);
    fuzz_box_open_without_replicas(&box, &pipeline, 1 + (choices & 1), on_sent);
    box.output.is_logged = (choices & 2) == 0;
    const struct next_master first = {
        .epoch = 1, .rings = box.master.outputs, .page = box.master.page};
    is_fast = true;
    MUST(output_logger_change_master(&box.output, &first));
    output_logger_set_standby(&box.output, (choices & 4) != 0 ? box.standby.page : NULL);
    for (uint32_t count = 0; count < 16; count++) {
        fuzz_box_arrive(&box, count, bytes, (uint16_t)(size < 60 ? size : 60));
    }
    input_logger_poll(&box.input, box.now_ns);
    for (uint32_t count = 0; count < OPERATIONS_MAX && data.left > 0; count++) {
        play_one(&master);
    }
    is_fast = false;
    fuzz_box_free(&box);
    return 0;
}
