/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The firewall as the runtime sees it: a burst in three passes, ticks, and the table.
 *
 *     frame -> firewall_packet.c, firewall_icmp.c (whose flow it is, or why it is dropped)
 *           -> firewall_flow.c (the flow) -> firewall_tcp.c (whether the segment fits)
 *           -> firewall_rules.c (only where there is no flow: whether one may begin)
 *
 * Packets pass as they came. Every flow belongs to one worker: the default steering sends both
 * directions, and the errors about them, to the same one, so nothing is shared.
 */
#include "firewall_flow.h"

#define FIRES_PER_TICK 1024U
#define FIRES_PER_BURST 32U /* while ticks leave some over */

static const char *const drop_reasons[] = {
    [FIREWALL_WRONG_PORT - 1] = "wrong_port",
    [FIREWALL_NOT_IP - 1] = "not_ip",
    [FIREWALL_TRUNCATED - 1] = "truncated",
    [FIREWALL_MALFORMED - 1] = "malformed",
    [FIREWALL_BAD_CHECKSUM - 1] = "bad_checksum",
    [FIREWALL_SOURCE_ROUTE - 1] = "source_route",
    [FIREWALL_FRAGMENT - 1] = "fragment",
    [FIREWALL_BAD_ADDRESS - 1] = "bad_address",
    [FIREWALL_LAND - 1] = "land",
    [FIREWALL_BAD_PORT - 1] = "bad_port",
    [FIREWALL_BAD_TCP_FLAGS - 1] = "bad_tcp_flags",
    [FIREWALL_BAD_NEIGHBOUR - 1] = "bad_neighbour",
    [FIREWALL_NEIGHBOURS_OFF - 1] = "neighbours_off",
    [FIREWALL_ICMP_UNSUPPORTED - 1] = "icmp_unsupported",
    [FIREWALL_ICMP_MALFORMED - 1] = "icmp_malformed",
    [FIREWALL_ICMP_NO_FLOW - 1] = "icmp_no_flow",
    [FIREWALL_ICMP_UNASKED - 1] = "icmp_unasked",
    [FIREWALL_TCP_NO_FLOW - 1] = "tcp_no_flow",
    [FIREWALL_TCP_OUT_OF_STATE - 1] = "tcp_out_of_state",
    [FIREWALL_RULE - 1] = "rule",
    [FIREWALL_DEFAULT - 1] = "default",
    [FIREWALL_FLOWS_FULL - 1] = "flows_full",
    [FIREWALL_TABLE_FULL - 1] = "table_full",
    [FIREWALL_REASON_COUNT - 1] = NULL,
};

static uint32_t unit_of(uint64_t time_ns) {
    return (uint32_t)(time_ns / FIREWALL_UNIT_NS);
}

static bool has_flow(const struct firewall_view *view) {
    return view->kind == FIREWALL_KIND_FLOW || view->kind == FIREWALL_KIND_ERROR;
}

/* What the rules say of a packet that belongs to no flow. */
static enum firewall_reason judge(const struct firewall_config *config,
                                  const struct firewall_view *view) {
    const struct firewall_key *key = &view->key;
    bool out = view->from_trusted;
    bool is_icmp = key->protocol == FTMB_PROTOCOL_ICMP || key->protocol == FTMB_PROTOCOL_ICMPV6;
    uint16_t trusted_port = (uint16_t)(key->ports >> 16);
    uint16_t untrusted_port = (uint16_t)key->ports;
    struct match_question question = {
        .source = out ? key->trusted : key->untrusted,
        .destination = out ? key->untrusted : key->trusted,
        .source_port = out ? trusted_port : untrusted_port,
        .destination_port = out ? untrusted_port : trusted_port,
        .version = view->version,
        .protocol = key->protocol,
    };
    if (is_icmp) {
        question.source_port = 0;
        question.destination_port = untrusted_port & 0xffU; /* the question's type */
    }
    enum firewall_verdict verdict =
        firewall_judge(config, out ? FIREWALL_TRUSTED : FIREWALL_UNTRUSTED, &question);
    return verdict == FIREWALL_ALLOW  ? FIREWALL_PASS
           : verdict == FIREWALL_DROP ? FIREWALL_RULE
                                      : FIREWALL_DEFAULT;
}

static enum firewall_reason begin_flow(const struct firewall_config *config,
                                       struct firewall_state *state,
                                       const struct firewall_view *view) {
    if (view->key.protocol == FTMB_PROTOCOL_TCP && !firewall_tcp_begins(view->tcp_flags)) {
        return FIREWALL_TCP_NO_FLOW;
    }
    if (view->is_reply) {
        return FIREWALL_ICMP_UNASKED;
    }
    enum firewall_reason reason = judge(config, view);
    return reason == FIREWALL_PASS ? firewall_flow_open(config, state, view) : reason;
}

