/* SPDX-License-Identifier: BSD-3-Clause */
#include "wan_fingerprint.h"

#include "ftmb_packet.h"
#include "wan_digest.h"

#define SAMPLE_BITS 5U

static bool is_marked(const uint8_t *at) {
    uint32_t mixed = ftmb_load32(at) * 0x9e3779b1U;
    return mixed >> (32 - SAMPLE_BITS) == 0;
}

/* Only a hint where to look: bytes are compared before they are believed to be the same. */
static uint64_t fingerprint_of(const uint8_t *window) {
    uint64_t hash = 0x9e3779b97f4a7c15ULL;
    for (uint32_t at = 0; at < WAN_WINDOW; at += 8) {
        hash = (hash ^ wan_load64(window + at)) * 0xbf58476d1ce4e5b9ULL;
        hash ^= hash >> 31;
    }
    hash *= 0x94d049bb133111ebULL;
    return hash ^ hash >> 32;
}

uint32_t wan_anchors(const uint8_t *payload, uint32_t length,
                     struct wan_anchor anchors[WAN_ANCHORS_MAX]) {
    uint32_t count = 0;
    for (uint32_t at = 0; at + WAN_WINDOW <= length;) {
        if (!is_marked(payload + at)) {
            at++;
            continue;
        }
        anchors[count++] =
            (struct wan_anchor){.fingerprint = fingerprint_of(payload + at), .place = (uint16_t)at};
        at += WAN_WINDOW;
    }
    return count;
}
