/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An input as traffic through a box: frames of any bytes at both ports, frames with their
 * checksums put right (a fuzzer does not guess those), answers to frames that left, ICMP errors
 * about them, time, failovers. State is kept from the first to the last.
 */
#ifndef FUZZ_TRAFFIC_H
#define FUZZ_TRAFFIC_H

#include "fuzz_box.h"

#define FUZZ_OPERATIONS_MAX 96U
#define FUZZ_SENT_KEPT 16U

/* Frames that left lately, to be answered. */
struct fuzz_sent_frame {
    uint32_t port;
    uint16_t length;
    uint8_t bytes[FTMB_FRAME_SIZE_MAX];
};

struct fuzz_traffic {
    struct fuzz_sent_frame sent[FUZZ_SENT_KEPT];
    uint64_t sent_count;
    uint32_t failovers;
};

/* To be called for each frame that leaves. */
void fuzz_traffic_keep(struct fuzz_traffic *traffic, uint32_t port, const struct frame *frame);
/* Plays the whole input. */
void fuzz_traffic_play(struct fuzz_traffic *traffic, struct fuzz_box *box, struct fuzz_data *data);
/* Puts an IPv4 frame's version, lengths and checksums right; leaves others as they are. */
void fuzz_repair(uint8_t *frame, uint16_t length);
/* Turns a frame around: both addresses and, for TCP and UDP, both ports; returns its length. */
uint16_t fuzz_turn_round(uint8_t *frame, uint16_t length);
/* An ICMP error about a frame, to its sender; returns its length. */
uint16_t fuzz_error_about(const uint8_t *frame, uint16_t length, uint8_t type, uint8_t *error);

#endif