static enum firewall_reason inspect_flow(const struct firewall_config *config,
                                         struct firewall_state *state,
                                         const struct firewall_view *view) {
    struct firewall_flow *flow = firewall_flow_find(config, state, view);
    bool is_tcp = view->key.protocol == FTMB_PROTOCOL_TCP;
    if (flow == NULL) {
        return begin_flow(config, state, view);
    }
    bool by_beginner = view->from_trusted == ((flow->flags & FIREWALL_BY_UNTRUSTED) == 0);
    if (is_tcp) {
        enum firewall_tcp_verdict verdict = firewall_tcp_track(flow, view->tcp_flags, by_beginner);
        if (verdict == FIREWALL_TCP_OUT_OF_PLACE) {
            return FIREWALL_TCP_OUT_OF_STATE;
        }
        if (verdict == FIREWALL_TCP_ANEW) {
            enum firewall_reason reason = judge(config, view);
            if (reason != FIREWALL_PASS) {
                return reason;
            }
            firewall_flow_close(config, state, flow);
            return firewall_flow_open(config, state, view);
        }
    }
    bool resets = is_tcp && firewall_tcp_is_reset(view->tcp_flags);
    if (resets && (flow->flags & FIREWALL_SYN_BACK) == 0) {
        firewall_flow_close(config, state, flow); /* refused: there never was a connection */
    } else {
        firewall_flow_refresh(config, state, flow, !by_beginner && !resets);
    }
    return FIREWALL_PASS;
}

static enum firewall_reason inspect(const struct firewall_config *config,
                                    struct firewall_state *state,
                                    const struct firewall_view *view) {
    switch ((enum firewall_kind)view->kind) {
    case FIREWALL_KIND_FLOW:
        return inspect_flow(config, state, view);
    case FIREWALL_KIND_ERROR: /* neither begins nor refreshes nor ends a flow */
        return firewall_flow_find(config, state, view) == NULL ? FIREWALL_ICMP_NO_FLOW
                                                               : FIREWALL_PASS;
    case FIREWALL_KIND_GROUP:
        return judge(config, view);
    case FIREWALL_KIND_NEIGHBOUR:
        break;
    }
    return FIREWALL_PASS;
}

static void drop(struct ftmb_context *context, struct ftmb_packet *packet,
                 enum firewall_reason reason) {
    ftmb_drop(context, packet, (uint32_t)reason - 1);
}

/* Parses each packet and asks for its bucket; what is wrong in itself is dropped here. */
static uint32_t parse_burst(struct ftmb_context *context, struct ftmb_packet **packets,
                            uint32_t count, struct firewall_view *views) {
    const struct firewall_config *config = context->config;
    struct firewall_state *state = context->state;
    const struct hash_table *table = firewall_at(state, state->table);
    uint32_t passed = 0;
    for (uint32_t i = 0; i < count; ++i) {
        struct firewall_view *view = &views[passed];
        enum firewall_reason reason =
            firewall_parse(config, packets[i]->data, packets[i]->length, packets[i]->port_in, view);
        if (reason != FIREWALL_PASS) {
            drop(context, packets[i], reason);
            continue;
        }
        view->packet = packets[i];
        if (has_flow(view)) {
            view->hash = firewall_hash(&view->key, view->version, state->seed);
            hash_table_prefetch(table, view->hash);
        }
        ++passed;
    }
    return passed;
}

/* Asks for the flow that each packet probably has. */
static void prefetch_flows(struct firewall_state *state, const struct firewall_view *views,
                           uint32_t count) {
    const struct hash_table *table = firewall_at(state, state->table);
    for (uint32_t i = 0; i < count; ++i) {
        uint32_t index =
            has_flow(&views[i]) ? hash_table_candidate(table, views[i].hash) : HASH_TABLE_NONE;
        if (index != HASH_TABLE_NONE) {
            __builtin_prefetch(&firewall_flows(state)[index], 1);
        }
    }
}

static void firewall_process(struct ftmb_context *context, struct ftmb_packet **packets,
                             uint32_t count) {
    const struct firewall_config *config = context->config;
    struct firewall_state *state = context->state;
    struct firewall_view views[FTMB_BURST_MAX];
    state->now = unit_of(context->now_ns);
    if (!state->seeded) {
        state->seed = ftmb_random(context);
        state->seeded = 1;
    }
    uint32_t passed = parse_burst(context, packets, count, views);
    prefetch_flows(state, views, passed);
    for (uint32_t i = 0; i < passed; ++i) {
        struct ftmb_packet *packet = views[i].packet;
        enum firewall_reason reason = inspect(config, state, &views[i]);
        if (reason != FIREWALL_PASS) {
            drop(context, packet, reason);
        } else {
            packet->port_out = views[i].from_trusted ? config->untrusted : config->trusted;
        }
    }
    const struct timer_wheel *wheel = firewall_at(state, state->wheel);
    if (wheel->behind) {
        firewall_flows_expire(config, state, FIRES_PER_BURST);
    }
}

static void firewall_tick(struct ftmb_context *context) {
    struct firewall_state *state = context->state;
    state->now = unit_of(context->now_ns);
    firewall_flows_expire(context->config, state, FIRES_PER_TICK);
}

static int firewall_init_worker(struct ftmb_arena *arena, const void *config, uint32_t worker,
                                uint32_t workers, void *shared, void **state) {
    struct firewall_state *created = NULL;
    (void)workers;
    (void)shared;
    int result = firewall_state_create(arena, config, worker, &created);
    *state = created;
    return result;
}

const struct ftmb_element_class firewall_class = {
    .name = "firewall",
    .help = "stateful firewall for IPv4 and IPv6: rules say who may begin, flows what follows",
    .state_version = 1,
    .config_size = sizeof(struct firewall_config),
    .options = firewall_options,
    .drop_reasons = drop_reasons,
    .tables = firewall_tables,
    .check = firewall_check,
    .init_worker = firewall_init_worker,
    .process = firewall_process,
    .tick = firewall_tick,
};
