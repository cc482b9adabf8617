/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which places of a payload are remembered: chosen by content, so that the same bytes are found
 * wherever in a packet they come again.
 *
 * SampleByte (Aggarwal et al., EndRE, NSDI 2010) marks a place by the value of its byte and then
 * leaves out half a period. Here four bytes decide by a hash, which needs no table learnt from
 * traffic: one place in 32, and none within WAN_WINDOW bytes after another, so one in 64 on
 * average. Rabin's fingerprints roll over every byte; here only the window at a marked place is
 * hashed.
 */
#ifndef WAN_FINGERPRINT_H
#define WAN_FINGERPRINT_H

#include "ftmb_element.h"

#define WAN_WINDOW 32U /* bytes that a fingerprint stands for */
#define WAN_ANCHORS_MAX (FTMB_FRAME_SIZE_MAX / WAN_WINDOW + 1U)

struct wan_anchor {
    uint64_t fingerprint; /* of the WAN_WINDOW bytes from `place` on */
    uint16_t place;
};

/* The number of anchors of a payload of at most FTMB_FRAME_SIZE_MAX bytes, in order of place. */
uint32_t wan_anchors(const uint8_t *payload, uint32_t length,
                     struct wan_anchor anchors[WAN_ANCHORS_MAX]);

#endif
