/* SPDX-License-Identifier: BSD-3-Clause */
/* What a rule says of a packet's headers and its flow. */
#include "ids/ids_state.h"

/* ---- Addresses and ports ---- */

static bool matches_address(const struct ids_rules *rules, struct ids_span span,
                            const struct ids_address *address, uint8_t version) {
    bool has_plain = false;
    bool is_in = false;
    for (uint32_t index = 0; index < span.count; index++) {
        const struct ids_prefix *prefix = &rules->prefixes[span.first + index];
        bool matches = prefix->version == version &&
                       (address->high & prefix->mask.high) == prefix->address.high &&
                       (address->low & prefix->mask.low) == prefix->address.low;
        if (matches && prefix->is_negated) {
            return false;
        }
        has_plain = has_plain || !prefix->is_negated;
        is_in = is_in || matches;
    }
    return is_in || !has_plain;
}

static bool matches_port(const struct ids_rules *rules, struct ids_span span, uint16_t port) {
    bool has_plain = false;
    bool is_in = false;
    for (uint32_t index = 0; index < span.count; index++) {
        const struct ids_range *range = &rules->ranges[span.first + index];
        bool matches = port >= range->first && port <= range->last;
        if (matches && range->is_negated) {
            return false;
        }
        has_plain = has_plain || !range->is_negated;
        is_in = is_in || matches;
    }
    return is_in || !has_plain;
}

static bool matches_ends(const struct ids_work *work, const struct ids_rule *rule,
                         uint32_t source) {
    const struct ids_key *key = &work->view->key;
    uint32_t destination = source ^ 1;
    return matches_port(work->rules, rule->destination_ports, key->ports[destination]) &&
           matches_port(work->rules, rule->source_ports, key->ports[source]) &&
           matches_address(work->rules, rule->source, &key->ends[source], key->version) &&
           matches_address(work->rules, rule->destination, &key->ends[destination], key->version);
}

static bool matches_protocol(const struct ids_rule *rule, uint8_t protocol) {
    switch ((enum ids_protocol)rule->protocol) {
    case IDS_PROTOCOL_TCP:
        return protocol == FTMB_PROTOCOL_TCP;
    case IDS_PROTOCOL_UDP:
        return protocol == FTMB_PROTOCOL_UDP;
    case IDS_PROTOCOL_ICMP:
        return ids_is_icmp(protocol);
    case IDS_PROTOCOL_IP:
        break;
    }
    return true;
}

/* ---- Numbers ---- */

static bool matches_bounds(const struct ids_bounds *bounds, uint32_t number) {
    bool is_in = number >= bounds->minimum && number <= bounds->maximum;
    return !bounds->is_set || is_in != bounds->is_negated;
}

static bool matches_flags(const struct ids_rule *rule, uint8_t flags) {
    uint8_t seen = flags & rule->flags_mask;
    switch ((enum ids_flags_mode)rule->flags_mode) {
    case IDS_FLAGS_EXACT:
        return seen == rule->flags_wanted;
    case IDS_FLAGS_ALL:
        return (seen & rule->flags_wanted) == rule->flags_wanted;
    case IDS_FLAGS_SOME:
        return (seen & rule->flags_wanted) != 0;
    case IDS_FLAGS_NOT:
        return (seen & rule->flags_wanted) != rule->flags_wanted;
    case IDS_FLAGS_ANY:
        break;
    }
    return true;
}

/* ---- The flow ---- */

/* Of TCP: what the packets before this one have made of it. */
static bool is_established(const struct ids_work *work) {
    if (work->view->key.protocol == FTMB_PROTOCOL_TCP) {
        return work->was_established;
    }
    return work->flow != NULL && (work->flow->flags & IDS_HAS_ANSWER) != 0;
}

static bool matches_flow(const struct ids_work *work, uint8_t words) {
    if ((words & (IDS_FLOW_TO_SERVER | IDS_FLOW_TO_CLIENT)) != 0 &&
        (work->flow == NULL || ((words & IDS_FLOW_TO_SERVER) != 0) != work->by_client)) {
        return false;
    }
    if ((words & IDS_FLOW_ESTABLISHED) != 0) {
        return is_established(work);
    }
    return (words & IDS_FLOW_NOT_ESTABLISHED) == 0 || !is_established(work);
}

bool ids_header_matches(const struct ids_work *work, const struct ids_rule *rule) {
    const struct ids_view *view = work->view;
    return matches_protocol(rule, view->key.protocol) && matches_flow(work, rule->flow) &&
           matches_bounds(&rule->size, view->size) && matches_bounds(&rule->type, view->type) &&
           matches_bounds(&rule->code, view->code) && matches_flags(rule, view->tcp_flags) &&
           (matches_ends(work, rule, view->sender) ||
            (rule->is_both_ways && matches_ends(work, rule, view->sender ^ 1)));
}
