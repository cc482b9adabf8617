/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The WAN optimizer's state, and the steps that share it.
 *
 *     lan -> wan_encode.c -> wan      known bytes become references to what was sent before
 *     wan -> wan_decode.c -> lan      references become bytes again, out of what was received
 *            wan_request.c            what the other box could not decode it gets as it was
 *
 * Both boxes keep every payload that passes: the encoder what it sent, the decoder what it
 * received. No box holds packets back: who cannot decode one sends it back as a request and is done
 * with it.
 */
#ifndef WAN_STATE_H
#define WAN_STATE_H

#include "wan_cache.h"
#include "wan_fingerprint.h"
#include "wan_wire.h"

enum wan_drop {
    WAN_DROP_OTHER_PORT,
    WAN_DROP_FOREIGN,
    WAN_DROP_MALFORMED,
    WAN_DROP_VERSION,
    WAN_DROP_ROLE,
    WAN_DROP_GONE,
    WAN_DROP_NO_ROOM,
};

/* A row of the table `totals`: of one worker, whole frames in bytes. */
struct wan_totals {
    uint64_t lan_packets, lan_bytes;         /* from the LAN, sent on */
    uint64_t encoded_packets, encoded_bytes; /* of them encoded, and what those were before */
    uint64_t saved_bytes;                    /* by which they are shorter */
    uint64_t wan_packets, wan_bytes;         /* from the WAN, requests included */
    uint64_t decoded_packets, decoded_bytes; /* of them decoded, and what they have become */
    uint64_t missed_packets;                 /* of them not decoded, and asked for */
    uint64_t requests, requests_gone;        /* from the other box; what was not there any more */
    uint64_t copies;                         /* sent as they were, as they were asked for */
    uint64_t peer_restarts;                  /* noticed: the other box began from nothing */
};

struct wan_worker {
    struct wan_totals totals;
    uint32_t generation;      /* of this box's state; 0: not known to this worker yet */
    uint32_t peer_generation; /* that the other box told last; 0: none yet */
};

struct wan_shared {
    /* Guarded by variable 0. */
    uint32_t generation, peer_generation;
    uint32_t stripe_count;
    uint32_t reserved;
    int64_t variable; /* offset from this struct */
    struct wan_cache sent, received;
    struct wan_stripe stripes[2 * WAN_STRIPES_MAX]; /* of both caches, each under its variable */
};

/* A number that this box keeps as long as its state, and hardly another has. */
uint32_t wan_generation(struct ftmb_context *context);
/* The other box's number came in a packet: if it is another than before, nothing that was sent to
 * it is referred to any more. */
void wan_meet_peer(struct ftmb_context *context, uint32_t generation);

/* Packets from the LAN: each leaves for the WAN, or is dropped. At most FTMB_BURST_MAX. */
void wan_encode(struct ftmb_context *context, struct ftmb_packet **packets, uint32_t count);
/* Packets from the WAN: to the LAN, back to the WAN as a request, answered, or dropped. */
void wan_decode(struct ftmb_context *context, struct ftmb_packet **packets, uint32_t count);
/* One request of the other box. */
void wan_answer(struct ftmb_context *context, struct ftmb_packet *packet,
                const struct wan_view *view);
/* Makes an encoded packet a request for itself: `missing` ids of payloads that were not found. */
void wan_ask(struct ftmb_context *context, struct ftmb_packet *packet, struct wan_view *view,
             const uint64_t *missing, uint32_t missing_count);

extern const struct ftmb_table wan_tables[];

#endif
