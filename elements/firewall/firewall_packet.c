/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a frame to the flow it belongs to, and from this to a worker.
 *
 * Steering and inspection use the same parser, so they cannot disagree about whose a packet is:
 * both directions of a flow, with and without extension headers, and the ICMP errors about it.
 */
#include "firewall_packet.h"

#include "arena/hash_table.h"

#define ETHER_TYPE_ARP 0x0806U
#define OPTION_LOOSE_ROUTE 131U
#define OPTION_STRICT_ROUTE 137U

enum tcp_flag { TCP_FIN = 0x01, TCP_SYN = 0x02, TCP_RESET = 0x04, TCP_ACKNOWLEDGE = 0x10 };

/* ---- Addresses ---- */

/* What no packet on a wire may have: loopback, and IPv6 forms of IPv4 addresses. */
static bool is_never_on_wire(struct ip_address address, uint8_t version) {
    if (version == 4) {
        return (address.low >> 24 & 0xffU) == 127;
    }
    return address.high == 0 && (address.low == 1 || address.low >> 32 == 0xffff);
}

static bool is_unspecified(struct ip_address address, uint8_t version) {
    return version == 4 ? (address.low & 0xff000000U) == 0 : (address.high | address.low) == 0;
}

/* Multicast, broadcast, and what IPv4 has reserved above them. */
static bool is_group(struct ip_address address, uint8_t version) {
    return version == 4 ? (address.low & 0xffffffffU) >= 0xe0000000U : address.high >> 56 == 0xff;
}

void firewall_fill_key(struct firewall_key *key, const uint8_t *frame, const struct ftmb_ip *ip,
                       bool from_trusted) {
    uint32_t first = ip->network + (ip->version == 4 ? 12U : 8U);
    uint32_t size = ip->version == 4 ? 4U : 16U;
    uint32_t trusted = from_trusted ? first : first + size;
    uint32_t untrusted = from_trusted ? first + size : first;
    key->trusted = ip_address_load(frame + trusted, ip->version);
    key->untrusted = ip_address_load(frame + untrusted, ip->version);
    key->protocol = ip->protocol;
    key->ports = 0;
    if (ip->protocol == FTMB_PROTOCOL_TCP || ip->protocol == FTMB_PROTOCOL_UDP) {
        uint32_t ports = ftmb_load32(frame + ip->transport);
        key->ports = from_trusted ? ports : ports << 16 | ports >> 16;
    }
}

uint64_t firewall_hash(const struct firewall_key *key, uint8_t version, uint64_t seed) {
    uint64_t rest = (uint64_t)key->ports << 8 | key->protocol;
    if (version == 4) {
        uint64_t addresses = key->trusted.low << 32 | (key->untrusted.low & 0xffffffffU);
        return hash_table_hash(addresses, rest, seed);
    }
    uint64_t hash = hash_table_hash(key->trusted.high, key->trusted.low, seed);
    hash = hash_table_hash(key->untrusted.high, key->untrusted.low, hash);
    return hash_table_hash(rest, 0, hash);
}

/* ---- Headers ---- */

/* A loose or strict source route among the options of an IPv4 header (RFC 791). */
static bool has_source_route(const uint8_t *at, const uint8_t *end) {
    while (at < end && *at != 0) {
        if (*at == OPTION_LOOSE_ROUTE || *at == OPTION_STRICT_ROUTE) {
            return true;
        }
        uint32_t size = *at == 1 ? 1 : end - at < 2 ? 0 : at[1];
        if (size == 0 || (*at != 1 && size < 2)) {
            return false;
        }
        at += size < (uint32_t)(end - at) ? size : (uint32_t)(end - at);
    }
    return false;
}

static enum firewall_reason check_ipv4(const struct firewall_config *config, const uint8_t *frame,
                                       const struct ftmb_ip *ip) {
    const uint8_t *header = frame + ip->network;
    size_t size = (size_t)ip->transport - ip->network;
    if (config->check_checksum && ftmb_checksum_sum(header, size) != 0xffffU) {
        return FIREWALL_BAD_CHECKSUM;
    }
    if (size > FTMB_IPV4_SIZE_MIN && has_source_route(header + FTMB_IPV4_SIZE_MIN, header + size)) {
        return FIREWALL_SOURCE_ROUTE;
    }
    return FIREWALL_PASS;
}

