/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/generator_port.h"

#include <stdlib.h>
#include <string.h>

#include "host/cycles.h"

struct generator_port {
    struct port base;
    uint8_t *frames;
    uint32_t count, next;
    uint16_t length;
    uint64_t interval_ns, due_ns;
    _Atomic uint64_t left;
    uint32_t *samples;
    uint64_t samples_max;
    _Atomic uint64_t sample_count;
};

static struct generator_port *port_of(struct port *port) {
    return (struct generator_port *)port;
}

static uint8_t *next_frame(struct generator_port *port) {
    uint8_t *frame = port->frames + (size_t)port->next * port->length;
    port->next = port->next + 1 == port->count ? 0 : port->next + 1;
    return frame;
}

static uint32_t generator_port_receive(struct port *base, uint64_t now_ns, struct frame *frames) {
    struct generator_port *port = port_of(base);
    /* G1: acquire; pairs with G2, so that interval and start are seen with the count. */
    uint64_t left = atomic_load_explicit(&port->left, memory_order_acquire);
    uint32_t count = 0;
    while (count < PORT_BURST_MAX && left > 0) {
        if (port->interval_ns != 0 && port->due_ns > now_ns) {
            break;
        }
        uint8_t *frame = next_frame(port);
        if (port->interval_ns != 0) {
            memcpy(frame + port->length - sizeof(port->due_ns), &port->due_ns,
                   sizeof(port->due_ns));
            port->due_ns += port->interval_ns;
        }
        frames[count++] = (struct frame){.bytes = frame, .length = port->length};
        left--;
    }
    if (count > 0) {
        atomic_store_explicit(&port->left, left, memory_order_relaxed);
        counter_add(&base->counters.received, count);
    }
    return count;
}

static void generator_port_receive_done(struct port *base) {
    (void)base;
}

static uint32_t generator_port_take(struct port *base, const struct frame *frames, uint32_t count) {
    struct generator_port *port = port_of(base);
    uint64_t taken = atomic_load_explicit(&port->sample_count, memory_order_relaxed);
    if (port->samples != NULL && taken < port->samples_max) {
        uint64_t now_ns = monotonic_ns();
        for (uint32_t index = 0; index < count && taken < port->samples_max; index++) {
            uint64_t due_ns;
            memcpy(&due_ns, frames[index].bytes + frames[index].length - sizeof(due_ns),
                   sizeof(due_ns));
            port->samples[taken++] = (uint32_t)(now_ns - due_ns);
        }
        atomic_store_explicit(&port->sample_count, taken, memory_order_release);
    }
    counter_add(&base->counters.sent, count);
    return count;
}

static void generator_port_flush(struct port *base) {
    (void)base;
}

static uint64_t generator_port_missed(struct port *base) {
    (void)base;
    return 0;
}

static const struct port_class generator_port_class = {.receive = generator_port_receive,
                                                       .receive_done = generator_port_receive_done,
                                                       .send = generator_port_take,
                                                       .flush = generator_port_flush,
                                                       .missed = generator_port_missed};

struct generator_port *generator_port_create(uint8_t *frames, uint32_t count, uint16_t length,
                                             uint32_t *samples, uint64_t samples_max) {
    struct generator_port *port = calloc(1, sizeof(*port));
    if (port != NULL) {
        port->base.class = &generator_port_class;
        port->frames = frames;
        port->count = count;
        port->length = length;
        port->samples = samples;
        port->samples_max = samples_max;
    }
    return port;
}

void generator_port_destroy(struct generator_port *port) {
    free(port);
}

struct port *generator_port_base(struct generator_port *port) {
    return &port->base;
}

void generator_port_send(struct generator_port *port, uint64_t total, uint64_t interval_ns) {
    port->interval_ns = interval_ns;
    port->due_ns = monotonic_ns();
    /* G2: release; pairs with G1. */
    atomic_store_explicit(&port->left, total, memory_order_release);
}

uint64_t generator_port_left(const struct generator_port *port) {
    return atomic_load_explicit(&port->left, memory_order_relaxed);
}

uint64_t generator_port_samples(const struct generator_port *port) {
    return atomic_load_explicit(&port->sample_count, memory_order_acquire);
}
