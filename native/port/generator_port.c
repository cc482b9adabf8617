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
    const uint16_t *lengths;
    const struct generator_port *sink;
    uint64_t window, sent, sent_to_sink;
    uint64_t interval_ns, due_ns;
    _Atomic uint64_t left;
    uint32_t *samples;
    uint64_t samples_max;
    _Atomic uint64_t sample_count;
};

static struct generator_port *port_of(struct port *port) {
    return (struct generator_port *)port;
}

static uint8_t *next_frame(struct generator_port *port, uint16_t *length) {
    uint8_t *frame = port->frames + (size_t)port->next * port->length;
    *length = port->lengths != NULL ? port->lengths[port->next] : port->length;
    port->next = port->next + 1 == port->count ? 0 : port->next + 1;
    return frame;
}

static uint64_t sent_to(const struct generator_port *port) {
    return atomic_load_explicit(&port->base.counters.sent, memory_order_relaxed);
}

/* How many frames may be taken at once. */
static uint32_t room_of(const struct generator_port *port) {
    if (port->sink == NULL) {
        return PORT_BURST_MAX;
    }
    uint64_t on_the_way = port->sent - (sent_to(port->sink) - port->sent_to_sink);
    /* More may come out than was sent: a failover without output commit, an element's own packets.
     */
    on_the_way = on_the_way > port->sent ? 0 : on_the_way;
    uint64_t room = port->window > on_the_way ? port->window - on_the_way : 0;
    return room < PORT_BURST_MAX ? (uint32_t)room : PORT_BURST_MAX;
}

static uint32_t generator_port_receive(struct port *base, uint64_t now_ns, struct frame *frames) {
    struct generator_port *port = port_of(base);
    /* G1: acquire; pairs with G2, so that interval and start are seen with the count. */
    uint64_t before = atomic_load_explicit(&port->left, memory_order_acquire);
    uint64_t left = before;
    uint32_t count = 0, room = room_of(port);
    uint64_t bytes = 0;
    while (count < room && left > 0) {
        if (port->interval_ns != 0 && port->due_ns > now_ns) {
            break;
        }
        uint16_t length;
        uint8_t *frame = next_frame(port, &length);
        if (port->interval_ns != 0) {
            memcpy(frame + length - sizeof(port->due_ns), &port->due_ns, sizeof(port->due_ns));
            port->due_ns += port->interval_ns;
        }
        frames[count++] = (struct frame){.bytes = frame, .length = length};
        bytes += length;
        left--;
    }
    if (count > 0) {
        /* Unless another total was set meanwhile. */
        atomic_compare_exchange_strong_explicit(&port->left, &before, left, memory_order_relaxed,
                                                memory_order_relaxed);
        counter_add(&base->counters.received, count);
        counter_add(&base->counters.received_bytes, bytes);
        port->sent += count;
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
    uint64_t bytes = 0;
    for (uint32_t index = 0; index < count; index++) {
        bytes += frames[index].length;
    }
    counter_add(&base->counters.sent, count);
    counter_add(&base->counters.sent_bytes, bytes);
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

void generator_port_set_lengths(struct generator_port *port, const uint16_t *lengths) {
    port->lengths = lengths;
}

void generator_port_set_window(struct generator_port *port, const struct generator_port *sink,
                               uint64_t window) {
    port->sink = sink;
    port->window = window;
    port->sent = 0;
    port->sent_to_sink = sink != NULL ? sent_to(sink) : 0;
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

void generator_port_discard_samples(struct generator_port *port) {
    atomic_store_explicit(&port->sample_count, 0, memory_order_release);
}

uint64_t generator_port_samples(const struct generator_port *port) {
    return atomic_load_explicit(&port->sample_count, memory_order_acquire);
}
