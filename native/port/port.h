/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port: where frames come from and go to. The loggers know nothing else of NICs, so that the
 * same code runs over DPDK (port/dpdk_port.h) and in memory (port/memory_port.h).
 *
 * Threads: the logger process's packet thread only; counters may be read by any.
 */
#ifndef FTMB_PORT_H
#define FTMB_PORT_H

#include <stdatomic.h>
#include <stdint.h>

#include "ftmb_element.h"

#define PORT_BURST_MAX 64U

struct frame {
    const uint8_t *bytes;
    uint16_t length;
    uint32_t place; /* send: the caller's own */
};

enum port_drop {
    PORT_DROP_TOO_LONG,   /* longer than FTMB_FRAME_SIZE_MAX, or in several segments */
    PORT_DROP_FOR_PORT,   /* not to this port's Ethernet address */
    PORT_DROP_UNRESOLVED, /* no Ethernet address for the next hop */
    PORT_DROP_SEND_STUCK, /* the device took nothing for too long */
    PORT_DROP_SEND_SHORT, /* shorter than an Ethernet header */
    PORT_DROPS
};

struct port_counters {
    _Atomic uint64_t received, received_bytes;
    _Atomic uint64_t sent, sent_bytes;
    _Atomic uint64_t resolution; /* ARP frames that the port dealt with by itself */
    _Atomic uint64_t drops[PORT_DROPS];
};

struct port;

struct port_class {
    /*
     * Up to PORT_BURST_MAX frames, borrowed until `receive_done`. Frames that the port deals
     * with by itself (ARP) are not among them. `now_ns` drives its own timers.
     */
    uint32_t (*receive)(struct port *port, uint64_t now_ns, struct frame *frames);
    void (*receive_done)(struct port *port);
    /* Copies frames out, in order; returns how many were taken (dropping counts as taking). */
    uint32_t (*send)(struct port *port, const struct frame *frames, uint32_t count);
    /* Pushes out what `send` took. */
    void (*flush)(struct port *port);
    /* Packets that the device itself had to drop on receiving, for want of room. */
    uint64_t (*missed)(struct port *port);
};

struct port {
    const struct port_class *class;
    struct port_counters counters;
};

/* Numbers that one thread changes and others may look at: a plain load and store each. */
static inline void counter_set(_Atomic uint64_t *counter, uint64_t value) {
    atomic_store_explicit(counter, value, memory_order_relaxed);
}
static inline void counter_add(_Atomic uint64_t *counter, uint64_t amount) {
    counter_set(counter, atomic_load_explicit(counter, memory_order_relaxed) + amount);
}

#endif
