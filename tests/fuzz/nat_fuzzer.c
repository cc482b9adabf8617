/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The NAT under any traffic. What leaves by the outside port has an external source; what leaves
 * by the inside port is not for an external address; no header leaves with a checksum that is
 * wrong; a frame is never longer than what came; and the standby's state is the master's.
 *
 * The element is also called without the runtime, with each frame in a heap block of its own, so
 * that a read or write beyond a frame is seen (in a log it would be another packet's bytes).
 */
#include "fuzz_traffic.h"

#include "ftmb_packet.h"
#include "nat/nat.h"

extern const struct ftmb_element_class nat_class;

#define INSIDE 0U
#define OUTSIDE 1U
#define BATCHES_MAX 24U

static struct nat_config config;

static void fill_config(uint8_t choices) {
    memset(&config, 0, sizeof(config));
    config.inside = INSIDE;
    config.outside = OUTSIDE;
    config.filtering = choices % 3U;
    config.inbound_refresh = choices >> 2 & 1;
    config.check_checksum = 1;
    config.sessions_max = 16;
    config.port_first = 5000;
    config.port_last = (choices & 8) != 0 ? 5007 : 5063;
    config.icmp_errors_max = 4;
    config.udp_ns = config.icmp_ns = 2000000000;
    config.tcp_established_ns = 4000000000;
    config.tcp_transitory_ns = 1000000000;
    element_config_set_text(&nat_class, &config, "external", "198.51.100.0/31");
    element_config_set_text(&nat_class, &config, "external", "203.0.113.9");
    element_config_set_text(&nat_class, &config, "static", "tcp 198.51.100.1:80 -> 10.0.0.5:8080");
    element_config_set_text(&nat_class, &config, "static", "udp 203.0.113.9:53 -> 10.0.0.6:53");
    element_config_set_text(&nat_class, &config, "inside_address", "10.0.0.1");
    char error[64];
    MUST(nat_check(&config, 2, error, sizeof(error)) == 0);
}

static void check_frame(uint32_t port, const uint8_t *bytes, uint16_t length) {
    struct ftmb_ip ip;
    MUST(ftmb_parse_ipv4(bytes, length, &ip) == FTMB_IP_WHOLE);
    const uint8_t *header = bytes + ip.network;
    MUST(ftmb_checksum_sum(header, (size_t)ip.transport - ip.network) == 0xffffU);
    uint32_t source = ftmb_load32(header + 12);
    uint32_t destination = ftmb_load32(header + 16);
    if (port == OUTSIDE) {
        MUST(nat_external_index(&config, source) != NAT_NONE);
    } else {
        MUST(nat_external_index(&config, destination) == NAT_NONE);
    }
}

static void on_sent(struct fuzz_box *box, uint32_t port, const struct frame *frame) {
    check_frame(port, frame->bytes, frame->length);
    fuzz_traffic_keep(box->user, port, frame);
}

static void run_box(struct fuzz_data *data, uint32_t workers) {
    static struct pipeline pipeline;
    static struct fuzz_traffic traffic;
    static struct fuzz_box box;
    pipeline = (struct pipeline){0};
    memset(&traffic, 0, sizeof(traffic));
    MUST(pipeline_add(&pipeline, &nat_class, &config) == 0);
    fuzz_box_open(&box, &pipeline, workers, on_sent);
    box.user = &traffic;
    fuzz_traffic_play(&traffic, &box, data);
    fuzz_box_close(&box);
}

/* A frame in a block of its own size. */
static void make_packet(struct fuzz_data *data, struct ftmb_packet *packet) {
    uint8_t operation = fuzz_take8(data);
    size_t length = fuzz_take8(data);
    size_t taken = length;
    const uint8_t *given = fuzz_take(data, &taken);
    uint8_t *bytes = calloc(1, length + 1);
    memcpy(bytes, given, taken);
    if ((operation & 2) != 0) {
        fuzz_repair(bytes, (uint16_t)length);
    }
    *packet = (struct ftmb_packet){.data = malloc(length == 0 ? 1 : length),
                                   .length = (uint16_t)length,
                                   .port_in = operation >> 7,
                                   .port_out = FTMB_PORT_NONE,
                                   .is_again = (operation & 4) != 0};
    memcpy(packet->data, bytes, length);
    free(bytes);
}

static void run_batch(struct worker *worker, struct fuzz_data *data, uint32_t count) {
    struct ftmb_packet packets[FTMB_BURST_MAX], *batch[FTMB_BURST_MAX];
    uint16_t lengths[FTMB_BURST_MAX];
    for (uint32_t index = 0; index < count; index++) {
        make_packet(data, &packets[index]);
        packets[index].time_ns = worker->context.now_ns;
        lengths[index] = packets[index].length;
        batch[index] = &packets[index];
        uint32_t chosen = nat_class.steer(&config, worker->context.workers, packets[index].data,
                                          lengths[index], packets[index].port_in, 0x80000001U);
        MUST(chosen < worker->context.workers);
    }
    nat_class.process(&worker->context, batch, count);
    for (uint32_t index = 0; index < count; index++) {
        uint8_t port = packets[index].port_out;
        MUST(packets[index].length <= lengths[index]);
        if (port == INSIDE || port == OUTSIDE) {
            check_frame(port, packets[index].data, packets[index].length);
        } else {
            MUST(port == FTMB_PORT_NONE || port == (FTMB_PORT_AGAIN | OUTSIDE));
        }
        free(packets[index].data);
    }
}

/* The element alone, on a worker that is in no record: what it emits goes to scratch memory. */
static void run_bare(struct fuzz_data *data, uint32_t workers) {
    static struct pipeline pipeline;
    static struct fuzz_box box;
    pipeline = (struct pipeline){0};
    MUST(pipeline_add(&pipeline, &nat_class, &config) == 0);
    fuzz_box_open_without_replicas(&box, &pipeline, workers, on_sent);
    fuzz_replica_open(&box, &box.master, 1);
    struct worker *worker = &box.master.process->workers[0];
    const struct arena_header *header = arena_header(worker->arena);
    worker->context.config = &config;
    worker->context.state = arena_at(worker->arena, header->element_state[0][0]);
    worker->context.now_ns = box.now_ns;
    for (uint32_t batch = 0; batch < BATCHES_MAX && data->left > 0; batch++) {
        worker->builder.start = worker->scratch;
        worker->builder.offset = OUTPUT_RECORD_HEADER_SIZE;
        worker->builder.slot_count = worker->builder.emitted_count = 0;
        uint8_t shape = fuzz_take8(data);
        if ((shape & 0x40) != 0) {
            worker->context.now_ns += 1ULL << (shape % 41);
            nat_class.tick(&worker->context);
        }
        run_batch(worker, data, 1 + shape % 4U);
    }
    fuzz_replica_close(&box.master);
    fuzz_box_free(&box);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct fuzz_data data = {.at = bytes, .left = size};
    uint8_t choices = fuzz_take8(&data);
    fill_config(choices);
    uint32_t workers = 1 + (choices >> 6 & 1);
    if ((choices & 0x80) != 0) {
        run_bare(&data, workers);
    } else {
        run_box(&data, workers);
    }
    return 0;
}
