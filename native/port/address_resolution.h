/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ARP (RFC 826) for a port's own IPv4 addresses, so that elements need not know of Ethernet
 * addresses: answers requests, finds the next hop's address, and holds packets while it asks.
 *
 * A frame for a next hop that is not known yet waits (up to RESOLUTION_WAITING_MAX frames, at
 * most RESOLUTION_WAIT_NS each) and leaves when the answer comes; what is given up is counted by
 * the caller. What is learnt comes only from answers and from requests to us.
 *
 * Threads: the packet thread. Addresses are in network byte order.
 */
#ifndef FTMB_ADDRESS_RESOLUTION_H
#define FTMB_ADDRESS_RESOLUTION_H

#include <stdbool.h>
#include <stdint.h>

#include "ftmb_element.h"

#define RESOLUTION_ADDRESSES_MAX 64U
#define RESOLUTION_NEIGHBOURS 1024U /* a power of two */
#define RESOLUTION_PROBES 8U
#define RESOLUTION_WAITING_MAX 256U
#define RESOLUTION_WAIT_NS 3000000000ULL
#define RESOLUTION_ASK_NS 200000000ULL     /* between two requests for one neighbour */
#define RESOLUTION_FRESH_NS 30000000000ULL /* after that, ask again while using it */
#define ARP_FRAME_SIZE 42U
#define ETHERNET_ADDRESS_SIZE 6U

struct neighbour {
    uint32_t address; /* 0: free */
    bool is_known;
    uint8_t ethernet[ETHERNET_ADDRESS_SIZE];
    uint64_t learnt_ns, asked_ns;
};

struct waiting_frame {
    uint32_t next_hop; /* 0: free */
    uint16_t length;
    uint64_t since_ns;
    uint64_t order; /* they leave in the order in which they came */
    uint8_t bytes[FTMB_FRAME_SIZE_MAX];
};

struct resolution {
    uint8_t own_ethernet[ETHERNET_ADDRESS_SIZE];
    uint32_t addresses[RESOLUTION_ADDRESSES_MAX];
    uint32_t masks[RESOLUTION_ADDRESSES_MAX];
    uint32_t address_count;
    uint32_t answered[RESOLUTION_ADDRESSES_MAX]; /* networks answered for besides */
    uint32_t answered_masks[RESOLUTION_ADDRESSES_MAX];
    uint32_t answered_count;
    uint32_t gateway; /* 0: none */
    struct neighbour neighbours[RESOLUTION_NEIGHBOURS];
    struct waiting_frame *waiting;
    uint32_t waiting_count;
    uint64_t waiting_order;
    uint64_t given_up; /* frames */
};

/* 0 or -ENOMEM. */
int resolution_init(struct resolution *resolution, const uint8_t *own_ethernet);
void resolution_release(struct resolution *resolution);
/* 0 or -ENOSPC. */
int resolution_add_address(struct resolution *resolution, uint32_t address, uint32_t mask);
/* A network whose addresses are answered for as if they were own: 0 or -ENOSPC. */
int resolution_add_answered(struct resolution *resolution, uint32_t network, uint32_t mask);

/* Whether a frame is ARP, and so for this and not for the elements. */
bool resolution_is_arp(const uint8_t *frame, uint16_t length);
/* Takes in an ARP frame; writes an answer of ARP_FRAME_SIZE bytes and returns true if one is due.
 */
bool resolution_receive(struct resolution *resolution, const uint8_t *frame, uint16_t length,
                        uint64_t now_ns, uint8_t *answer);

enum resolution_verdict {
    RESOLUTION_SEND,    /* `frame` has its Ethernet addresses now */
    RESOLUTION_WAIT,    /* kept a copy */
    RESOLUTION_GIVE_UP, /* no route, or no room to wait */
};

/*
 * Fills the Ethernet header of an IPv4 frame that is to leave. When a request is due, writes it
 * to `request` (ARP_FRAME_SIZE bytes) and sets *has_request.
 */
enum resolution_verdict resolution_prepare(struct resolution *resolution, uint8_t *frame,
                                           uint16_t length, uint64_t now_ns, uint8_t *request,
                                           bool *has_request);

/* The next frame whose wait is over, with its header filled; borrowed until the next call. NULL:
 * none. Frames that waited too long are given up on the way. */
const struct waiting_frame *resolution_next_ready(struct resolution *resolution, uint64_t now_ns);

/* Tells the link where own address `index` is (a gratuitous request, RFC 5227 section 3). */
void resolution_announce(const struct resolution *resolution, uint32_t index, uint8_t *request);
/* Asks again for a neighbour that frames wait for: writes a request and returns true if one is
 * due. A question or its answer may be lost like any other packet. */
bool resolution_ask_again(struct resolution *resolution, uint64_t now_ns, uint8_t *request);

#endif
