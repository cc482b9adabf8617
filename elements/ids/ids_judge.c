/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Asking the rules that may match: first what passes, then what drops, then what alerts; within
 * these, what sets flowbits before what asks for them, and by priority.
 *
 * A rule matches in the packet that brings the last of its parts, if all else that it says holds
 * for this packet. Then its parts begin anew.
 */
#include "ids/ids_state.h"
#include "ids/ids_threshold.h"

#define LIMITS_PER_PACKET 16U /* thresholds asked: a record has room for so many hand-overs */

struct judging {
    struct ids_work *work;
    enum ids_reason verdict;
    bool is_over; /* a rule says pass */
    uint32_t limits_asked;
};

/* ---- Parts ---- */

static bool are_found(const struct ids_work *work, const struct ids_rule *rule,
                      const struct ids_found *found) {
    for (uint32_t index = 0; index < rule->parts.count; index++) {
        uint32_t part = rule->parts.first + index;
        if (ids_is_found(found, part) == work->rules->parts[part].is_negated) {
            return false;
        }
    }
    return true;
}

static bool is_in_stream(const struct ids_work *work, const struct ids_rule *rule) {
    return (rule->places & IDS_IN_STREAM) != 0 && work->in_stream &&
           are_found(work, rule, &work->scanner->stream);
}

static bool is_in_packet(const struct ids_work *work, const struct ids_rule *rule) {
    bool is_tcp = work->view->key.protocol == FTMB_PROTOCOL_TCP;
    bool is_meant = !is_tcp || (rule->places & IDS_IN_PACKET) != 0 ||
                    (work->is_alone && (rule->flow & IDS_FLOW_ONLY_STREAM) == 0);
    return is_meant && work->view->size != 0 && are_found(work, rule, &work->scanner->packet);
}

/* `in_stream`: it was the stream that matched. */
static bool matches_payload(const struct ids_work *work, const struct ids_rule *rule,
                            bool *in_stream) {
    *in_stream = false;
    if (rule->parts.count == 0) {
        return (rule->places & IDS_FIRST_PACKETS) == 0 || work->is_first;
    }
    *in_stream = work->view->key.protocol == FTMB_PROTOCOL_TCP && is_in_stream(work, rule);
    return *in_stream || is_in_packet(work, rule);
}

static void forget_parts(struct ids_work *work, const struct ids_rule *rule) {
    for (uint32_t index = 0; index < rule->parts.count; index++) {
        ids_forget(&work->scanner->stream, rule->parts.first + index);
    }
}

/* ---- Flowbits ---- */

static bool is_any_set(const struct ids_flow *flow, const struct ids_step *step) {
    for (uint32_t index = 0; flow != NULL && index < step->name_count; index++) {
        uint8_t bit = step->names[index];
        if ((flow->flowbits[bit / 64] >> (bit % 64) & 1) != 0) {
            return true;
        }
    }
    return false;
}

static bool matches_flowbits(const struct ids_work *work, const struct ids_rule *rule) {
    for (uint32_t index = 0; index < rule->step_count; index++) {
        const struct ids_step *step = &rule->steps[index];
        if ((step->kind == IDS_STEP_IS_SET && !is_any_set(work->flow, step)) ||
            (step->kind == IDS_STEP_IS_NOT_SET && is_any_set(work->flow, step))) {
            return false;
        }
    }
    return true;
}

static void change_flowbits(struct ids_flow *flow, const struct ids_rule *rule) {
    for (uint32_t index = 0; flow != NULL && index < rule->step_count; index++) {
        const struct ids_step *step = &rule->steps[index];
        uint64_t *word = &flow->flowbits[step->names[0] / 64];
        uint64_t bit = 1ULL << (step->names[0] % 64);
        if (step->kind == IDS_STEP_SET) {
            *word |= bit;
        } else if (step->kind == IDS_STEP_UNSET) {
            *word &= ~bit;
        } else if (step->kind == IDS_STEP_TOGGLE) {
            *word ^= bit;
        }
    }
}

/* ---- What a match does ---- */

/* What the stream, or addresses alone, matched, holds for the whole flow. */
static void act(struct judging *judging, const struct ids_rule *rule, struct ids_rule_row *row,
                bool in_stream) {
    struct ids_flow *flow = judging->work->flow;
    bool is_for_flow = in_stream || (rule->places & IDS_FIRST_PACKETS) != 0;
    if (rule->action == IDS_ACTION_ALERT) {
        return;
    }
    if (rule->action == IDS_ACTION_DROP) {
        judging->verdict = IDS_RULE;
        row->drops++;
    } else {
        judging->is_over = true;
    }
    if (is_for_flow && flow != NULL) {
        flow->flags |= rule->action == IDS_ACTION_DROP ? IDS_DROPPED : IDS_PASSED;
    }
}

static enum ids_limit_answer ask_limit(struct judging *judging, uint32_t number,
                                       const struct ids_rule *rule) {
    if (rule->limit_kind == IDS_LIMIT_NONE) {
        return IDS_LIMIT_ALERT;
    }
    if (judging->limits_asked == LIMITS_PER_PACKET) {
        judging->work->state->totals.limits_unasked++;
        return IDS_LIMIT_ALERT;
    }
    judging->limits_asked++;
    return ids_threshold_ask(judging->work->context, judging->work->view, number, rule);
}

static void ask_rule(struct judging *judging, uint32_t number) {
    struct ids_work *work = judging->work;
    const struct ids_rule *rule = &work->rules->rules[number];
    bool in_stream;
    if (!matches_payload(work, rule, &in_stream) || !ids_header_matches(work, rule) ||
        !matches_flowbits(work, rule)) {
        return;
    }
    struct ids_rule_row *row = (struct ids_rule_row *)ids_at(work->state, work->state->rules);
    row += number;
    row->matches++;
    if (in_stream) {
        forget_parts(work, rule);
    }
    change_flowbits(work->flow, rule);
    enum ids_limit_answer answer = ask_limit(judging, number, rule);
    if (answer == IDS_LIMIT_NO_MATCH) {
        return;
    }
    act(judging, rule, row, in_stream);
    if (answer == IDS_LIMIT_ALERT && !rule->is_silent && rule->action != IDS_ACTION_PASS) {
        row->alerts++;
        ids_alert_add(work, number);
    }
}

enum ids_reason ids_judge(struct ids_work *work) {
    struct judging judging = {.work = work};
    const struct ids_scanner *scanner = work->scanner;
    for (uint32_t word = scanner->candidate_first; word <= scanner->candidate_last; word++) {
        uint64_t bits = scanner->candidates[word];
        for (; bits != 0 && !judging.is_over; bits &= bits - 1) {
            uint32_t rank = word * 64 + (uint32_t)__builtin_ctzll(bits);
            ask_rule(&judging, scanner->engine->order[rank]);
        }
    }
    return judging.verdict;
}
