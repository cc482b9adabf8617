/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Limiter: lets pass what token buckets allow, and drops the rest. Nothing waits in a queue, so
 * nothing is delayed and nothing overtakes; classes come before one another by what they leave in
 * the buckets (see README.md for what that guarantees).
 */
#include "limiter.h"

#include <errno.h>

#define STRIPES_MIN 16U
#define STRIPES_PER_WORKER 8U

static const char *const drop_reasons[] = {
    [LIMITER_OTHER_PORT] = "other_port",
    [LIMITER_MALFORMED] = "malformed",
    [LIMITER_HOSTS_FULL] = "hosts_full",
    [LIMITER_HOST + LIMITER_UPLOAD] = "host_upload",
    [LIMITER_HOST + LIMITER_DOWNLOAD] = "host_download",
    [LIMITER_PREFIX + LIMITER_UPLOAD] = "prefix_upload",
    [LIMITER_PREFIX + LIMITER_DOWNLOAD] = "prefix_download",
    [LIMITER_TOTAL + LIMITER_UPLOAD] = "total_upload",
    [LIMITER_TOTAL + LIMITER_DOWNLOAD] = "total_download",
    [LIMITER_REASONS] = NULL,
};

/* ---- Packets ---- */

static void finish(struct ftmb_context *context, struct limiter_view *view) {
    const struct limiter_config *config = context->config;
    struct limiter_state *state = context->state;
    struct limiter_class_counts *counts = &state->classes[view->class];
    if (view->verdict == LIMITER_PASS) {
        counts->passed_packets[view->direction]++;
        counts->passed_bytes[view->direction] += view->bytes;
        limiter_mark(config, view);
        view->packet->port_out =
            view->direction == LIMITER_UPLOAD ? config->outside : config->inside;
    } else {
        counts->refused_packets[view->direction]++;
        counts->refused_bytes[view->direction] += view->bytes;
        ftmb_drop(context, view->packet, view->verdict);
    }
}

static void limiter_process(struct ftmb_context *context, struct ftmb_packet **packets,
                            uint32_t count) {
    const struct limiter_config *config = context->config;
    struct limiter_burst burst;
    burst.count = 0;
    for (uint32_t index = 0; index < count; ++index) {
        struct limiter_view *view = &burst.views[burst.count];
        enum limiter_reason reason = limiter_parse(config, packets[index], view);
        if (reason != LIMITER_PASS) {
            ftmb_drop(context, packets[index], reason);
            continue;
        }
        ++burst.count;
        if (config->has_host && view->version != 0) {
            limiter_prefetch_host(context->shared, view->hash);
        }
    }
    if (config->has_host) {
        limiter_pass_hosts(context, &burst);
    }
    limiter_pass_gates(context, &burst);
    for (uint32_t index = 0; index < burst.count; ++index) {
        finish(context, &burst.views[index]);
    }
}

/* ---- Making the state ---- */

static uint32_t next_power_of_two(uint32_t value) {
    uint32_t power = 1;
    while (power < value) {
        power *= 2;
    }
    return power;
}

static void init_gates(const struct limiter_config *config, struct limiter_shared *shared) {
    for (uint32_t place = 0; place <= config->prefixes.count; ++place) {
        bool is_total = place == 0;
        const struct limiter_limit *limits =
            is_total ? config->total : config->prefix_limits[place - 1];
        for (uint32_t direction = 0; direction < LIMITER_DIRECTIONS; ++direction) {
            struct limiter_gate *gate =
                limiter_gate_of(shared, is_total ? PREFIX_MAP_NONE : place - 1, direction);
            gate->direction = direction;
            gate->limit = limits[direction];
            limiter_bucket_fill(&gate->bucket, &gate->limit, 0);
            if (!is_total) {
                gate->address = config->prefixes.prefixes[place - 1].address;
                gate->bits = config->prefixes.prefixes[place - 1].bits;
            }
        }
    }
}

static uint64_t offset_of(const struct limiter_shared *shared, const void *at) {
    return (uint64_t)((const uint8_t *)at - (const uint8_t *)shared);
}

static int limiter_init_shared(struct ftmb_arena *arena, const void *configuration,
                               uint32_t workers, void **created) {
    const struct limiter_config *config = configuration;
    uint32_t stripes = next_power_of_two(workers * STRIPES_PER_WORKER);
    stripes = stripes < STRIPES_MIN ? STRIPES_MIN : stripes;
    uint32_t slots = config->has_host ? next_power_of_two(config->hosts_max) : stripes;
    uint32_t gate_count = (config->prefixes.count + 1) * LIMITER_DIRECTIONS;
    struct limiter_shared *shared = ftmb_allocate_shared(arena, sizeof(*shared), 64);
    void *variables = ftmb_allocate_variables(arena, LIMITER_DIRECTIONS + stripes);
    void *heads = ftmb_allocate_shared(arena, stripes * sizeof(struct limiter_stripe), 64);
    void *hosts = ftmb_allocate_shared(arena, (size_t)slots * sizeof(struct limiter_host), 64);
    void *own = ftmb_allocate_shared(arena, LIMITER_OWN_MAX * sizeof(struct limiter_own), 64);
    void *gates = ftmb_allocate_shared(arena, gate_count * sizeof(struct limiter_gate), 64);
    if (shared == NULL || variables == NULL || heads == NULL || hosts == NULL || own == NULL ||
        gates == NULL) {
        return -ENOMEM;
    }
    *shared = (struct limiter_shared){.stripes = stripes,
                                      .slots_per_stripe = slots / stripes,
                                      .gate_count = gate_count,
                                      .variables = offset_of(shared, variables),
                                      .stripe_heads = offset_of(shared, heads),
                                      .hosts = offset_of(shared, hosts),
                                      .own = offset_of(shared, own),
                                      .gates = offset_of(shared, gates)};
    init_gates(config, shared);
    *created = shared;
    return 0;
}

static int limiter_init_worker(struct ftmb_arena *arena, const void *configuration, uint32_t worker,
                               uint32_t workers, void *shared, void **created) {
    const struct limiter_config *config = configuration;
    struct limiter_state *state = ftmb_allocate_worker(arena, worker, sizeof(*state), 64);
    (void)workers;
    (void)shared;
    if (state == NULL) {
        return -ENOMEM;
    }
    state->class_count = config->class_count == 0 ? 1 : config->class_count;
    memcpy(state->classes[0].name, "all", sizeof("all"));
    for (uint32_t class = 0; class < config->class_count; ++class) {
        memcpy(state->classes[class].name, config->classes[class].name, LIMITER_NAME_SIZE);
    }
    *created = state;
    return 0;
}

const struct ftmb_element_class limiter_class = {
    .name = "limiter",
    .help = "limits rates of hosts, prefixes and in total, by classes that come before one another",
    .state_version = 1,
    .config_size = sizeof(struct limiter_config),
    .options = limiter_options,
    .drop_reasons = drop_reasons,
    .tables = limiter_tables,
    .commands = limiter_command_list,
    .steering = FTMB_STEERING_ANY,
    .check = limiter_check,
    .init_shared = limiter_init_shared,
    .init_worker = limiter_init_worker,
    .process = limiter_process,
    .check_command = limiter_check_command,
    .command = limiter_command,
};
