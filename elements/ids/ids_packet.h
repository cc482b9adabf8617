/* SPDX-License-Identifier: BSD-3-Clause */
/* A packet as the ids sees it: whose it is and what is in it, or what happens to it unseen. */
#ifndef IDS_PACKET_H
#define IDS_PACKET_H

#include "ftmb_element.h"
#include "ftmb_packet.h"
#include "ids/ids_config.h"

/* Why a packet is dropped; the names are in ids.c. */
enum ids_reason {
    IDS_PASS = 0,
    IDS_WRONG_PORT,
    IDS_TRUNCATED,
    IDS_MALFORMED,
    IDS_BAD_CHECKSUM,
    IDS_FRAGMENT,
    IDS_RULE,         /* a rule says drop */
    IDS_FLOW_DROPPED, /* a rule said it of the flow before */
    IDS_REASON_COUNT,
};

enum ids_tcp_flag {
    IDS_TCP_FIN = 0x01,
    IDS_TCP_SYN = 0x02,
    IDS_TCP_RESET = 0x04,
    IDS_TCP_ACKNOWLEDGE = 0x10,
};

/* What a flow is found by, the same both ways: the lesser end stands first. */
struct ids_key {
    struct ids_address ends[2];
    uint16_t ports[2]; /* 0 where there are none */
    uint8_t protocol, version;
};

struct ids_view {
    struct ftmb_packet *packet;
    struct ids_key key;
    uint64_t hash;
    const uint8_t *payload;
    uint32_t sequence, acknowledged;
    uint16_t size;  /* of the payload */
    uint8_t sender; /* which end of the key */
    uint8_t tcp_flags;
    uint8_t type, code; /* ICMP's */
    bool is_inspected;  /* else it passes as it is */
    bool is_fragment;
};

/* IDS_PASS, or why it is dropped; what is no IP, and fragments that may pass, are not inspected. */
enum ids_reason ids_parse_packet(const struct ids_config *config, struct ftmb_packet *packet,
                                 struct ids_view *view);

uint64_t ids_hash(const struct ids_key *key, uint64_t seed);

static inline bool ids_is_icmp(uint8_t protocol) {
    return protocol == FTMB_PROTOCOL_ICMP || protocol == FTMB_PROTOCOL_ICMPV6;
}

#endif
