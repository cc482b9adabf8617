/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The frames that are sent: Ethernet, IPv4, UDP, stamp, filler. A template per size is written
 * once; for each packet only what differs is patched, and both checksums are sums of parts that
 * are known beforehand.
 *
 * Sizes are of the frame without its frame check sequence: 60 to 1514.
 */
#ifndef FTMB_PKTGEN_FRAME_H
#define FTMB_PKTGEN_FRAME_H

#include "ftmb_element.h"
#include "ftmb_packet.h"
#include "pktgen/stamp.h"

#define PKTGEN_SIZE_MIN 60U
#define PKTGEN_SIZE_MAX 1514U
#define PKTGEN_UDP_OFFSET (FTMB_ETHERNET_SIZE + FTMB_IPV4_SIZE_MIN)
#define PKTGEN_STAMP_OFFSET (PKTGEN_UDP_OFFSET + FTMB_UDP_SIZE)
#define PKTGEN_HEAD_SIZE (PKTGEN_STAMP_OFFSET + PKTGEN_STAMP_SIZE)
_Static_assert(PKTGEN_HEAD_SIZE == PKTGEN_SIZE_MIN, "the smallest frame has no filler");

/* One flow, in host order. The sums are pktgen_flows_prepare()'s. */
struct pktgen_flow {
    uint32_t number;
    uint32_t source, destination;
    uint16_t source_port, destination_port;
    uint16_t address_sum; /* of the addresses: both checksums have them */
    uint16_t udp_sum;     /* of addresses and ports */
};

/* What is the same for all frames of one size. */
struct pktgen_template {
    uint16_t size; /* of the frame */
    uint16_t ip_sum, udp_sum;
};

void pktgen_flows_prepare(struct pktgen_flow *flows, uint64_t count);

/* Writes a whole frame of `size` bytes with addresses, ports and stamp left open. */
struct pktgen_template pktgen_template_write(uint8_t *frame, uint16_t size, const uint8_t *source,
                                             const uint8_t *destination);

/* Makes a template's frame that of one packet. */
static inline void pktgen_frame_patch(uint8_t *frame, const struct pktgen_template *template,
                                      const struct pktgen_flow *flow,
                                      const struct pktgen_stamp_words *stamp) {
    uint8_t *ip = frame + FTMB_ETHERNET_SIZE, *udp = frame + PKTGEN_UDP_OFFSET;
    ftmb_store16(ip + 10,
                 (uint16_t)~ftmb_checksum_fold((uint64_t) template->ip_sum + flow->address_sum));
    ftmb_store32(ip + 12, flow->source);
    ftmb_store32(ip + 16, flow->destination);
    ftmb_store16(udp, flow->source_port);
    ftmb_store16(udp + 2, flow->destination_port);
    uint16_t sum = (uint16_t)~ftmb_checksum_fold((uint64_t) template->udp_sum + flow->udp_sum +
                                                 pktgen_stamp_sum(stamp));
    ftmb_store16(udp + 6, sum == 0 ? 0xffffU : sum);
    pktgen_stamp_write(frame + PKTGEN_STAMP_OFFSET, stamp);
}

enum pktgen_verdict {
    PKTGEN_FOREIGN,   /* not one of ours at all */
    PKTGEN_ILLEGIBLE, /* one of ours; the stamp is damaged, and only its magic means anything */
    PKTGEN_CORRUPTED, /* one of ours; the stamp is whole, something else is not as it was sent */
    PKTGEN_WHOLE,
};

/* Reads a received frame. */
enum pktgen_verdict pktgen_frame_read(const uint8_t *frame, uint16_t length,
                                      struct pktgen_stamp *stamp);

/* Turns a whole frame into its answer: everything swapped, sent back to where it came from. */
void pktgen_frame_answer(uint8_t *frame);

#endif
