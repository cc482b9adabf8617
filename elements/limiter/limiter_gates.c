/* SPDX-License-Identifier: BSD-3-Clause */
/* The buckets of prefixes and of everything: those of a direction under one variable, which a burst
 * takes once. */
#include "limiter.h"

struct limiter_gate *limiter_gate_of(struct limiter_shared *shared, uint32_t prefix,
                                     uint32_t direction) {
    struct limiter_gate *gates = limiter_at(shared, shared->gates);
    uint32_t place = prefix == PREFIX_MAP_NONE ? 0 : prefix + 1;
    return &gates[place * LIMITER_DIRECTIONS + direction];
}

static bool pass_gate(struct limiter_gate *gate, const struct limiter_view *view, uint64_t now_ns) {
    bool passes = limiter_bucket_take(&gate->bucket, &gate->limit, now_ns, view->bytes, view->kept);
    gate->passed_packets += passes;
    gate->passed_bytes += passes ? view->bytes : 0;
    gate->refused_packets += !passes;
    gate->refused_bytes += passes ? 0 : view->bytes;
    return passes;
}

static void pass_both(struct ftmb_context *context, struct limiter_view *view) {
    const struct limiter_config *config = context->config;
    struct limiter_shared *shared = context->shared;
    uint32_t direction = view->direction;
    uint64_t now_ns = limiter_advance(&shared->clocks_ns[direction], view->packet->time_ns);
    if (view->prefix != PREFIX_MAP_NONE &&
        !pass_gate(limiter_gate_of(shared, view->prefix, direction), view, now_ns)) {
        view->verdict = (uint8_t)(LIMITER_PREFIX + direction);
    } else if (config->has_total &&
               !pass_gate(limiter_gate_of(shared, PREFIX_MAP_NONE, direction), view, now_ns)) {
        view->verdict = (uint8_t)(LIMITER_TOTAL + direction);
    }
}

static void pass_direction(struct ftmb_context *context, struct limiter_burst *burst,
                           uint32_t direction) {
    const struct limiter_config *config = context->config;
    struct ftmb_shared *variable = limiter_variable(context->shared, direction);
    bool is_taken = false;
    for (uint32_t index = 0; index < burst->count; ++index) {
        struct limiter_view *view = &burst->views[index];
        bool has_gate = config->has_total || view->prefix != PREFIX_MAP_NONE;
        if (view->direction != direction || view->verdict != LIMITER_PASS || !has_gate) {
            continue;
        }
        if (is_taken) {
            ftmb_shared_again(context, variable);
        } else {
            ftmb_shared_acquire(context, variable);
        }
        is_taken = true;
        pass_both(context, view);
    }
    if (is_taken) {
        ftmb_shared_release(context, variable);
    }
}

void limiter_pass_gates(struct ftmb_context *context, struct limiter_burst *burst) {
    for (uint32_t direction = 0; direction < LIMITER_DIRECTIONS; ++direction) {
        pass_direction(context, burst, direction);
    }
}
