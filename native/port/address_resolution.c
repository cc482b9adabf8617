/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/address_resolution.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ETHERNET_SIZE 14U
#define TYPE_OFFSET 12U
#define ARP_REQUEST 1U
#define ARP_REPLY 2U

/* The body of an ARP packet for IPv4 over Ethernet, RFC 826. */
struct arp_body {
    uint16_t hardware, protocol;
    uint8_t hardware_size, protocol_size;
    uint16_t operation;
    uint8_t sender_ethernet[ETHERNET_ADDRESS_SIZE];
    uint8_t sender[4];
    uint8_t target_ethernet[ETHERNET_ADDRESS_SIZE];
    uint8_t target[4];
};
_Static_assert(sizeof(struct arp_body) + ETHERNET_SIZE == ARP_FRAME_SIZE, "as on the wire");

int resolution_init(struct resolution *resolution, const uint8_t *own_ethernet) {
    memset(resolution, 0, sizeof(*resolution));
    memcpy(resolution->own_ethernet, own_ethernet, ETHERNET_ADDRESS_SIZE);
    resolution->waiting = calloc(RESOLUTION_WAITING_MAX, sizeof(*resolution->waiting));
    return resolution->waiting == NULL ? -ENOMEM : 0;
}

void resolution_release(struct resolution *resolution) {
    free(resolution->waiting);
    resolution->waiting = NULL;
}

int resolution_add_address(struct resolution *resolution, uint32_t address, uint32_t mask) {
    if (resolution->address_count == RESOLUTION_ADDRESSES_MAX) {
        return -ENOSPC;
    }
    resolution->addresses[resolution->address_count] = address;
    resolution->masks[resolution->address_count++] = mask;
    return 0;
}

int resolution_add_answered(struct resolution *resolution, uint32_t network, uint32_t mask) {
    if (resolution->answered_count == RESOLUTION_ADDRESSES_MAX) {
        return -ENOSPC;
    }
    resolution->answered[resolution->answered_count] = network & mask;
    resolution->answered_masks[resolution->answered_count++] = mask;
    return 0;
}

bool resolution_is_arp(const uint8_t *frame, uint16_t length) {
    return length >= ETHERNET_SIZE && frame[TYPE_OFFSET] == 0x08 && frame[TYPE_OFFSET + 1] == 0x06;
}

static bool is_own(const struct resolution *resolution, uint32_t address) {
    for (uint32_t index = 0; index < resolution->address_count; index++) {
        if (resolution->addresses[index] == address) {
            return true;
        }
    }
    for (uint32_t index = 0; index < resolution->answered_count; index++) {
        if ((address & resolution->answered_masks[index]) == resolution->answered[index]) {
            return true;
        }
    }
    return false;
}

/* The neighbour's entry; with `create`, a new one, in place of the oldest if need be. */
static struct neighbour *find(struct resolution *resolution, uint32_t address, bool create) {
    uint32_t hash = (uint32_t)((address * 0x9e3779b97f4a7c15ULL) >> 40);
    struct neighbour *oldest = NULL;
    for (uint32_t probe = 0; probe < RESOLUTION_PROBES; probe++) {
        struct neighbour *entry =
            &resolution->neighbours[(hash + probe) & (RESOLUTION_NEIGHBOURS - 1)];
        if (entry->address == address) {
            return entry;
        }
        if (oldest == NULL || (oldest->address != 0 &&
                               (entry->address == 0 || entry->learnt_ns < oldest->learnt_ns))) {
            oldest = entry;
        }
    }
    if (!create) {
        return NULL;
    }
    *oldest = (struct neighbour){.address = address};
    return oldest;
}

