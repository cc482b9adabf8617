/* SPDX-License-Identifier: BSD-3-Clause */
#include "pktgen/frame.h"

#define TIME_TO_LIVE 64U
#define DONT_FRAGMENT 0x4000U

/* Bytes that follow a stamp; no two places of it are alike enough for a shift to go unnoticed. */
static uint8_t filler[PKTGEN_SIZE_MAX];

__attribute__((constructor)) static void write_filler(void) {
    uint64_t state = 0x9e3779b97f4a7c15ULL;
    for (size_t index = 0; index < sizeof(filler); index++) {
        state = state * 6364136223846793005ULL + 1442695040888963407ULL;
        filler[index] = (uint8_t)(state >> 56);
    }
}

void pktgen_flows_prepare(struct pktgen_flow *flows, uint64_t count) {
    for (struct pktgen_flow *flow = flows; flow < flows + count; flow++) {
        flow->address_sum = ftmb_checksum_fold((uint64_t)flow->source + flow->destination);
        flow->udp_sum = ftmb_checksum_fold((uint64_t)flow->address_sum + flow->source_port +
                                           flow->destination_port);
    }
}

struct pktgen_template pktgen_template_write(uint8_t *frame, uint16_t size, const uint8_t *source,
                                             const uint8_t *destination) {
    uint8_t *ip = frame + FTMB_ETHERNET_SIZE, *udp = frame + PKTGEN_UDP_OFFSET;
    uint16_t udp_length = (uint16_t)(size - PKTGEN_UDP_OFFSET);
    memset(frame, 0, PKTGEN_HEAD_SIZE);
    memcpy(frame, destination, 6);
    memcpy(frame + 6, source, 6);
    ftmb_store16(frame + 12, FTMB_ETHER_TYPE_IPV4);
    ip[0] = 0x45;
    ftmb_store16(ip + 2, (uint16_t)(size - FTMB_ETHERNET_SIZE));
    ftmb_store16(ip + 6, DONT_FRAGMENT);
    ip[8] = TIME_TO_LIVE;
    ip[9] = FTMB_PROTOCOL_UDP;
    ftmb_store16(udp + 4, udp_length);
    memcpy(frame + PKTGEN_HEAD_SIZE, filler, size - PKTGEN_HEAD_SIZE);
    uint64_t udp_sum = FTMB_PROTOCOL_UDP + 2ULL * udp_length; /* pseudo header and header */
    udp_sum += ftmb_checksum_sum(filler, size - PKTGEN_HEAD_SIZE);
    return (struct pktgen_template){.size = size,
                                    .ip_sum = ftmb_checksum_sum(ip, FTMB_IPV4_SIZE_MIN),
                                    .udp_sum = ftmb_checksum_fold(udp_sum)};
}

static bool is_udp_checksum_right(const uint8_t *frame, uint16_t udp_length) {
    const uint8_t *udp = frame + PKTGEN_UDP_OFFSET;
    if (ftmb_load16(udp + 6) == 0) {
        return false; /* it was sent with one */
    }
    uint64_t sum = FTMB_PROTOCOL_UDP + (uint64_t)udp_length;
    sum += ftmb_checksum_sum(frame + FTMB_ETHERNET_SIZE + 12, 8U + udp_length);
    return ftmb_checksum_fold(sum) == 0xffffU;
}

enum pktgen_verdict pktgen_frame_read(const uint8_t *frame, uint16_t length,
                                      struct pktgen_stamp *stamp) {
    const uint8_t *ip = frame + FTMB_ETHERNET_SIZE;
    if (length < PKTGEN_SIZE_MIN || ftmb_load16(frame + 12) != FTMB_ETHER_TYPE_IPV4 ||
        ip[0] != 0x45 || ip[9] != FTMB_PROTOCOL_UDP) {
        return PKTGEN_FOREIGN;
    }
    *stamp = pktgen_stamp_read(frame + PKTGEN_STAMP_OFFSET);
    if (stamp->magic != PKTGEN_MAGIC_OUT && stamp->magic != PKTGEN_MAGIC_ANSWER) {
        return PKTGEN_FOREIGN;
    }
    uint16_t udp_length = ftmb_load16(frame + PKTGEN_UDP_OFFSET + 4);
    if (!pktgen_stamp_is_whole(stamp, (uint16_t)(length - PKTGEN_STAMP_OFFSET))) {
        return PKTGEN_ILLEGIBLE;
    }
    bool is_whole = length <= PKTGEN_SIZE_MAX && /* the filler is no longer */
                    ftmb_load16(ip + 2) == length - FTMB_ETHERNET_SIZE &&
                    udp_length == length - PKTGEN_UDP_OFFSET &&
                    memcmp(frame + PKTGEN_HEAD_SIZE, filler, length - PKTGEN_HEAD_SIZE) == 0 &&
                    ftmb_checksum_sum(ip, FTMB_IPV4_SIZE_MIN) == 0xffffU &&
                    is_udp_checksum_right(frame, udp_length);
    return is_whole ? PKTGEN_WHOLE : PKTGEN_CORRUPTED;
}

static void swap(uint8_t *one, uint8_t *other, size_t size) {
    uint8_t kept[6];
    memcpy(kept, one, size);
    memcpy(one, other, size);
    memcpy(other, kept, size);
}

void pktgen_frame_answer(uint8_t *frame) {
    uint8_t *ip = frame + FTMB_ETHERNET_SIZE, *udp = frame + PKTGEN_UDP_OFFSET;
    swap(frame, frame + 6, 6);
    swap(ip + 12, ip + 16, 4);
    swap(udp, udp + 2, 2);
    ftmb_store16(frame + PKTGEN_STAMP_OFFSET, PKTGEN_MAGIC_ANSWER);
    ftmb_checksum_apply_udp(udp + 6, ftmb_checksum_delta16(PKTGEN_MAGIC_OUT, PKTGEN_MAGIC_ANSWER));
}
