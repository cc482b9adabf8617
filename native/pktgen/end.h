/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One end of the generator: a transparent port, ARP for the addresses that the end stands for, and
 * what is done with the packets that come in: those on their way out are counted at the receiving
 * end and may be answered there, answers are counted at the sending end.
 *
 * Threads: the loop's.
 */
#ifndef FTMB_PKTGEN_END_H
#define FTMB_PKTGEN_END_H

#include <stdbool.h>
#include <stdint.h>

#include "pktgen/collector.h"
#include "pktgen/stamp.h"
#include "pktgen/trace.h"
#include "port/address_resolution.h"
#include "port/port.h"

struct pktgen_end {
    struct port *port;                  /* borrowed */
    struct pktgen_collector *collector; /* NULL: packets are thrown away */
    uint16_t magic;                     /* of the packets that are counted here */
    uint8_t run;
    bool answers;
    bool takes_any_ethernet;          /* frames to other addresses too */
    struct pktgen_trace_index *trace; /* not NULL: what is counted are its frames */
    _Atomic uint64_t foreign;         /* frames of others */
    _Atomic uint64_t resolution;      /* ARP frames */
    _Atomic uint64_t answered;        /* answers that left */
    _Atomic uint64_t answers_unsent;  /* the port had no room */
    struct resolution addresses;
    uint32_t destination; /* towards which the next hop was resolved; 0: it was not */
    uint8_t answers_room[PORT_BURST_MAX][FTMB_FRAME_SIZE_MAX];
};

/* NULL when there is no memory. Borrows the port. */
struct pktgen_end *pktgen_end_create(struct port *port, const uint8_t *own_ethernet);
void pktgen_end_destroy(struct pktgen_end *end);

/* In network byte order; addresses are answered for and asked from, networks answered for. 0 or
 * -ENOSPC. */
int pktgen_end_add_address(struct pktgen_end *end, uint32_t address, uint32_t mask);
int pktgen_end_add_network(struct pktgen_end *end, uint32_t network, uint32_t mask);
void pktgen_end_set_gateway(struct pktgen_end *end, uint32_t gateway);

/* Tells the link whose these addresses are. */
void pktgen_end_announce(struct pktgen_end *end);
/*
 * Asks for the Ethernet address of the next hop towards `destination` until it is known or
 * `patience_ns` has passed; meanwhile both ends answer others' questions. 0, -ENETUNREACH when no
 * address and no gateway leads there, -EHOSTUNREACH when nobody answers.
 */
int pktgen_end_resolve(struct pktgen_end *end, struct pktgen_end *other, uint32_t destination,
                       uint64_t patience_ns, uint8_t *ethernet);

/*
 * The Ethernet address of that next hop as it is known now: another box may have taken over and
 * told so by ARP. False: it was not resolved.
 */
bool pktgen_end_next_hop(struct pktgen_end *end, uint64_t now_ns, uint8_t *ethernet);

/* Takes in a burst, with `sent` packets sent so far; true if there was anything. */
bool pktgen_end_step(struct pktgen_end *end, uint64_t sent, uint64_t now_ns);

#endif