static enum firewall_reason check_addresses(struct firewall_view *view) {
    bool out = view->from_trusted;
    struct ip_address source = out ? view->key.trusted : view->key.untrusted;
    struct ip_address destination = out ? view->key.untrusted : view->key.trusted;
    uint8_t version = view->version;
    bool to_group = is_group(destination, version);
    if (is_never_on_wire(source, version) || is_never_on_wire(destination, version) ||
        is_group(source, version) || is_unspecified(destination, version) ||
        (is_unspecified(source, version) && !to_group)) {
        return FIREWALL_BAD_ADDRESS;
    }
    if (to_group) {
        view->kind = FIREWALL_KIND_GROUP;
    }
    return FIREWALL_PASS;
}

static bool are_bad_tcp_flags(uint8_t flags) {
    bool fin = (flags & TCP_FIN) != 0;
    bool syn = (flags & TCP_SYN) != 0;
    bool reset = (flags & TCP_RESET) != 0;
    bool acknowledge = (flags & TCP_ACKNOWLEDGE) != 0;
    return (syn && (fin || reset)) || (!syn && !reset && !acknowledge);
}

static enum firewall_reason check_transport(const uint8_t *frame, struct firewall_view *view) {
    const struct firewall_key *key = &view->key;
    bool is_tcp = key->protocol == FTMB_PROTOCOL_TCP;
    if (is_tcp || key->protocol == FTMB_PROTOCOL_UDP) {
        if ((key->ports & 0xffffU) == 0 || key->ports >> 16 == 0) {
            return FIREWALL_BAD_PORT;
        }
        if (is_tcp) {
            view->tcp_flags = frame[view->transport + 13U];
            if (are_bad_tcp_flags(view->tcp_flags)) {
                return FIREWALL_BAD_TCP_FLAGS;
            }
        }
    }
    bool is_same = key->trusted.high == key->untrusted.high &&
                   key->trusted.low == key->untrusted.low &&
                   (key->ports & 0xffffU) == key->ports >> 16;
    return is_same ? FIREWALL_LAND : FIREWALL_PASS;
}

static enum firewall_reason reason_of(enum ftmb_ip_fault fault) {
    return fault == FTMB_IP_OTHER       ? FIREWALL_NOT_IP
           : fault == FTMB_IP_TRUNCATED ? FIREWALL_TRUNCATED
                                        : FIREWALL_MALFORMED;
}

static enum firewall_reason parse_other(const struct firewall_config *config, const uint8_t *frame,
                                        uint16_t length, struct firewall_view *view) {
    if (length < FTMB_ETHERNET_SIZE || ftmb_load16(frame + 12) != ETHER_TYPE_ARP) {
        return length < FTMB_ETHERNET_SIZE ? FIREWALL_TRUNCATED : FIREWALL_NOT_IP;
    }
    view->kind = FIREWALL_KIND_NEIGHBOUR;
    return config->passes_neighbours ? FIREWALL_PASS : FIREWALL_NEIGHBOURS_OFF;
}

enum firewall_reason firewall_parse(const struct firewall_config *config, const uint8_t *frame,
                                    uint16_t length, uint8_t port_in, struct firewall_view *view) {
    struct ftmb_ip ip;
    *view = (struct firewall_view){.kind = FIREWALL_KIND_FLOW};
    if (port_in != config->trusted && port_in != config->untrusted) {
        return FIREWALL_WRONG_PORT;
    }
    view->from_trusted = port_in == config->trusted;
    enum ftmb_ip_fault fault = ftmb_parse_ip(frame, length, &ip);
    if (fault == FTMB_IP_OTHER) {
        return parse_other(config, frame, length, view);
    }
    if (fault != FTMB_IP_WHOLE) {
        return reason_of(fault);
    }
    enum firewall_reason reason = ip.version == 4 ? check_ipv4(config, frame, &ip) : FIREWALL_PASS;
    if (reason != FIREWALL_PASS) {
        return reason;
    }
    if (ip.source_route) {
        return FIREWALL_SOURCE_ROUTE;
    }
    if (ip.fragment) {
        return FIREWALL_FRAGMENT;
    }
    if (!ftmb_transport_whole(frame, &ip)) {
        return FIREWALL_MALFORMED;
    }
    view->version = ip.version;
    view->network = ip.network;
    view->transport = ip.transport;
    view->end = ip.end;
    firewall_fill_key(&view->key, frame, &ip, view->from_trusted);
    reason = check_addresses(view);
    if (reason != FIREWALL_PASS) {
        return reason;
    }
    if (ip.protocol == FTMB_PROTOCOL_ICMP || ip.protocol == FTMB_PROTOCOL_ICMPV6) {
        return firewall_parse_icmp(config, frame, view);
    }
    return check_transport(frame, view);
}
