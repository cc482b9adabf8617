/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Intrusion detection as the runtime sees it: a burst in three passes, ticks, and the table.
 *
 *     frame -> ids_packet.c (whose it is) -> ids_flow.c (the flow)
 *           -> ids_tcp.c, ids_early.c (which bytes come next) -> ids_scanner.c (Hyperscan)
 *           -> ids_judge.c, ids_match.c (rules that may match) -> ids_threshold.c
 *           -> ids_alert.c (a line of EVE JSON)
 *
 * Rules come in by ids_parse*.c and ids_pattern.c, and become databases in ids_engine.c. Packets
 * pass as they came, or not at all. The runtime's own steering brings both directions of a flow to
 * one worker, so only thresholds are shared.
 */
#include "ids/ids_engine.h"
#include "ids/ids_state.h"
#include "ids/ids_threshold.h"

#define FIRES_PER_TICK 1024U
#define FIRES_PER_BURST 32U /* while ticks leave some over */

static const char *const drop_reasons[] = {
    [IDS_WRONG_PORT - 1] = "wrong_port",     [IDS_TRUNCATED - 1] = "truncated",
    [IDS_MALFORMED - 1] = "malformed",       [IDS_BAD_CHECKSUM - 1] = "bad_checksum",
    [IDS_FRAGMENT - 1] = "fragment",         [IDS_RULE - 1] = "rule",
    [IDS_FLOW_DROPPED - 1] = "flow_dropped", [IDS_REASON_COUNT - 1] = NULL,
};

static uint32_t unit_of(uint64_t time_ns) {
    return (uint32_t)(time_ns / IDS_UNIT_NS);
}

/* ---- A packet ---- */

static enum ids_database database_of(uint8_t protocol) {
    return protocol == FTMB_PROTOCOL_TCP   ? IDS_TCP_PACKET
           : protocol == FTMB_PROTOCOL_UDP ? IDS_UDP
           : ids_is_icmp(protocol)         ? IDS_ICMP
                                           : IDS_OTHER;
}

static void ask_unconditional(struct ids_work *work, enum ids_database database) {
    const struct ids_engine *engine = work->scanner->engine;
    const struct ids_always *always = &engine->always[database - IDS_STREAM_COUNT];
    for (uint32_t index = 0; index < always->count; index++) {
        ids_scanner_ask(work->scanner, always->ranks[index]);
    }
    for (uint32_t index = 0; work->is_first && index < engine->first_count; index++) {
        ids_scanner_ask(work->scanner, engine->first[index]);
    }
}

static enum ids_reason inspect(struct ids_work *work) {
    const struct ids_view *view = work->view;
    bool is_tcp = view->key.protocol == FTMB_PROTOCOL_TCP;
    work->state->totals.packets++;
    work->state->totals.bytes += view->size;
    ids_flow_meet(work);
    if (work->flow != NULL && (work->flow->flags & (IDS_DROPPED | IDS_PASSED)) != 0) {
        ids_flow_refresh(work->state, work->flow);
        return (work->flow->flags & IDS_DROPPED) != 0 ? IDS_FLOW_DROPPED : IDS_PASS;
    }
    ids_scanner_begin(work->scanner);
    if (is_tcp) {
        ids_tcp_begin(work);
    }
    if (work->flow != NULL) {
        ids_flow_refresh(work->state, work->flow);
    }
    enum ids_database database = database_of(view->key.protocol);
    ids_packet_scan(work->scanner, database, view->payload, view->size);
    ask_unconditional(work, database);
    enum ids_reason reason = ids_judge(work);
    if (is_tcp) {
        ids_tcp_end(work);
    }
    return reason;
}

/* ---- A burst ---- */

/* Parses each packet and asks for its bucket; what is wrong in itself is dropped here. */
static uint32_t parse_burst(struct ftmb_context *context, struct ftmb_packet **packets,
                            uint32_t count, struct ids_view *views) {
    const struct ids_config *config = context->config;
    struct ids_state *state = context->state;
    const struct hash_table *table = ids_at(state, state->table);
    uint32_t passed = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct ids_view *view = &views[passed];
        enum ids_reason reason = ids_parse_packet(config, packets[i], view);
        if (reason != IDS_PASS) {
            ftmb_drop(context, packets[i], (uint32_t)reason - 1);
            continue;
        }
        passed++;
        if (view->is_inspected) {
            view->hash = ids_hash(&view->key, state->seed);
            hash_table_prefetch(table, view->hash);
        } else {
            state->totals.fragments += view->is_fragment;
            state->totals.others += !view->is_fragment;
        }
    }
    return passed;
}

