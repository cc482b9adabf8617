/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ICMP and ICMPv6: errors about connections, which are translated both ways, and pings of a virtual
 * address, which the load balancer answers.
 *
 * An error quotes the packet that caused it as it was on the error's side, so the quoted headers
 * are translated the other way round (RFC 5508). From the servers' side all errors come from the
 * virtual address afterwards, also those of routers there. Errors neither begin nor refresh nor end
 * a connection. With direct forwarding addresses are the same on both sides, and an error of a
 * client only has to find its backend.
 */
#include "balancer_state.h"

#define HOP_LIMIT_OF_LINK 255U /* a router would have made it less */
#define HOPS_INITIAL 64U

enum icmp_type {
    ICMP_ECHO_REPLY = 0,
    ICMP_UNREACHABLE = 3,
    ICMP_ECHO = 8,
    ICMP_TIME_EXCEEDED = 11,
    ICMP_PARAMETER_PROBLEM = 12,
    ICMPV6_PARAMETER_PROBLEM = 4, /* and below it the other errors, but for 0 */
    ICMPV6_ECHO = 128,
    ICMPV6_ECHO_REPLY = 129,
    ICMPV6_LISTENER_FIRST = 130,
    ICMPV6_LISTENER_LAST = 132,
    ICMPV6_NEIGHBOUR_FIRST = 133,
    ICMPV6_NEIGHBOUR_LAST = 136,
    ICMPV6_LISTENER_REPORT = 143,
};

static bool is_error(uint8_t version, uint8_t type) {
    if (version == 6) {
        return type >= 1 && type <= ICMPV6_PARAMETER_PROBLEM;
    }
    return type == ICMP_UNREACHABLE || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETER_PROBLEM;
}

/* What keeps a link going, and comes from it (RFC 4861, 2710, 3810). */
static bool is_neighbour(const uint8_t *network, uint8_t type) {
    bool is_listener = (type >= ICMPV6_LISTENER_FIRST && type <= ICMPV6_LISTENER_LAST) ||
                       type == ICMPV6_LISTENER_REPORT;
    bool is_neighbour = type >= ICMPV6_NEIGHBOUR_FIRST && type <= ICMPV6_NEIGHBOUR_LAST;
    return (is_listener && network[7] == 1) || (is_neighbour && network[7] == HOP_LIMIT_OF_LINK);
}

/* Of an ICMPv6 message with its pseudo-header (RFC 8200, 8.1), 0xffff if it is right. */
static uint16_t sum_of(const uint8_t *frame, const struct balancer_view *view) {
    size_t size = (size_t)view->end - view->transport;
    uint64_t sum = ftmb_checksum_sum(frame + view->transport, size);
    if (view->version == 6) {
        sum += ftmb_checksum_sum(frame + view->network + 8, 32);
        sum += size + FTMB_PROTOCOL_ICMPV6;
    }
    return ftmb_checksum_fold(sum);
}

/* The endpoints of the packet that an error quotes, which went the other way. */
static enum balancer_reason parse_quoted(const uint8_t *frame, bool checks,
                                         struct balancer_view *view) {
    struct ftmb_ip quoted;
    uint32_t at = (uint32_t)view->transport + FTMB_ICMP_SIZE;
    enum ftmb_ip_fault fault = view->version == 4
                                   ? ftmb_parse_ipv4_at(frame, view->end, at, true, &quoted)
                                   : ftmb_parse_ipv6_at(frame, view->end, at, true, &quoted);
    if (fault != FTMB_IP_WHOLE || quoted.later || quoted.end < quoted.transport + 8U) {
        return BALANCER_ICMP_MALFORMED;
    }
    if (quoted.protocol != FTMB_PROTOCOL_TCP && quoted.protocol != FTMB_PROTOCOL_UDP) {
        return BALANCER_ICMP_UNSUPPORTED;
    }
    if (checks && view->version == 4 &&
        ftmb_checksum_sum(frame + quoted.network, (size_t)quoted.transport - quoted.network) !=
            0xffffU) {
        return BALANCER_BAD_CHECKSUM;
    }
    struct balancer_address to = view->from_clients ? view->peer.address : view->client;
    view->kind = BALANCER_KIND_ERROR;
    view->quoted_network = quoted.network;
    view->quoted_transport = quoted.transport;
    view->quoted_end = quoted.end;
    balancer_fill_endpoints(frame, &quoted, !view->from_clients, view);
    bool is_to_sender =
        balancer_is_same(&to, view->from_clients ? &view->peer.address : &view->client);
    return is_to_sender && view->client_port != 0 && view->peer.port != 0 ? BALANCER_PASS
                                                                          : BALANCER_ICMP_MALFORMED;
}

