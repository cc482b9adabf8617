/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The packet helpers of elements: headers found in frames whose bytes are known, no byte read
 * beyond a frame of random bytes (under a sanitizer), and checksums changed as if computed anew.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ftmb_packet.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("line %d: %s\n", __LINE__, #condition);                                         \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static uint64_t generator;

static uint32_t draw(uint32_t below) {
    generator = generator * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(generator >> 33) % below;
}

/* An IPv6 frame: its payload begins with `next`, and `length` bytes follow the fixed header. */
static void make_ipv6(uint8_t *frame, uint8_t next, uint16_t length) {
    memset(frame, 0, 256);
    ftmb_store16(frame + 12, FTMB_ETHER_TYPE_IPV6);
    frame[14] = 0x60;
    ftmb_store16(frame + 18, length);
    frame[20] = next;
}

static void test_ipv6(void) {
    uint8_t frame[256];
    uint8_t *payload = frame + FTMB_ETHERNET_SIZE + FTMB_IPV6_SIZE;
    struct ftmb_ip ip;
    make_ipv6(frame, FTMB_PROTOCOL_UDP, 8);
    CHECK(ftmb_parse_ip(frame, 62, &ip) == FTMB_IP_WHOLE);
    CHECK(ip.version == 6 && ip.protocol == FTMB_PROTOCOL_UDP && ip.transport == 54);
    CHECK(ip.end == 62 && !ip.fragment && !ip.later);
    CHECK(ftmb_parse_ip(frame, 61, &ip) == FTMB_IP_TRUNCATED);
    CHECK(ftmb_parse_ip(frame, 53, &ip) == FTMB_IP_TRUNCATED);

    make_ipv6(frame, 0, 16 + 20); /* hop-by-hop of 16 bytes, then TCP */
    payload[0] = FTMB_PROTOCOL_TCP;
    payload[1] = 1;
    CHECK(ftmb_parse_ip(frame, 90, &ip) == FTMB_IP_WHOLE);
    CHECK(ip.protocol == FTMB_PROTOCOL_TCP && ip.transport == 70 && ip.end == 90);
    payload[1] = 200; /* longer than the packet */
    CHECK(ftmb_parse_ip(frame, 90, &ip) == FTMB_IP_TRUNCATED);

    make_ipv6(frame, 44, 8 + 8); /* a later fragment: what follows is no header */
    payload[0] = 0;
    ftmb_store16(payload + 2, 0x0108);
    CHECK(ftmb_parse_ip(frame, 70, &ip) == FTMB_IP_WHOLE);
    CHECK(ip.fragment && ip.later && ip.transport == 62);

    make_ipv6(frame, 43, 8 + 8); /* a routing header of type 0, and one of type 2 */
    payload[0] = FTMB_PROTOCOL_UDP;
    CHECK(ftmb_parse_ip(frame, 70, &ip) == FTMB_IP_WHOLE && ip.source_route);
    payload[2] = 2;
    CHECK(ftmb_parse_ip(frame, 70, &ip) == FTMB_IP_WHOLE && !ip.source_route);

    make_ipv6(frame, 0, 9 * 8); /* more extensions than are walked */
    CHECK(ftmb_parse_ip(frame, 54 + 72, &ip) == FTMB_IP_MALFORMED);
}

/* As an ICMPv6 error quotes a packet: anywhere in a frame, and cut off. */
static void test_quoted_ipv6(void) {
    uint8_t frame[256];
    struct ftmb_ip ip;
    make_ipv6(frame, FTMB_PROTOCOL_UDP, 100);
    CHECK(ftmb_parse_ipv6_at(frame, 62, 14, false, &ip) == FTMB_IP_TRUNCATED);
    CHECK(ftmb_parse_ipv6_at(frame, 62, 14, true, &ip) == FTMB_IP_WHOLE);
    CHECK(ip.network == 14 && ip.transport == 54 && ip.end == 62);
    CHECK(ftmb_parse_ipv6_at(frame, 54, 14, true, &ip) == FTMB_IP_WHOLE && ip.end == 54);
    CHECK(ftmb_parse_ipv6_at(frame, 53, 14, true, &ip) == FTMB_IP_TRUNCATED);
    CHECK(ftmb_parse_ipv6_at(frame, 62, 13, true, &ip) == FTMB_IP_MALFORMED);
    frame[20] = 60; /* options, of which the end is not quoted */
    frame[54] = FTMB_PROTOCOL_UDP;
    frame[55] = 4;
    CHECK(ftmb_parse_ipv6_at(frame, 62, 14, true, &ip) == FTMB_IP_TRUNCATED);
    CHECK(ftmb_parse_ipv6_at(frame, 54 + 40, 14, true, &ip) == FTMB_IP_WHOLE);
    CHECK(ip.transport == 94 && ip.end == 94);
}

/* Frames of their exact size on the heap, half of them with a plausible beginning. */
static void test_random_frames(void) {
    for (uint32_t round = 0; round < 200000; ++round) {
        uint32_t length = draw(100);
        uint8_t *frame = malloc(length + 1);
        CHECK(frame != NULL);
        frame = realloc(frame, length != 0 ? length : 1);
        for (uint32_t i = 0; i < length; ++i) {
            frame[i] = (uint8_t)(draw(4) ? draw(9) : draw(256));
        }
        if (length > 20 && draw(2)) {
            bool is_four = draw(2);
            ftmb_store16(frame + 12, is_four ? FTMB_ETHER_TYPE_IPV4 : FTMB_ETHER_TYPE_IPV6);
            frame[14] = is_four ? (uint8_t)(0x45 + draw(3)) : 0x60;
        }
        struct ftmb_ip ip;
        if (ftmb_parse_ip(frame, length, &ip) == FTMB_IP_WHOLE) {
            CHECK(ip.network < ip.transport && ip.transport <= ip.end && ip.end <= length);
            (void)ftmb_transport_whole(frame, &ip);
        }
        if (ftmb_parse_ipv6_at(frame, length, draw(60), true, &ip) == FTMB_IP_WHOLE) {
            CHECK(ip.network < ip.transport && ip.transport <= ip.end && ip.end <= length);
        }
        free(frame);
    }
}

static void test_checksums(void) {
    for (uint32_t round = 0; round < 100000; ++round) {
        uint8_t bytes[41] = {0};
        uint32_t length = 20 + draw(22);
        for (uint32_t i = 2; i < length; ++i) {
            bytes[i] = (uint8_t)(draw(3) ? draw(256) : 0xff * draw(2));
        }
        bytes[2] |= 1; /* not all zero: a sum of nothing has two forms */
        ftmb_store16(bytes, (uint16_t)~ftmb_checksum_sum(bytes, length));
        CHECK(ftmb_checksum_sum(bytes, length) == 0xffff);
        uint32_t old_address = ftmb_load32(bytes + 12);
        uint32_t new_address = draw(2) ? draw(0x7fffffff) : old_address;
        uint16_t old_port = ftmb_load16(bytes + 16);
        uint16_t new_port = (uint16_t)draw(65536);
        uint32_t delta = ftmb_checksum_delta32(old_address, new_address) +
                         ftmb_checksum_delta16(old_port, new_port);
        uint8_t before[41];
        memcpy(before, bytes, sizeof bytes);
        ftmb_store32(bytes + 12, new_address);
        ftmb_store16(bytes + 16, new_port);
        ftmb_checksum_apply(bytes, delta);
        CHECK(ftmb_checksum_sum(bytes, length) == 0xffff);
        ftmb_store32(bytes + 12, old_address);
        ftmb_store16(bytes + 16, old_port);
        ftmb_checksum_apply(bytes, 0xffffU ^ ftmb_checksum_fold(delta)); /* and back */
        CHECK(memcmp(before, bytes, sizeof bytes) == 0);
    }
    uint8_t none[2] = {0, 0};
    ftmb_checksum_apply_udp(none, 1234);
    CHECK(ftmb_load16(none) == 0);
    uint8_t becomes_zero[2] = {0xff, 0xfe};
    ftmb_checksum_apply_udp(becomes_zero, 0xfffe);
    CHECK(ftmb_load16(becomes_zero) == 0xffff);
}

int main(int count, char **arguments) {
    generator = count > 1 ? strtoull(arguments[1], NULL, 10) : 1;
    test_ipv6();
    test_quoted_ipv6();
    test_random_frames();
    test_checksums();
    return 0;
}
