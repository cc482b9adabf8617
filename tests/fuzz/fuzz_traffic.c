/* SPDX-License-Identifier: BSD-3-Clause */
#include "fuzz_traffic.h"

#include "ftmb_packet.h"
#include "log/input_record.h"

#define ETHERNET_SIZE FTMB_ETHERNET_SIZE
#define IP_SIZE FTMB_IPV4_SIZE_MIN
#define FAILOVERS_MAX 3U

enum operation {
    RAW_FRAME,
    RAW_FRAMES_AND_ROUND,
    REPAIRED_FRAME,
    REPAIRED_FRAME_AND_ROUND,
    ANSWER,
    ERROR_ABOUT,
    TIME_PASSES,
    FAIL_OVER,
};

void fuzz_traffic_keep(struct fuzz_traffic *traffic, uint32_t port, const struct frame *frame) {
    struct fuzz_sent_frame *sent = &traffic->sent[traffic->sent_count++ % FUZZ_SENT_KEPT];
    sent->port = port;
    sent->length = frame->length;
    memcpy(sent->bytes, frame->bytes, frame->length);
}

static void repair_transport(uint8_t *transport, uint16_t size, const uint8_t *ip) {
    uint8_t protocol = ip[9];
    uint32_t at = protocol == FTMB_PROTOCOL_ICMP                ? 2
                  : protocol == FTMB_PROTOCOL_UDP               ? 6
                  : protocol == FTMB_PROTOCOL_TCP && size >= 20 ? 16
                                                                : 0;
    if (size < 8 || at == 0) {
        return;
    }
    if (protocol == FTMB_PROTOCOL_UDP) {
        ftmb_store16(transport + 4, size);
    }
    ftmb_store16(transport + at, 0);
    uint64_t sum = ftmb_checksum_sum(transport, size);
    if (protocol != FTMB_PROTOCOL_ICMP) {
        sum += (uint64_t)ftmb_checksum_sum(ip + 12, 8) + protocol + size;
    }
    ftmb_store16(transport + at, (uint16_t)~ftmb_checksum_fold(sum));
}

void fuzz_repair(uint8_t *frame, uint16_t length) {
    if (length < ETHERNET_SIZE + IP_SIZE) {
        return;
    }
    uint8_t *ip = frame + ETHERNET_SIZE;
    uint16_t size = (uint16_t)(length - ETHERNET_SIZE);
    uint16_t header = (uint16_t)((ip[0] & 0x0f) * 4);
    ftmb_store16(frame + 12, FTMB_ETHER_TYPE_IPV4);
    header = header < IP_SIZE || header > size ? IP_SIZE : header;
    ip[0] = (uint8_t)(0x40 | header / 4);
    ftmb_store16(ip + 2, size);
    ftmb_store16(ip + 6, 0);
    repair_transport(ip + header, (uint16_t)(size - header), ip);
    ftmb_store16(ip + 10, 0);
    ftmb_store16(ip + 10, (uint16_t)~ftmb_checksum_sum(ip, header));
}

static void swap(uint8_t *first, uint8_t *second, uint32_t size) {
    for (uint32_t index = 0; index < size; index++) {
        uint8_t kept = first[index];
        first[index] = second[index];
        second[index] = kept;
    }
}

uint16_t fuzz_turn_round(uint8_t *frame, uint16_t length) {
    if (length < ETHERNET_SIZE + IP_SIZE) {
        return length;
    }
    uint8_t *ip = frame + ETHERNET_SIZE;
    uint32_t header = (ip[0] & 0x0fU) * 4;
    swap(ip + 12, ip + 16, 4);
    if (length < ETHERNET_SIZE + header + 8) {
        return length;
    }
    if (ip[9] == FTMB_PROTOCOL_ICMP) {
        ip[header] = ip[header] == 8 ? 0 : ip[header];
    } else {
        swap(ip + header, ip + header + 2, 2);
    }
    return length;
}

