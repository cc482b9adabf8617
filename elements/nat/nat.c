/* SPDX-License-Identifier: BSD-3-Clause */
/* The NAT as the runtime sees it: a burst in three passes, ticks, and the table. */
#include "nat.h"
#include "nat_tables.h"

static const char *const drop_reasons[] = {
    [NAT_WRONG_PORT - 1] = "wrong_port",
    [NAT_NOT_IPV4 - 1] = "not_ipv4",
    [NAT_TRUNCATED - 1] = "truncated",
    [NAT_MALFORMED - 1] = "malformed",
    [NAT_BAD_CHECKSUM - 1] = "bad_checksum",
    [NAT_FRAGMENT - 1] = "fragment",
    [NAT_BAD_ADDRESS - 1] = "bad_address",
    [NAT_LAND - 1] = "land",
    [NAT_BAD_PORT - 1] = "bad_port",
    [NAT_BAD_TCP_FLAGS - 1] = "bad_tcp_flags",
    [NAT_PROTOCOL_UNSUPPORTED - 1] = "protocol_unsupported",
    [NAT_ICMP_UNSUPPORTED - 1] = "icmp_unsupported",
    [NAT_ICMP_MALFORMED - 1] = "icmp_malformed",
    [NAT_TO_SELF - 1] = "to_self",
    [NAT_TTL_EXPIRED - 1] = "ttl_expired",
    [NAT_NOT_EXTERNAL - 1] = "not_external",
    [NAT_NO_MAPPING - 1] = "no_mapping",
    [NAT_FILTERED - 1] = "filtered",
    [NAT_TCP_UNSOLICITED - 1] = "tcp_unsolicited",
    [NAT_TCP_NO_SESSION - 1] = "tcp_no_session",
    [NAT_PORTS_EXHAUSTED - 1] = "ports_exhausted",
    [NAT_SESSIONS_FULL - 1] = "sessions_full",
    [NAT_TABLE_FULL - 1] = "table_full",
    [NAT_REASON_COUNT - 1] = NULL,
};

void nat_drop(struct ftmb_context *context, struct ftmb_packet *packet, enum nat_reason reason) {
    ftmb_drop(context, packet, (uint32_t)reason - 1);
}

static uint32_t unit_of(uint64_t time_ns) {
    return (uint32_t)(time_ns / NAT_UNIT_NS);
}

/* From the wire with an external address as its source: only this NAT itself sends such, and what
 * it sends to an external address comes in again without the wire. */
static bool nat_is_spoofed(const struct nat_config *config, const struct nat_view *view,
                           const struct ftmb_packet *packet) {
    return !view->from_inside && !packet->is_again &&
           nat_external_index(config, ftmb_load32(packet->data + view->network + 12U)) != NAT_NONE;
}

/* Parses each packet and asks for its bucket; what cannot be translated is dropped here. */
static uint32_t parse_burst(struct ftmb_context *context, struct ftmb_packet **packets,
                            uint32_t count, struct nat_view *views) {
    const struct nat_config *config = context->config;
    struct nat_state *state = context->state;
    uint32_t passed = 0;
    for (uint32_t i = 0; i < count; ++i) {
        struct nat_view *view = &views[passed];
        enum nat_reason reason =
            nat_parse(config, packets[i]->data, packets[i]->length, packets[i]->port_in, view);
        if (reason == NAT_PASS && nat_is_spoofed(config, view, packets[i])) {
            reason = NAT_BAD_ADDRESS;
        }
        if (reason != NAT_PASS) {
            nat_drop(context, packets[i], reason);
            continue;
        }
        view->packet = packets[i];
        view->hash = hash_table_hash(view->local, view->remote, state->seed);
        hash_table_prefetch(nat_at(state, view->from_inside ? state->sessions_by_inside
                                                            : state->sessions_by_outside),
                            view->hash);
        ++passed;
    }
    return passed;
}

/* Asks for the session that each packet probably has. */
static void prefetch_sessions(struct nat_state *state, const struct nat_view *views,
                              uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) {
        uint32_t index =
            hash_table_candidate(nat_at(state, views[i].from_inside ? state->sessions_by_inside
                                                                    : state->sessions_by_outside),
                                 views[i].hash);
        if (index != HASH_TABLE_NONE) {
            __builtin_prefetch(&nat_sessions(state)[index], 1);
        }
    }
}

static void nat_process(struct ftmb_context *context, struct ftmb_packet **packets,
                        uint32_t count) {
    struct nat_state *state = context->state;
    struct nat_view views[FTMB_BURST_MAX];
    state->now = unit_of(context->now_ns);
    if (!state->seeded) {
        nat_state_start(context);
    }
    uint32_t passed = parse_burst(context, packets, count, views);
    prefetch_sessions(state, views, passed);
    for (uint32_t i = 0; i < passed; ++i) {
        if (views[i].kind == NAT_KIND_TRANSPORT) {
            nat_translate(context, &views[i]);
        } else if (views[i].kind == NAT_KIND_ERROR) {
            nat_translate_error(context, &views[i]);
        } else {
            nat_answer_echo(context, &views[i]);
        }
    }
    const struct timer_wheel *wheel = nat_at(state, state->wheel);
    if (wheel->behind) {
        nat_sessions_expire(context->config, state, NAT_FIRES_PER_BURST);
    }
}

static void nat_tick(struct ftmb_context *context) {
    struct nat_state *state = context->state;
    state->now = unit_of(context->now_ns);
    nat_sessions_expire(context->config, state, NAT_FIRES_PER_TICK);
}

static int nat_init_worker(struct ftmb_arena *arena, const void *config, uint32_t worker,
                           uint32_t workers, void *shared, void **state) {
    struct nat_state *created = NULL;
    (void)shared;
    int result = nat_state_create(arena, config, worker, workers, &created);
    *state = created;
    return result;
}

const struct ftmb_element_class nat_class = {
    .name = "nat",
    .help = "network address and port translation of IPv4 (RFC 4787, RFC 5382, RFC 5508)",
    .state_version = 1,
    .config_size = sizeof(struct nat_config),
    .options = nat_options,
    .drop_reasons = drop_reasons,
    .tables = nat_tables,
    .rewrites = true,
    .check = nat_check,
    .init_worker = nat_init_worker,
    .steer = nat_steer,
    .process = nat_process,
    .tick = nat_tick,
};
