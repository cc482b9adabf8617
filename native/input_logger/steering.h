/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Steering: which worker queue a frame belongs to. By default a symmetric hash of the 5-tuple, so
 * that both directions of a flow meet on one worker; an element of the pipeline may bring a rule
 * of its own (a NAT sends what returns from outside by the external port).
 */
#ifndef FTMB_STEERING_H
#define FTMB_STEERING_H

#include <stdint.h>

/* Symmetric in source and destination; 0 for what is neither IPv4 nor IPv6. Fragments are hashed
 * by addresses and protocol alone, ICMP errors as the packets that they quote; extension headers of
 * IPv6 are stepped over. Any bytes are fine. */
uint32_t steering_hash(const uint8_t *frame, uint16_t length);

#endif