/* Asks for the flow that each packet probably has. */
static void prefetch_flows(const struct ids_state *state, const struct ids_view *views,
                           uint32_t count) {
    const struct hash_table *table = ids_at(state, state->table);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index =
            views[i].is_inspected ? hash_table_candidate(table, views[i].hash) : HASH_TABLE_NONE;
        if (index != HASH_TABLE_NONE) {
            const uint8_t *flow = (const uint8_t *)&ids_flows(state)[index];
            __builtin_prefetch(flow, 1);
            __builtin_prefetch(flow + 64, 1);
            __builtin_prefetch(flow + 128, 1);
        }
    }
}

static void ids_process(struct ftmb_context *context, struct ftmb_packet **packets,
                        uint32_t count) {
    const struct ids_config *config = context->config;
    struct ids_state *state = context->state;
    struct ids_view views[FTMB_BURST_MAX];
    state->now = unit_of(context->now_ns);
    if (!state->seeded) {
        state->seed = ftmb_random(context);
        state->seeded = 1;
    }
    uint32_t passed = parse_burst(context, packets, count, views);
    prefetch_flows(state, views, passed);
    for (uint32_t i = 0; i < passed; i++) {
        struct ftmb_packet *packet = views[i].packet;
        struct ids_work work = {.context = context,
                                .config = config,
                                .rules = config->rules,
                                .state = state,
                                .scanner = context->scratch,
                                .view = &views[i]};
        enum ids_reason reason = views[i].is_inspected ? inspect(&work) : IDS_PASS;
        if (reason != IDS_PASS) {
            ftmb_drop(context, packet, (uint32_t)reason - 1);
        } else {
            packet->port_out = packet->port_in == config->inside ? config->outside : config->inside;
        }
    }
    ids_alerts_send(context);
    const struct timer_wheel *wheel = ids_at(state, state->wheel);
    if (wheel->behind) {
        ids_flows_expire(state, FIRES_PER_BURST);
    }
}

static void ids_tick(struct ftmb_context *context) {
    struct ids_state *state = context->state;
    state->now = unit_of(context->now_ns);
    ids_flows_expire(state, FIRES_PER_TICK);
    ids_alerts_send(context);
}

/* ---- Making it ---- */

static int ids_init_shared(struct ftmb_arena *arena, const void *config, uint32_t workers,
                           void **shared) {
    struct ids_shared *created = NULL;
    int result = ids_shared_create(arena, config, workers, &created);
    *shared = created;
    return result;
}

static int ids_init_worker(struct ftmb_arena *arena, const void *config, uint32_t worker,
                           uint32_t workers, void *shared, void **state) {
    struct ids_state *created = NULL;
    (void)workers;
    (void)shared;
    int result = ids_state_create(arena, config, worker, &created);
    *state = created;
    return result;
}

static int ids_init_scratch(void *config_pointer, uint32_t worker, uint32_t workers,
                            void **scratch) {
    struct ids_config *config = config_pointer;
    const struct ids_engine *engine;
    struct ids_scanner *scanner = NULL;
    (void)worker;
    (void)workers;
    int result = ids_engine_get(config->rules, &engine);
    result = result == 0 ? ids_scanner_create(config->rules, engine, &scanner) : result;
    *scratch = scanner;
    return result;
}

static void ids_free_scratch(void *scratch) {
    ids_scanner_free(scratch);
}

const struct ftmb_element_class ids_class = {
    .name = "ids",
    .help = "intrusion detection by Suricata's rules, over reassembled TCP, in line",
    .state_version = 1,
    .config_size = sizeof(struct ids_config),
    .options = ids_options,
    .drop_reasons = drop_reasons,
    .tables = ids_tables,
    .check = ids_check,
    .init_shared = ids_init_shared,
    .init_worker = ids_init_worker,
    .init_scratch = ids_init_scratch,
    .free_scratch = ids_free_scratch,
    .release_config = ids_release_config,
    .process = ids_process,
    .tick = ids_tick,
};
