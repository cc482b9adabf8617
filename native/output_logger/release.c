/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A record is released when each of its slots is out. A port that is busy takes only some; then
 * the bits in `sent` say which, and the next round goes on from there: that keeps the order per
 * worker and port, and sends nothing twice.
 *
 * Frames go to the port from the master's own memory: a copy of each would cost what one more hop
 * does. So a master that goes mad between the check of a record and its sending can still
 *
 * - change bytes of frames, which then leave changed (so could it have before it wrote them);
 * - break a slot's header: it and those behind it in that record are not sent, and are lost. The
 *   master is rejected, and what else is committed leaves.
 *
 * The standby is not touched by either: the digest that it compares with was taken when the record
 * was received (output_record_check()), so it takes over with all state.
 */
#include "output_logger/release.h"

#include "host/cycles.h"
#include "port/port.h"
#include "simulator/points.h"

/* The slot at `start`, copied first and then checked again: the memory is a master's, which may
 * have gone mad since the record was checked. False: it does not lie within its record any more. */
static bool read_slot(const struct output_queue *queue, const struct pending_record *pending,
                      const uint8_t *start, struct output_slot *slot) {
    const uint8_t *record = ring_at(&queue->ring, pending->start);
    const uint8_t *end = record + pending->header.pals_offset;
    if (start + sizeof(*slot) > end) {
        return false;
    }
    ring_copy(slot, start, sizeof(*slot));
    return slot->length <= FTMB_FRAME_SIZE_MAX && slot->stride >= output_slot_size(slot->length) &&
           slot->stride <= (uint64_t)(end - start);
}

/* The slots of one record that go out by one port. */
struct batch {
    struct frame frames[RECORD_SLOTS_MAX];
    uint32_t count;
};

struct batches {
    struct batch ports[FTMB_PORTS_MAX];
    uint32_t used; /* bit p: port p has frames */
};

static void sort_slot(struct output_logger *logger, struct pending_record *pending, uint32_t index,
                      const struct output_slot *slot, const uint8_t *bytes,
                      struct batches *batches) {
    uint64_t bit = 1ULL << index;
    uint32_t port_count = logger->input->port_count;
    uint32_t port = slot->port & ~FTMB_PORT_AGAIN;
    if (slot->port == FTMB_PORT_NONE || port >= port_count) {
        counter_add(&logger->counters.slots_dropped, 1);
        pending->sent |= bit;
        return;
    }
    if ((slot->port & FTMB_PORT_AGAIN) != 0) {
        input_logger_again(logger->input, (uint8_t)port, bytes, slot->length);
        pending->sent |= bit;
        return;
    }
    if ((batches->used & (1U << port)) == 0) {
        batches->used |= 1U << port;
        batches->ports[port].count = 0;
    }
    struct batch *batch = &batches->ports[port];
    batch->frames[batch->count++] =
        (struct frame){.bytes = bytes, .length = slot->length, .place = index};
}

static void sort_record(struct output_logger *logger, const struct output_queue *queue,
                        struct pending_record *pending, struct batches *batches) {
    const uint8_t *start =
        (const uint8_t *)ring_at(&queue->ring, pending->start) + OUTPUT_RECORD_HEADER_SIZE;
    batches->used = 0;
    for (uint32_t index = 0; index < pending->header.slot_count; index++) {
        struct output_slot slot;
        if (!read_slot(queue, pending, start, &slot)) {
            logger->is_rejecting = true;
            counter_add(&logger->counters.rejected[RECORD_BAD_SLOT], 1);
            return;
        }
        if ((pending->sent & (1ULL << index)) == 0 || PLANTED(SENT_NOT_REMEMBERED)) {
            sort_slot(logger, pending, index, &slot, start + sizeof(slot), batches);
        }
        start += slot.stride;
    }
}

/*
 * A device that takes nothing for SEND_STUCK_NS is taken for dead, lest it hold up all others; from
 * then on it is only offered each frame once, until it takes one again.
 */
static bool is_stuck(struct output_logger *logger, uint32_t port) {
    uint64_t now = monotonic_ns();
    if (logger->stuck_since_ns[port] == 0) {
        logger->stuck_since_ns[port] = now;
    }
    return now - logger->stuck_since_ns[port] > SEND_STUCK_NS;
}

