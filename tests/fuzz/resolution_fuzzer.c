/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Address resolution on a hostile link: any ARP frames, any frames to send, any passing of time.
 * What it writes is ARP or a frame it was given, with its own Ethernet address as the source; it
 * never believes a host that claims one of its own addresses; what waits is bounded and ends.
 */
#include "fuzz_traffic.h"

#include "port/address_resolution.h"

#define OPERATIONS_MAX 128U

static const uint8_t own_ethernet[ETHERNET_ADDRESS_SIZE] = {2, 0, 0, 0, 0, 1};

/* 10.0.0.1/29 and 192.0.2.9/32, a gateway, and 198.51.100.0/30 answered for; in network order. */
#define OWN 0x0100000aU
#define OWN_MASK 0xf8ffffffU

static void set_up(struct resolution *resolution) {
    MUST(resolution_init(resolution, own_ethernet) == 0);
    MUST(resolution_add_address(resolution, OWN, OWN_MASK) == 0);
    MUST(resolution_add_address(resolution, 0x090200c0U, 0xffffffffU) == 0);
    MUST(resolution_add_answered(resolution, 0x006433c6U, 0xfcffffffU) == 0);
    resolution->gateway = 0x0200000aU;
}

static void check_arp(const uint8_t *frame) {
    MUST(resolution_is_arp(frame, ARP_FRAME_SIZE));
    MUST(memcmp(frame + 6, own_ethernet, sizeof(own_ethernet)) == 0);
    MUST(memcmp(frame + 22, own_ethernet, sizeof(own_ethernet)) == 0);
}

/* An ARP frame whose every field the input may choose; a few bits make most of them right. */
static uint16_t make_arp(struct fuzz_data *data, uint8_t *frame) {
    static const uint8_t right[] = {0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1};
    uint8_t choice = fuzz_take8(data);
    size_t length = ARP_FRAME_SIZE;
    const uint8_t *given = fuzz_take(data, &length);
    memset(frame, 0, ARP_FRAME_SIZE);
    memcpy(frame, given, length);
    if ((choice & 1) != 0) {
        memcpy(frame + 12, right, sizeof(right));
        frame[21] = (choice & 2) != 0 ? 1 : 2;
    }
    if ((choice & 4) != 0) {
        uint32_t target = OWN, sender = OWN + ((uint32_t)(choice >> 4) << 24);
        memcpy(frame + 38, &target, sizeof(target));
        memcpy(frame + 28, &sender, sizeof(sender));
    }
    return (choice & 8) != 0 ? (uint16_t)(given == NULL ? 0 : length) : ARP_FRAME_SIZE;
}

static void receive(struct resolution *resolution, struct fuzz_data *data, uint64_t now_ns) {
    uint8_t bytes[ARP_FRAME_SIZE], answer[ARP_FRAME_SIZE];
    uint16_t length = make_arp(data, bytes);
    uint8_t *frame = malloc(length == 0 ? 1 : length);
    memcpy(frame, bytes, length);
    resolution_is_arp(frame, length);
    if (resolution_receive(resolution, frame, length, now_ns, answer)) {
        check_arp(answer);
        MUST(memcmp(answer, frame + 22, ETHERNET_ADDRESS_SIZE) == 0);
    }
    free(frame);
}

static void send(struct resolution *resolution, struct fuzz_data *data, uint64_t now_ns) {
    uint8_t request[ARP_FRAME_SIZE];
    size_t length = fuzz_take8(data);
    bool is_near = (length & 1) != 0, has_request;
    size_t taken = length;
    const uint8_t *given = fuzz_take(data, &taken);
    uint8_t *frame = calloc(1, length == 0 ? 1 : length);
    memcpy(frame, given, taken);
    if (is_near && length >= 34) {
        const uint8_t near[] = {10, 0, 0, frame[33] & 7};
        frame[12] = 8;
        frame[13] = 0;
        memcpy(frame + 30, near, sizeof(near));
    }
    enum resolution_verdict verdict =
        resolution_prepare(resolution, frame, (uint16_t)length, now_ns, request, &has_request);
    if (verdict == RESOLUTION_SEND) {
        MUST(memcmp(frame + 6, own_ethernet, sizeof(own_ethernet)) == 0);
    }
    if (has_request) {
        check_arp(request);
    }
    free(frame);
}

static void check(const struct resolution *resolution) {
    uint32_t waiting = 0;
    for (uint32_t index = 0; index < RESOLUTION_WAITING_MAX; index++) {
        waiting += resolution->waiting[index].next_hop != 0;
    }
    MUST(waiting == resolution->waiting_count);
    for (uint32_t index = 0; index < RESOLUTION_NEIGHBOURS; index++) {
        const struct neighbour *neighbour = &resolution->neighbours[index];
        MUST(!neighbour->is_known || (neighbour->address != 0 && neighbour->address != OWN));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static struct resolution resolution;
    struct fuzz_data data = {.at = bytes, .left = size};
    uint64_t now_ns = 1000000000;
    uint8_t request[ARP_FRAME_SIZE];
    const struct waiting_frame *ready;
    set_up(&resolution);
    for (uint32_t count = 0; count < OPERATIONS_MAX && data.left > 0; count++) {
        uint8_t operation = fuzz_take8(&data);
        if ((operation & 3) == 0) {
            now_ns += 1ULL << (operation >> 2 & 0x1f);
        } else if ((operation & 3) == 1) {
            receive(&resolution, &data, now_ns);
        } else {
            send(&resolution, &data, now_ns);
        }
        while ((ready = resolution_next_ready(&resolution, now_ns)) != NULL) {
            MUST(ready->length >= 34 && ready->length <= FTMB_FRAME_SIZE_MAX);
            MUST(memcmp(ready->bytes + 6, own_ethernet, sizeof(own_ethernet)) == 0);
        }
        if (resolution_ask_again(&resolution, now_ns, request)) {
            check_arp(request);
        }
        check(&resolution);
    }
    resolution_release(&resolution);
    return 0;
}
