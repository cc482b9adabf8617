/* SPDX-License-Identifier: BSD-3-Clause */
#include "input_logger/input_logger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "input_logger/steering.h"
#include "log/input_record.h"
#include "simulator/points.h"

#define DRAIN_ROUNDS_MAX 1024U

int input_logger_init(struct input_logger *logger, uint32_t workers, const struct ring *rings,
                      const struct pipeline *pipeline) {
    memset(logger, 0, sizeof(*logger));
    logger->workers = workers;
    for (uint32_t stage = 0; stage < pipeline->count && logger->steering == NULL; stage++) {
        logger->steering = pipeline->stages[stage].element->steer;
        logger->steering_config = pipeline->stages[stage].config;
    }
    for (uint32_t index = 0; index < workers; index++) {
        struct input_queue *queue = &logger->queues[index];
        queue->ring = rings[index];
        queue->capacity = queue->ring.size / INPUT_BYTES_PER_RECORD_MIN;
        queue->ends = calloc(queue->capacity, sizeof(*queue->ends));
        if (queue->ends == NULL) {
            input_logger_release(logger);
            return -ENOMEM;
        }
    }
    return 0;
}

void input_logger_release(struct input_logger *logger) {
    for (uint32_t index = 0; index < logger->workers; index++) {
        free(logger->queues[index].ends);
        logger->queues[index].ends = NULL;
        ring_detach(&logger->queues[index].ring);
    }
}

int input_logger_add_port(struct input_logger *logger, struct port *port) {
    if (logger->port_count == FTMB_PORTS_MAX) {
        return -ENOSPC;
    }
    logger->ports[logger->port_count++] = port;
    return 0;
}

uint64_t input_queue_end_of(const struct input_queue *queue, uint64_t sequence) {
    uint32_t end = queue->ends[sequence & (queue->capacity - 1)];
    /* The index holds the low bits; the end lies at or below what is logged. */
    uint32_t head = (uint32_t)(queue->position / RING_ALIGNMENT);
    return queue->position - (uint64_t)(uint32_t)(head - end) * RING_ALIGNMENT;
}

static bool has_room(const struct input_queue *queue, uint16_t length) {
    uint64_t used = queue->position - queue->retained_position;
    return queue->ring.size - used >= ring_align(sizeof(struct input_record) + length) &&
           queue->sequence - queue->retained_sequence < queue->capacity - 1;
}

/* Room for a record of `length` bytes, or NULL. */
static struct input_record *reserve(struct input_queue *queue, uint16_t length) {
    uint64_t size = ring_align(sizeof(struct input_record) + length);
    if (!has_room(queue, length)) {
        return NULL;
    }
    struct input_record *record = ring_at(&queue->ring, queue->position);
    counter_add(&queue->position, size);
    counter_add(&queue->sequence, 1);
    queue->ends[queue->sequence & (queue->capacity - 1)] =
        (uint32_t)(queue->position / RING_ALIGNMENT);
    return record;
}

static uint32_t steer(const struct input_logger *logger, const uint8_t *bytes, uint16_t length,
                      uint8_t port, uint32_t hash) {
    if (logger->workers == 1) {
        return 0;
    }
    uint32_t worker = (uint32_t)(((uint64_t)hash * logger->workers) >> 32);
    if (logger->steering != NULL) {
        worker =
            logger->steering(logger->steering_config, logger->workers, bytes, length, port, hash);
    }
    return worker < logger->workers ? worker : 0;
}

static void log_frame(struct input_logger *logger, enum input_kind kind, uint8_t port,
                      const uint8_t *bytes, uint16_t length) {
    uint32_t hash = steering_hash(bytes, length);
    struct input_queue *queue = &logger->queues[steer(logger, bytes, length, port, hash)];
    struct input_record *record = reserve(queue, length);
    if (record == NULL) {
        counter_add(&queue->dropped, 1);
        POINT(INPUT_DROPPED, queue - logger->queues, kind);
        return;
    }
    *record = (struct input_record){.time_ns = logger->now_ns,
                                    .hash = hash,
                                    .length = length,
                                    .port = port,
                                    .kind = (uint8_t)kind};
    memcpy(record + 1, bytes, length);
    POINT(INPUT_APPENDED, queue - logger->queues, queue->sequence);
}

