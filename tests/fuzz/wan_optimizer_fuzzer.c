/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A WAN optimizer whose line leads back to itself: what it sends to the WAN comes in from there,
 * lost, repeated, out of order or damaged, and frames of any bytes beside it. Whatever payload it
 * hands to the LAN is one that came in raw, nothing encoded ever goes there, no frame grows, and
 * the standby's state is the master's.
 *
 * The wire format is also read and written without the runtime, with each frame in a heap block of
 * its own, so that a read or write beyond a frame is seen.
 */
#include "fuzz_traffic.h"

#include "wan_optimizer/wan_state.h"

extern const struct ftmb_element_class wan_optimizer_class;

#define LAN 0U
#define WAN 1U
#define OPERATIONS_MAX 96U
#define ON_LINE_MAX 64U /* frames on the line */
#define KNOWN_MAX 4096U
#define FAILOVERS_MAX 2U
#define PAYLOAD_MAX 1400U

struct line {
    uint16_t lengths[ON_LINE_MAX];
    uint8_t frames[ON_LINE_MAX][FTMB_FRAME_SIZE_MAX];
    uint32_t count;
};

static struct wan_config config;
static struct line line;
static uint64_t known[KNOWN_MAX]; /* digests of payloads that came in raw */
static uint32_t known_count;

static void fill_config(uint8_t choices) {
    element_config_init(&wan_optimizer_class, &config);
    element_config_set_text(&wan_optimizer_class, &config, "key",
                            "00112233445566778899aabbccddeeff");
    config.lan = LAN;
    config.wan = WAN;
    config.cache_kib = 64;
    config.payload_min = 48;
    config.settle_ms = (choices & 2) != 0 ? 5 : 0;
    line.count = 0;
    known_count = 0;
}

/* 0: no payload that is kept. */
static uint64_t digest_of(const uint8_t *bytes, uint16_t length) {
    struct wan_view view;
    wan_parse(bytes, length, config.payload_min, &view);
    return view.content != WAN_RAW
               ? 0
               : wan_digest_of(config.key, bytes + view.payload, view.length).id;
}

static void arrive(struct fuzz_box *box, uint32_t port, const uint8_t *bytes, uint16_t length) {
    if (fuzz_box_arrive(box, port, bytes, length) && known_count < KNOWN_MAX) {
        known[known_count++] = digest_of(bytes, length);
    }
}

static void check_delivered(const struct frame *frame) {
    struct wan_view view;
    wan_parse(frame->bytes, frame->length, config.payload_min, &view);
    MUST(view.content == WAN_RAW || view.content == WAN_LEFT_ALONE);
    uint64_t digest = digest_of(frame->bytes, frame->length);
    bool is_known = digest == 0 || known_count == KNOWN_MAX;
    for (uint32_t index = 0; index < known_count && !is_known; index++) {
        is_known = known[index] == digest;
    }
    MUST(is_known);
}

static void on_sent(struct fuzz_box *box, uint32_t port, const struct frame *frame) {
    (void)box;
    if (port == LAN) {
        check_delivered(frame);
    } else if (line.count < ON_LINE_MAX) {
        line.lengths[line.count] = frame->length;
        memcpy(line.frames[line.count++], frame->bytes, frame->length);
    }
}

/* Pieces of a few blocks, and bytes of the input. */
static uint32_t make_payload(struct fuzz_data *data, uint8_t *payload) {
    uint32_t length = 0;
    for (uint32_t pieces = 1 + fuzz_take8(data) % 4U; pieces > 0; pieces--) {
        uint8_t block = fuzz_take8(data);
        uint32_t size = 1 + fuzz_take8(data) * 3U;
        size = size > PAYLOAD_MAX - length ? PAYLOAD_MAX - length : size;
        if ((block & 0x80) != 0) {
            size_t taken = size;
            memcpy(payload + length, fuzz_take(data, &taken), taken);
            size = (uint32_t)taken;
        }
        uint32_t start = (block & 0x70U) * 2;
        for (uint32_t at = 0; (block & 0x80) == 0 && at < size; at++) {
            uint64_t place = (at + start) / 8 + (block & 7U) * 1000;
            payload[length + at] = (uint8_t)((place * 0x9e3779b97f4a7c15ULL) >> (at % 8 * 8));
        }
        length += size;
    }
    return length;
}

