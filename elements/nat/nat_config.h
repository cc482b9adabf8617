/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The NAT's configuration: filled from the options, checked once, then constant. It is all that
 * steering has, so what steering needs is looked up here: external addresses, static mappings.
 */
#ifndef NAT_CONFIG_H
#define NAT_CONFIG_H

#include "ftmb_element.h"

#define NAT_PREFIXES_MAX 64U
#define NAT_EXTERNAL_MAX 4096U /* external addresses */
#define NAT_STATIC_MAX 256U    /* static mappings */
#define NAT_STATIC_SLOTS 1024U /* of the index over them */
#define NAT_NONE 0xffffffffU

enum nat_filtering {
    NAT_FILTER_ENDPOINT_INDEPENDENT,
    NAT_FILTER_ADDRESS_DEPENDENT,
    NAT_FILTER_ADDRESS_AND_PORT_DEPENDENT,
};

/* An endpoint is address << 32 | port << 16 | protocol; a remote one has protocol 0. */
static inline uint64_t nat_endpoint(uint32_t address, uint16_t port, uint8_t protocol) {
    return (uint64_t)address << 32 | (uint64_t)port << 16 | protocol;
}
static inline uint32_t nat_address(uint64_t endpoint) {
    return (uint32_t)(endpoint >> 32);
}
static inline uint16_t nat_port(uint64_t endpoint) {
    return (uint16_t)(endpoint >> 16);
}
static inline uint8_t nat_protocol(uint64_t endpoint) {
    return (uint8_t)endpoint;
}

struct nat_prefix {
    uint32_t first;
    uint32_t count;
    uint32_t index; /* of `first` among all external addresses */
};

struct nat_static {
    uint64_t inside;
    uint64_t outside;
};

struct nat_config {
    uint8_t inside, outside; /* ports */
    uint8_t inbound_refresh;
    uint8_t check_checksum;
    uint32_t filtering; /* enum nat_filtering */
    uint32_t sessions_max;
    uint32_t port_first, port_last; /* external ports that are given out */
    uint32_t icmp_errors_max;       /* per worker and second */
    uint32_t inside_address;        /* 0: none */
    uint64_t udp_ns, icmp_ns, tcp_established_ns, tcp_transitory_ns;
    uint32_t external_count, prefix_count;
    uint32_t external_lowest, external_highest;
    uint32_t static_count;
    struct nat_prefix prefixes[NAT_PREFIXES_MAX];
    struct nat_static statics[NAT_STATIC_MAX];
    uint16_t static_index[NAT_STATIC_SLOTS]; /* by outside endpoint: place in statics + 1 */
};

extern const struct ftmb_option nat_options[];
int nat_check(const void *config, uint32_t workers, char *error, size_t error_size);

/* The place of an external address among all, or NAT_NONE. */
static inline uint32_t nat_external_index(const struct nat_config *config, uint32_t address) {
    if (address < config->external_lowest || address > config->external_highest) {
        return NAT_NONE;
    }
    for (uint32_t i = 0; i < config->prefix_count; ++i) {
        if (address - config->prefixes[i].first < config->prefixes[i].count) {
            return config->prefixes[i].index + (address - config->prefixes[i].first);
        }
    }
    return NAT_NONE;
}
uint32_t nat_external_address(const struct nat_config *config, uint32_t index);

/* The static mapping of an external endpoint, or NULL. */
const struct nat_static *nat_static_find(const struct nat_config *config, uint64_t outside);

/* External ports of one worker: a range of their own for each. */
static inline uint32_t nat_ports_per_worker(const struct nat_config *config, uint32_t workers) {
    return (config->port_last - config->port_first + 1) / workers;
}

#endif
