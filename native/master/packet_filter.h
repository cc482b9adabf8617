/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A question to a frame, such as "tcp port 80 or udp port 53", in the language of pcap-filter(7):
 * libpcap compiles and answers it. It is compiled once, where a configuration is read (names of
 * hosts and services are looked up then); every process of a box is given the same instructions.
 */
#ifndef FTMB_PACKET_FILTER_H
#define FTMB_PACKET_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bpf_insn;
#define PACKET_FILTER_SIZE_MAX 4096U /* instructions */

/* The instructions of a text, for packet_filter_free(); NULL with a message. Not thread-safe. */
struct bpf_insn *packet_filter_compile(const char *text, uint32_t *count, char *error,
                                       size_t error_size);
void packet_filter_free(struct bpf_insn *instructions);
/* Whether they end for any frame and read nothing beyond it. */
bool packet_filter_is_valid(const struct bpf_insn *instructions, uint32_t count);

bool packet_filter_matches(const struct bpf_insn *instructions, const uint8_t *frame,
                           uint16_t length);

#endif