static uint16_t make_frame(struct fuzz_data *data, uint8_t *frame) {
    uint8_t kind = fuzz_take8(data);
    uint8_t payload[PAYLOAD_MAX];
    uint32_t length = make_payload(data, payload);
    bool is_tcp = (kind & 1) != 0, is_six = (kind & 2) != 0;
    uint32_t transport = FTMB_ETHERNET_SIZE + (is_six ? FTMB_IPV6_SIZE : FTMB_IPV4_SIZE_MIN);
    uint32_t start = transport + (is_tcp ? FTMB_TCP_SIZE_MIN : FTMB_UDP_SIZE);
    memset(frame, 0, start);
    memcpy(frame + start, payload, length);
    uint8_t *header = frame + FTMB_ETHERNET_SIZE;
    uint16_t size = (uint16_t)(start + length - transport);
    ftmb_store16(frame + 12, is_six ? FTMB_ETHER_TYPE_IPV6 : FTMB_ETHER_TYPE_IPV4);
    header[is_six ? 6 : 9] = is_tcp ? FTMB_PROTOCOL_TCP : FTMB_PROTOCOL_UDP;
    header[is_six ? 7 : 8] = kind;
    frame[transport + 1] = kind >> 6; /* the flow */
    if (is_tcp) {
        frame[transport + 12] = 0x50;
    } else {
        ftmb_store16(frame + transport + 4, size);
    }
    if (is_six) {
        header[0] = 0x60;
        ftmb_store16(header + 4, size);
    } else {
        header[0] = 0x45;
        fuzz_repair(frame, (uint16_t)(start + length));
    }
    return (uint16_t)(start + length);
}

static void arrive_any(struct fuzz_box *box, struct fuzz_data *data, uint32_t port) {
    uint8_t bytes[FTMB_FRAME_SIZE_MAX] = {0};
    size_t length = fuzz_take8(data);
    size_t taken = length;
    memcpy(bytes, fuzz_take(data, &taken), taken);
    if ((length & 1) != 0) {
        fuzz_repair(bytes, (uint16_t)length);
    }
    arrive(box, port, bytes, (uint16_t)length);
}

/* The line hands over what is on it, one frame after the other or the last first. */
static void run_line(struct fuzz_box *box, struct fuzz_data *data) {
    static struct line taken;
    taken = line;
    line.count = 0;
    bool is_backwards = (fuzz_take8(data) & 1) != 0;
    for (uint32_t index = 0; index < taken.count; index++) {
        uint32_t place = is_backwards ? taken.count - 1 - index : index;
        uint8_t fate = fuzz_take8(data);
        uint8_t *bytes = taken.frames[place];
        uint16_t length = taken.lengths[place];
        if ((fate & 7) == 1 || length == 0) {
            continue;
        }
        if ((fate & 7) == 2) {
            bytes[fuzz_take16(data) % length] ^= (uint8_t)(1U << (fate >> 5));
        }
        if ((fate & 7) == 3) {
            length = (uint16_t)(fuzz_take16(data) % length);
        }
        for (uint32_t times = (fate & 7) == 4 ? 2 : 1; times > 0; times--) {
            arrive(box, WAN, bytes, length);
        }
    }
    fuzz_box_round(box);
}

static void play(struct fuzz_box *box, struct fuzz_data *data) {
    uint32_t failovers = 0;
    for (uint32_t count = 0; count < OPERATIONS_MAX && data->left > 0; count++) {
        uint8_t frame[FTMB_FRAME_SIZE_MAX];
        uint8_t operation = fuzz_take8(data);
        switch (operation & 7) {
        case 0:
        case 1:
        case 2: {
            uint16_t length = make_frame(data, frame);
            arrive(box, (operation & 0x70) == 0x70 ? WAN : LAN, frame, length);
            break;
        }
        case 3:
            arrive_any(box, data, operation >> 7);
            break;
        case 4:
            fuzz_box_round(box);
            break;
        case 5:
            fuzz_box_round(box);
            run_line(box, data);
            break;
        case 6:
            box->now_ns += 1ULL << (fuzz_take8(data) % 32);
            break;
        default:
            if (failovers++ < FAILOVERS_MAX) {
                fuzz_box_fail_over(box);
            }
        }
    }
    fuzz_box_round(box);
}

static void run_box(struct fuzz_data *data, uint32_t workers) {
    static struct pipeline pipeline;
    static struct fuzz_box box;
    pipeline = (struct pipeline){0};
    MUST(pipeline_add(&pipeline, &wan_optimizer_class, &config) == 0);
    fuzz_box_open(&box, &pipeline, workers, on_sent);
    play(&box, data);
    fuzz_box_close(&box);
}

