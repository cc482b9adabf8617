/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames made up by the seed: flows through a NAT and back, and what no sane host would send. */
#ifndef FTMB_SIMULATOR_FRAMES_H
#define FTMB_SIMULATOR_FRAMES_H

#include "simulator/simulation.h"

/* Forgets what was seen in the run before. */
void frames_begin(void);
/* Writes a frame that comes in by `port`; its length. `number` is in its bytes. */
uint16_t frames_make(uint8_t *bytes, uint8_t port, uint64_t number);
/* A frame left by `port`: the other side may answer it. */
void frames_saw(uint8_t port, const uint8_t *bytes, uint16_t length);

#endif
