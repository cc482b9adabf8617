/* SPDX-License-Identifier: BSD-3-Clause */
#include "simulator/frames.h"

#include <string.h>

#include "ftmb_packet.h"

#define IP_OFFSET 14U
#define TRANSPORT_OFFSET 34U
#define PAYLOAD_OFFSET 42U
#define HOSTS 6U
#define REMOTES 4U
#define SEEN_MAX 8U
#define INSIDE 0x0a000005U   /* 10.0.0.5 and the next ones */
#define EXTERNAL 0xcb007101U /* 203.0.113.1 */
#define REMOTE 0xc6336407U   /* 198.51.100.7 and the next ones */

/* The external endpoints in use, as frames that left outside showed them. */
struct seen {
    uint32_t source, destination;
    uint16_t source_port, destination_port;
    uint8_t protocol;
};

static struct seen seen[SEEN_MAX];
static uint32_t seen_count;

void frames_begin(void) {
    seen_count = 0;
}

void frames_saw(uint8_t port, const uint8_t *bytes, uint16_t length) {
    if (port != 1 || length < PAYLOAD_OFFSET) {
        return;
    }
    seen[seen_count++ % SEEN_MAX] =
        (struct seen){.source = ftmb_load32(bytes + IP_OFFSET + 12),
                      .destination = ftmb_load32(bytes + IP_OFFSET + 16),
                      .source_port = ftmb_load16(bytes + TRANSPORT_OFFSET),
                      .destination_port = ftmb_load16(bytes + TRANSPORT_OFFSET + 2),
                      .protocol = bytes[IP_OFFSET + 9]};
}

static const struct seen *draw_seen(void) {
    uint32_t count = seen_count < SEEN_MAX ? seen_count : SEEN_MAX;
    return count == 0 ? NULL : &seen[chance(count)];
}

static void fill_checksum(uint8_t *ip) {
    uint64_t sum = 0;
    ftmb_store16(ip + 10, 0);
    for (uint32_t offset = 0; offset < 20; offset += 2) {
        sum += ftmb_load16(ip + offset);
    }
    ftmb_store16(ip + 10, (uint16_t)~ftmb_checksum_fold(sum));
}

static uint8_t draw_protocol(void) {
    static const uint8_t protocols[] = {FTMB_PROTOCOL_UDP, FTMB_PROTOCOL_UDP, FTMB_PROTOCOL_TCP,
                                        FTMB_PROTOCOL_ICMP};
    return protocols[chance(4)];
}

static struct seen draw_flow(uint8_t port) {
    const struct seen *other = draw_seen();
    struct seen flow = {.source = INSIDE + chance(HOSTS),
                        .destination = REMOTE + chance(REMOTES),
                        .source_port = (uint16_t)(4000 + chance(6)),
                        .destination_port = (uint16_t)(80 + chance(2)),
                        .protocol = draw_protocol()};
    if (port == 0 && other != NULL &&
        chance(8) == 0) { /* to another host, by its outside address */
        flow.destination = EXTERNAL;
        flow.destination_port = other->source_port;
        flow.protocol = other->protocol;
    } else if (port == 1 && other != NULL && chance(8) != 0) { /* an answer */
        flow = (struct seen){.source = other->destination,
                             .destination = other->source,
                             .source_port = other->destination_port,
                             .destination_port = other->source_port,
                             .protocol = other->protocol};
    } else if (port == 1) {
        flow.source = REMOTE + chance(REMOTES);
        flow.destination = EXTERNAL;
        flow.destination_port = (uint16_t)(2048 + chance(300));
    }
    return flow;
}

static void fill_transport(uint8_t *transport, const struct seen *flow) {
    if (flow->protocol == FTMB_PROTOCOL_ICMP) {
        transport[0] = chance(8) == 0 ? 0 : 8;
        ftmb_store16(transport + 4, flow->source_port);
        return;
    }
    ftmb_store16(transport, flow->source_port);
    ftmb_store16(transport + 2, flow->destination_port);
    if (flow->protocol == FTMB_PROTOCOL_TCP) {
        static const uint8_t flags[] = {0x02, 0x02, 0x10, 0x18, 0x12, 0x11, 0x04};
        transport[12] = 0x50;
        transport[13] = flags[chance(sizeof(flags))];
    }
}

uint16_t frames_make(uint8_t *bytes, uint8_t port, uint64_t number) {
    struct seen flow = draw_flow(port);
    bool is_large = simulation.settings.has_large_frames || chance(8) == 0;
    uint16_t length = (uint16_t)(90 + (is_large ? 110 + chance(FTMB_FRAME_SIZE_MAX - 199) : 0));
    memset(bytes, 0, length);
    ftmb_store16(bytes + 12, FTMB_ETHER_TYPE_IPV4);
    uint8_t *ip = bytes + IP_OFFSET;
    ip[0] = 0x45;
    ftmb_store16(ip + 2, (uint16_t)(length - IP_OFFSET));
    ip[8] = chance(20) == 0 ? 1 : 64;
    ip[9] = flow.protocol;
    ftmb_store32(ip + 12, flow.source);
    ftmb_store32(ip + 16, flow.destination);
    fill_checksum(ip);
    fill_transport(bytes + TRANSPORT_OFFSET, &flow);
    if (flow.protocol == FTMB_PROTOCOL_UDP) {
        ftmb_store16(bytes + TRANSPORT_OFFSET + 4, (uint16_t)(length - TRANSPORT_OFFSET));
        uint64_t wishes = random_next(&simulation.random);
        memcpy(bytes + PAYLOAD_OFFSET, &wishes, sizeof(wishes));
    }
    memcpy(bytes + length - 16, &number, sizeof(number));
    if (chance(40) == 0) {
        bytes[chance(length)] ^= (uint8_t)(1U << chance(8));
    }
    return length;
}