/* A tick that finds the log full is left out in every process alike: it was never logged. */
static void log_ticks(struct input_logger *logger) {
    if (logger->now_ns < logger->next_tick_ns) {
        return;
    }
    logger->next_tick_ns = logger->now_ns + INPUT_TICK_INTERVAL_NS;
    for (uint32_t index = 0; index < logger->workers; index++) {
        struct input_record *record = reserve(&logger->queues[index], 0);
        if (record != NULL) {
            *record = (struct input_record){
                .time_ns = logger->now_ns, .port = FTMB_PORT_NONE, .kind = INPUT_TICK};
            POINT(INPUT_APPENDED, index, logger->queues[index].sequence);
        } else {
            POINT(INPUT_DROPPED, index, INPUT_TICK);
        }
    }
}

static void publish(struct input_logger *logger) {
    for (uint32_t index = 0; index < logger->workers; index++) {
        ring_publish(&logger->queues[index].ring, logger->queues[index].position);
        POINT(INPUT_PUBLISHED, index, logger->queues[index].position);
    }
}

void input_logger_open(struct input_logger *logger) {
    struct frame frames[PORT_BURST_MAX];
    for (uint32_t index = 0; index < logger->port_count && !logger->is_open; index++) {
        struct port *port = logger->ports[index];
        uint32_t count = PORT_BURST_MAX;
        for (uint32_t round = 0; round < DRAIN_ROUNDS_MAX && count > 0; round++) {
            count = port->class->receive(port, logger->now_ns, frames);
            port->class->receive_done(port);
        }
    }
    logger->is_open = true;
}

uint32_t input_logger_poll(struct input_logger *logger, uint64_t now_ns) {
    struct frame frames[PORT_BURST_MAX];
    uint32_t taken = 0;
    if (now_ns > logger->now_ns) { /* time in the log never goes back */
        logger->now_ns = now_ns;
    }
    log_ticks(logger);
    for (uint32_t index = 0; index < logger->port_count && logger->is_open; index++) {
        struct port *port = logger->ports[index];
        uint32_t count = port->class->receive(port, logger->now_ns, frames);
        for (uint32_t place = 0; place < count; place++) {
            log_frame(logger, INPUT_PACKET, (uint8_t)index, frames[place].bytes,
                      frames[place].length);
        }
        port->class->receive_done(port);
        taken += count;
    }
    publish(logger);
    return taken;
}

void input_logger_again(struct input_logger *logger, uint8_t port, const uint8_t *bytes,
                        uint16_t length) {
    log_frame(logger, INPUT_AGAIN, port, bytes, length);
}

bool input_logger_command(struct input_logger *logger, uint8_t stage, const char *text,
                          uint64_t *sequences) {
    uint16_t length = (uint16_t)(strnlen(text, FTMB_COMMAND_SIZE_MAX - 1) + 1);
    for (uint32_t index = 0; index < logger->workers; index++) {
        if (!has_room(&logger->queues[index], length)) {
            return false;
        }
    }
    for (uint32_t index = 0; index < logger->workers; index++) {
        struct input_record *record = reserve(&logger->queues[index], length);
        *record = (struct input_record){
            .time_ns = logger->now_ns, .length = length, .port = stage, .kind = INPUT_COMMAND};
        memcpy(record + 1, text, length - 1U);
        *((char *)(record + 1) + length - 1) = 0;
        sequences[index] = logger->queues[index].sequence;
        POINT(INPUT_APPENDED, index, logger->queues[index].sequence);
    }
    publish(logger);
    return true;
}
