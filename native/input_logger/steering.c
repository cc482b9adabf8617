/* SPDX-License-Identifier: BSD-3-Clause */
#include "input_logger/steering.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define ETHERNET_SIZE 14U
#define PROTOCOL_TCP 6U
#define PROTOCOL_UDP 17U
#define IPV4_FRAGMENT_MASK 0x3fffU /* more fragments, or an offset */

static uint16_t load16(const uint8_t *bytes) {
    return (uint16_t)((bytes[0] << 8) | bytes[1]);
}

static uint64_t load64(const uint8_t *bytes) {
    uint64_t value;
    memcpy(&value, bytes, sizeof(value));
    return value;
}

static uint64_t load32(const uint8_t *bytes) {
    uint32_t value;
    memcpy(&value, bytes, sizeof(value));
    return value;
}

/* The finaliser of MurmurHash3: every bit of the input reaches every bit of the output. */
static uint32_t mix(uint64_t value) {
    value ^= value >> 33;
    value *= 0xff51afd7ed558ccdULL;
    value ^= value >> 33;
    value *= 0xc4ceb9fe1a85ec53ULL;
    return (uint32_t)(value >> 32) | 1U;
}

static uint64_t ports_of(const uint8_t *transport, const uint8_t *end, uint8_t protocol) {
    if ((protocol != PROTOCOL_TCP && protocol != PROTOCOL_UDP) || end - transport < 4) {
        return 0;
    }
    uint64_t source = load16(transport);
    uint64_t destination = load16(transport + 2);
    return (source + destination) << 32 | (source ^ destination);
}

uint32_t steering_hash(const uint8_t *frame, uint16_t length) {
    if (length < ETHERNET_SIZE + 20) {
        return 0;
    }
    const uint8_t *ip = frame + ETHERNET_SIZE;
    const uint8_t *end = frame + length;
    uint16_t type = load16(frame + 12);
    if (type == 0x0800) {
        uint64_t source = load32(ip + 12);
        uint64_t destination = load32(ip + 16);
        bool is_fragment = (load16(ip + 6) & IPV4_FRAGMENT_MASK) != 0;
        uint64_t ports = is_fragment ? 0 : ports_of(ip + (size_t)(ip[0] & 0x0f) * 4, end, ip[9]);
        uint64_t addresses = (source + destination) << 32 | (source ^ destination);
        return mix(addresses * 0x9e3779b97f4a7c15ULL + ports + ip[9]);
    }
    if (type == 0x86dd && length >= ETHERNET_SIZE + 40) {
        uint64_t high = load64(ip + 8) ^ load64(ip + 24);
        uint64_t low = load64(ip + 16) + load64(ip + 32);
        uint64_t ports = ports_of(ip + 40, end, ip[6]);
        return mix((high * 0x9e3779b97f4a7c15ULL ^ low) * 0xff51afd7ed558ccdULL + ports + ip[6]);
    }
    return 0;
}
