/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port over DPDK: any device string that EAL can probe, with one or more receive queues.
 *
 * With addresses the port is routed: it answers ARP for them and fills the Ethernet header of
 * what leaves. Without, it is transparent: frames leave as they are.
 *
 * Threads: dpdk_start(), dpdk_port_open() and the port's class from the packet thread.
 */
#ifndef FTMB_DPDK_PORT_H
#define FTMB_DPDK_PORT_H

#include "port/port.h"

#define DPDK_PORT_ADDRESSES_MAX 64U

struct dpdk_port_settings {
    const char *device; /* PCI address, or virtual device with its arguments */
    uint32_t queues;
    uint32_t descriptors;                        /* of each queue */
    uint32_t addresses[DPDK_PORT_ADDRESSES_MAX]; /* IPv4, network byte order */
    uint32_t masks[DPDK_PORT_ADDRESSES_MAX];
    uint32_t address_count;
    uint32_t answered[DPDK_PORT_ADDRESSES_MAX]; /* networks that it answers ARP for besides */
    uint32_t answered_masks[DPDK_PORT_ADDRESSES_MAX];
    uint32_t answered_count;
    uint32_t gateway; /* 0: none */
};

struct dpdk_port;

/* Starts EAL with these arguments (argv[0] is a name). 0, or -errno with a message in `error`. */
int dpdk_start(int argc, char **argv, char *error, uint32_t error_size);
/* NULL with a message in `error`. */
struct dpdk_port *dpdk_port_open(const struct dpdk_port_settings *settings, char *error,
                                 uint32_t error_size);
/* Stops and detaches the device. Accepts NULL. */
void dpdk_port_close(struct dpdk_port *port);
struct port *dpdk_port_base(struct dpdk_port *port);
void dpdk_stop(void);

#endif
