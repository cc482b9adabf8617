/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ids, in two ways. Under any traffic, with failovers: the standby's state is the
 * master's, and its packets and alerts are. And its streams alone: a text finds the same
 * parts however it is cut, and what is known of a stream between two pieces is the same bytes in
 * two scanners that did different things before.
 */
#include "fuzz_traffic.h"

#include "ids/ids_config.h"
#include "ids/ids_engine.h"

extern const struct ftmb_element_class ids_class;

#define ALERTS 1U /* a port of the box: lines are told from frames by their beginning */
#define PIECES_MAX 64U
#define MEMORY_MAX 8192U

static const char *const rules[] = {
    "alert tcp any any -> any any (content:\"abc\"; content:\"de\"; distance:1; within:9; sid:1;)",
    "alert ip any any -> any any (content:\"a\"; content:!\"b\"; content:\"|00|\"; sid:2;)",
    "alert tcp any any -> any any (pcre:\"/x[yz]+\\x00{2,5}q/is\"; sid:3;)",
    "alert tcp any any -> any any (content:\"q\"; offset:3; depth:40; sid:4;)",
    "drop udp any any -> any any (content:\"drop\"; sid:5;)",
    "pass tcp any any -> any any (content:\"friend\"; sid:6;)",
    "alert tcp any any -> any any (content:\"s\"; flowbits:set,s; flowbits:noalert; sid:7;)",
    "alert ip any any -> any any (content:\"t\"; flowbits:isset,s; sid:8;)",
    "alert ip any any -> any any (content:\"n\"; detection_filter:track by_src, count 2, seconds "
    "2; "
    "sid:9;)",
    "alert icmp any any -> any any (itype:<9; sid:10;)",
    "alert tcp any any -> any any (flags:+S; sid:11;)",
    "alert ip any any -> any any (sid:12;)",
    "alert tcp any any -> any any (content:\"e\"; content:!\"|0a|\"; within:7; sid:13;)",
    "alert tcp any any -> any any (content:\"end\"; endswith; sid:14;)",
    "alert tcp any any -> any any (pcre:\"/end$/\"; sid:15;)",
};

static struct ids_config config;

static void fill_config(uint8_t choices) {
    if (config.rules == NULL) {
        element_config_init(&ids_class, &config);
        config.outside = 1;
        config.alerts = ALERTS;
        for (uint32_t index = 0; index < sizeof(rules) / sizeof(rules[0]); index++) {
            element_config_set_text(&ids_class, &config, "rules", rules[index]);
        }
        config.flows_max = 16;
        config.thresholds_max = 1024;
        config.alerts_max = 16;
    }
    config.blocks_max = (choices & 4) != 0 ? 16 : 256;
    config.stream_depth = (choices & 8) != 0 ? 200 : 0;
    config.reorder_max = (choices & 16) != 0 ? 100 : 1U << 16;
    config.picks_up = choices >> 5 & 1;
    config.fragments = choices >> 6 & 1;
    config.check_checksum = (choices & 2) == 0;
}

/* ---- Traffic ---- */

static void on_sent(struct fuzz_box *box, uint32_t port, const struct frame *frame) {
    static const char beginning[] = "\"event_type\":\"alert\",";
    bool is_line = port == ALERTS && frame->length > 8 + sizeof(beginning) &&
                   memcmp(frame->bytes + 8, beginning, sizeof(beginning) - 1) == 0;
    if (is_line) { /* or a frame that looks like one: the fuzzer has found out */
        return;
    }
    fuzz_traffic_keep(box->user, port, frame);
}

static void run_box(struct fuzz_data *data, uint32_t workers) {
    static struct pipeline pipeline;
    static struct fuzz_traffic traffic;
    static struct fuzz_box box;
    pipeline = (struct pipeline){0};
    memset(&traffic, 0, sizeof(traffic));
    MUST(pipeline_add(&pipeline, &ids_class, &config) == 0);
    fuzz_box_open(&box, &pipeline, workers, on_sent);
    box.user = &traffic;
    fuzz_traffic_play(&traffic, &box, data);
    fuzz_box_close(&box);
}

/* ---- Streams ---- */

static void note_found(const struct ids_found *found, bool *seen) {
    for (uint32_t index = 0; index < found->count; index++) {
        seen[found->list[index]] = true;
    }
}

static uint32_t take_piece(struct fuzz_data *cuts, size_t left) {
    uint32_t size = 1 + fuzz_take8(cuts) % 40U;
    return size < left ? size : (uint32_t)left;
}

static void run_streams(struct fuzz_data *data) {
    static struct ids_scanner *whole, *one, *other;
    const struct ids_engine *engine;
    bool seen[64] = {false};
    bool expected[64] = {false};
    uint8_t memory[MEMORY_MAX];
    uint32_t memory_size = 0;
    MUST(ids_engine_get(config.rules, &engine) == 0 && config.rules->part_count <= 64);
    if (whole == NULL) {
        MUST(ids_scanner_create(config.rules, engine, &whole) == 0 &&
             ids_scanner_create(config.rules, engine, &one) == 0 &&
             ids_scanner_create(config.rules, engine, &other) == 0);
    }
    size_t cut_size = data->left / 8;
    struct fuzz_data cuts = {.at = fuzz_take(data, &cut_size), .left = cut_size};
    const uint8_t *text = data->at;
    size_t left = data->left;
    ids_scanner_begin(whole);
    ids_stream_load(whole, IDS_TO_SERVER, NULL, 0);
    ids_stream_scan(whole, IDS_TO_SERVER, text, (uint32_t)left, false);
    ids_stream_end(whole, IDS_TO_SERVER, false);
    note_found(&whole->stream, expected);
    for (uint32_t piece = 0; piece < PIECES_MAX && left > 0; piece++) {
        uint32_t size = piece + 1 == PIECES_MAX ? (uint32_t)left : take_piece(&cuts, left);
        ids_packet_scan_alone(other, IDS_TO_SERVER, data->at, size); /* what it did before */
        ids_scanner_begin(one);
        ids_scanner_begin(other);
        ids_stream_load(one, IDS_TO_SERVER, memory, memory_size);
        ids_stream_load(other, IDS_TO_SERVER, memory, memory_size);
        ids_stream_scan(one, IDS_TO_SERVER, text, size, false);
        ids_stream_scan(other, IDS_TO_SERVER, text, size, false);
        note_found(&one->stream, seen);
        memory_size = ids_stream_pack(one, IDS_TO_SERVER);
        MUST(memory_size == ids_stream_pack(other, IDS_TO_SERVER) && memory_size <= MEMORY_MAX);
        MUST(memcmp(one->memory, other->memory, memory_size) == 0);
        memcpy(memory, one->memory, memory_size);
        text += size;
        left -= size;
    }
    ids_scanner_begin(one);
    ids_stream_load(one, IDS_TO_SERVER, memory, memory_size);
    ids_stream_end(one, IDS_TO_SERVER, false);
    note_found(&one->stream, seen);
    MUST(memcmp(seen, expected, sizeof(seen)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct fuzz_data data = {.at = bytes, .left = size};
    uint8_t choices = fuzz_take8(&data);
    fill_config(choices);
    if ((choices & 0x80) != 0) {
        run_streams(&data);
    } else {
        run_box(&data, 1 + (choices & 1));
    }
    return 0;
}
