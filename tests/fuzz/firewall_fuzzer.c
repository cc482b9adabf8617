/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The firewall under any traffic of both versions of IP. Only the trusted side may begin here, so
 * nothing leaves to it that does not belong to what left to the other side before; what leaves is
 * what came, byte for byte; both directions are steered to one worker; and the standby's state is
 * the master's.
 *
 * The element is also called without the runtime, with each frame in a heap block of its own, so
 * that a read beyond a frame is seen (in a log it would be another packet's bytes).
 */
#include "fuzz_traffic.h"

#include "firewall/firewall_flow.h"
#include "input_logger/steering.h"

extern const struct ftmb_element_class firewall_class;

#define TRUSTED 0U
#define UNTRUSTED 1U
#define BATCHES_MAX 24U
#define KEYS_MAX 512U

static struct firewall_config config;

/* Whatever left to the untrusted side: what may be answered. */
static struct firewall_key keys[KEYS_MAX];
static uint32_t key_count;

static void fill_config(uint8_t choices) {
    if (config.rule_count == 0) {
        element_config_init(&firewall_class, &config);
        config.trusted = TRUSTED;
        config.untrusted = UNTRUSTED;
        config.flows_max = 16;
        config.pending_max = 5;
        config.udp_ns = config.icmp_ns = config.other_ns = config.pending_ns = 2000000000;
        config.tcp_established_ns = 4000000000;
        config.tcp_transitory_ns = config.tcp_closing_ns = 1000000000;
        element_config_set_text(&firewall_class, &config, "rules", "drop tcp any -> any port 25");
        element_config_set_text(&firewall_class, &config, "rules",
                                "drop any 10.0.9.0/24,2001:db8:9::/48 -> any");
        element_config_set_text(&firewall_class, &config, "rules", "allow any");
    }
    config.policy = choices % 3U;
    config.passes_neighbours = choices >> 2 & 1;
    config.check_checksum = choices >> 3 & 1;
    key_count = 0;
}

static bool is_equal(const struct firewall_key *one, const struct firewall_key *other) {
    return memcmp(&one->trusted, &other->trusted, sizeof(one->trusted)) == 0 &&
           memcmp(&one->untrusted, &other->untrusted, sizeof(one->untrusted)) == 0 &&
           one->ports == other->ports && one->protocol == other->protocol;
}

static bool was_asked_for(const struct firewall_key *key) {
    for (uint32_t index = 0; index < key_count; index++) {
        if (is_equal(&keys[index], key)) {
            return true;
        }
    }
    return key_count == KEYS_MAX; /* more than are kept */
}

static void check_frame(uint32_t port_out, const uint8_t *bytes, uint16_t length) {
    struct firewall_view view;
    uint8_t port_in = port_out == TRUSTED ? UNTRUSTED : TRUSTED;
    MUST(firewall_parse(&config, bytes, length, port_in, &view) == FIREWALL_PASS);
    bool has_flow = view.kind == FIREWALL_KIND_FLOW || view.kind == FIREWALL_KIND_ERROR;
    MUST(has_flow || port_out == UNTRUSTED || view.kind == FIREWALL_KIND_NEIGHBOUR);
    if (!has_flow) {
        return;
    }
    if (port_out == TRUSTED || view.kind == FIREWALL_KIND_ERROR) {
        MUST(was_asked_for(&view.key));
    } else if (key_count < KEYS_MAX) {
        keys[key_count++] = view.key;
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
    MUST(pipeline_add(&pipeline, &firewall_class, &config) == 0);
    fuzz_box_open(&box, &pipeline, workers, on_sent);
    box.user = &traffic;
    fuzz_traffic_play(&traffic, &box, data);
    fuzz_box_close(&box);
}

/* Puts version, length and, of ICMPv6, the checksum of an IPv6 frame right. */
static void repair6(uint8_t *frame, uint16_t length) {
    struct ftmb_ip ip;
    if (length < FTMB_ETHERNET_SIZE + FTMB_IPV6_SIZE) {
        return;
    }
    uint8_t *header = frame + FTMB_ETHERNET_SIZE;
    uint16_t size = (uint16_t)(length - FTMB_ETHERNET_SIZE - FTMB_IPV6_SIZE);
    ftmb_store16(frame + 12, FTMB_ETHER_TYPE_IPV6);
    header[0] = 0x60;
    ftmb_store16(header + 4, size);
    if (ftmb_parse_ipv6(frame, length, &ip) != FTMB_IP_WHOLE || ip.end < ip.transport + 8U) {
        return;
    }
    uint8_t *transport = frame + ip.transport;
    size = (uint16_t)(ip.end - ip.transport);
    if (ip.protocol == FTMB_PROTOCOL_UDP) {
        ftmb_store16(transport + 4, size);
    } else if (ip.protocol == FTMB_PROTOCOL_ICMPV6) {
        ftmb_store16(transport + 2, 0);
        uint64_t sum = (uint64_t)ftmb_checksum_sum(header + 8, 32) + size + ip.protocol +
                       ftmb_checksum_sum(transport, size);
        ftmb_store16(transport + 2, (uint16_t)~ftmb_checksum_fold(sum));
    }
}

/* The way back of an IPv6 frame without extensions; of any other its own. */
static void turn_round6(uint8_t *frame, uint16_t length) {
    uint8_t kept[16];
    uint8_t *header = frame + FTMB_ETHERNET_SIZE;
    if (length < FTMB_ETHERNET_SIZE + FTMB_IPV6_SIZE + 8U ||
        ftmb_load16(frame + 12) != FTMB_ETHER_TYPE_IPV6) {
        return;
    }
    memcpy(kept, header + 8, 16);
    memcpy(header + 8, header + 24, 16);
    memcpy(header + 24, kept, 16);
    if (header[6] == FTMB_PROTOCOL_ICMPV6) {
        header[40] ^= header[40] >= 128; /* question and reply */
    } else {
        memcpy(kept, header + 40, 2);
        memcpy(header + 40, header + 42, 2);
        memcpy(header + 42, kept, 2);
    }
    repair6(frame, length);
}

/* A frame in a block of its own size: of the input, or the way back of the one before. */
static void make_packet(struct fuzz_data *data, struct ftmb_packet *packet,
                        const struct ftmb_packet *before) {
    uint8_t operation = fuzz_take8(data);
    uint8_t bytes[256] = {0};
    size_t length = before == NULL || (operation & 8) == 0 ? fuzz_take8(data) : before->length;
    if (before != NULL && (operation & 8) != 0) {
        memcpy(bytes, before->data, length);
        turn_round6(bytes, (uint16_t)length);
        if (ftmb_load16(bytes + 12) == FTMB_ETHER_TYPE_IPV4) {
            fuzz_turn_round(bytes, (uint16_t)length);
            fuzz_repair(bytes, (uint16_t)length);
        }
    } else {
        size_t taken = length;
        memcpy(bytes, fuzz_take(data, &taken), taken);
        if ((operation & 6) == 2) {
            fuzz_repair(bytes, (uint16_t)length);
        } else if ((operation & 6) != 0) {
            repair6(bytes, (uint16_t)length);
        }
    }
    *packet = (struct ftmb_packet){.data = malloc(length == 0 ? 1 : length),
                                   .length = (uint16_t)length,
                                   .port_in = operation >> 7,
                                   .port_out = FTMB_PORT_NONE};
    memcpy(packet->data, bytes, length);
}

/* Whatever passes and has a flow goes to the worker to which its way back goes. */
static void check_steering(const struct ftmb_packet *packet) {
    uint32_t hash = steering_hash(packet->data, packet->length);
    struct firewall_view view;
    uint8_t bytes[256];
    if (firewall_parse(&config, packet->data, packet->length, packet->port_in, &view) !=
            FIREWALL_PASS ||
        view.kind != FIREWALL_KIND_FLOW || view.version != 6 ||
        packet->data[FTMB_ETHERNET_SIZE + 6U] != FTMB_PROTOCOL_UDP) {
        return;
    }
    memcpy(bytes, packet->data, packet->length);
    turn_round6(bytes, packet->length);
    MUST(steering_hash(bytes, packet->length) == hash);
}

static void run_batch(struct worker *worker, struct fuzz_data *data, uint32_t count) {
    struct ftmb_packet packets[FTMB_BURST_MAX], *batch[FTMB_BURST_MAX];
    uint8_t before[FTMB_BURST_MAX][256];
    for (uint32_t index = 0; index < count; index++) {
        make_packet(data, &packets[index], index == 0 ? NULL : &packets[index - 1]);
        memcpy(before[index], packets[index].data, packets[index].length);
        packets[index].time_ns = worker->context.now_ns;
        batch[index] = &packets[index];
        check_steering(&packets[index]);
    }
    firewall_class.process(&worker->context, batch, count);
    for (uint32_t index = 0; index < count; index++) {
        uint8_t port = packets[index].port_out;
        MUST(memcmp(before[index], packets[index].data, packets[index].length) == 0);
        if (port != FTMB_PORT_NONE) {
            MUST(port == (packets[index].port_in ^ 1U));
            check_frame(port, packets[index].data, packets[index].length);
        }
    }
    for (uint32_t index = 0; index < count; index++) {
        free(packets[index].data);
    }
}

/* The element alone, on a worker that is in no record. */
static void run_bare(struct fuzz_data *data) {
    static struct pipeline pipeline;
    static struct fuzz_box box;
    pipeline = (struct pipeline){0};
    MUST(pipeline_add(&pipeline, &firewall_class, &config) == 0);
    fuzz_box_open_without_replicas(&box, &pipeline, 1, on_sent);
    fuzz_replica_open(&box, &box.master, 1);
    struct worker *worker = &box.master.process->workers[0];
    const struct arena_header *header = arena_header(worker->arena);
    worker->context.config = &config;
    worker->context.state = arena_at(worker->arena, header->element_state[0][0]);
    worker->context.now_ns = box.now_ns;
    for (uint32_t batch = 0; batch < BATCHES_MAX && data->left > 0; batch++) {
        uint8_t shape = fuzz_take8(data);
        if ((shape & 0x40) != 0) {
            worker->context.now_ns += 1ULL << (shape % 41);
            firewall_class.tick(&worker->context);
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
    if ((choices & 0x80) != 0) {
        run_bare(&data);
    } else {
        run_box(&data, 1 + (choices >> 6 & 1));
    }
    return 0;
}
