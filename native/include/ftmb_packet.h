/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading and changing frames: where the headers are, and checksums changed incrementally.
 *
 * Used by elements, in `process` and in `steer`. Nothing here reads a byte beyond the length it
 * is given, whatever the bytes say; what is not whole and well formed is reported, never guessed.
 * Frames are plain Ethernet: a VLAN tag makes a frame one that is not IP. Numbers are in host
 * order; offsets are from the first byte of the frame.
 *
 * A checksum is changed by a `delta`: the one's complement sum of (~old + new) over the 16-bit
 * words that change (RFC 1624, equation 3). Deltas add up, and the complement of a delta undoes it.
 */
#ifndef FTMB_PACKET_H
#define FTMB_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define FTMB_ETHERNET_SIZE 14U
#define FTMB_ETHER_TYPE_IPV4 0x0800U
#define FTMB_ETHER_TYPE_IPV6 0x86ddU
#define FTMB_IPV4_SIZE_MIN 20U
#define FTMB_IPV6_SIZE 40U
#define FTMB_IPV6_EXTENSIONS_MAX 8U /* headers walked before a packet counts as malformed */
#define FTMB_UDP_SIZE 8U
#define FTMB_TCP_SIZE_MIN 20U
#define FTMB_ICMP_SIZE 8U
#define FTMB_PROTOCOL_ICMP 1U
#define FTMB_PROTOCOL_TCP 6U
#define FTMB_PROTOCOL_UDP 17U
#define FTMB_PROTOCOL_ICMPV6 58U
/* Of the numbers for experiments (RFC 3692): TCP and UDP whose payload a WAN optimizer has encoded,
 * their headers as they were. Steering takes them for packets of their flow. */
#define FTMB_PROTOCOL_ENCODED_TCP 253U
#define FTMB_PROTOCOL_ENCODED_UDP 254U

