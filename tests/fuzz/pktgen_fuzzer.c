/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The generator's two ends on a hostile link. A run sends; then its frames, changed ones, forged
 * ones (with the right check for whatever they claim), ARP and noise come in at either end, in any
 * order and as often as the input says. Every frame is counted once and for what it is, answers
 * are the frames that they answer, turned round, and nothing is counted that was never sent.
 */
#include "fuzz_traffic.h"

#include "host/cycles.h"
#include "pktgen/loop.h"

#define PACKETS 48U
#define FLOWS_MAX 8U
#define TRACE_MAX 8U
#define TRACE_ROOM 160U
#define KEPT 32U
#define BINS 4U
#define OPERATIONS_MAX 96U
#define INTERVAL_NS 1000U
#define PAST_NS                                                                                    \
    1000000000ULL /* the run began so long ago: whatever was sent was due before now               \
                   */
#define RUN 7U

static const uint8_t ethernets[2][6] = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};
static const uint16_t sizes[] = {PKTGEN_SIZE_MIN, PKTGEN_SIZE_MIN + 1, 590, PKTGEN_SIZE_MAX};

struct kept {
    uint16_t length;
    uint8_t bytes[FTMB_FRAME_SIZE_MAX];
};

/* One end: its port, what it counts, and how many frames came in at it. */
struct side {
    struct port base; /* first: it is what the end knows */
    const uint8_t *ethernet;
    struct pktgen_end *end;
    struct pktgen_collector collector;
    uint32_t latencies[PACKETS], bins[BINS];
    struct pktgen_flow_counts flows[FLOWS_MAX];
    struct frame arriving[PORT_BURST_MAX];
    uint32_t count, refuse;
    uint64_t delivered;
};

static struct side sides[2]; /* the one that sends, the one that receives */
static struct kept kept[KEPT];
static uint64_t kept_count;
static struct pktgen_sender sender;

static uint32_t side_receive(struct port *base, uint64_t now_ns, struct frame *frames) {
    (void)now_ns;
    struct side *side = (struct side *)base;
    memcpy(frames, side->arriving, side->count * sizeof(*frames));
    return side->count;
}

static void side_receive_done(struct port *base) {
    struct side *side = (struct side *)base;
    for (uint32_t index = 0; index < side->count; index++) {
        free((void *)(uintptr_t)side->arriving[index].bytes);
    }
    side->count = 0;
}

/* Whether one frame is the other one, sent back by the one it came to. */
static bool is_turned(const uint8_t *frame, const uint8_t *other) {
    return memcmp(frame, other + 6, 6) == 0 && memcmp(frame + 6, other, 6) == 0 &&
           memcmp(frame + 26, other + 30, 4) == 0 && memcmp(frame + 30, other + 26, 4) == 0 &&
           memcmp(frame + 34, other + 36, 2) == 0 && memcmp(frame + 36, other + 34, 2) == 0;
}

static bool is_answer(const struct side *side, const struct frame *frame) {
    for (uint32_t index = 0; index < side->count; index++) {
        const struct frame *asked = &side->arriving[index];
        uint32_t behind = PKTGEN_STAMP_OFFSET + 2; /* the magic, which tells the two apart */
        if (asked->length == frame->length && is_turned(asked->bytes, frame->bytes) &&
            memcmp(asked->bytes + behind, frame->bytes + behind, frame->length - behind) == 0) {
            return true;
        }
    }
    return false;
}

/* ARP from its own address, or a whole frame of the run: sent out, or an answer. */
static void check_sent(const struct side *side, const struct frame *frame) {
    struct pktgen_stamp stamp;
    MUST(frame->length >= ARP_FRAME_SIZE && frame->length <= PKTGEN_SIZE_MAX);
    MUST(memcmp(frame->bytes + 6, side->ethernet, 6) == 0);
    if (!resolution_is_arp(frame->bytes, frame->length)) {
        MUST(pktgen_frame_read(frame->bytes, frame->length, &stamp) == PKTGEN_WHOLE);
        MUST(stamp.magic == (side == &sides[0] ? PKTGEN_MAGIC_OUT : PKTGEN_MAGIC_ANSWER));
        MUST(stamp.run == RUN && (side == &sides[0] || is_answer(side, frame)));
    }
}

static uint32_t side_send(struct port *base, const struct frame *frames, uint32_t count) {
    struct side *side = (struct side *)base;
    uint32_t taken = count > side->refuse ? count - side->refuse : 0;
    side->refuse = 0;
    for (uint32_t index = 0; index < taken; index++) {
        if (sender.plan->trace == NULL) {
            check_sent(side, &frames[index]);
        }
        struct kept *place = &kept[kept_count++ % KEPT];
        place->length = frames[index].length;
        memcpy(place->bytes, frames[index].bytes, frames[index].length);
    }
    return taken;
}