static void write_arp(const struct resolution *resolution, uint16_t operation, uint32_t sender,
                      const uint8_t *target_ethernet, uint32_t target, uint8_t *frame) {
    static const uint8_t everybody[ETHERNET_ADDRESS_SIZE] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    const uint8_t *destination = target_ethernet == NULL ? everybody : target_ethernet;
    memcpy(frame, destination, ETHERNET_ADDRESS_SIZE);
    memcpy(frame + ETHERNET_ADDRESS_SIZE, resolution->own_ethernet, ETHERNET_ADDRESS_SIZE);
    frame[TYPE_OFFSET] = 0x08;
    frame[TYPE_OFFSET + 1] = 0x06;
    struct arp_body body = {.hardware = htons(1),
                            .protocol = htons(0x0800),
                            .hardware_size = ETHERNET_ADDRESS_SIZE,
                            .protocol_size = 4,
                            .operation = htons(operation)};
    memcpy(body.sender_ethernet, resolution->own_ethernet, ETHERNET_ADDRESS_SIZE);
    memcpy(body.sender, &sender, sizeof(sender));
    if (target_ethernet != NULL) {
        memcpy(body.target_ethernet, target_ethernet, ETHERNET_ADDRESS_SIZE);
    }
    memcpy(body.target, &target, sizeof(target));
    memcpy(frame + ETHERNET_SIZE, &body, sizeof(body));
}

bool resolution_receive(struct resolution *resolution, const uint8_t *frame, uint16_t length,
                        uint64_t now_ns, uint8_t *answer) {
    if (length < ARP_FRAME_SIZE) {
        return false;
    }
    struct arp_body body;
    memcpy(&body, frame + ETHERNET_SIZE, sizeof(body));
    if (body.hardware != htons(1) || body.protocol != htons(0x0800) ||
        body.hardware_size != ETHERNET_ADDRESS_SIZE || body.protocol_size != 4) {
        return false;
    }
    uint32_t sender, target;
    memcpy(&sender, body.sender, sizeof(sender));
    memcpy(&target, body.target, sizeof(target));
    bool is_request = body.operation == htons(ARP_REQUEST);
    bool is_for_us = is_own(resolution, target);
    /* Only from who speaks to us, or whom we asked: no table filled by a stranger. */
    struct neighbour *known = find(resolution, sender, is_for_us && sender != 0);
    bool is_news = is_for_us || (known != NULL && known->is_known); /* a gateway may have moved */
    if (known != NULL && is_news && sender != 0 && !is_own(resolution, sender)) {
        memcpy(known->ethernet, body.sender_ethernet, ETHERNET_ADDRESS_SIZE);
        known->is_known = true;
        known->learnt_ns = now_ns;
    }
    if (!is_request || !is_for_us) {
        return false;
    }
    write_arp(resolution, ARP_REPLY, target, body.sender_ethernet, sender, answer);
    return true;
}

/* The own address from which a neighbour is reached on the link, or 0. */
static uint32_t source_towards(const struct resolution *resolution, uint32_t address) {
    for (uint32_t index = 0; index < resolution->address_count; index++) {
        uint32_t mask = resolution->masks[index];
        if (mask != 0xffffffffU && (address & mask) == (resolution->addresses[index] & mask)) {
            return resolution->addresses[index];
        }
    }
    return 0;
}

static uint32_t next_hop_of(const struct resolution *resolution, uint32_t destination) {
    return source_towards(resolution, destination) != 0 ? destination : resolution->gateway;
}

static void fill_header(const struct resolution *resolution, const struct neighbour *neighbour,
                        uint8_t *frame) {
    memcpy(frame, neighbour->ethernet, ETHERNET_ADDRESS_SIZE);
    memcpy(frame + ETHERNET_ADDRESS_SIZE, resolution->own_ethernet, ETHERNET_ADDRESS_SIZE);
}

