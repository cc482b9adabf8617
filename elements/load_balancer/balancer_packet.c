/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a frame to the client and the peer it names, and from the client to a worker.
 *
 * Steering and balancing use the same parser, so they cannot disagree about whose a packet is. The
 * client's endpoint is what both directions have in common: with rewriting, the other one differs.
 */
#include "balancer_packet.h"

#include "arena/hash_table.h"

#define STEERING_SEED 0x1f83d9abfb41bd6bULL
#define ETHER_TYPE_ARP 0x0806U

static void load_address(struct balancer_address *address, const uint8_t *at, uint8_t version) {
    if (version == 4) {
        *address = (struct balancer_address){.bytes = {[10] = 0xff, [11] = 0xff}};
        memcpy(address->bytes + 12, at, 4);
    } else {
        memcpy(address->bytes, at, sizeof(address->bytes));
    }
}

void balancer_fill_endpoints(const uint8_t *frame, const struct ftmb_ip *ip, bool to_service,
                             struct balancer_view *view) {
    uint32_t size = ip->version == 4 ? 4U : 16U;
    const uint8_t *source = frame + ip->network + (ip->version == 4 ? 12U : 8U);
    const uint8_t *destination = source + size;
    load_address(&view->client, to_service ? source : destination, ip->version);
    load_address(&view->peer.address, to_service ? destination : source, ip->version);
    view->peer.protocol = ip->protocol;
    if (ip->protocol == FTMB_PROTOCOL_TCP || ip->protocol == FTMB_PROTOCOL_UDP) {
        const uint8_t *ports = frame + ip->transport;
        view->client_port = ftmb_load16(ports + (to_service ? 0 : 2));
        view->peer.port = ftmb_load16(ports + (to_service ? 2 : 0));
    }
}

bool balancer_is_bad_address(const struct balancer_address *address, uint8_t version) {
    static const struct balancer_address loopback6 = {.bytes = {[15] = 1}};
    static const struct balancer_address none6 = {.bytes = {0}};
    const uint8_t *bytes = address->bytes;
    if (version == 4) {
        return bytes[12] == 0 || bytes[12] == 127 || bytes[12] >= 224;
    }
    return bytes[0] == 0xff || balancer_is_ipv4(address) || balancer_is_same(address, &loopback6) ||
           balancer_is_same(address, &none6);
}

static bool are_bad_tcp_flags(uint8_t flags) {
    bool ends = (flags & (TCP_FIN | TCP_RESET)) != 0;
    return ((flags & TCP_SYN) != 0 && ends) || (flags & (TCP_SYN | TCP_RESET | TCP_ACK)) == 0;
}

static enum balancer_reason parse_transport(const uint8_t *frame, struct balancer_view *view) {
    if (view->peer.protocol != FTMB_PROTOCOL_TCP && view->peer.protocol != FTMB_PROTOCOL_UDP) {
        return BALANCER_PROTOCOL_UNSUPPORTED;
    }
    if (view->client_port == 0 || view->peer.port == 0) {
        return BALANCER_BAD_PORT;
    }
    if (view->peer.protocol == FTMB_PROTOCOL_TCP) {
        view->tcp_flags = frame[view->transport + 13U];
        return are_bad_tcp_flags(view->tcp_flags) ? BALANCER_BAD_TCP_FLAGS : BALANCER_PASS;
    }
    return BALANCER_PASS;
}

static enum balancer_reason parse_other(const struct balancer_config *config, const uint8_t *frame,
                                        uint16_t length, struct balancer_view *view) {
    if (length < FTMB_ETHERNET_SIZE) {
        return BALANCER_TRUNCATED;
    }
    if (ftmb_load16(frame + 12) != ETHER_TYPE_ARP) {
        return BALANCER_NOT_IP;
    }
    view->kind = BALANCER_KIND_NEIGHBOUR;
    return config->passes_neighbours ? BALANCER_PASS : BALANCER_NEIGHBOURS_OFF;
}

