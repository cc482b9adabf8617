/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a frame to the endpoints it names, and from these to a worker.
 *
 * Steering and translation use the same parser, so they cannot disagree about whose a packet is.
 * A packet from inside belongs to the worker that the hash of its own endpoint names; this worker
 * gives that endpoint a port of its own range, and so what comes back names the worker by its
 * destination port. An ICMP error belongs to the flow of the packet it quotes.
 */
#include "nat_packet.h"
#include "arena/hash_table.h"

#define STEERING_SEED 0x6a09e667f3bcc908ULL

enum icmp_type {
    ICMP_ECHO_REPLY = 0,
    ICMP_UNREACHABLE = 3,
    ICMP_SOURCE_QUENCH = 4,
    ICMP_ECHO = 8,
    ICMP_TIME_EXCEEDED = 11,
    ICMP_PARAMETER_PROBLEM = 12,
    ICMP_TIMESTAMP = 13,
    ICMP_TIMESTAMP_REPLY = 14,
};

static bool is_query(uint8_t type) {
    return type == ICMP_ECHO || type == ICMP_ECHO_REPLY || type == ICMP_TIMESTAMP ||
           type == ICMP_TIMESTAMP_REPLY;
}

static bool is_error(uint8_t type) {
    return type == ICMP_UNREACHABLE || type == ICMP_SOURCE_QUENCH || type == ICMP_TIME_EXCEEDED ||
           type == ICMP_PARAMETER_PROBLEM;
}

/* Not an address of one host: "this network", loopback, multicast, reserved, broadcast. */
static bool is_bad_address(uint32_t address) {
    uint32_t first = address >> 24;
    return first == 0 || first == 127 || first >= 224;
}

/* The remote endpoint, as finely as sessions are kept: what filtering lets in, they cannot tell
 * apart. TCP always is by address and port, since each connection has a state. */
static uint64_t remote_key(const struct nat_config *config, uint32_t address, uint16_t port,
                           uint8_t protocol) {
    if (protocol == FTMB_PROTOCOL_TCP ||
        config->filtering == NAT_FILTER_ADDRESS_AND_PORT_DEPENDENT) {
        return nat_endpoint(address, port, 0);
    }
    if (config->filtering == NAT_FILTER_ADDRESS_DEPENDENT) {
        return nat_endpoint(address, 0, 0);
    }
    return 0;
}

/* The endpoints of the packet that an ICMP error quotes, seen from this side. */
static enum nat_reason parse_quoted(const struct nat_config *config, const uint8_t *frame,
                                    struct nat_view *view) {
    struct ftmb_ip quoted;
    uint32_t at = (uint32_t)view->transport + FTMB_ICMP_SIZE;
    if (ftmb_parse_ipv4_at(frame, view->end, at, true, &quoted) != FTMB_IP_WHOLE) {
        return NAT_ICMP_MALFORMED;
    }
    if (quoted.later || quoted.end < quoted.transport + 8U) {
        return NAT_ICMP_MALFORMED;
    }
    const uint8_t *header = frame + quoted.transport;
    uint16_t source = ftmb_load16(header);
    uint16_t destination = ftmb_load16(header + 2);
    if (quoted.protocol == FTMB_PROTOCOL_ICMP) {
        if (!is_query(header[0])) {
            return NAT_ICMP_UNSUPPORTED; /* never an error about an error */
        }
        source = destination = ftmb_load16(header + 4);
    } else if (quoted.protocol != FTMB_PROTOCOL_TCP && quoted.protocol != FTMB_PROTOCOL_UDP) {
        return NAT_PROTOCOL_UNSUPPORTED;
    } else if (source == 0 || destination == 0) {
        return NAT_BAD_PORT;
    }
    uint32_t from = ftmb_load32(frame + quoted.network + 12);
    uint32_t to = ftmb_load32(frame + quoted.network + 16);
    bool ours_sent = !view->from_inside; /* what is quoted went the other way */
    uint16_t port = ours_sent ? destination : source;
    view->kind = NAT_KIND_ERROR;
    view->protocol = quoted.protocol;
    view->quoted_network = quoted.network;
    view->quoted_transport = quoted.transport;
    view->quoted_end = quoted.end;
    view->local = ours_sent ? nat_endpoint(from, source, quoted.protocol)
                            : nat_endpoint(to, destination, quoted.protocol);
    view->remote = remote_key(config, ours_sent ? to : from,
                              quoted.protocol == FTMB_PROTOCOL_ICMP ? 0 : port, quoted.protocol);
    return NAT_PASS;
}

static enum nat_reason parse_icmp(const struct nat_config *config, const uint8_t *frame,
                                  uint32_t source, uint32_t destination, struct nat_view *view) {
    const uint8_t *header = frame + view->transport;
    bool to_self = view->from_inside && (destination == config->inside_address || view->hairpin);
    if (is_error(header[0])) {
        return parse_quoted(config, frame, view);
    }
    if (!is_query(header[0])) {
        return NAT_ICMP_UNSUPPORTED;
    }
    if (source == destination) {
        return NAT_LAND;
    }
    if (header[0] == ICMP_ECHO && to_self) {
        view->kind = NAT_KIND_SELF;
    }
    uint16_t identifier = ftmb_load16(header + 4);
    uint32_t local = view->from_inside ? source : destination;
    uint32_t remote = view->from_inside ? destination : source;
    view->local = nat_endpoint(local, identifier, FTMB_PROTOCOL_ICMP);
    view->remote = remote_key(config, remote, 0, FTMB_PROTOCOL_ICMP);
    return NAT_PASS;
}