static enum resolution_verdict hold(struct resolution *resolution, const uint8_t *frame,
                                    uint16_t length, uint32_t next_hop, uint64_t now_ns) {
    for (uint32_t index = 0; index < RESOLUTION_WAITING_MAX; index++) {
        struct waiting_frame *waiting = &resolution->waiting[index];
        if (waiting->next_hop == 0) {
            waiting->next_hop = next_hop;
            waiting->length = length;
            waiting->since_ns = now_ns;
            waiting->order = resolution->waiting_order++;
            memcpy(waiting->bytes, frame, length);
            resolution->waiting_count++;
            return RESOLUTION_WAIT;
        }
    }
    return RESOLUTION_GIVE_UP;
}

/* Writes a request for a neighbour unless the last one is too young. */
static bool ask(struct resolution *resolution, struct neighbour *neighbour, uint64_t now_ns,
                uint8_t *request) {
    if (now_ns - neighbour->asked_ns <= RESOLUTION_ASK_NS) {
        return false;
    }
    neighbour->asked_ns = now_ns;
    write_arp(resolution, ARP_REQUEST, source_towards(resolution, neighbour->address), NULL,
              neighbour->address, request);
    return true;
}

enum resolution_verdict resolution_prepare(struct resolution *resolution, uint8_t *frame,
                                           uint16_t length, uint64_t now_ns, uint8_t *request,
                                           bool *has_request) {
    *has_request = false;
    if (length < ETHERNET_SIZE + 20 || frame[TYPE_OFFSET] != 0x08 || frame[TYPE_OFFSET + 1] != 0) {
        return RESOLUTION_GIVE_UP;
    }
    uint32_t destination;
    memcpy(&destination, frame + ETHERNET_SIZE + 16, sizeof(destination));
    uint32_t next_hop = next_hop_of(resolution, destination);
    if (next_hop == 0) {
        return RESOLUTION_GIVE_UP;
    }
    struct neighbour *neighbour = find(resolution, next_hop, true);
    bool is_fresh = neighbour->is_known && now_ns - neighbour->learnt_ns < RESOLUTION_FRESH_NS;
    *has_request = !is_fresh && ask(resolution, neighbour, now_ns, request);
    if (!neighbour->is_known) {
        return hold(resolution, frame, length, next_hop, now_ns);
    }
    fill_header(resolution, neighbour, frame);
    return RESOLUTION_SEND;
}

const struct waiting_frame *resolution_next_ready(struct resolution *resolution, uint64_t now_ns) {
    struct waiting_frame *ready = NULL;
    for (uint32_t index = 0; index < RESOLUTION_WAITING_MAX && resolution->waiting_count > 0;
         index++) {
        struct waiting_frame *waiting = &resolution->waiting[index];
        if (waiting->next_hop == 0) {
            continue;
        }
        const struct neighbour *neighbour = find(resolution, waiting->next_hop, false);
        if (neighbour != NULL && neighbour->is_known) {
            if (ready == NULL || waiting->order < ready->order) {
                ready = waiting;
            }
        } else if (now_ns - waiting->since_ns > RESOLUTION_WAIT_NS) {
            waiting->next_hop = 0;
            resolution->waiting_count--;
            resolution->given_up++;
        }
    }
    if (ready != NULL) {
        fill_header(resolution, find(resolution, ready->next_hop, false), ready->bytes);
        ready->next_hop = 0;
        resolution->waiting_count--;
    }
    return ready;
}

bool resolution_ask_again(struct resolution *resolution, uint64_t now_ns, uint8_t *request) {
    for (uint32_t index = 0; index < RESOLUTION_WAITING_MAX; index++) {
        uint32_t next_hop = resolution->waiting[index].next_hop;
        if (next_hop == 0) {
            continue;
        }
        struct neighbour *neighbour = find(resolution, next_hop, true);
        if (!neighbour->is_known && ask(resolution, neighbour, now_ns, request)) {
            return true;
        }
    }
    return false;
}

void resolution_announce(const struct resolution *resolution, uint32_t index, uint8_t *request) {
    uint32_t own = resolution->addresses[index];
    write_arp(resolution, ARP_REQUEST, own, NULL, own, request);
}
