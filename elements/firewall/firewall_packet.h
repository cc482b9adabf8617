/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A packet as the firewall sees it: which flow it belongs to, or why it is dropped.
 */
#ifndef FIREWALL_PACKET_H
#define FIREWALL_PACKET_H

#include "firewall_config.h"
#include "ftmb_element.h"
#include "ftmb_packet.h"

/* Why a packet is dropped; the names are in firewall.c. */
enum firewall_reason {
    FIREWALL_PASS = 0, /* it is not */
    FIREWALL_WRONG_PORT,
    FIREWALL_NOT_IP,
    FIREWALL_TRUNCATED,
    FIREWALL_MALFORMED,
    FIREWALL_BAD_CHECKSUM,
    FIREWALL_SOURCE_ROUTE,
    FIREWALL_FRAGMENT,
    FIREWALL_BAD_ADDRESS,
    FIREWALL_LAND,
    FIREWALL_BAD_PORT,
    FIREWALL_BAD_TCP_FLAGS,
    FIREWALL_BAD_NEIGHBOUR,
    FIREWALL_NEIGHBOURS_OFF,
    FIREWALL_ICMP_UNSUPPORTED,
    FIREWALL_ICMP_MALFORMED,
    FIREWALL_ICMP_NO_FLOW,
    FIREWALL_ICMP_UNASKED,
    FIREWALL_TCP_NO_FLOW,
    FIREWALL_TCP_OUT_OF_STATE,
    FIREWALL_RULE,
    FIREWALL_DEFAULT,
    FIREWALL_FLOWS_FULL,
    FIREWALL_TABLE_FULL,
    FIREWALL_REASON_COUNT,
};
_Static_assert(FIREWALL_REASON_COUNT - 1 <= FTMB_DROP_REASONS_MAX, "every reason has a counter");

enum firewall_kind {
    FIREWALL_KIND_FLOW,      /* TCP, UDP, ICMP query or another protocol */
    FIREWALL_KIND_ERROR,     /* ICMP error: the key is that of the packet it quotes */
    FIREWALL_KIND_GROUP,     /* to a multicast or broadcast address: judged alone, no flow */
    FIREWALL_KIND_NEIGHBOUR, /* ARP, neighbour discovery, multicast listener discovery */
};

/*
 * What a flow is found by, the same for both directions. Of an ICMP query `ports` holds the
 * identifier (upper half) and the type of the question, with FIREWALL_ASKED_BY_UNTRUSTED set if
 * that side asks: so questions of one side are never taken for those of the other.
 */
struct firewall_key {
    struct ip_address trusted, untrusted;
    uint32_t ports; /* the trusted side's << 16 | the other's; 0 where there are none */
    uint8_t protocol;
};
#define FIREWALL_ASKED_BY_UNTRUSTED 0x100U

/* What is to be known of a packet on its way through; filled by firewall_parse(). */
struct firewall_view {
    struct ftmb_packet *packet;
    struct firewall_key key;
    uint64_t hash; /* of the key */
    uint16_t network, transport, end;
    uint16_t quoted_network, quoted_transport; /* in an ICMP error */
    uint8_t kind;                              /* enum firewall_kind */
    uint8_t version;                           /* 4 or 6; 0: no IP */
    uint8_t tcp_flags;
    bool from_trusted;
    bool is_reply; /* an ICMP reply, which begins no flow */
};

/*
 * From a frame to its flow: FIREWALL_PASS, or why it is dropped whatever rules and flows say.
 */
enum firewall_reason firewall_parse(const struct firewall_config *config, const uint8_t *frame,
                                    uint16_t length, uint8_t port_in, struct firewall_view *view);
/* The ICMP part of it (firewall_icmp.c), for either version. */
enum firewall_reason firewall_parse_icmp(const struct firewall_config *config, const uint8_t *frame,
                                         struct firewall_view *view);
/* Puts the endpoints of a packet that goes `from_trusted` into a key. */
void firewall_fill_key(struct firewall_key *key, const uint8_t *frame, const struct ftmb_ip *ip,
                       bool from_trusted);

uint64_t firewall_hash(const struct firewall_key *key, uint8_t version, uint64_t seed);

#endif