static void side_flush(struct port *base) {
    (void)base;
}

static uint64_t side_missed(struct port *base) {
    (void)base;
    return 0;
}

static const struct port_class side_class = {.receive = side_receive,
                                             .receive_done = side_receive_done,
                                             .send = side_send,
                                             .flush = side_flush,
                                             .missed = side_missed};

/* Everything that came in is counted once, and the sums over flows and time are the totals. */
static void check_counts(const struct side *side) {
    const struct pktgen_collector *counted = &side->collector;
    uint64_t received = 0, duplicated = 0, reordered = 0, corrupted = 0, arrived = 0, marked = 0;
    for (uint32_t index = 0; index < counted->flow_count; index++) {
        received += counted->flows[index].received;
        duplicated += counted->flows[index].duplicated;
        reordered += counted->flows[index].reordered;
        corrupted += counted->flows[index].corrupted;
    }
    for (uint32_t index = 0; index < BINS; index++) {
        arrived += counted->bins[index];
    }
    for (uint32_t index = 0; index < PACKETS; index++) {
        MUST(counted->latency_ns[index] == 0 || index < sender.sent);
        marked += counted->latency_ns[index] != 0;
    }
    MUST(received == counted->received && received == marked && received <= sender.sent);
    MUST(duplicated == counted->duplicated && reordered == counted->reordered);
    MUST(corrupted <= counted->corrupted && reordered <= received);
    MUST(arrived >= received && arrived <= received + duplicated);
    uint64_t known = received + duplicated + counted->corrupted + counted->stale +
                     counted->impossible + side->end->foreign;
    if (sender.plan->trace == NULL) {
        MUST(known + side->end->resolution == side->delivered);
        MUST(arrived == received + duplicated);
    } else {
        MUST(counted->impossible == 0);
        MUST(known <= side->delivered && known + side->end->resolution >= side->delivered);
    }
    uint64_t answers = side->end->answered + side->end->answers_unsent;
    MUST(answers == (side->end->answers ? received + duplicated + counted->impossible : 0));
}

static void step(struct side *side) {
    pktgen_end_step(side->end, sender.sent, monotonic_ns());
    check_counts(side);
}

static void deliver(struct side *side, const uint8_t *bytes, uint32_t length) {
    if (length < FTMB_ETHERNET_SIZE || length > FTMB_FRAME_SIZE_MAX) {
        return; /* ports hand over none of these */
    }
    uint8_t *copy = malloc(length);
    memcpy(copy, bytes, length);
    side->arriving[side->count++] = (struct frame){.bytes = copy, .length = (uint16_t)length};
    side->delivered++;
    if (side->count == PORT_BURST_MAX) {
        step(side);
    }
}

/* Lengths, the stamp's check and checksums as the frame's length and content want them. */
static void repair(uint8_t *frame, uint16_t length) {
    if (length >= PKTGEN_SIZE_MIN) {
        struct pktgen_stamp stamp = pktgen_stamp_read(frame + PKTGEN_STAMP_OFFSET);
        struct pktgen_stamp_words words =
            pktgen_stamp_pack(stamp.magic, stamp.run, stamp.flow, stamp.sequence, stamp.due_ns,
                              (uint16_t)(length - PKTGEN_STAMP_OFFSET));
        pktgen_stamp_write(frame + PKTGEN_STAMP_OFFSET, &words);
    }
    fuzz_repair(frame, length);
}

static const struct kept *choose(uint8_t which) {
    return kept_count == 0 ? NULL : &kept[which % (kept_count < KEPT ? kept_count : KEPT)];
}

/* One that left, as it is: it is counted unless it is of the other direction. */
static void deliver_again(struct side *side, const struct kept *frame) {
    struct pktgen_stamp stamp;
    step(side);
    uint64_t before = side->collector.received + side->collector.duplicated +
                      side->collector.impossible + side->end->resolution;
    deliver(side, frame->bytes, frame->length);
    step(side);
    uint64_t after = side->collector.received + side->collector.duplicated +
                     side->collector.impossible + side->end->resolution;
    bool is_counted = memcmp(frame->bytes, side->ethernet, 6) == 0 && side->end->collector != NULL;
    if (is_counted && side->end->trace == NULL) {
        is_counted = pktgen_frame_read(frame->bytes, frame->length, &stamp) == PKTGEN_WHOLE &&
                     stamp.magic == side->end->magic;
    }
    MUST(!is_counted || after > before);
}

/* One byte of it is another: it must not count as arrived. */
static void deliver_changed(struct side *side, const struct kept *frame, struct fuzz_data *data) {
    struct kept changed = *frame;
    uint16_t offset = (uint16_t)(12 + fuzz_take16(data) % (frame->length - 12));
    uint8_t difference = fuzz_take8(data);
    changed.bytes[offset] ^= difference == 0 ? 1 : difference;
    step(side);
    uint64_t before = side->collector.received + side->collector.duplicated;
    deliver(side, changed.bytes, changed.length);
    step(side);
    if (sender.plan->trace == NULL) {
        MUST(side->collector.received + side->collector.duplicated == before);
    }
}

