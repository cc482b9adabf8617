/* SPDX-License-Identifier: BSD-3-Clause */
#include "simulator/traffic.h"

#include "simulator/frames.h"
#include "simulator/observe.h"

#define BURST_MAX 10U
#define BUSY_NS_MAX 20000000ULL /* well below what makes the output logger give a port up */

static struct port ports[SIMULATED_PORTS];
static uint8_t arrived[BURST_MAX][FTMB_FRAME_SIZE_MAX];
static struct frame delivered[BURST_MAX];
static uint32_t left;
static uint64_t next_number;
static uint64_t busy_since[SIMULATED_PORTS]; /* 0: it took the last frame */

static uint8_t index_of(const struct port *port) {
    return (uint8_t)(port - ports);
}

static uint32_t receive(struct port *port, uint64_t now_ns, struct frame *frames) {
    (void)now_ns;
    bool is_open = simulation.control.was_ready || !simulation.settings.opens_late;
    uint32_t count = chance(simulation.settings.arrivals) != 0 ? 0 : chance(BURST_MAX + 1);
    count = !is_open ? 0 : count < left ? count : left;
    left -= count;
    for (uint32_t place = 0; place < count; place++) {
        uint16_t length = frames_make(arrived[place], index_of(port), ++next_number);
        frames[place] = (struct frame){.bytes = arrived[place], .length = length};
        delivered[place] = frames[place];
    }
    observe_delivery(index_of(port), count);
    return count;
}

static void receive_done(struct port *port) {
    (void)port;
}

/* A busy port takes some of what it is offered, or nothing; but not for long. */
static uint32_t send(struct port *port, const struct frame *frames, uint32_t count) {
    uint8_t index = index_of(port);
    uint32_t taken = count;
    uint32_t busy_port = simulation.settings.busy_port;
    bool was_long_enough =
        busy_since[index] != 0 && simulation.now_ns - busy_since[index] > BUSY_NS_MAX;
    if (busy_port != 0 && chance(busy_port) == 0 && !was_long_enough) {
        taken = chance(count);
        busy_since[index] = busy_since[index] == 0 ? simulation.now_ns : busy_since[index];
    }
    if (taken > 0) {
        busy_since[index] = 0;
    }
    for (uint32_t place = 0; place < taken; place++) {
        observe_release(index, frames[place].bytes, frames[place].length);
        frames_saw(index, frames[place].bytes, frames[place].length);
    }
    return taken;
}

static void flush(struct port *port) {
    (void)port;
}

static uint64_t missed(struct port *port) {
    (void)port;
    return 0;
}

static const struct port_class port_class = {.receive = receive,
                                             .receive_done = receive_done,
                                             .send = send,
                                             .flush = flush,
                                             .missed = missed};

void traffic_begin(struct logger *logger) {
    left = simulation.settings.frames;
    next_number = 0;
    frames_begin();
    for (uint32_t index = 0; index < SIMULATED_PORTS; index++) {
        ports[index] = (struct port){.class = &port_class};
        busy_since[index] = 0;
        if (logger_add_port(logger, &ports[index]) < 0) {
            simulation_fail("a port cannot be added");
        }
    }
    /* Opening lets go of what waits in the ports: here nothing does. */
    uint32_t all = left;
    left = 0;
    logger_open_ports(logger);
    left = all;
}

uint32_t traffic_left(void) {
    return left;
}

const struct frame *traffic_delivered(uint32_t place) {
    return &delivered[place];
}
