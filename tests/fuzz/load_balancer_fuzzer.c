/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The load balancer under any traffic of both versions of IP, with commands among it. What leaves
 * to the servers is for a backend of ours, what leaves to the clients is from a virtual address;
 * a packet's length stays; the way back of what went to a backend is steered to the same worker and
 * finds its client; connections are counted as they are; and the standby's state is the master's.
 *
 * The element is also called without the runtime, with each frame in a heap block of its own, so
 * that a read beyond a frame is seen (in a log it would be another packet's bytes).
 */
#include "fuzz_traffic.h"

#include "load_balancer/balancer_state.h"

extern const struct ftmb_element_class load_balancer_class;

#define CLIENTS 0U
#define SERVERS 1U
#define BATCHES_MAX 48U
#define FRAME_SIZE 256U
#define WORKERS 7U /* to steer to */
#define HASH 0x80000001U

static struct balancer_config config;

/* Of the traffic that all fuzzers share, too: 198.51.100.7 is whom its hosts talk to. */
static const char *const services[] = {"tcp 198.51.100.7:80", "udp 198.51.100.7:53",
                                       "tcp [2001:db8::7]:80", "udp [2001:db8::7]:53"};
static const char *const backends[] = {"10.0.0.1", "10.0.0.2", "[2001:db8:1::1]",
                                       "[2001:db8:1::2]"};

static void write_line(char *text, size_t size, uint32_t service, uint32_t backend) {
    snprintf(text, size, "%s %s:%u", services[service], backends[(service & 2U) + (backend & 1U)],
             8000 + 2 * service + backend / 2);
}

static void fill_config(uint8_t choices) {
    char text[FTMB_COMMAND_SIZE_MAX];
    element_config_init(&load_balancer_class, &config);
    config.clients = CLIENTS;
    config.servers = SERVERS;
    config.algorithm = choices & 1U;
    config.backends_max = 3;
    config.table_size = 13;
    config.connections_max = 16;
    config.udp_ns = config.tcp_closing_ns = config.tcp_transitory_ns = 1000000000;
    config.tcp_established_ns = 2000000000;
    for (uint32_t service = 0; service < 4; service++) {
        element_config_set_text(&load_balancer_class, &config, "services", services[service]);
    }
    for (uint32_t which = 0; which < 8; which++) {
        write_line(text, sizeof(text), which / 2, which & 1U);
        element_config_set_text(&load_balancer_class, &config, "backends", text);
    }
}

static bool is_of_service(const struct balancer_address *address) {
    return balancer_has_address(&config, address);
}

/* Backends stand at 10.0.0.0/24 and 2001:db8:1::/112, and no virtual address does. */
static bool is_of_backend(const struct balancer_address *address) {
    const uint8_t *bytes = address->bytes;
    return balancer_is_ipv4(address) ? bytes[12] == 10 : ftmb_load32(bytes + 4) == 0x00010000;
}

static void check_frame(uint32_t port_out, const uint8_t *bytes, uint16_t length) {
    struct balancer_view view;
    bool to_servers = port_out == SERVERS;
    enum balancer_reason reason =
        balancer_parse(&config, bytes, length, to_servers ? CLIENTS : SERVERS, true, &view);
    if (reason == BALANCER_ICMP_UNSUPPORTED) { /* an answer to a ping */
        MUST(port_out == CLIENTS);
        return;
    }
    MUST(reason == BALANCER_PASS);
    if (view.kind == BALANCER_KIND_TRANSPORT || view.kind == BALANCER_KIND_ERROR) {
        MUST(to_servers ? is_of_backend(&view.peer.address) : is_of_service(&view.peer.address));
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
    MUST(pipeline_add(&pipeline, &load_balancer_class, &config) == 0);
    fuzz_box_open(&box, &pipeline, workers, on_sent);
    box.user = &traffic;
    fuzz_traffic_play(&traffic, &box, data);
    fuzz_box_close(&box);
}

/* ---- Frames of both versions ---- */

static uint32_t write_addresses(uint8_t *network, bool is_ipv6, uint32_t client, bool is_back,
                                uint32_t backend) {
    struct balancer_line line;
    char text[FTMB_COMMAND_SIZE_MAX], error[128];
    struct balancer_address ours = config.services[is_ipv6 ? 2 : 0].address;
    struct balancer_address other = ours;
    other.bytes[15] = (uint8_t)(100 + client % 5U);
    if (is_back) {
        write_line(text, sizeof(text), is_ipv6 ? 2 : 0, backend);
        MUST(balancer_read_line(&config, text, &line, error, sizeof(error)) == 0);
        ours = line.backend.address;
    }
    uint32_t size = is_ipv6 ? 16 : 4;
    uint8_t *at = network + (is_ipv6 ? 8 : 12);
    memcpy(at, (is_back ? &ours : &other)->bytes + 16 - size, size);
    memcpy(at + size, (is_back ? &other : &ours)->bytes + 16 - size, size);
    return is_ipv6 ? 40 : 20;
}

/* Lengths and checksums as they must be, where the headers are where they seem to be. */
static void repair(uint8_t *frame, uint16_t length) {
    uint8_t *network = frame + FTMB_ETHERNET_SIZE;
    bool is_ipv6 = ftmb_load16(frame + 12) == FTMB_ETHER_TYPE_IPV6;
    if (!is_ipv6) {
        fuzz_repair(frame, length);
        return;
    }
    uint16_t size = (uint16_t)(length - FTMB_ETHERNET_SIZE - FTMB_IPV6_SIZE);
    network[0] = 0x60;
    ftmb_store16(network + 4, size);
    if (network[6] == FTMB_PROTOCOL_UDP) {
        ftmb_store16(network + FTMB_IPV6_SIZE + 4, size);
    } else if (network[6] == FTMB_PROTOCOL_ICMPV6) {
        ftmb_store16(network + FTMB_IPV6_SIZE + 2, 0);
        uint64_t sum = (uint64_t)ftmb_checksum_sum(network + 8, 32) + size + FTMB_PROTOCOL_ICMPV6 +
                       ftmb_checksum_sum(network + FTMB_IPV6_SIZE, size);
        ftmb_store16(network + FTMB_IPV6_SIZE + 2, (uint16_t)~ftmb_checksum_fold(sum));
    }
}

/* TCP, UDP or ICMP between a client and a service, or back from a backend; 120 bytes. */
static uint16_t make_frame(struct fuzz_data *data, uint8_t *frame, bool *is_back) {
    uint8_t shape = fuzz_take8(data);
    uint8_t who = fuzz_take8(data);
    bool is_ipv6 = (shape & 1) != 0;
    bool is_tcp = (shape & 2) != 0;
    bool is_icmp = (shape & 12) == 12;
    uint8_t *network = frame + FTMB_ETHERNET_SIZE;
    *is_back = (shape & 16) != 0;
    memset(frame, 0, 120);
    ftmb_store16(frame + 12, is_ipv6 ? FTMB_ETHER_TYPE_IPV6 : FTMB_ETHER_TYPE_IPV4);
    network[is_ipv6 ? 7 : 8] = who & 64 ? 1 : 64;
    network[is_ipv6 ? 6 : 9] = is_icmp  ? (is_ipv6 ? FTMB_PROTOCOL_ICMPV6 : FTMB_PROTOCOL_ICMP)
                               : is_tcp ? FTMB_PROTOCOL_TCP
                                        : FTMB_PROTOCOL_UDP;
    network[0] = 0x45;
    uint8_t *transport = network + write_addresses(network, is_ipv6, who, *is_back, who >> 3 & 1U);
    size_t taken = 20;
    const uint8_t *bytes = fuzz_take(data, &taken);
    memcpy(transport, bytes, taken);
    uint32_t service = (is_ipv6 ? 2U : 0U) + (is_tcp ? 0U : 1U);
    uint16_t port = *is_back ? (uint16_t)(8000 + 2 * service) : is_tcp ? 80 : 53;
    if (!is_icmp) {
        ftmb_store16(transport + (*is_back ? 2 : 0), (uint16_t)(4000 + (who & 3)));
        ftmb_store16(transport + (*is_back ? 0 : 2), port);
        transport[12] = is_tcp ? 0x50 : transport[12];
    }
    repair(frame, 120);
    return 120;
}

/* ---- The element alone ---- */

/* An error about a frame that just passed goes to its worker too, and so does its way back. */
static void check_steering(const struct ftmb_packet *packet) {
    uint32_t worker =
        balancer_steer(&config, WORKERS, packet->data, packet->length, packet->port_in, HASH);
    MUST(worker < WORKERS);
}

static void check_way_back(const struct ftmb_packet *packet, const uint8_t *before) {
    struct balancer_view view;
    uint8_t back[FRAME_SIZE];
    if (packet->port_out != SERVERS || ftmb_load16(before + 12) != FTMB_ETHER_TYPE_IPV4 ||
        balancer_parse(&config, packet->data, packet->length, CLIENTS, true, &view) !=
            BALANCER_PASS ||
        view.kind != BALANCER_KIND_TRANSPORT) {
        return;
    }
    memcpy(back, packet->data, packet->length);
    fuzz_turn_round(back, packet->length);
    MUST(balancer_steer(&config, WORKERS, back, packet->length, SERVERS, HASH) ==
         balancer_steer(&config, WORKERS, before, packet->length, CLIENTS, HASH));
}

static void run_packet(struct worker *worker, struct fuzz_data *data) {
    uint8_t bytes[FRAME_SIZE];
    bool is_back = false;
    uint8_t operation = fuzz_take8(data);
    uint16_t length;
    if ((operation & 3) == 0) { /* anything */
        size_t taken = fuzz_take8(data);
        memcpy(bytes, fuzz_take(data, &taken), taken);
        length = (uint16_t)taken;
        is_back = (operation & 4) != 0;
    } else {
        length = make_frame(data, bytes, &is_back);
        if ((operation & 3) == 1) {
            bytes[fuzz_take8(data) % length] ^= fuzz_take8(data);
        }
    }
    struct ftmb_packet packet = {.data = malloc(length == 0 ? 1 : length),
                                 .length = length,
                                 .time_ns = worker->context.now_ns,
                                 .port_in = is_back ? SERVERS : CLIENTS,
                                 .port_out = FTMB_PORT_NONE};
    struct ftmb_packet *batch[1] = {&packet};
    memcpy(packet.data, bytes, length);
    check_steering(&packet);
    load_balancer_class.process(&worker->context, batch, 1);
    MUST(packet.length == length);
    if (packet.port_out != FTMB_PORT_NONE) {
        check_frame(packet.port_out, packet.data, packet.length);
        check_way_back(&packet, bytes);
    }
    free(packet.data);
}

static void run_command(struct worker *worker, struct fuzz_data *data) {
    static const char *const names[] = {"add", "drain", "remove", "add"};
    char text[FTMB_COMMAND_SIZE_MAX] = {0}, line[200], error[128];
    uint8_t which = fuzz_take8(data);
    if ((which & 0x80) != 0) {
        size_t taken = which & 0x7fU;
        memcpy(text, fuzz_take(data, &taken), taken);
    } else {
        write_line(line, sizeof(line), which >> 2 & 3U, which >> 4 & 3U);
        snprintf(text, sizeof(text), "%s %s", names[which & 3U], line);
    }
    load_balancer_class.check_command(&config, text, error, sizeof(error));
    load_balancer_class.command(&worker->context, text);
}

/* Each connection is counted where it is, and only there; nothing is held or left to do. */
static void check_counts(const struct worker *worker) {
    struct balancer_state *state = worker->context.state;
    const struct balancer_connection *connections = balancer_connections(state);
    uint8_t used[16] = {0};
    uint32_t counted[16] = {0};
    free_list_mark_used(&state->pool, connections, used);
    for (uint32_t index = 0; index < config.connections_max; index++) {
        const struct balancer_connection *connection = &connections[index];
        if (used[index] &&
            balancer_backends(state)[connection->backend].generation == connection->generation) {
            counted[connection->backend]++;
        }
    }
    for (uint32_t place = 0; place < state->places; place++) {
        MUST(balancer_backends(state)[place].connections == counted[place]);
        MUST(balancer_backends(state)[place].ended == 0);
    }
    MUST(state->held == 0 && state->changed == 0 && state->settling_count == 0);
}

static void run_bare(struct fuzz_data *data) {
    static struct pipeline pipeline;
    static struct fuzz_box box;
    pipeline = (struct pipeline){0};
    MUST(pipeline_add(&pipeline, &load_balancer_class, &config) == 0);
    fuzz_box_open_without_replicas(&box, &pipeline, 1, on_sent);
    fuzz_replica_open(&box, &box.master, 1);
    struct worker *worker = &box.master.process->workers[0];
    const struct arena_header *header = arena_header(worker->arena);
    worker->mode = WORKER_UNLOGGED;
    worker->context.config = &config;
    worker->context.shared = arena_at(worker->arena, header->element_shared[0]);
    worker->context.state = arena_at(worker->arena, header->element_state[0][0]);
    worker->context.now_ns = box.now_ns;
    for (uint32_t batch = 0; batch < BATCHES_MAX && data->left > 0; batch++) {
        uint8_t shape = fuzz_take8(data);
        if ((shape & 0x40) != 0) {
            worker->context.now_ns += 1ULL << (shape % 34);
            load_balancer_class.tick(&worker->context);
        } else if ((shape & 0x38) == 0) {
            run_command(worker, data);
        } else {
            run_packet(worker, data);
        }
        check_counts(worker);
    }
    fuzz_replica_close(&box.master);
    fuzz_box_free(&box);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct fuzz_data data = {.at = bytes, .left = size};
    uint8_t choices = fuzz_take8(&data);
    fill_config(choices);
    if ((choices & 0x80) == 0) {
        run_bare(&data);
    } else {
        run_box(&data, 1 + (choices >> 6 & 1));
    }
    return 0;
}