/* Cut, or lengthened by what follows in the input; put right afterwards if so chosen. */
static void deliver_resized(struct side *side, const struct kept *frame, struct fuzz_data *data) {
    struct kept resized = *frame;
    uint16_t choice = fuzz_take16(data);
    size_t length = choice % (FTMB_FRAME_SIZE_MAX + 1U), more = 0;
    if (length > frame->length) {
        more = length - frame->length;
        memset(resized.bytes + frame->length, 0, more);
        const uint8_t *bytes = fuzz_take(data, &more);
        memcpy(resized.bytes + frame->length, bytes, more);
    }
    if ((choice & 0x8000) != 0) {
        repair(resized.bytes, (uint16_t)length);
    }
    deliver(side, resized.bytes, (uint32_t)length);
}

/* Any claim, with everything right about it. */
static void deliver_forged(struct side *side, struct fuzz_data *data) {
    uint8_t bytes[FTMB_FRAME_SIZE_MAX] = {0};
    uint8_t choice = fuzz_take8(data);
    uint16_t length = sizes[choice % 4];
    pktgen_template_write(bytes, length, side->ethernet, side->ethernet);
    length = (choice & 4) != 0 ? FTMB_FRAME_SIZE_MAX - (choice >> 3) : length;
    uint64_t claims = fuzz_take64(data);
    struct pktgen_stamp_words words = pktgen_stamp_pack(
        side->end->magic, (choice & 8) != 0 ? fuzz_take8(data) : RUN, (uint32_t)(claims % 16),
        (uint32_t)(claims >> ((choice & 16) != 0 ? 32 : 58)), claims >> 16 & 0xffffffffffffULL, 0);
    pktgen_stamp_write(bytes + PKTGEN_STAMP_OFFSET, &words);
    repair(bytes, length);
    deliver(side, bytes, length);
}

static void deliver_noise(struct side *side, struct fuzz_data *data, bool is_arp) {
    static const uint8_t right[] = {0x08, 0x06, 0, 1, 8, 0, 6, 4, 0};
    uint8_t bytes[FTMB_FRAME_SIZE_MAX] = {0};
    uint8_t choice = fuzz_take8(data);
    size_t taken = is_arp ? ARP_FRAME_SIZE : (size_t)choice * 8, length = taken;
    const uint8_t *given = fuzz_take(data, &taken);
    memcpy(bytes, given, taken);
    if (is_arp && (choice & 1) != 0) {
        memcpy(bytes + 12, right, sizeof(right));
    } else if (!is_arp && (choice & 1) != 0) {
        memcpy(bytes, side->ethernet, 6);
        fuzz_repair(bytes, (uint16_t)length);
    }
    deliver(side, bytes, (uint32_t)length);
}

static void send_more(struct fuzz_data *data) {
    uint8_t choice = fuzz_take8(data);
    sides[0].refuse = choice >> 5;
    pktgen_sender_step(&sender, &sides[0].base, sender.start_ns + (choice & 31U) * 2 * INTERVAL_NS);
}

static void open_side(struct side *side, uint32_t index, uint64_t start_ns, uint64_t flows) {
    memset(side, 0, sizeof(*side));
    side->base.class = &side_class;
    side->ethernet = ethernets[index];
    side->end = pktgen_end_create(&side->base, side->ethernet);
    MUST(side->end != NULL);
    MUST(pktgen_end_add_address(side->end, 0x0100000aU + (index << 24), 0x00ffffffU) == 0);
    MUST(pktgen_end_add_network(side->end, 0x006433c6U, 0x00ffffffU) == 0);
    side->collector = (struct pktgen_collector){.start_ns = start_ns,
                                                .latency_ns = side->latencies,
                                                .packets_max = PACKETS,
                                                .flows = side->flows,
                                                .flow_count = flows,
                                                .bins = side->bins,
                                                .bin_count = BINS};
    side->end->collector = &side->collector;
    side->end->run = RUN;
    side->end->magic = index == 0 ? PKTGEN_MAGIC_ANSWER : PKTGEN_MAGIC_OUT;
}