static bool are_bad_tcp_flags(uint8_t flags) {
    bool fin = (flags & 0x01U) != 0;
    bool syn = (flags & 0x02U) != 0;
    bool reset = (flags & 0x04U) != 0;
    bool acknowledge = (flags & 0x10U) != 0;
    return (syn && (fin || reset)) || (!syn && !reset && !acknowledge);
}

static enum nat_reason parse_transport(const struct nat_config *config, const uint8_t *frame,
                                       uint32_t source, uint32_t destination,
                                       struct nat_view *view) {
    const uint8_t *header = frame + view->transport;
    uint16_t source_port = ftmb_load16(header);
    uint16_t destination_port = ftmb_load16(header + 2);
    if (source_port == 0 || destination_port == 0) {
        return NAT_BAD_PORT;
    }
    if (source == destination && source_port == destination_port) {
        return NAT_LAND;
    }
    if (view->protocol == FTMB_PROTOCOL_TCP && are_bad_tcp_flags(header[13])) {
        return NAT_BAD_TCP_FLAGS;
    }
    if (view->from_inside) {
        view->local = nat_endpoint(source, source_port, view->protocol);
        view->remote = remote_key(config, destination, destination_port, view->protocol);
    } else {
        view->local = nat_endpoint(destination, destination_port, view->protocol);
        view->remote = remote_key(config, source, source_port, view->protocol);
    }
    return NAT_PASS;
}

/* `check_checksum`: of the IP header. Who only steers need not. */
static inline enum nat_reason parse(const struct nat_config *config, const uint8_t *frame,
                                    uint16_t length, uint8_t port_in, bool check_checksum,
                                    struct nat_view *view) {
    struct ftmb_ip ip;
    enum ftmb_ip_fault fault = ftmb_parse_ipv4(frame, length, &ip);
    if (port_in != config->inside && port_in != config->outside) {
        return NAT_WRONG_PORT;
    }
    if (fault != FTMB_IP_WHOLE) {
        return fault == FTMB_IP_OTHER       ? NAT_NOT_IPV4
               : fault == FTMB_IP_TRUNCATED ? NAT_TRUNCATED
                                            : NAT_MALFORMED;
    }
    const uint8_t *header = frame + ip.network;
    if (check_checksum && ftmb_checksum_sum(header, (size_t)ip.transport - ip.network) != 0xffffU) {
        return NAT_BAD_CHECKSUM;
    }
    if (ip.fragment) {
        return NAT_FRAGMENT;
    }
    if (!ftmb_transport_whole(frame, &ip)) {
        return NAT_MALFORMED;
    }
    uint32_t source = ftmb_load32(header + 12);
    uint32_t destination = ftmb_load32(header + 16);
    if (is_bad_address(source) || is_bad_address(destination)) {
        return NAT_BAD_ADDRESS;
    }
    view->network = ip.network;
    view->transport = ip.transport;
    view->end = ip.end;
    view->kind = NAT_KIND_TRANSPORT;
    view->protocol = ip.protocol;
    view->from_inside = port_in == config->inside;
    view->hairpin = view->from_inside && nat_external_index(config, destination) != NAT_NONE;
    if (view->from_inside && nat_external_index(config, source) != NAT_NONE) {
        return NAT_BAD_ADDRESS;
    }
    if (ip.protocol == FTMB_PROTOCOL_ICMP) {
        return parse_icmp(config, frame, source, destination, view);
    }
    if (ip.protocol != FTMB_PROTOCOL_TCP && ip.protocol != FTMB_PROTOCOL_UDP) {
        return NAT_PROTOCOL_UNSUPPORTED;
    }
    if (view->from_inside && destination == config->inside_address) {
        return NAT_TO_SELF;
    }
    return parse_transport(config, frame, source, destination, view);
}

enum nat_reason nat_parse(const struct nat_config *config, const uint8_t *frame, uint16_t length,
                          uint8_t port_in, struct nat_view *view) {
    return parse(config, frame, length, port_in, config->check_checksum != 0, view);
}

uint32_t nat_worker_of_inside(uint64_t inside, uint32_t workers) {
    return hash_table_reduce(hash_table_hash(inside, 0, STEERING_SEED), workers);
}

uint32_t nat_steer(const void *config_pointer, uint32_t workers, const uint8_t *frame,
                   uint16_t length, uint8_t port_in, uint32_t hash) {
    const struct nat_config *config = config_pointer;
    struct nat_view view;
    if (parse(config, frame, length, port_in, false, &view) != NAT_PASS) {
        return hash % workers;
    }
    if (view.from_inside) {
        return nat_worker_of_inside(view.local, workers);
    }
    const struct nat_static *fixed = nat_static_find(config, view.local);
    if (fixed != NULL) {
        return nat_worker_of_inside(fixed->inside, workers);
    }
    uint32_t offset = (uint32_t)nat_port(view.local) - config->port_first; /* may wrap */
    uint32_t worker = offset / nat_ports_per_worker(config, workers);
    return worker < workers ? worker : hash % workers;
}