/* What must hold of the IP header, whatever follows it. */
static enum balancer_reason check_header(const uint8_t *frame, const struct ftmb_ip *ip,
                                         bool checks) {
    if (checks && ip->version == 4 &&
        ftmb_checksum_sum(frame + ip->network, (size_t)ip->transport - ip->network) != 0xffffU) {
        return BALANCER_BAD_CHECKSUM;
    }
    if (ip->fragment) {
        return BALANCER_FRAGMENT;
    }
    return ftmb_transport_whole(frame, ip) ? BALANCER_PASS : BALANCER_MALFORMED;
}

/* Neighbour discovery is between nobody and groups, so addresses are judged behind it. */
static enum balancer_reason parse_whole(const struct balancer_config *config, const uint8_t *frame,
                                        bool checks, struct balancer_view *view) {
    bool is_icmp =
        view->peer.protocol == (view->version == 4 ? FTMB_PROTOCOL_ICMP : FTMB_PROTOCOL_ICMPV6);
    struct balancer_address client = view->client;
    struct balancer_address peer = view->peer.address;
    enum balancer_reason reason =
        is_icmp ? balancer_parse_icmp(frame, checks, view) : parse_transport(frame, view);
    if (view->kind == BALANCER_KIND_NEIGHBOUR && reason == BALANCER_PASS) {
        return config->passes_neighbours ? BALANCER_PASS : BALANCER_NEIGHBOURS_OFF;
    }
    if (balancer_is_bad_address(&client, view->version) ||
        balancer_is_bad_address(&peer, view->version)) {
        return BALANCER_BAD_ADDRESS;
    }
    return reason == BALANCER_PASS && balancer_is_same(&client, &peer) ? BALANCER_LAND : reason;
}

enum balancer_reason balancer_parse(const struct balancer_config *config, const uint8_t *frame,
                                    uint16_t length, uint8_t port_in, bool checks,
                                    struct balancer_view *view) {
    struct ftmb_ip ip;
    *view = (struct balancer_view){.service = BALANCER_NONE, .backend = BALANCER_NONE};
    if (port_in != config->clients && port_in != config->servers) {
        return BALANCER_WRONG_PORT;
    }
    view->from_clients = port_in == config->clients;
    enum ftmb_ip_fault fault = ftmb_parse_ip(frame, length, &ip);
    if (fault == FTMB_IP_OTHER) {
        return parse_other(config, frame, length, view);
    }
    if (fault != FTMB_IP_WHOLE) {
        return fault == FTMB_IP_TRUNCATED ? BALANCER_TRUNCATED : BALANCER_MALFORMED;
    }
    enum balancer_reason reason = check_header(frame, &ip, checks);
    if (reason != BALANCER_PASS) {
        return reason;
    }
    view->version = ip.version;
    view->network = ip.network;
    view->transport = ip.transport;
    view->end = ip.end;
    balancer_fill_endpoints(frame, &ip, view->from_clients, view);
    return parse_whole(config, frame, checks, view);
}

static uint64_t load64(const uint8_t *at) {
    return (uint64_t)ftmb_load32(at) << 32 | ftmb_load32(at + 4);
}

uint32_t balancer_steer(const void *config, uint32_t workers, const uint8_t *frame, uint16_t length,
                        uint8_t port_in, uint32_t hash) {
    struct balancer_view view;
    enum balancer_reason reason = balancer_parse(config, frame, length, port_in, false, &view);
    if (reason != BALANCER_PASS || view.kind == BALANCER_KIND_NEIGHBOUR) {
        return hash_table_reduce((uint64_t)hash << 32, workers);
    }
    const uint8_t *bytes = view.client.bytes;
    uint64_t wide = hash_table_hash(load64(bytes), load64(bytes + 8), STEERING_SEED);
    return hash_table_reduce(hash_table_hash(view.client_port, 0, wide), workers);
}