/* Frames of a capture: the input's own bytes, put right or not, some the same as the one before. */
static void fill_trace(struct pktgen_trace *trace, struct fuzz_data *data) {
    static uint8_t bytes[TRACE_MAX * TRACE_ROOM];
    static uint64_t offsets[TRACE_MAX];
    static uint16_t lengths[TRACE_MAX];
    static uint32_t flows[TRACE_MAX];
    uint8_t choice = fuzz_take8(data);
    memset(bytes, 0, sizeof(bytes));
    trace->count = 1 + choice % TRACE_MAX;
    trace->patience_ns = (choice & 0x80) != 0 ? 0 : 1ULL << 40;
    for (uint32_t index = 0; index < trace->count; index++) {
        uint8_t *frame = bytes + (size_t)index * TRACE_ROOM;
        size_t length = FTMB_ETHERNET_SIZE + fuzz_take8(data) % (TRACE_ROOM - FTMB_ETHERNET_SIZE);
        uint8_t kind = fuzz_take8(data);
        if ((kind & 1) != 0 && index > 0) {
            length = lengths[index - 1];
            memcpy(frame, frame - TRACE_ROOM, length);
        } else {
            size_t taken = length;
            const uint8_t *given = fuzz_take(data, &taken);
            memcpy(frame, given, taken);
        }
        if ((kind & 2) != 0) {
            fuzz_repair(frame, (uint16_t)length);
        }
        offsets[index] = (uint64_t)index * TRACE_ROOM;
        lengths[index] = (uint16_t)length;
        flows[index] = kind % FLOWS_MAX;
    }
    *trace = (struct pktgen_trace){
        bytes, offsets, lengths, flows, NULL, 0, trace->count, trace->patience_ns, false};
}

static void play(struct fuzz_data *data) {
    for (uint32_t count = 0; count < OPERATIONS_MAX && data->left > 0; count++) {
        uint8_t operation = fuzz_take8(data);
        struct side *side = &sides[(operation & 8) != 0 ? 0 : 1];
        const struct kept *frame = choose(operation >> 4 | (uint8_t)(count & 16));
        side->refuse = (operation & 0xf0) == 0xf0;
        switch (operation & 7) {
        case 0:
        case 1:
            if (frame != NULL) {
                deliver_again(side, frame);
            }
            break;
        case 2:
            if (frame != NULL) {
                deliver_changed(side, frame, data);
            }
            break;
        case 3:
            if (frame != NULL) {
                deliver_resized(side, frame, data);
            }
            break;
        case 4:
            deliver_forged(side, data);
            break;
        case 5:
        case 6:
            deliver_noise(side, data, (operation & 7) == 5);
            break;
        default:
            send_more(data);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct fuzz_data data = {.at = bytes, .left = size};
    struct pktgen_flow flows[FLOWS_MAX];
    struct pktgen_trace trace;
    static const uint8_t order[] = {0, 1, 2, 3};
    uint8_t choice = fuzz_take8(&data);
    uint64_t start_ns = monotonic_ns() - PAST_NS;
    struct pktgen_plan plan = {.flows = flows,
                               .flow_count = 1 + choice % FLOWS_MAX,
                               .size_count = 4,
                               .size_order = order,
                               .size_order_count = 1 + (choice >> 3) % 4,
                               .packets = PACKETS,
                               .interval_q32 = (uint64_t)INTERVAL_NS << 32,
                               .span_ns = PACKETS * INTERVAL_NS,
                               .overtime_ns = PAST_NS,
                               .run = RUN};
    memcpy(plan.sizes, sizes, sizeof(sizes));
    memcpy(plan.source_ethernet, ethernets[0], 6);
    memcpy(plan.next_hop_ethernet, ethernets[1], 6);
    for (uint32_t index = 0; index < FLOWS_MAX; index++) {
        flows[index] = (struct pktgen_flow){.number = index,
                                            .source = 0x0a000002U,
                                            .destination = 0xc6336402U,
                                            .source_port = (uint16_t)(1024 + index),
                                            .destination_port = 9};
    }
    pktgen_flows_prepare(flows, FLOWS_MAX);
    struct pktgen_trace_index *index = NULL;
    bool is_trace = (choice & 0x80) != 0;
    if (is_trace) {
        fill_trace(&trace, &data);
        plan.trace = &trace;
        index = pktgen_trace_index_create(&trace, plan.interval_q32);
        MUST(index != NULL);
    }
    MUST(pktgen_sender_init(&sender, &plan) == 0);
    pktgen_sender_start(&sender, start_ns);
    kept_count = 0;
    for (uint32_t side = 0; side < 2; side++) {
        open_side(&sides[side], side, start_ns, is_trace ? FLOWS_MAX : plan.flow_count);
    }
    sides[1].end->answers = !is_trace && (choice & 0x40) != 0;
    sides[1].end->trace = index;
    if (is_trace) {
        sides[0].end->collector = NULL; /* as a run without answers has it */
    }
    play(&data);
    for (uint32_t side = 0; side < 2; side++) {
        step(&sides[side]);
        pktgen_end_destroy(sides[side].end);
    }
    pktgen_trace_index_destroy(index);
    pktgen_sender_release(&sender);
    return 0;
}
