/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Forward, monitor and limiter, alone and one after the other, under any traffic. Every frame that
 * came by a known port leaves once, or is counted as dropped; the shared tables are the same in
 * master and standby, whatever the order in which two workers touched them.
 */
#include "fuzz_traffic.h"

static void on_sent(struct fuzz_box *box, uint32_t port, const struct frame *frame) {
    MUST(port < FUZZ_PORTS);
    MUST(frame->length <= FTMB_FRAME_SIZE_MAX);
    fuzz_traffic_keep(box->user, port, frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static struct pipeline pipeline;
    static struct fuzz_traffic traffic;
    static struct fuzz_box box;
    struct fuzz_data data = {.at = bytes, .left = size};
    uint8_t choices = fuzz_take8(&data);
    pipeline = (struct pipeline){0};
    if ((choices & 16) != 0) {
        fuzz_add_limiter(&pipeline);
    }
    if ((choices & 1) == 0) {
        fuzz_add_forward(&pipeline);
    }
    if ((choices & 3) != 0) {
        fuzz_add_monitor(&pipeline, (choices & 4) != 0, (choices & 8) != 0);
    }
    memset(&traffic, 0, sizeof(traffic));
    fuzz_box_open(&box, &pipeline, 1 + (choices >> 7), on_sent);
    box.user = &traffic;
    fuzz_traffic_play(&traffic, &box, &data);
    uint64_t dropped = 0;
    for (uint32_t worker = 0; worker < box.workers; worker++) {
        dropped += atomic_load(&box.input.queues[worker].dropped);
    }
    MUST(box.left + dropped + fuzz_box_drops(&box) == box.arrived);
    fuzz_box_close(&box);
    return 0;
}
