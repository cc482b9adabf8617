/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What goes over the line between two boxes, and reading and writing it.
 *
 * An encoded packet has the Ethernet, IP and TCP or UDP headers of the original, but for the IP
 * header's length and protocol: FTMB_PROTOCOL_ENCODED_TCP or _UDP, numbers for experiments
 * (RFC 3692). A host that gets one without a box before it throws it away. Ports stand where they
 * stood, so that steering sees the flow. Where the payload began follows
 *
 *     byte  0     version (4 bits), kind (4 bits)
 *           1     time to live, or hop limit, with which the original came to the encoder
 *           2     bytes of the original payload, 16 bits
 *           4     generation of the sender's state, 32 bits
 *           8     digest of the original payload, 128 bits
 *          24     of kind WAN_ENCODED: tokens; of WAN_REQUEST: ids, 64 bits each, of payloads that
 *                 the sender was referred to and does not have
 *
 * A token is 16 bits, of which the topmost says whether it is a reference, and the others how many
 * bytes of payload it stands for. A literal's bytes follow; a reference has an offset of 16 bits
 * and the id, 64 bits, of the payload in which the bytes are at that offset. Numbers are in network
 * byte order; digests and ids as wan_digest_store() writes them.
 *
 * A request is the encoded packet sent back: the same headers with source and destination changed
 * over. What it asks for comes as the original packet, never encoded.
 */
#ifndef WAN_WIRE_H
#define WAN_WIRE_H

#include "ftmb_element.h"
#include "ftmb_packet.h"
#include "wan_digest.h"

#define WAN_VERSION 1U
#define WAN_SHIM_SIZE 24U
#define WAN_LITERAL_SIZE 2U /* beside its bytes */
#define WAN_REFERENCE_SIZE 12U
#define WAN_REFERENCES_MAX 32U /* of one packet */
#define WAN_MISSING_MAX 4U     /* ids of a request that are read; each costs an access */
#define WAN_REQUEST_HOPS 64U   /* with which a request sets out */

enum wan_kind {
    WAN_ENCODED = 1,
    WAN_REQUEST = 2,
};

enum wan_content {
    WAN_LEFT_ALONE, /* passes as it is, and is in no cache */
    WAN_RAW,        /* a payload that both boxes keep */
    WAN_SPECIAL,    /* a protocol number of ours, and a readable shim behind it */
    WAN_UNREADABLE, /* a protocol number of ours, but not whole */
    WAN_OTHER_VERSION,
};

struct wan_view {
    uint16_t network, transport, payload, end; /* offsets from the frame's first byte */
    uint8_t version;                           /* of IP */
    uint8_t content;                           /* enum wan_content */
    /* of what is WAN_SPECIAL */
    uint8_t kind; /* enum wan_kind */
    uint8_t hops;
    uint16_t length; /* bytes of the original payload */
    uint32_t generation;
    struct wan_digest digest;
};

struct wan_reference {
    uint64_t id;
    uint16_t place;  /* in the payload of that id */
    uint16_t target; /* in the payload to be made */
    uint16_t length;
};

/* Reads a frame of any bytes. */
void wan_parse(const uint8_t *frame, uint16_t length, uint32_t payload_min, struct wan_view *view);

/* Writes the shim at view->payload: `kind`, hops, length, digest, and the generation. */
void wan_write_shim(uint8_t *frame, const struct wan_view *view, enum wan_kind kind,
                    uint32_t generation);

/* Marks the frame as one of ours, or (`special` false) as what it was; it ends at `end` now. Its
 * IPv4 header's checksum stays as right or wrong as it was. */
void wan_mark(uint8_t *frame, const struct wan_view *view, bool special, uint16_t end);

/* Source and destination change over: Ethernet, IP and ports. */
void wan_turn_round(uint8_t *frame, const struct wan_view *view);

/* Sets the time to live; the IPv4 header's checksum as it must be. */
void wan_set_hops(uint8_t *frame, const struct wan_view *view, uint8_t hops);

/*
 * Reads the tokens of an encoded frame: literals are copied to `payload` (view->length bytes),
 * references go into `references`. Their number, or -1 if the tokens are not what they must be;
 * `payload` may be half written then.
 */
int wan_read_tokens(const uint8_t *frame, const struct wan_view *view, uint8_t *payload,
                    struct wan_reference references[WAN_REFERENCES_MAX]);

/*
 * The tokens for `payload` with references in order of `target`, none overlapping. Bytes written,
 * or 0 if they would not be fewer than `size_max`.
 */
uint32_t wan_write_tokens(uint8_t *tokens, uint32_t size_max, const uint8_t *payload,
                          uint32_t length, const struct wan_reference *references, uint32_t count);

#endif