/* Sends one port's frames of a record; false: the port has not taken all of them yet. */
static bool send_batch(struct output_logger *logger, struct pending_record *pending, uint32_t index,
                       const struct batch *batch) {
    struct port *port = logger->input->ports[index];
    uint32_t taken = port->class->send(port, batch->frames, batch->count);
    for (uint32_t place = 0; place < taken; place++) {
        pending->sent |= 1ULL << batch->frames[place].place;
    }
    pending->out_count += taken;
    counter_add(&logger->counters.slots_out, taken);
    if (taken > 0) {
        logger->stuck_since_ns[index] = 0;
    }
    if (taken == batch->count) {
        return true;
    }
    if (!is_stuck(logger, index)) {
        return false;
    }
    counter_add(&port->counters.drops[PORT_DROP_SEND_STUCK], batch->count - taken);
    return true;
}

static bool release_record(struct output_logger *logger, const struct output_queue *queue,
                           struct pending_record *pending, uint32_t *ports_used) {
    struct batches batches;
    sort_record(logger, queue, pending, &batches);
    bool is_out = true;
    for (uint32_t port = 0; port < logger->input->port_count; port++) {
        if ((batches.used & (1U << port)) != 0) {
            is_out = send_batch(logger, pending, port, &batches.ports[port]) && is_out;
        }
    }
    *ports_used |= batches.used;
    return is_out;
}

/* Up to which record a worker's packets may leave now. What is known to be executed again by the
 * next master is not sent even with RELEASE_NONE. */
static uint64_t release_limit(const struct output_logger *logger, uint32_t index) {
    bool is_unheld = logger->release == RELEASE_NONE && !logger->is_finishing;
    if (is_unheld || PLANTED(RELEASED_BEFORE_COMMIT)) {
        return logger->queues[index].received;
    }
    return logger->committed[index];
}

/* The master may write over what has left and is in the access log. */
static uint64_t consume_released(const struct output_logger *logger, uint32_t index,
                                 struct output_queue *queue) {
    uint64_t end = queue->released;
    if (end > logger->committed[index] && !PLANTED(RELEASED_BEFORE_COMMIT)) {
        end = logger->committed[index];
    }
    uint64_t count = end - queue->consumed;
    if (count > 0) {
        const struct pending_record *last = &queue->pending[end & (PENDING_RECORDS_MAX - 1)];
        ring_consume(&queue->ring, last->start + last->header.size);
        queue->ring_records += count;
        ring_count_consumed(&queue->ring, queue->ring_records);
        queue->consumed = end;
    }
    return count;
}

/* After a failover much is released at once: receiving must have its turn meanwhile, or the
 * devices run out of buffers. */
#define RELEASE_SLOTS_MAX 32U

uint64_t release_committed(struct output_logger *logger) {
    uint64_t count = 0;
    uint32_t ports_used = 0;
    for (uint32_t index = 0; index < logger->workers; index++) {
        struct output_queue *queue = &logger->queues[index];
        uint32_t slots = 0;
        uint64_t limit = release_limit(logger, index);
        while (queue->released < limit && slots < RELEASE_SLOTS_MAX) {
            struct pending_record *pending =
                &queue->pending[(queue->released + 1) & (PENDING_RECORDS_MAX - 1)];
            POINT(RELEASING, index, queue->released + 1);
            if (!release_record(logger, queue, pending, &ports_used)) {
                break;
            }
            slots += pending->header.slot_count;
            counter_add(&queue->released, 1);
            POINT(RELEASED, index, queue->released);
        }
        count += consume_released(logger, index, queue);
    }
    for (uint32_t port = 0; port < logger->input->port_count; port++) {
        if ((ports_used & (1U << port)) != 0) {
            struct port *target = logger->input->ports[port];
            target->class->flush(target);
        }
    }
    if (ports_used != 0 &&
        atomic_load_explicit(&logger->first_output_ns, memory_order_relaxed) == 0) {
        atomic_store_explicit(&logger->first_output_ns, monotonic_ns(), memory_order_relaxed);
    }
    return count;
}
