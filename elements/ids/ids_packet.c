/* SPDX-License-Identifier: BSD-3-Clause */
#include "ids/ids_packet.h"

#include "arena/hash_table.h"

static uint64_t load64(const uint8_t *at) {
    return (uint64_t)ftmb_load32(at) << 32 | ftmb_load32(at + 4);
}

static struct ids_address load_address(const uint8_t *at, uint8_t version) {
    if (version == 4) {
        return (struct ids_address){.low = IDS_IPV4_MAPPED | ftmb_load32(at)};
    }
    return (struct ids_address){.high = load64(at), .low = load64(at + 8)};
}

uint64_t ids_hash(const struct ids_key *key, uint64_t seed) {
    uint64_t rest = (uint64_t)key->ports[0] << 24 | (uint64_t)key->ports[1] << 8 | key->protocol;
    uint64_t hash = seed;
    if (key->version == 6) {
        hash = hash_table_hash(key->ends[0].high, key->ends[1].high, hash);
    }
    hash = hash_table_hash(key->ends[0].low, key->ends[1].low, hash);
    return hash_table_hash(rest, 0, hash);
}

/* The checksum over the pseudo header of either version; UDP may have none over IPv4. */
static bool is_transport_right(const uint8_t *frame, const struct ftmb_ip *ip, uint32_t size) {
    uint32_t first = ip->network + (ip->version == 4 ? 12U : 8U);
    uint64_t sum = ftmb_checksum_sum(frame + ip->transport, size);
    if (ip->protocol == FTMB_PROTOCOL_UDP && ftmb_load16(frame + ip->transport + 6) == 0) {
        return ip->version == 4;
    }
    if (ip->protocol != FTMB_PROTOCOL_ICMP) {
        sum += ftmb_checksum_sum(frame + first, ip->version == 4 ? 8 : 32);
        sum += ip->protocol + size;
    }
    return ftmb_checksum_fold(sum) == 0xffffU;
}

static bool is_checked(uint8_t protocol) {
    return protocol == FTMB_PROTOCOL_TCP || protocol == FTMB_PROTOCOL_UDP || ids_is_icmp(protocol);
}

/* Bytes of the transport header and its payload: UDP says for itself, padding does not count. */
static uint32_t transport_size(const uint8_t *frame, const struct ftmb_ip *ip) {
    return ip->protocol == FTMB_PROTOCOL_UDP ? ftmb_load16(frame + ip->transport + 4)
                                             : (uint32_t)ip->end - ip->transport;
}

static uint32_t header_size(const uint8_t *header, uint8_t protocol) {
    return protocol == FTMB_PROTOCOL_TCP   ? (header[12] >> 4) * 4U
           : protocol == FTMB_PROTOCOL_UDP ? FTMB_UDP_SIZE
           : ids_is_icmp(protocol)         ? FTMB_ICMP_SIZE
                                           : 0;
}

static void fill_transport(const uint8_t *frame, const struct ftmb_ip *ip, struct ids_view *view) {
    const uint8_t *header = frame + ip->transport;
    uint32_t size = header_size(header, ip->protocol);
    if (ip->protocol == FTMB_PROTOCOL_TCP) {
        view->sequence = ftmb_load32(header + 4);
        view->acknowledged = ftmb_load32(header + 8);
        view->tcp_flags = header[13];
    } else if (ids_is_icmp(ip->protocol)) {
        view->type = header[0];
        view->code = header[1];
    }
    view->payload = header + size;
    view->size = (uint16_t)(transport_size(frame, ip) - size);
}

static bool is_less(const struct ids_address *one, uint16_t port, const struct ids_address *other,
                    uint16_t other_port) {
    if (one->high != other->high) {
        return one->high < other->high;
    }
    return one->low != other->low ? one->low < other->low : port < other_port;
}

static void fill_key(const uint8_t *frame, const struct ftmb_ip *ip, struct ids_view *view) {
    uint32_t first = ip->network + (ip->version == 4 ? 12U : 8U);
    struct ids_address source = load_address(frame + first, ip->version);
    struct ids_address destination =
        load_address(frame + first + (ip->version == 4 ? 4U : 16U), ip->version);
    bool has_ports = ip->protocol == FTMB_PROTOCOL_TCP || ip->protocol == FTMB_PROTOCOL_UDP;
    uint16_t source_port = has_ports ? ftmb_load16(frame + ip->transport) : 0;
    uint16_t destination_port = has_ports ? ftmb_load16(frame + ip->transport + 2) : 0;
    struct ids_key *key = &view->key;
    view->sender = is_less(&destination, destination_port, &source, source_port);
    key->ends[view->sender] = source;
    key->ports[view->sender] = source_port;
    key->ends[view->sender ^ 1] = destination;
    key->ports[view->sender ^ 1] = destination_port;
    key->protocol = ip->protocol;
    key->version = ip->version;
}

enum ids_reason ids_parse_packet(const struct ids_config *config, struct ftmb_packet *packet,
                                 struct ids_view *view) {
    struct ftmb_ip ip;
    const uint8_t *frame = packet->data;
    *view = (struct ids_view){.packet = packet};
    if (packet->port_in != config->inside && packet->port_in != config->outside) {
        return IDS_WRONG_PORT;
    }
    enum ftmb_ip_fault fault = ftmb_parse_ip(frame, packet->length, &ip);
    if (fault != FTMB_IP_WHOLE) {
        return fault == FTMB_IP_OTHER       ? IDS_PASS
               : fault == FTMB_IP_TRUNCATED ? IDS_TRUNCATED
                                            : IDS_MALFORMED;
    }
    size_t size = (size_t)ip.transport - ip.network;
    if (config->check_checksum && ip.version == 4 &&
        ftmb_checksum_sum(frame + ip.network, size) != 0xffffU) {
        return IDS_BAD_CHECKSUM;
    }
    if (ip.fragment) {
        view->is_fragment = true;
        return config->fragments == IDS_FRAGMENTS_PASS ? IDS_PASS : IDS_FRAGMENT;
    }
    if (!ftmb_transport_whole(frame, &ip)) {
        return IDS_MALFORMED;
    }
    if (config->check_checksum && is_checked(ip.protocol) &&
        !is_transport_right(frame, &ip, transport_size(frame, &ip))) {
        return IDS_BAD_CHECKSUM;
    }
    fill_transport(frame, &ip, view);
    fill_key(frame, &ip, view);
    view->is_inspected = true;
    return IDS_PASS;
}