static inline uint16_t ftmb_load16(const uint8_t *at) {
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t ftmb_load32(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline void ftmb_store16(uint8_t *at, uint16_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static inline void ftmb_store32(uint8_t *at, uint32_t value) {
    ftmb_store16(at, (uint16_t)(value >> 16));
    ftmb_store16(at + 2, (uint16_t)value);
}

/* ---- Checksums ---- */

static inline uint16_t ftmb_checksum_fold(uint64_t sum) {
    sum = (sum & 0xffffffffU) + (sum >> 32);
    sum = (sum & 0xffffU) + (sum >> 16);
    sum = (sum & 0xffffU) + (sum >> 16);
    return (uint16_t)((sum & 0xffffU) + (sum >> 16));
}

/* The folded one's complement sum of bytes: 0xffff over a header whose checksum is right. */
static inline uint16_t ftmb_checksum_sum(const uint8_t *bytes, size_t length) {
    uint64_t sum = 0;
    for (; length >= 4; bytes += 4, length -= 4) {
        sum += ftmb_load32(bytes);
    }
    if (length >= 2) {
        sum += ftmb_load16(bytes);
        bytes += 2;
        length -= 2;
    }
    if (length != 0) {
        sum += (uint32_t)bytes[0] << 8;
    }
    return ftmb_checksum_fold(sum);
}

/* The delta of a 16-bit word, or of a 32-bit one at an even place. */
static inline uint32_t ftmb_checksum_delta16(uint16_t old_value, uint16_t new_value) {
    return (uint32_t)(uint16_t)~old_value + new_value;
}

static inline uint32_t ftmb_checksum_delta32(uint32_t old_value, uint32_t new_value) {
    return ftmb_checksum_delta16((uint16_t)(old_value >> 16), (uint16_t)(new_value >> 16)) +
           ftmb_checksum_delta16((uint16_t)old_value, (uint16_t)new_value);
}

/* The checksum field after the change that `delta` stands for. */
static inline uint16_t ftmb_checksum_changed(uint16_t checksum, uint32_t delta) {
    return (uint16_t)~ftmb_checksum_fold((uint64_t)(uint16_t)~checksum + delta);
}

static inline void ftmb_checksum_apply(uint8_t *at, uint32_t delta) {
    ftmb_store16(at, ftmb_checksum_changed(ftmb_load16(at), delta));
}

/* The same for UDP over IPv4, where 0 means that there is no checksum and stays so. */
static inline void ftmb_checksum_apply_udp(uint8_t *at, uint32_t delta) {
    uint16_t checksum = ftmb_load16(at);
    if (checksum == 0) {
        return;
    }
    checksum = ftmb_checksum_changed(checksum, delta);
    ftmb_store16(at, checksum == 0 ? 0xffffU : checksum);
}

/* ---- Where the headers are ---- */

enum ftmb_ip_fault {
    FTMB_IP_WHOLE = 0, /* no fault */
    FTMB_IP_OTHER,     /* not IPv4 (IPv6) */
    FTMB_IP_TRUNCATED, /* a header, or the length it tells, goes beyond the frame */
    FTMB_IP_MALFORMED, /* lengths that contradict each other */
};

struct ftmb_ip {
    uint16_t network;   /* offset of the IP header */
    uint16_t transport; /* offset of what follows it (and, in IPv6, its extensions) */
    uint16_t end;       /* offset just after the datagram; padding may follow */
    uint8_t version;    /* 4 or 6 */
    uint8_t protocol;   /* of the transport header */
    bool fragment;      /* a part of a datagram, the first one or a later one */
    bool later;         /* not the first part: there is no transport header */
    bool source_route;  /* IPv6: a routing header of type 0, which must not be used (RFC 5095) */
};

/*
 * An IPv4 header at `network`, at most `length` bytes of frame in all. With `quoted`, as inside
 * an ICMP error, the datagram may be cut off anywhere after its header.
 */
static inline enum ftmb_ip_fault ftmb_parse_ipv4_at(const uint8_t *frame, uint32_t length,
                                                    uint32_t network, bool quoted,
                                                    struct ftmb_ip *ip) {
    if (length < network + FTMB_IPV4_SIZE_MIN) {
        return FTMB_IP_TRUNCATED;
    }
    const uint8_t *header = frame + network;
    uint32_t header_size = (header[0] & 0x0fU) * 4U;
    uint32_t total = ftmb_load16(header + 2);
    uint16_t fragment = ftmb_load16(header + 6);
    if (header[0] >> 4 != 4) {
        return FTMB_IP_OTHER;
    }
    if (header_size < FTMB_IPV4_SIZE_MIN || total < header_size) {
        return FTMB_IP_MALFORMED;
    }
    if (length < network + header_size || (!quoted && length < network + total)) {
        return FTMB_IP_TRUNCATED;
    }
    ip->network = (uint16_t)network;
    ip->transport = (uint16_t)(network + header_size);
    ip->end = (uint16_t)(network + total < length ? network + total : length);
    ip->version = 4;
    ip->protocol = header[9];
    ip->fragment = (fragment & 0x3fffU) != 0;
    ip->later = (fragment & 0x1fffU) != 0;
    ip->source_route = false;
    return FTMB_IP_WHOLE;
}

static inline enum ftmb_ip_fault ftmb_parse_ipv4(const uint8_t *frame, uint32_t length,
                                                 struct ftmb_ip *ip) {
    if (length < FTMB_ETHERNET_SIZE) {
        return FTMB_IP_TRUNCATED;
    }
    if (ftmb_load16(frame + 12) != FTMB_ETHER_TYPE_IPV4) {
        return FTMB_IP_OTHER;
    }
    return ftmb_parse_ipv4_at(frame, length, FTMB_ETHERNET_SIZE, false, ip);
}

/*
 * An IPv6 header at `network`, and the extension headers that may stand before the transport
 * header: hop-by-hop options, routing, fragment, destination options. Any other header counts as
 * the transport's. `quoted` as above: cut off anywhere after its fixed header, but if that leaves
 * no transport header in sight it is truncated.
 */
static inline enum ftmb_ip_fault ftmb_parse_ipv6_at(const uint8_t *frame, uint32_t length,
                                                    uint32_t network, bool quoted,
                                                    struct ftmb_ip *ip) {
    if (length < network + FTMB_IPV6_SIZE) {
        return FTMB_IP_TRUNCATED;
    }
    const uint8_t *header = frame + network;
    uint32_t at = network + FTMB_IPV6_SIZE;
    uint32_t end = at + ftmb_load16(header + 4);
    if (header[0] >> 4 != 6) {
        return FTMB_IP_MALFORMED;
    }
    if (end > length) {
        if (!quoted) {
            return FTMB_IP_TRUNCATED;
        }
        end = length;
    }
    *ip = (struct ftmb_ip){.network = (uint16_t)network, .end = (uint16_t)end, .version = 6};
    uint8_t next = header[6];
    for (uint32_t count = 0; count < FTMB_IPV6_EXTENSIONS_MAX; ++count) {
        bool fragment = next == 44;
        bool options = next == 0 || next == 43 || next == 60; /* hop-by-hop, routing, destination */
        if ((!fragment && !options) || ip->later) {
            ip->transport = (uint16_t)at;
            ip->protocol = next;
            return FTMB_IP_WHOLE;
        }
        if (end < at + 8) {
            return FTMB_IP_TRUNCATED;
        }
        if (fragment) {
            uint16_t field = ftmb_load16(frame + at + 2);
            ip->fragment = ip->fragment || (field & 0xfff9U) != 0; /* else an atomic fragment */
            ip->later = (field & 0xfff8U) != 0;
        }
        ip->source_route = ip->source_route || (next == 43 && frame[at + 2] == 0);
        uint32_t size = fragment ? 8U : 8U + frame[at + 1] * 8U;
        next = frame[at];
        at += size;
        if (at > end) {
            return FTMB_IP_TRUNCATED;
        }
    }
    return FTMB_IP_MALFORMED;
}

static inline enum ftmb_ip_fault ftmb_parse_ipv6(const uint8_t *frame, uint32_t length,
                                                 struct ftmb_ip *ip) {
    if (length < FTMB_ETHERNET_SIZE) {
        return FTMB_IP_TRUNCATED;
    }
    if (ftmb_load16(frame + 12) != FTMB_ETHER_TYPE_IPV6) {
        return FTMB_IP_OTHER;
    }
    return ftmb_parse_ipv6_at(frame, length, FTMB_ETHERNET_SIZE, false, ip);
}

/* Either version. */
static inline enum ftmb_ip_fault ftmb_parse_ip(const uint8_t *frame, uint32_t length,
                                               struct ftmb_ip *ip) {
    enum ftmb_ip_fault fault = ftmb_parse_ipv4(frame, length, ip);
    return fault == FTMB_IP_OTHER ? ftmb_parse_ipv6(frame, length, ip) : fault;
}

/*
 * Whether the transport header that `ip` points to lies whole in the datagram: its least size by
 * protocol, TCP's data offset, UDP's length. True for protocols that are not known here.
 */
static inline bool ftmb_transport_whole(const uint8_t *frame, const struct ftmb_ip *ip) {
    const uint8_t *header = frame + ip->transport;
    uint32_t room = (uint32_t)ip->end - ip->transport;
    if (ip->protocol == FTMB_PROTOCOL_UDP) {
        return room >= FTMB_UDP_SIZE && ftmb_load16(header + 4) >= FTMB_UDP_SIZE &&
               ftmb_load16(header + 4) <= room;
    }
    if (ip->protocol == FTMB_PROTOCOL_TCP) {
        return room >= FTMB_TCP_SIZE_MIN && (header[12] >> 4) * 4U >= FTMB_TCP_SIZE_MIN &&
               (header[12] >> 4) * 4U <= room;
    }
    if (ip->protocol == FTMB_PROTOCOL_ICMP || ip->protocol == FTMB_PROTOCOL_ICMPV6) {
        return room >= FTMB_ICMP_SIZE;
    }
    return true;
}

#endif
