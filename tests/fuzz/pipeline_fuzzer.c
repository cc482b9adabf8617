/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Forward and monitor, alone and one after the other, under any traffic. Every frame that came by
 * a known port leaves once, unchanged but for the monitor's stamp; the shared tables are the same
 * in master and standby, whatever the order in which two workers touched them.
 */
#include "fuzz_traffic.h"

extern const struct ftmb_element_class forward_class, monitor_class;

/* As in the elements' own files, which show their configuration to nobody. */
struct forward_config {
    uint8_t first, second;
};
struct monitor_config {
    uint8_t first, second;
    uint8_t stamp;
    uint32_t hosts_max;
};

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
    struct forward_config forward = {.first = 0, .second = 1};
    struct monitor_config monitor = {.first = 0, .second = 1, .hosts_max = 1024};
    struct fuzz_data data = {.at = bytes, .left = size};
    uint8_t choices = fuzz_take8(&data);
    monitor.stamp = choices >> 2 & 1;
    pipeline = (struct pipeline){0};
    if ((choices & 1) == 0) {
        MUST(pipeline_add(&pipeline, &forward_class, &forward) == 0);
    }
    if ((choices & 3) != 0) {
        MUST(pipeline_add(&pipeline, &monitor_class, &monitor) == 0);
    }
    memset(&traffic, 0, sizeof(traffic));
    fuzz_box_open(&box, &pipeline, 1 + (choices >> 7), on_sent);
    box.user = &traffic;
    fuzz_traffic_play(&traffic, &box, &data);
    uint64_t dropped = 0;
    for (uint32_t worker = 0; worker < box.workers; worker++) {
        dropped += atomic_load(&box.input.queues[worker].dropped);
    }
    MUST(box.left + dropped == box.arrived);
    fuzz_box_close(&box);
    return 0;
}
