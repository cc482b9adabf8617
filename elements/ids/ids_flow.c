/* SPDX-License-Identifier: BSD-3-Clause */
/* Flows: found, begun by a first packet, ended by time. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "ids/ids_state.h"

#define CACHE_LINE 64U
#define FLOW_ID_BITS 53U /* what JSON's numbers hold */

/* ---- Making the state ---- */

/* Offsets are handed out one after the other, each on a cache line. */
static uint64_t reserve(uint64_t *size, uint64_t bytes) {
    uint64_t offset = *size;
    *size += (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    return offset;
}

/* One more, since the unit at hand has begun already: never shorter than asked for. */
static uint32_t units_of(uint64_t nanoseconds) {
    return (uint32_t)((nanoseconds + IDS_UNIT_NS - 1) / IDS_UNIT_NS) + 1;
}

static void fill_rules(struct ids_state *state, const struct ids_rules *rules) {
    struct ids_rule_row *rows = ids_at(state, state->rules);
    for (uint32_t index = 0; index < rules->rule_count; index++) {
        rows[index].sid = rules->rules[index].sid;
        rows[index].gid = rules->rules[index].gid;
    }
}

int ids_state_create(struct ftmb_arena *arena, const struct ids_config *config, uint32_t worker,
                     struct ids_state **created) {
    struct ids_state head = {
        .timeouts = {[IDS_TIMEOUT_TCP_NEW] = units_of(config->tcp_new_ns),
                     [IDS_TIMEOUT_TCP_ESTABLISHED] = units_of(config->tcp_established_ns),
                     [IDS_TIMEOUT_TCP_CLOSED] = units_of(config->tcp_closed_ns),
                     [IDS_TIMEOUT_OTHER_NEW] = units_of(config->other_new_ns),
                     [IDS_TIMEOUT_OTHER_ESTABLISHED] = units_of(config->other_established_ns)},
    };
    uint64_t size = 0;
    reserve(&size, sizeof head);
    head.flows = reserve(&size, (uint64_t)config->flows_max * sizeof(struct ids_flow));
    head.table = reserve(&size, hash_table_size(config->flows_max));
    head.wheel = reserve(&size, timer_wheel_size(IDS_WHEEL_SLOTS));
    head.blocks = reserve(&size, ids_blocks_size(config->blocks_max));
    head.alerts = reserve(&size, (uint64_t)config->alerts_max * sizeof(struct ids_alert));
    head.rules = reserve(&size, (uint64_t)config->rules->rule_count * sizeof(struct ids_rule_row));
    struct ids_state *state = ftmb_allocate_worker(arena, worker, size, CACHE_LINE);
    if (state == NULL) {
        return -ENOMEM;
    }
    *state = head;
    free_list_init(&state->pool, config->flows_max, sizeof(struct ids_flow),
                   offsetof(struct ids_flow, free));
    hash_table_init(ids_at(state, state->table), config->flows_max);
    timer_wheel_init(ids_at(state, state->wheel), IDS_WHEEL_SLOTS, sizeof(struct ids_flow),
                     offsetof(struct ids_flow, timer));
    ids_blocks_init(ids_blocks(state), config->blocks_max);
    fill_rules(state, config->rules);
    *created = state;
    return 0;
}

/* ---- Finding ---- */

struct flow_question {
    const struct ids_flow *flows;
    const struct ids_key *key;
};

static inline bool is_equal(const void *question_pointer, uint32_t index) {
    const struct flow_question *question = question_pointer;
    const struct ids_key *one = &question->flows[index].key;
    const struct ids_key *other = question->key;
    return one->ends[0].low == other->ends[0].low && one->ends[1].low == other->ends[1].low &&
           one->ports[0] == other->ports[0] && one->ports[1] == other->ports[1] &&
           one->ends[0].high == other->ends[0].high && one->ends[1].high == other->ends[1].high &&
           one->protocol == other->protocol && one->version == other->version;
}

void ids_direction_clear(struct ids_state *state, struct ids_direction *direction) {
    ids_chain_free(ids_blocks(state), &direction->memory);
    ids_early_clear(state, direction);
    direction->memory_size = 0;
}

/* Its timer is out of the wheel. */
static void close_untimed(struct ids_state *state, struct ids_flow *flow) {
    uint32_t index = (uint32_t)(flow - ids_flows(state));
    hash_table_remove(ids_at(state, state->table), ids_hash(&flow->key, state->seed), index);
    ids_direction_clear(state, &flow->directions[0]);
    ids_direction_clear(state, &flow->directions[1]);
    free_list_give(&state->pool, ids_flows(state), index);
}

static void close_flow(struct ids_state *state, struct ids_flow *flow) {
    timer_wheel_remove(ids_at(state, state->wheel), ids_flows(state),
                       (uint32_t)(flow - ids_flows(state)));
    close_untimed(state, flow);
}

static struct ids_flow *find_flow(struct ids_state *state, const struct ids_view *view) {
    struct flow_question question = {ids_flows(state), &view->key};
    uint32_t index = hash_table_find(ids_at(state, state->table), view->hash, is_equal, &question);
    if (index == HASH_TABLE_NONE) {
        return NULL;
    }
    struct ids_flow *flow = &ids_flows(state)[index];
    if ((int32_t)(flow->expires - state->now) > 0) {
        return flow;
    }
    close_flow(state, flow); /* the wheel has not come to it yet */
    return NULL;
}

/* ---- Beginning ---- */

static uint64_t flow_id(const struct ids_state *state, const struct ids_view *view) {
    uint64_t id = hash_table_hash(view->hash, view->packet->time_ns, state->totals.flows);
    return id >> (64U - FLOW_ID_BITS);
}

static struct ids_flow *open_flow(struct ids_state *state, const struct ids_view *view) {
    uint32_t index = free_list_take(&state->pool, ids_flows(state));
    if (index == FREE_LIST_NONE) {
        return NULL;
    }
    struct ids_flow *flow = &ids_flows(state)[index];
    memset(flow, 0, sizeof(*flow));
    flow->key = view->key;
    for (uint32_t end = 0; end < 2; end++) {
        flow->directions[end].memory = IDS_NO_CHAIN;
        flow->directions[end].early = IDS_NO_CHAIN;
    }
    if (!hash_table_insert(ids_at(state, state->table), view->hash, index)) {
        free_list_give(&state->pool, ids_flows(state), index);
        return NULL;
    }
    state->totals.flows++;
    flow->id = flow_id(state, view);
    flow->flags = view->sender == 1 ? IDS_CLIENT_IS_SECOND : 0;
    bool is_tcp = view->key.protocol == FTMB_PROTOCOL_TCP;
    flow->expires =
        state->now + state->timeouts[is_tcp ? IDS_TIMEOUT_TCP_NEW : IDS_TIMEOUT_OTHER_NEW];
    timer_wheel_add(ids_at(state, state->wheel), ids_flows(state), index, flow->expires,
                    state->now);
    return flow;
}

static void meet(struct ids_work *work) {
    struct ids_flow *flow = work->flow;
    uint8_t sender = work->view->sender;
    uint16_t seen = sender == 0 ? IDS_SEEN_FIRST : IDS_SEEN_SECOND;
    work->by_client = (sender == 1) == ((flow->flags & IDS_CLIENT_IS_SECOND) != 0);
    work->is_first = (flow->flags & seen) == 0;
    flow->flags |= seen;
    if ((flow->flags & IDS_SEEN_FIRST) != 0 && (flow->flags & IDS_SEEN_SECOND) != 0) {
        flow->flags |= IDS_HAS_ANSWER;
    }
}

void ids_flow_meet(struct ids_work *work) {
    work->flow = find_flow(work->state, work->view);
    if (work->flow == NULL) {
        work->flow = open_flow(work->state, work->view);
    }
    if (work->flow == NULL) {
        work->state->totals.flows_refused++;
        work->by_client = true;
        return;
    }
    meet(work);
}

void ids_flow_restart(struct ids_work *work) {
    close_flow(work->state, work->flow);
    ids_flow_meet(work);
}

/* ---- Time ---- */

static enum ids_timeout timeout_of(const struct ids_flow *flow) {
    if (flow->key.protocol != FTMB_PROTOCOL_TCP) {
        return (flow->flags & IDS_HAS_ANSWER) != 0 ? IDS_TIMEOUT_OTHER_ESTABLISHED
                                                   : IDS_TIMEOUT_OTHER_NEW;
    }
    bool is_over = (flow->directions[0].flags & flow->directions[1].flags & IDS_HAS_FIN) != 0;
    if (is_over || (flow->flags & IDS_RESET) != 0) {
        return IDS_TIMEOUT_TCP_CLOSED;
    }
    return (flow->flags & IDS_HAS_ANSWER) != 0 ? IDS_TIMEOUT_TCP_ESTABLISHED : IDS_TIMEOUT_TCP_NEW;
}

void ids_flow_refresh(struct ids_state *state, struct ids_flow *flow) {
    uint32_t expires = state->now + state->timeouts[timeout_of(flow)];
    if (expires == flow->expires) {
        return;
    }
    bool is_earlier = (int32_t)(expires - flow->expires) < 0;
    flow->expires = expires;
    if (is_earlier) {
        uint32_t index = (uint32_t)(flow - ids_flows(state));
        struct timer_wheel *wheel = ids_at(state, state->wheel);
        timer_wheel_remove(wheel, ids_flows(state), index);
        timer_wheel_add(wheel, ids_flows(state), index, expires, state->now);
    }
}

static bool fire(void *context, uint32_t index, uint32_t now, uint32_t *due) {
    struct ids_state *state = context;
    struct ids_flow *flow = &ids_flows(state)[index];
    *due = flow->expires;
    if ((int32_t)(flow->expires - now) > 0) {
        return true;
    }
    close_untimed(state, flow);
    return false;
}

void ids_flows_expire(struct ids_state *state, uint32_t budget) {
    timer_wheel_advance(ids_at(state, state->wheel), ids_flows(state), state->now, budget, fire,
                        state);
}
