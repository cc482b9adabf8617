/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Flows: found, opened on a first packet, and ended: by time, or to make room.
 *
 * Opening succeeds as a whole or changes nothing that lasts. Unless the policy is "initiated",
 * flows without an answer stand in a list by age, of pending_max at most: when it is full, or no
 * flow is left, the oldest of them goes. So who sends and is never answered, such as a host that
 * was broken into, takes no place from flows that were. Only the policy "timed" has timers.
 */
#include "firewall_flow.h"

#include <errno.h>
#include <stddef.h>

#define CACHE_LINE 64U

/* ---- Making the state ---- */

/* Offsets are handed out one after the other, each on a cache line. */
static uint64_t reserve(uint64_t *size, uint64_t bytes) {
    uint64_t offset = *size;
    *size += (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    return offset;
}

/* One more, since the unit at hand has begun already: never shorter than asked for. */
static uint32_t units_of(uint64_t nanoseconds) {
    return (uint32_t)((nanoseconds + FIREWALL_UNIT_NS - 1) / FIREWALL_UNIT_NS) + 1;
}

int firewall_state_create(struct ftmb_arena *arena, const struct firewall_config *config,
                          uint32_t worker, struct firewall_state **created) {
    struct firewall_state head = {
        .pending_oldest = FIREWALL_NONE,
        .pending_newest = FIREWALL_NONE,
        .timeouts = {[FIREWALL_TIMEOUT_PENDING] = units_of(config->pending_ns),
                     [FIREWALL_TIMEOUT_UDP] = units_of(config->udp_ns),
                     [FIREWALL_TIMEOUT_ICMP] = units_of(config->icmp_ns),
                     [FIREWALL_TIMEOUT_OTHER] = units_of(config->other_ns),
                     [FIREWALL_TIMEOUT_TRANSITORY] = units_of(config->tcp_transitory_ns),
                     [FIREWALL_TIMEOUT_ESTABLISHED] = units_of(config->tcp_established_ns),
                     [FIREWALL_TIMEOUT_CLOSING] = units_of(config->tcp_closing_ns)},
    };
    uint64_t size = 0;
    reserve(&size, sizeof head);
    head.flows = reserve(&size, (uint64_t)config->flows_max * sizeof(struct firewall_flow));
    head.table = reserve(&size, hash_table_size(config->flows_max));
    head.wheel = reserve(&size, timer_wheel_size(FIREWALL_WHEEL_SLOTS));
    struct firewall_state *state = ftmb_allocate_worker(arena, worker, size, CACHE_LINE);
    if (state == NULL) {
        return -ENOMEM;
    }
    *state = head;
    free_list_init(&state->pool, config->flows_max, sizeof(struct firewall_flow),
                   offsetof(struct firewall_flow, older));
    hash_table_init(firewall_at(state, state->table), config->flows_max);
    timer_wheel_init(firewall_at(state, state->wheel), FIREWALL_WHEEL_SLOTS,
                     sizeof(struct firewall_flow), offsetof(struct firewall_flow, timer));
    *created = state;
    return 0;
}

static bool is_timed(const struct firewall_config *config) {
    return config->policy == FIREWALL_TIMED;
}

/* ---- Pending flows ---- */

static void pending_add(struct firewall_state *state, uint32_t index) {
    struct firewall_flow *flows = firewall_flows(state);
    flows[index].older = state->pending_newest;
    flows[index].newer = FIREWALL_NONE;
    if (state->pending_newest != FIREWALL_NONE) {
        flows[state->pending_newest].newer = index;
    } else {
        state->pending_oldest = index;
    }
    state->pending_newest = index;
    ++state->pending_count;
}

static void pending_remove(struct firewall_state *state, const struct firewall_flow *flow) {
    struct firewall_flow *flows = firewall_flows(state);
    if (flow->older != FIREWALL_NONE) {
        flows[flow->older].newer = flow->newer;
    } else {
        state->pending_oldest = flow->newer;
    }
    if (flow->newer != FIREWALL_NONE) {
        flows[flow->newer].older = flow->older;
    } else {
        state->pending_newest = flow->older;
    }
    --state->pending_count;
}

/* ---- Flows ---- */

struct flow_question {
    const struct firewall_flow *flows;
    const struct firewall_key *key;
};

static inline bool is_equal(const void *question_pointer, uint32_t index) {
    const struct flow_question *question = question_pointer;
    const struct firewall_flow *flow = &question->flows[index];
    const struct firewall_key *key = question->key;
    return flow->trusted.low == key->trusted.low && flow->untrusted.low == key->untrusted.low &&
           flow->ports == key->ports && flow->trusted.high == key->trusted.high &&
           flow->untrusted.high == key->untrusted.high && flow->protocol == key->protocol;
}

static uint64_t hash_of(const struct firewall_state *state, const struct firewall_flow *flow) {
    struct firewall_key key = {.trusted = flow->trusted,
                               .untrusted = flow->untrusted,
                               .ports = flow->ports,
                               .protocol = flow->protocol};
    return firewall_hash(&key, flow->version, state->seed);
}

/* Its timer is out of the wheel. */
static void close_untimed(struct firewall_state *state, struct firewall_flow *flow) {
    uint32_t index = (uint32_t)(flow - firewall_flows(state));
    hash_table_remove(firewall_at(state, state->table), hash_of(state, flow), index);
    if ((flow->flags & FIREWALL_HAS_ANSWER) == 0) {
        pending_remove(state, flow);
    }
    free_list_give(&state->pool, firewall_flows(state), index);
}

void firewall_flow_close(const struct firewall_config *config, struct firewall_state *state,
                         struct firewall_flow *flow) {
    if (is_timed(config)) {
        timer_wheel_remove(firewall_at(state, state->wheel), firewall_flows(state),
                           (uint32_t)(flow - firewall_flows(state)));
    }
    close_untimed(state, flow);
}

struct firewall_flow *firewall_flow_find(const struct firewall_config *config,
                                         struct firewall_state *state,
                                         const struct firewall_view *view) {
    struct flow_question question = {firewall_flows(state), &view->key};
    uint32_t index =
        hash_table_find(firewall_at(state, state->table), view->hash, is_equal, &question);
    if (index == HASH_TABLE_NONE) {
        return NULL;
    }
    struct firewall_flow *flow = &firewall_flows(state)[index];
    if (!is_timed(config) || (int32_t)(flow->expires - state->now) > 0) {
        return flow;
    }
    firewall_flow_close(config, state, flow); /* the wheel has not come to it yet */
    return NULL;
}

/* A free entry, if need be that of the oldest flow without an answer. */
static uint32_t take_entry(const struct firewall_config *config, struct firewall_state *state) {
    bool is_crowded =
        state->pending_count >= config->pending_max || state->pool.used == state->pool.capacity;
    if (is_crowded && state->pending_oldest != FIREWALL_NONE) {
        firewall_flow_close(config, state, &firewall_flows(state)[state->pending_oldest]);
    }
    return free_list_take(&state->pool, firewall_flows(state));
}

enum firewall_reason firewall_flow_open(const struct firewall_config *config,
                                        struct firewall_state *state,
                                        const struct firewall_view *view) {
    uint32_t index = take_entry(config, state);
    if (index == FREE_LIST_NONE) {
        return FIREWALL_FLOWS_FULL;
    }
    struct firewall_flow *flow = &firewall_flows(state)[index];
    bool is_pending = config->policy != FIREWALL_INITIATED;
    *flow = (struct firewall_flow){
        .trusted = view->key.trusted,
        .untrusted = view->key.untrusted,
        .ports = view->key.ports,
        .protocol = view->key.protocol,
        .version = view->version,
        .policy = (uint8_t)config->policy,
        .older = FIREWALL_NONE,
        .newer = FIREWALL_NONE,
        .flags = (uint8_t)((view->from_trusted ? 0U : FIREWALL_BY_UNTRUSTED) |
                           (is_pending ? 0U : FIREWALL_HAS_ANSWER)),
    };
    if (!hash_table_insert(firewall_at(state, state->table), view->hash, index)) {
        free_list_give(&state->pool, firewall_flows(state), index);
        return FIREWALL_TABLE_FULL;
    }
    if (is_pending) {
        pending_add(state, index);
    }
    if (is_timed(config)) {
        flow->expires = state->now + state->timeouts[FIREWALL_TIMEOUT_PENDING];
        timer_wheel_add(firewall_at(state, state->wheel), firewall_flows(state), index,
                        flow->expires, state->now);
    }
    return FIREWALL_PASS;
}

/* ---- Time ---- */

static enum firewall_timeout timeout_of(const struct firewall_flow *flow) {
    if (flow->protocol == FTMB_PROTOCOL_TCP &&
        (flow->flags & (FIREWALL_HAS_ANSWER | FIREWALL_RESET)) != 0) {
        return firewall_tcp_timeout(flow);
    }
    if ((flow->flags & FIREWALL_HAS_ANSWER) == 0) {
        return FIREWALL_TIMEOUT_PENDING;
    }
    bool is_icmp = flow->protocol == FTMB_PROTOCOL_ICMP || flow->protocol == FTMB_PROTOCOL_ICMPV6;
    return flow->protocol == FTMB_PROTOCOL_UDP ? FIREWALL_TIMEOUT_UDP
           : is_icmp                           ? FIREWALL_TIMEOUT_ICMP
                                               : FIREWALL_TIMEOUT_OTHER;
}

void firewall_flow_refresh(const struct firewall_config *config, struct firewall_state *state,
                           struct firewall_flow *flow, bool is_answer) {
    if (is_answer && (flow->flags & FIREWALL_HAS_ANSWER) == 0) {
        pending_remove(state, flow);
        flow->flags |= FIREWALL_HAS_ANSWER;
    }
    if (!is_timed(config)) {
        return;
    }
    uint32_t expires = state->now + state->timeouts[timeout_of(flow)];
    if (expires == flow->expires) {
        return;
    }
    bool is_earlier = (int32_t)(expires - flow->expires) < 0;
    flow->expires = expires;
    if (is_earlier) {
        uint32_t index = (uint32_t)(flow - firewall_flows(state));
        struct timer_wheel *wheel = firewall_at(state, state->wheel);
        timer_wheel_remove(wheel, firewall_flows(state), index);
        timer_wheel_add(wheel, firewall_flows(state), index, expires, state->now);
    }
}

static bool fire(void *context, uint32_t index, uint32_t now, uint32_t *due) {
    struct firewall_state *state = context;
    struct firewall_flow *flow = &firewall_flows(state)[index];
    *due = flow->expires;
    if ((int32_t)(flow->expires - now) > 0) {
        return true;
    }
    close_untimed(state, flow);
    return false;
}

void firewall_flows_expire(const struct firewall_config *config, struct firewall_state *state,
                           uint32_t budget) {
    if (is_timed(config)) {
        timer_wheel_advance(firewall_at(state, state->wheel), firewall_flows(state), state->now,
                            budget, fire, state);
    }
}