uint16_t fuzz_error_about(const uint8_t *frame, uint16_t length, uint8_t type, uint8_t *error) {
    uint16_t quoted = length < ETHERNET_SIZE + 48 ? length : ETHERNET_SIZE + 48;
    if (quoted < ETHERNET_SIZE + IP_SIZE) {
        return 0;
    }
    quoted = (uint16_t)(quoted - ETHERNET_SIZE);
    memset(error, 0, ETHERNET_SIZE + IP_SIZE + FTMB_ICMP_SIZE);
    uint8_t *ip = error + ETHERNET_SIZE;
    ip[0] = 0x45;
    ip[8] = 64;
    ip[9] = FTMB_PROTOCOL_ICMP;
    ftmb_store32(ip + 12, 0xc0a80901); /* a router on the way */
    memcpy(ip + 16, frame + ETHERNET_SIZE + 12, 4);
    ip[IP_SIZE] = type;
    memcpy(ip + IP_SIZE + FTMB_ICMP_SIZE, frame + ETHERNET_SIZE, quoted);
    uint16_t total = (uint16_t)(ETHERNET_SIZE + IP_SIZE + FTMB_ICMP_SIZE + quoted);
    fuzz_repair(error, total);
    return total;
}

/* A frame of the input's own bytes; most are of the length that a byte says, some are long. */
static void arrive(struct fuzz_box *box, struct fuzz_data *data, uint32_t port, bool is_repaired) {
    uint8_t bytes[FTMB_FRAME_SIZE_MAX] = {0};
    size_t length = fuzz_take8(data);
    if (length == 255) {
        length = fuzz_take16(data) % (FTMB_FRAME_SIZE_MAX + 1);
    }
    size_t taken = length;
    const uint8_t *given = fuzz_take(data, &taken);
    memcpy(bytes, given, taken);
    if (is_repaired) {
        fuzz_repair(bytes, (uint16_t)length);
    }
    fuzz_box_arrive(box, port, bytes, (uint16_t)length);
}

/* What comes back, where the frame went out; one byte of it may be changed. */
static void answer(struct fuzz_traffic *traffic, struct fuzz_box *box, struct fuzz_data *data,
                   bool is_error) {
    if (traffic->sent_count == 0) {
        return;
    }
    uint8_t which = fuzz_take8(data);
    uint8_t type = fuzz_take8(data);
    uint64_t back =
        which % (traffic->sent_count < FUZZ_SENT_KEPT ? traffic->sent_count : FUZZ_SENT_KEPT);
    const struct fuzz_sent_frame *sent =
        &traffic->sent[(traffic->sent_count - 1 - back) % FUZZ_SENT_KEPT];
    uint8_t bytes[FTMB_FRAME_SIZE_MAX + 64];
    uint16_t length = sent->length;
    memcpy(bytes, sent->bytes, length);
    if (is_error) {
        length = fuzz_error_about(sent->bytes, length, type, bytes);
    } else {
        length = fuzz_turn_round(bytes, length);
        if ((type & 0x80) != 0 && length > 0) { /* flags, a port, a length: anything */
            bytes[fuzz_take16(data) % length] ^= type;
            fuzz_repair(bytes, length);
        }
    }
    fuzz_box_arrive(box, sent->port, bytes, length);
}

static void play_one(struct fuzz_traffic *traffic, struct fuzz_box *box, struct fuzz_data *data) {
    uint8_t operation = fuzz_take8(data);
    uint32_t port = operation >> 7;
    switch ((enum operation)(operation & 7)) {
    case RAW_FRAME:
        arrive(box, data, port, false);
        return;
    case RAW_FRAMES_AND_ROUND:
        arrive(box, data, port, false);
        break;
    case REPAIRED_FRAME:
        arrive(box, data, port, true);
        return;
    case REPAIRED_FRAME_AND_ROUND:
        arrive(box, data, port, true);
        break;
    case ANSWER:
        answer(traffic, box, data, false);
        break;
    case ERROR_ABOUT:
        answer(traffic, box, data, true);
        break;
    case TIME_PASSES:
        box->now_ns += 1ULL << (fuzz_take8(data) % 42);
        break;
    case FAIL_OVER:
        if (traffic->failovers++ < FAILOVERS_MAX) {
            box->ports[port].refuse = operation >> 3 & 7;
            fuzz_box_fail_over(box);
        }
        break;
    }
    fuzz_box_round(box);
}

void fuzz_traffic_play(struct fuzz_traffic *traffic, struct fuzz_box *box, struct fuzz_data *data) {
    for (uint32_t count = 0; count < FUZZ_OPERATIONS_MAX && data->left > 0; count++) {
        play_one(traffic, box, data);
    }
    fuzz_box_round(box);
    box->now_ns += INPUT_TICK_INTERVAL_NS;
    fuzz_box_round(box);
}
