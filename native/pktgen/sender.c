/* SPDX-License-Identifier: BSD-3-Clause */
#include "pktgen/sender.h"

#include <errno.h>
#include <stdlib.h>

#define FRAME_ROOM 1536U

static uint8_t *frame_at(const struct pktgen_sender *sender, uint32_t template, uint32_t slot) {
    return sender->frames + ((size_t) template * PKTGEN_SEND_BURST + slot) * FRAME_ROOM;
}

int pktgen_sender_init(struct pktgen_sender *sender, const struct pktgen_plan *plan) {
    memset(sender, 0, sizeof(*sender));
    sender->plan = plan;
    memcpy(sender->next_hop_ethernet, plan->next_hop_ethernet, 6);
    if (plan->trace != NULL) {
        return 0;
    }
    sender->frames = aligned_alloc(64, (size_t)plan->size_count * PKTGEN_SEND_BURST * FRAME_ROOM);
    if (sender->frames == NULL) {
        return -ENOMEM;
    }
    for (uint32_t index = 0; index < plan->size_count; index++) {
        for (uint32_t slot = 0; slot < PKTGEN_SEND_BURST; slot++) {
            sender->templates[index] =
                pktgen_template_write(frame_at(sender, index, slot), plan->sizes[index],
                                      plan->source_ethernet, plan->next_hop_ethernet);
        }
    }
    return 0;
}

void pktgen_sender_release(struct pktgen_sender *sender) {
    free(sender->frames);
    sender->frames = NULL;
}

/* When packet `index` is due, since the start: exact to the last nanosecond of any run. */
static uint64_t due_of(const struct pktgen_plan *plan, uint64_t index) {
    return (uint64_t)(((unsigned __int128)plan->interval_q32 * index) >> 32);
}

/* The same for the packet that is built next. */
static uint64_t due_of_next(const struct pktgen_sender *sender) {
    const struct pktgen_plan *plan = sender->plan;
    return plan->trace == NULL ? due_of(plan, sender->built)
                               : pktgen_trace_due(plan->trace, plan->interval_q32, sender->round,
                                                  sender->next_frame);
}

void pktgen_sender_start(struct pktgen_sender *sender, uint64_t start_ns) {
    const struct pktgen_plan *plan = sender->plan;
    sender->start_ns = start_ns;
    sender->deadline_ns = start_ns + plan->span_ns + plan->overtime_ns;
    sender->due_ns = due_of_next(sender);
}

static void take_from_trace(struct pktgen_sender *sender, uint32_t slot) {
    const struct pktgen_plan *plan = sender->plan;
    const struct pktgen_trace *trace = plan->trace;
    uint32_t frame = sender->next_frame++;
    uint8_t *bytes = trace->bytes + trace->offsets[frame];
    if (!trace->keep_ethernet) {
        memcpy(bytes, sender->next_hop_ethernet, 6);
        memcpy(bytes + 6, plan->source_ethernet, 6);
    }
    sender->waiting[slot] = (struct frame){.bytes = bytes, .length = trace->lengths[frame]};
    if (sender->next_frame == trace->count) {
        sender->next_frame = 0;
        sender->round++;
    }
}

static void build(struct pktgen_sender *sender, uint32_t slot) {
    const struct pktgen_plan *plan = sender->plan;
    uint32_t index = plan->size_order[sender->next_size];
    sender->next_size = sender->next_size + 1 == plan->size_order_count ? 0 : sender->next_size + 1;
    const struct pktgen_flow *flow = &plan->flows[sender->next_flow];
    sender->next_flow = sender->next_flow + 1 == plan->flow_count ? 0 : sender->next_flow + 1;
    const struct pktgen_template *template = &sender->templates[index];
    uint8_t *frame = frame_at(sender, index, slot);
    struct pktgen_stamp_words stamp =
        pktgen_stamp_pack(PKTGEN_MAGIC_OUT, plan->run, flow->number, (uint32_t)sender->built,
                          sender->due_ns, (uint16_t)(template->size - PKTGEN_STAMP_OFFSET));
    memcpy(frame, sender->next_hop_ethernet, 6);
    pktgen_frame_patch(frame, template, flow, &stamp);
    sender->waiting[slot] = (struct frame){.bytes = frame, .length = template->size};
}

/* Builds what is due into an empty burst. */
static void build_due(struct pktgen_sender *sender, uint64_t now_ns) {
    uint64_t since_start_ns = now_ns - sender->start_ns;
    sender->waiting_first = 0;
    while (sender->waiting_count < PKTGEN_SEND_BURST && sender->built < sender->plan->packets &&
           sender->due_ns <= since_start_ns) {
        uint64_t late_ns = since_start_ns - sender->due_ns;
        sender->late_ns_sum += late_ns;
        if (late_ns > sender->late_ns_max) {
            sender->late_ns_max = late_ns;
        }
        if (sender->plan->trace != NULL) {
            take_from_trace(sender, sender->waiting_count++);
        } else {
            build(sender, sender->waiting_count++);
        }
        sender->built++;
        sender->due_ns = due_of_next(sender);
    }
}

bool pktgen_sender_step(struct pktgen_sender *sender, struct port *port, uint64_t now_ns) {
    if (sender->finished_ns != 0 || now_ns < sender->start_ns) {
        return false;
    }
    if (sender->waiting_count == 0) {
        build_due(sender, now_ns);
    }
    bool has_work = sender->waiting_count > 0;
    if (has_work) {
        uint32_t taken =
            port->class->send(port, sender->waiting + sender->waiting_first, sender->waiting_count);
        sender->waiting_first += taken;
        sender->waiting_count -= taken;
        counter_add(&sender->sent, taken);
    }
    port->class->flush(port);
    bool is_done = sender->built == sender->plan->packets && sender->waiting_count == 0;
    if (is_done || now_ns > sender->deadline_ns) {
        sender->finished_ns = now_ns;
    }
    return has_work;
}
