/* SPDX-License-Identifier: BSD-3-Clause */
#include "input_logger/steering.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "ftmb_packet.h"

#define ETHERNET_SIZE 14U
#define IPV4_SIZE 20
#define IPV6_SIZE 40
#define ICMP_SIZE 8
#define PROTOCOL_ICMP 1U
#define PROTOCOL_TCP 6U
#define PROTOCOL_UDP 17U
#define PROTOCOL_ICMPV6 58U
#define EXTENSIONS_MAX 8U
#define EXTENSION_FRAGMENT 44U
/* Parts of a datagram have an offset or more behind them. All go the way of those that show no
 * ports; but of a quoted first part one knows the flow. */
#define IPV4_PARTS 0x3fffU
#define IPV4_LATER 0x1fffU
#define IPV6_PARTS 0xfff9U
#define IPV6_LATER 0xfff8U

static uint16_t load16(const uint8_t *bytes) {
    return (uint16_t)((bytes[0] << 8) | bytes[1]);
}

static uint64_t load64(const uint8_t *bytes) {
    uint64_t value;
    memcpy(&value, bytes, sizeof(value));
    return value;
}

static uint64_t load32(const uint8_t *bytes) {
    uint32_t value;
    memcpy(&value, bytes, sizeof(value));
    return value;
}

/* The finaliser of MurmurHash3: every bit of the input reaches every bit of the output. */
static uint32_t mix(uint64_t value) {
    value ^= value >> 33;
    value *= 0xff51afd7ed558ccdULL;
    value ^= value >> 33;
    value *= 0xc4ceb9fe1a85ec53ULL;
    return (uint32_t)(value >> 32) | 1U;
}

static bool is_extension(uint8_t header) { /* hop-by-hop, routing, fragment, destination */
    return header == 0 || header == 43 || header == EXTENSION_FRAGMENT || header == 60;
}

/* What a WAN optimizer has encoded is of its flow still, with ports where they were. */
static uint8_t protocol_of_flow(uint8_t protocol) {
    return protocol == FTMB_PROTOCOL_ENCODED_TCP   ? PROTOCOL_TCP
           : protocol == FTMB_PROTOCOL_ENCODED_UDP ? PROTOCOL_UDP
                                                   : protocol;
}

static uint64_t ports_of(const uint8_t *transport, const uint8_t *end, uint8_t protocol) {
    if ((protocol != PROTOCOL_TCP && protocol != PROTOCOL_UDP) || end - transport < 4) {
        return 0;
    }
    uint64_t source = load16(transport);
    uint64_t destination = load16(transport + 2);
    return (source + destination) << 32 | (source ^ destination);
}

/* An IPv4 datagram at `ip`, of which what stands before `end` is there: 20 bytes at least. What is
 * a part of a datagram, by `parts`, has no ports. */
static uint32_t hash_ipv4(const uint8_t *ip, const uint8_t *end, uint16_t parts) {
    uint64_t source = load32(ip + 12);
    uint64_t destination = load32(ip + 16);
    bool is_part = (load16(ip + 6) & parts) != 0;
    uint8_t protocol = protocol_of_flow(ip[9]);
    uint64_t ports = is_part ? 0 : ports_of(ip + (size_t)(ip[0] & 0x0f) * 4, end, protocol);
    uint64_t addresses = (source + destination) << 32 | (source ^ destination);
    return mix(addresses * 0x9e3779b97f4a7c15ULL + ports + protocol);
}

/* What follows an IPv6 header and those extension headers that may stand before the transport's;
 * 0 as *protocol where that is a fragment, or cannot be seen. */
static const uint8_t *behind_extensions(const uint8_t *ip, const uint8_t *end, uint16_t parts,
                                        uint8_t *protocol) {
    const uint8_t *at = ip + IPV6_SIZE;
    uint8_t next = ip[6];
    for (uint32_t count = 0; count < EXTENSIONS_MAX && is_extension(next); count++) {
        if (end - at < 8) {
            break;
        }
        bool is_part = next == EXTENSION_FRAGMENT && (load16(at + 2) & parts) != 0;
        size_t size = next == EXTENSION_FRAGMENT ? 8 : 8 + (size_t)at[1] * 8;
        next = at[0];
        if (is_part || size > (size_t)(end - at)) {
            *protocol = 0;
            return end;
        }
        at += size;
    }
    *protocol = is_extension(next) ? 0 : next;
    return at;
}

/* An IPv6 datagram, 40 bytes at least, whose transport header was found. */
static uint32_t hash_ipv6(const uint8_t *ip, const uint8_t *transport, const uint8_t *end,
                          uint8_t next) {
    uint8_t protocol = protocol_of_flow(next);
    uint64_t high = load64(ip + 8) ^ load64(ip + 24);
    uint64_t low = load64(ip + 16) + load64(ip + 32);
    uint64_t ports = ports_of(transport, end, protocol);
    return mix((high * 0x9e3779b97f4a7c15ULL ^ low) * 0xff51afd7ed558ccdULL + ports + protocol);
}

/* Errors quote the packet that they are about; its flow is theirs. */
static bool is_icmp_error(uint8_t type) {
    return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

static bool is_icmpv6_error(uint8_t type) {
    return type >= 1 && type <= 4;
}

static uint32_t hash_frame_ipv4(const uint8_t *ip, const uint8_t *end) {
    const uint8_t *transport = ip + (size_t)(ip[0] & 0x0f) * 4;
    bool is_fragment = (load16(ip + 6) & IPV4_PARTS) != 0;
    if (ip[9] == PROTOCOL_ICMP && !is_fragment && end - transport >= ICMP_SIZE + IPV4_SIZE &&
        is_icmp_error(transport[0])) {
        return hash_ipv4(transport + ICMP_SIZE, end, IPV4_LATER);
    }
    return hash_ipv4(ip, end, IPV4_PARTS);
}

static uint32_t hash_frame_ipv6(const uint8_t *ip, const uint8_t *end) {
    uint8_t protocol = ip[6];
    const uint8_t *transport = ip + IPV6_SIZE;
    if (protocol != PROTOCOL_TCP && protocol != PROTOCOL_UDP) {
        transport = behind_extensions(ip, end, IPV6_PARTS, &protocol);
    }
    if (protocol == PROTOCOL_ICMPV6 && end - transport >= ICMP_SIZE + IPV6_SIZE &&
        is_icmpv6_error(transport[0])) {
        ip = transport + ICMP_SIZE;
        transport = behind_extensions(ip, end, IPV6_LATER, &protocol);
    }
    return hash_ipv6(ip, transport, end, protocol);
}

uint32_t steering_hash(const uint8_t *frame, uint16_t length) {
    if (length < ETHERNET_SIZE + IPV4_SIZE) {
        return 0;
    }
    const uint8_t *ip = frame + ETHERNET_SIZE;
    const uint8_t *end = frame + length;
    uint16_t type = load16(frame + 12);
    if (type == 0x0800) {
        return hash_frame_ipv4(ip, end);
    }
    if (type == 0x86dd && length >= ETHERNET_SIZE + IPV6_SIZE) {
        return hash_frame_ipv6(ip, end);
    }
    return 0;
}
