/* SPDX-License-Identifier: BSD-3-Clause */
#include "ids/ids_threshold.h"

#include <errno.h>

#include "arena/hash_table.h"

#define STRIPES_PER_WORKER 8U
#define STRIPES_MIN 16U
#define PROBES 8U /* places an entry may be at */
#define SECOND_NS 1000000000ULL
#define SEED 0x6a09e667f3bcc908ULL

static uint32_t next_power_of_two(uint32_t value) {
    uint32_t power = 1;
    while (power < value) {
        power *= 2;
    }
    return power;
}

int ids_shared_create(struct ftmb_arena *arena, const struct ids_config *config, uint32_t workers,
                      struct ids_shared **created) {
    uint32_t stripes = next_power_of_two(workers * STRIPES_PER_WORKER);
    stripes = stripes < STRIPES_MIN ? STRIPES_MIN : stripes;
    uint32_t slots = next_power_of_two(config->thresholds_max);
    struct ids_shared *shared = ftmb_allocate_shared(arena, sizeof(struct ids_shared), 64);
    struct ftmb_shared *variables = ftmb_allocate_variables(arena, stripes);
    struct ids_threshold *table =
        ftmb_allocate_shared(arena, (size_t)slots * sizeof(struct ids_threshold), 64);
    if (shared == NULL || variables == NULL || table == NULL) {
        return -ENOMEM;
    }
    *shared = (struct ids_shared){
        .stripes = stripes,
        .slots_per_stripe = slots / stripes,
        .variables_offset = (uint64_t)((uint8_t *)variables - (uint8_t *)shared),
        .table_offset = (uint64_t)((uint8_t *)table - (uint8_t *)shared),
        .seed = SEED,
    };
    *created = shared;
    return 0;
}

/* Who a match is counted for, and when. */
struct match {
    struct ids_address by, of; /* source and destination, as far as they are tracked */
    uint64_t time_ns;
    uint32_t rule;
};

static struct match match_of(const struct ids_view *view, uint32_t number,
                             const struct ids_rule *rule) {
    struct match match = {.rule = number + 1, .time_ns = view->packet->time_ns};
    if (rule->limit_track == IDS_TRACK_SOURCE || rule->limit_track == IDS_TRACK_BOTH) {
        match.by = view->key.ends[view->sender];
    }
    if (rule->limit_track == IDS_TRACK_DESTINATION || rule->limit_track == IDS_TRACK_BOTH) {
        match.of = view->key.ends[view->sender ^ 1];
    }
    return match;
}

static bool is_of(const struct ids_threshold *entry, const struct match *match) {
    return entry->rule == match->rule && entry->source.low == match->by.low &&
           entry->source.high == match->by.high && entry->destination.low == match->of.low &&
           entry->destination.high == match->of.high;
}

/* The entry, a free one, or that which began longest ago: whose count is the least loss. */
static struct ids_threshold *find_entry(struct ids_threshold *stripe, uint32_t slots,
                                        uint32_t first, const struct match *match) {
    struct ids_threshold *oldest = &stripe[first & (slots - 1)];
    for (uint32_t probe = 0; probe < PROBES; probe++) {
        struct ids_threshold *entry = &stripe[(first + probe) & (slots - 1)];
        if (is_of(entry, match)) {
            return entry;
        }
        if (entry->rule == 0 || (oldest->rule != 0 && entry->start_ns < oldest->start_ns)) {
            oldest = entry;
        }
    }
    return oldest;
}

static enum ids_limit_answer answer_of(const struct ids_rule *rule, struct ids_threshold *entry) {
    uint32_t limit = rule->limit_count;
    switch ((enum ids_limit_kind)rule->limit_kind) {
    case IDS_LIMIT_LIMIT:
        return entry->count <= limit ? IDS_LIMIT_ALERT : IDS_LIMIT_NO_ALERT;
    case IDS_LIMIT_THRESHOLD:
        if (entry->count < limit) {
            return IDS_LIMIT_NO_MATCH;
        }
        entry->count = 0;
        return IDS_LIMIT_ALERT;
    case IDS_LIMIT_BOTH:
        return entry->count < limit    ? IDS_LIMIT_NO_MATCH
               : entry->count == limit ? IDS_LIMIT_ALERT
                                       : IDS_LIMIT_NO_ALERT;
    default:
        return entry->count > limit ? IDS_LIMIT_ALERT : IDS_LIMIT_NO_MATCH;
    }
}

/* Counts this match: in the time that runs, or as the first of a new one. */
static enum ids_limit_answer count_match(const struct ids_rule *rule, struct ids_threshold *entry,
                                         const struct match *match) {
    uint64_t passed_ns = match->time_ns - entry->start_ns;
    bool is_same = is_of(entry, match) && (match->time_ns < entry->start_ns ||
                                           passed_ns <= rule->limit_seconds * SECOND_NS);
    if (!is_same) {
        *entry = (struct ids_threshold){.start_ns = match->time_ns,
                                        .source = match->by,
                                        .destination = match->of,
                                        .rule = match->rule};
    }
    entry->count += entry->count != UINT32_MAX;
    return answer_of(rule, entry);
}

enum ids_limit_answer ids_threshold_ask(struct ftmb_context *context, const struct ids_view *view,
                                        uint32_t number, const struct ids_rule *rule) {
    struct ids_shared *shared = context->shared;
    struct match match = match_of(view, number, rule);
    uint64_t hash = hash_table_hash(match.by.low, match.by.high, shared->seed + number);
    hash = hash_table_hash(match.of.low, match.of.high, hash);
    uint32_t index = (uint32_t)hash & (shared->stripes - 1);
    struct ids_threshold *table = (void *)((uint8_t *)shared + shared->table_offset);
    struct ids_threshold *stripe = table + (size_t)index * shared->slots_per_stripe;
    struct ftmb_shared *variable =
        ftmb_shared_at((void *)((uint8_t *)shared + shared->variables_offset), index);
    ftmb_shared_acquire(context, variable);
    struct ids_threshold *entry =
        find_entry(stripe, shared->slots_per_stripe, (uint32_t)(hash >> 32), &match);
    enum ids_limit_answer answer = count_match(rule, entry, &match);
    ftmb_shared_release(context, variable);
    return answer;
}
