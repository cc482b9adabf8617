/* SPDX-License-Identifier: BSD-3-Clause */
/* What Python sees of the DPDK port; see ftmb_core.cdef.h. */
struct port {
    ...;
};
struct dpdk_port;
#define DPDK_PORT_ADDRESSES_MAX ...
struct dpdk_port_settings {
    const char *device;
    uint32_t queues;
    uint32_t descriptors;
    uint32_t addresses[64];
    uint32_t masks[64];
    uint32_t address_count;
    uint32_t answered[64]; /* networks that it answers ARP for besides */
    uint32_t answered_masks[64];
    uint32_t answered_count;
    uint32_t gateway;
};
int dpdk_start(int argc, char **argv, char *error, uint32_t error_size);
struct dpdk_port *dpdk_port_open(const struct dpdk_port_settings *settings, char *error,
                                 uint32_t error_size);
void dpdk_port_close(struct dpdk_port *port);
struct port *dpdk_port_base(struct dpdk_port *port);
void dpdk_stop(void);