enum balancer_reason balancer_parse_icmp(const uint8_t *frame, bool checks,
                                         struct balancer_view *view) {
    uint8_t type = frame[view->transport];
    bool is_echo = type == (view->version == 4 ? ICMP_ECHO : ICMPV6_ECHO);
    if (view->version == 6 && is_neighbour(frame + view->network, type)) {
        view->kind = BALANCER_KIND_NEIGHBOUR;
        return BALANCER_PASS;
    }
    if (!is_error(view->version, type) && !(is_echo && view->from_clients)) {
        return BALANCER_ICMP_UNSUPPORTED;
    }
    if (checks && sum_of(frame, view) != 0xffffU) {
        return BALANCER_BAD_CHECKSUM;
    }
    view->kind = BALANCER_KIND_ECHO;
    return is_echo ? BALANCER_PASS : parse_quoted(frame, checks, view);
}

/* ---- Errors ---- */

static void write_address(uint8_t *network, uint8_t version, bool is_source,
                          const struct balancer_address *address) {
    if (version == 4) {
        uint8_t *at = network + (is_source ? 12 : 16);
        uint32_t delta = ftmb_checksum_delta32(ftmb_load32(at), ftmb_load32(address->bytes + 12));
        memcpy(at, address->bytes + 12, 4);
        ftmb_checksum_apply(network + 10, delta);
    } else {
        memcpy(network + (is_source ? 8 : 24), address->bytes, 16);
    }
}

/* Writes `to` where the quoted packet has the endpoint that is not the client's. */
static void rewrite_quoted(const struct balancer_view *view, const struct balancer_endpoint *to,
                           uint32_t address, uint32_t port) {
    uint8_t *frame = view->packet->data;
    uint8_t *transport = frame + view->quoted_transport;
    write_address(frame + view->quoted_network, view->version, view->from_clients, &to->address);
    ftmb_store16(transport + (view->from_clients ? 0 : 2), to->port);
    if (to->protocol == FTMB_PROTOCOL_UDP) {
        ftmb_checksum_apply_udp(transport + 6, address + port);
    } else if (view->quoted_transport + 18U <= view->quoted_end) { /* seldom quoted that far */
        ftmb_checksum_apply(transport + 16, address + port);
    }
}

static void rewrite_outer(const struct balancer_view *view, const struct balancer_address *to) {
    uint8_t *frame = view->packet->data;
    uint8_t *network = frame + view->network;
    write_address(network, view->version, !view->from_clients, to);
    if (view->version == 4) {
        uint16_t word = ftmb_load16(network + 8);
        --network[8];
        ftmb_checksum_apply(network + 10, ftmb_checksum_delta16(word, ftmb_load16(network + 8)));
    } else {
        --network[7];
    }
    /* It was found right, so computing it anew hides nothing. */
    ftmb_store16(frame + view->transport + 2, 0);
    ftmb_store16(frame + view->transport + 2, (uint16_t)~sum_of(frame, view));
}

bool balancer_forward_error(const struct balancer_config *config, struct balancer_state *state,
                            const struct balancer_view *view, uint16_t place) {
    const struct balancer_backend *backend = &balancer_backends(state)[place];
    uint8_t hops = view->packet->data[view->network + (view->version == 4 ? 8U : 7U)];
    uint32_t address = backend->delta_address;
    uint32_t port = backend->delta_port;
    const struct balancer_endpoint *to = &backend->endpoint;
    if (view->from_clients && backend->has_ethernet) {
        memcpy(view->packet->data, backend->ethernet, BALANCER_ETHERNET_SIZE);
    }
    if (config->forwarding == BALANCER_DIRECT) {
        return true;
    }
    if (hops <= 1) {
        return false;
    }
    if (!view->from_clients) {
        to = &config->services[backend->service];
        address ^= 0xffffU;
        port ^= 0xffffU;
    }
    rewrite_quoted(view, to, address, port);
    rewrite_outer(view, &to->address);
    return true;
}

/* ---- Pings ---- */

static void swap(uint8_t *one, uint8_t *other, size_t size) {
    uint8_t kept[16];
    memcpy(kept, one, size);
    memcpy(one, other, size);
    memcpy(other, kept, size);
}

void balancer_answer_echo(const struct balancer_view *view) {
    uint8_t *frame = view->packet->data;
    uint8_t *network = frame + view->network;
    uint8_t *transport = frame + view->transport;
    uint16_t type = ftmb_load16(transport);
    swap(frame, frame + 6, BALANCER_ETHERNET_SIZE);
    if (view->version == 4) {
        uint16_t word = ftmb_load16(network + 8);
        swap(network + 12, network + 16, 4);
        network[8] = HOPS_INITIAL;
        ftmb_checksum_apply(network + 10, ftmb_checksum_delta16(word, ftmb_load16(network + 8)));
        transport[0] = ICMP_ECHO_REPLY;
    } else {
        swap(network + 8, network + 24, 16);
        network[7] = HOPS_INITIAL;
        transport[0] = ICMPV6_ECHO_REPLY;
    }
    ftmb_checksum_apply(transport + 2, ftmb_checksum_delta16(type, ftmb_load16(transport)));
}
