/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/memory_port.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct stored_frame {
    uint16_t length;
    uint8_t bytes[FTMB_FRAME_SIZE_MAX];
};

struct frame_queue {
    struct stored_frame *frames;
    uint32_t first, count;
};

struct memory_port {
    struct port base;
    uint32_t capacity;
    struct frame_queue in, out;
    uint32_t delivered; /* of `in`, borrowed by the input logger */
};

static struct memory_port *port_of(struct port *port) {
    return (struct memory_port *)port;
}

static uint32_t memory_port_receive(struct port *base, uint64_t now_ns, struct frame *frames) {
    (void)now_ns;
    struct memory_port *port = port_of(base);
    uint32_t count = 0;
    for (; count < port->in.count && count < PORT_BURST_MAX; count++) {
        const struct stored_frame *stored =
            &port->in.frames[(port->in.first + count) % port->capacity];
        frames[count] = (struct frame){.bytes = stored->bytes, .length = stored->length};
    }
    port->delivered = count;
    counter_add(&base->counters.received, count);
    return count;
}

static void memory_port_receive_done(struct port *base) {
    struct memory_port *port = port_of(base);
    if (port->delivered > 0) {
        port->in.first = (port->in.first + port->delivered) % port->capacity;
        port->in.count -= port->delivered;
        port->delivered = 0;
    }
}

static bool enqueue(struct frame_queue *queue, uint32_t capacity, const uint8_t *bytes,
                    uint16_t length) {
    if (queue->count == capacity) {
        return false;
    }
    struct stored_frame *stored = &queue->frames[(queue->first + queue->count++) % capacity];
    stored->length = length;
    memcpy(stored->bytes, bytes, length);
    return true;
}

static uint32_t memory_port_send(struct port *base, const struct frame *frames, uint32_t count) {
    struct memory_port *port = port_of(base);
    uint32_t taken = 0;
    while (taken < count &&
           enqueue(&port->out, port->capacity, frames[taken].bytes, frames[taken].length)) {
        taken++;
    }
    counter_add(&base->counters.sent, taken);
    return taken;
}

static void memory_port_flush(struct port *base) {
    (void)base;
}

static uint64_t memory_port_missed(struct port *base) {
    (void)base;
    return 0;
}

static const struct port_class memory_port_class = {.receive = memory_port_receive,
                                                    .receive_done = memory_port_receive_done,
                                                    .send = memory_port_send,
                                                    .flush = memory_port_flush,
                                                    .missed = memory_port_missed};

struct memory_port *memory_port_create(uint32_t capacity) {
    struct memory_port *port = calloc(1, sizeof(*port));
    if (port == NULL) {
        return NULL;
    }
    port->base.class = &memory_port_class;
    port->capacity = capacity;
    port->in.frames = calloc(capacity, sizeof(struct stored_frame));
    port->out.frames = calloc(capacity, sizeof(struct stored_frame));
    if (port->in.frames == NULL || port->out.frames == NULL) {
        memory_port_destroy(port);
        return NULL;
    }
    return port;
}

void memory_port_destroy(struct memory_port *port) {
    if (port != NULL) {
        free(port->in.frames);
        free(port->out.frames);
        free(port);
    }
}

struct port *memory_port_base(struct memory_port *port) {
    return &port->base;
}

int memory_port_push(struct memory_port *port, const uint8_t *bytes, uint16_t length) {
    return enqueue(&port->in, port->capacity, bytes, length) ? 0 : -ENOSPC;
}

uint16_t memory_port_pop(struct memory_port *port, uint8_t *bytes) {
    if (port->out.count == 0) {
        return 0;
    }
    const struct stored_frame *stored = &port->out.frames[port->out.first];
    memcpy(bytes, stored->bytes, stored->length);
    port->out.first = (port->out.first + 1) % port->capacity;
    port->out.count--;
    return stored->length;
}
