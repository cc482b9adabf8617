/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A packet as the NAT sees it: where its headers are, which endpoints it names, why it is dropped.
 * Used by workers, and by the input logger for steering.
 */
#ifndef NAT_PACKET_H
#define NAT_PACKET_H

#include "ftmb_element.h"
#include "ftmb_packet.h"
#include "nat_config.h"

/* Why a packet is dropped; the names are in nat.c. */
enum nat_reason {
    NAT_PASS = 0, /* it is not */
    NAT_WRONG_PORT,
    NAT_NOT_IPV4,
    NAT_TRUNCATED,
    NAT_MALFORMED,
    NAT_BAD_CHECKSUM,
    NAT_FRAGMENT,
    NAT_BAD_ADDRESS,
    NAT_LAND,
    NAT_BAD_PORT,
    NAT_BAD_TCP_FLAGS,
    NAT_PROTOCOL_UNSUPPORTED,
    NAT_ICMP_UNSUPPORTED,
    NAT_ICMP_MALFORMED,
    NAT_TO_SELF,
    NAT_TTL_EXPIRED,
    NAT_NOT_EXTERNAL,
    NAT_NO_MAPPING,
    NAT_FILTERED,
    NAT_TCP_UNSOLICITED,
    NAT_TCP_NO_SESSION,
    NAT_PORTS_EXHAUSTED,
    NAT_SESSIONS_FULL,
    NAT_TABLE_FULL,
    NAT_REASON_COUNT,
};
_Static_assert(NAT_REASON_COUNT - 1 <= FTMB_DROP_REASONS_MAX, "every reason has a counter");

enum nat_kind {
    NAT_KIND_TRANSPORT, /* TCP, UDP, ICMP query */
    NAT_KIND_ERROR,     /* ICMP error: local and remote are those of the packet it quotes */
    NAT_KIND_SELF,      /* an ICMP echo request to the NAT itself, from inside */
};

/* What is to be known of a packet on its way through; filled by nat_parse(). */
struct nat_view {
    struct ftmb_packet *packet;
    uint64_t local;  /* the endpoint on this side: inside or external */
    uint64_t remote; /* the other one, reduced to what the session is kept by */
    uint64_t hash;   /* of both */
    uint16_t network, transport, end;
    uint16_t quoted_network, quoted_transport, quoted_end; /* in an ICMP error */
    uint8_t kind;                                          /* enum nat_kind */
    uint8_t protocol;
    bool from_inside;
    bool hairpin; /* from inside to an external address */
};

/* Where the headers are and which endpoints they name; NAT_PASS or why the packet is dropped. */
enum nat_reason nat_parse(const struct nat_config *config, const uint8_t *frame, uint16_t length,
                          uint8_t port_in, struct nat_view *view);
uint32_t nat_steer(const void *config, uint32_t workers, const uint8_t *frame, uint16_t length,
                   uint8_t port_in, uint32_t hash);
uint32_t nat_worker_of_inside(uint64_t inside, uint32_t workers);

#endif