/* Reads a frame, and its tokens into a block of just the length that they are for. */
static void read_frame(const uint8_t *frame, uint16_t length) {
    struct wan_view view;
    struct wan_reference references[WAN_REFERENCES_MAX];
    wan_parse(frame, length, config.payload_min, &view);
    if (view.content == WAN_LEFT_ALONE || view.content == WAN_UNREADABLE ||
        view.content == WAN_OTHER_VERSION) {
        return;
    }
    MUST(view.end <= length && view.payload <= view.end && view.transport < view.payload);
    MUST(view.length > 0 && view.payload + view.length <= FTMB_FRAME_SIZE_MAX);
    if (view.content != WAN_SPECIAL || view.kind != WAN_ENCODED) {
        return;
    }
    uint8_t *payload = malloc(view.length);
    int count = wan_read_tokens(frame, &view, payload, references);
    for (int index = 0; index < count; index++) {
        MUST((uint32_t)references[index].target + references[index].length <= view.length);
    }
    free(payload);
}

/* Tokens of any references are read as they were written. */
static void write_and_read(struct fuzz_data *data, uint8_t *frame, uint16_t length) {
    struct wan_view view;
    struct wan_reference written[WAN_REFERENCES_MAX], read[WAN_REFERENCES_MAX];
    uint8_t tokens[FTMB_FRAME_SIZE_MAX], payload[FTMB_FRAME_SIZE_MAX];
    wan_parse(frame, length, config.payload_min, &view);
    if (view.content != WAN_RAW || view.length <= WAN_SHIM_SIZE) {
        return;
    }
    uint32_t count = 0, done = 0;
    for (; count < WAN_REFERENCES_MAX && done + 320 < view.length; count++) {
        written[count] = (struct wan_reference){.id = fuzz_take64(data),
                                                .place = fuzz_take16(data),
                                                .target = (uint16_t)(done + fuzz_take8(data) % 64),
                                                .length = (uint16_t)(1 + fuzz_take8(data))};
        done = (uint32_t)written[count].target + written[count].length;
    }
    uint32_t size = wan_write_tokens(tokens, view.length - WAN_SHIM_SIZE, frame + view.payload,
                                     view.length, written, count);
    if (size == 0) {
        return;
    }
    uint16_t end = (uint16_t)(view.payload + WAN_SHIM_SIZE + size);
    uint8_t *encoded = malloc(end);
    memcpy(encoded, frame, view.payload);
    wan_write_shim(encoded, &view, WAN_ENCODED, 7);
    memcpy(encoded + view.payload + WAN_SHIM_SIZE, tokens, size);
    wan_mark(encoded, &view, true, end);
    struct wan_view again;
    wan_parse(encoded, end, config.payload_min, &again);
    MUST(again.content == WAN_SPECIAL && again.length == view.length && again.generation == 7);
    MUST(wan_read_tokens(encoded, &again, payload, read) == (int)count);
    for (uint32_t index = 0; index < count; index++) {
        MUST(read[index].id == written[index].id && read[index].place == written[index].place);
        MUST(read[index].target == written[index].target);
        MUST(read[index].length == written[index].length);
    }
    free(encoded);
}

static void run_bare(struct fuzz_data *data) {
    uint8_t bytes[FTMB_FRAME_SIZE_MAX];
    for (uint32_t count = 0; count < 8 && data->left > 0; count++) {
        uint8_t operation = fuzz_take8(data);
        uint16_t length = make_frame(data, bytes);
        if ((operation & 1) != 0) { /* its payload is taken for a shim */
            bool is_six = ftmb_load16(bytes + 12) == FTMB_ETHER_TYPE_IPV6;
            uint8_t *protocol = bytes + FTMB_ETHERNET_SIZE + (is_six ? 6 : 9);
            *protocol = *protocol == FTMB_PROTOCOL_TCP ? FTMB_PROTOCOL_ENCODED_TCP
                                                       : FTMB_PROTOCOL_ENCODED_UDP;
        }
        if ((operation & 2) != 0) {
            bytes[fuzz_take16(data) % length] ^= fuzz_take8(data);
        }
        if ((operation & 4) != 0) {
            length = (uint16_t)(fuzz_take16(data) % (length + 1U));
        }
        uint8_t *frame = malloc(length == 0 ? 1 : length);
        memcpy(frame, bytes, length);
        read_frame(frame, length);
        write_and_read(data, frame, length);
        free(frame);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct fuzz_data data = {.at = bytes, .left = size};
    uint8_t choices = fuzz_take8(&data);
    fill_config(choices);
    if ((choices & 0x80) != 0) {
        run_bare(&data);
    } else {
        run_box(&data, 1 + (choices & 1U));
    }
    return 0;
}
