/* SPDX-License-Identifier: BSD-3-Clause */
/* The options of a canonical rule that ask for, or change, what is remembered. */
#include <string.h>

#include "ids/ids_rules.h"

#define COUNT_MAX 1000000U
#define SECONDS_MAX 86400U

/* ---- flow ---- */

static bool check_flow(struct ids_reader *reader, uint8_t flow) {
    static const uint8_t pairs[] = {
        IDS_FLOW_TO_SERVER | IDS_FLOW_TO_CLIENT,   IDS_FLOW_ESTABLISHED | IDS_FLOW_NOT_ESTABLISHED,
        IDS_FLOW_ESTABLISHED | IDS_FLOW_STATELESS, IDS_FLOW_NOT_ESTABLISHED | IDS_FLOW_STATELESS,
        IDS_FLOW_NO_STREAM | IDS_FLOW_ONLY_STREAM,
    };
    for (uint32_t index = 0; index < sizeof(pairs); index++) {
        if ((flow & pairs[index]) == pairs[index]) {
            return ids_refuse(reader, "words of flow contradict each other");
        }
    }
    return true;
}

bool ids_parse_flow(struct ids_reader *reader, struct ids_rule *rule) {
    static const struct {
        const char *name;
        uint8_t bit;
    } words[] = {
        {"to_server", IDS_FLOW_TO_SERVER},     {"to_client", IDS_FLOW_TO_CLIENT},
        {"established", IDS_FLOW_ESTABLISHED}, {"not_established", IDS_FLOW_NOT_ESTABLISHED},
        {"stateless", IDS_FLOW_STATELESS},     {"no_stream", IDS_FLOW_NO_STREAM},
        {"only_stream", IDS_FLOW_ONLY_STREAM},
    };
    do {
        uint8_t bit = 0;
        for (uint32_t index = 0; index < sizeof(words) / sizeof(words[0]) && bit == 0; index++) {
            bit = ids_take(reader, words[index].name) ? words[index].bit : 0;
        }
        if (bit == 0 || (rule->flow & bit) != 0) {
            return ids_refuse_here(reader, "a word of flow, each once,");
        }
        rule->flow |= bit;
    } while (ids_take(reader, ","));
    return check_flow(reader, rule->flow);
}

/* ---- flowbits ---- */

static bool find_flowbit(struct ids_reader *reader, const char *name, uint8_t *number) {
    struct ids_rules *rules = reader->rules;
    for (uint32_t index = 0; index < rules->flowbit_count; index++) {
        if (strcmp(rules->flowbits[index], name) == 0) {
            *number = (uint8_t)index;
            return true;
        }
    }
    if (rules->flowbit_count == IDS_FLOWBITS_MAX) {
        return ids_refuse(reader, "all rules together have more than %u flowbits",
                          IDS_FLOWBITS_MAX);
    }
    *number = (uint8_t)rules->flowbit_count;
    char *kept = ids_grow((void **)&rules->flowbits, &rules->flowbit_count, &rules->flowbit_room,
                          sizeof(rules->flowbits[0]), 1);
    if (kept == NULL) {
        return ids_refuse(reader, "there is no memory for more flowbits");
    }
    memcpy(kept, name, strlen(name) + 1);
    return true;
}

static bool parse_flowbit_names(struct ids_reader *reader, struct ids_step *step) {
    do {
        char name[IDS_FLOWBIT_NAME_MAX + 1];
        size_t length = strspn(reader->at, "abcdefghijklmnopqrstuvwxyz0123456789_.-"
                                           "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        if (length == 0 || length > IDS_FLOWBIT_NAME_MAX) {
            return ids_refuse_here(reader, "a flowbit's name of 1 to 63 letters, digits, _ . -");
        }
        memcpy(name, reader->at, length);
        name[length] = '\0';
        reader->at += length;
        if (step->name_count == IDS_STEP_NAMES_MAX) {
            return ids_refuse(reader, "more than %u flowbits in one option", IDS_STEP_NAMES_MAX);
        }
        if (!find_flowbit(reader, name, &step->names[step->name_count++])) {
            return false;
        }
    } while ((step->kind == IDS_STEP_IS_SET || step->kind == IDS_STEP_IS_NOT_SET) &&
             ids_take(reader, "|"));
    return true;
}

bool ids_parse_flowbits(struct ids_reader *reader, struct ids_rule *rule) {
    static const char *const names[] = {
        [IDS_STEP_SET] = "set,",
        [IDS_STEP_UNSET] = "unset,",
        [IDS_STEP_TOGGLE] = "toggle,",
        [IDS_STEP_IS_SET] = "isset,",
        [IDS_STEP_IS_NOT_SET] = "isnotset,",
    };
    if (ids_take(reader, "noalert")) {
        rule->is_silent = true;
        return true;
    }
    if (rule->step_count == IDS_STEPS_MAX) {
        return ids_refuse(reader, "more than %u options flowbits", IDS_STEPS_MAX);
    }
    for (uint8_t kind = 0; kind < sizeof(names) / sizeof(names[0]); kind++) {
        if (ids_take(reader, names[kind])) {
            struct ids_step *step = &rule->steps[rule->step_count++];
            step->kind = kind;
            return parse_flowbit_names(reader, step);
        }
    }
    return ids_refuse_here(reader, "set, unset, toggle, isset, isnotset or noalert");
}

/* ---- threshold, detection_filter ---- */

static bool parse_track(struct ids_reader *reader, struct ids_rule *rule) {
    static const char *const names[] = {[IDS_TRACK_SOURCE] = "by_src",
                                        [IDS_TRACK_DESTINATION] = "by_dst",
                                        [IDS_TRACK_BOTH] = "by_both",
                                        [IDS_TRACK_RULE] = "by_rule"};
    if (!ids_take(reader, "track ")) {
        return ids_refuse_here(reader, "\"track\"");
    }
    for (uint8_t track = 0; track < sizeof(names) / sizeof(names[0]); track++) {
        if (ids_take(reader, names[track])) {
            rule->limit_track = track;
            return true;
        }
    }
    return ids_refuse_here(reader, "by_src, by_dst, by_both or by_rule");
}

static bool parse_amount(struct ids_reader *reader, struct ids_rule *rule) {
    if (!ids_take(reader, ", count ")) {
        return ids_refuse_here(reader, "\", count\"");
    }
    if (!ids_take_number(reader, 1, COUNT_MAX, "a count", &rule->limit_count)) {
        return false;
    }
    if (!ids_take(reader, ", seconds ")) {
        return ids_refuse_here(reader, "\", seconds\"");
    }
    return ids_take_number(reader, 1, SECONDS_MAX, "seconds", &rule->limit_seconds);
}

static bool check_single(struct ids_reader *reader, const struct ids_rule *rule) {
    return rule->limit_kind == IDS_LIMIT_NONE ||
           ids_refuse(reader, "threshold and detection_filter exclude each other");
}

bool ids_parse_threshold(struct ids_reader *reader, struct ids_rule *rule) {
    if (!check_single(reader, rule)) {
        return false;
    }
    rule->limit_kind = ids_take(reader, "type limit, ")       ? IDS_LIMIT_LIMIT
                       : ids_take(reader, "type threshold, ") ? IDS_LIMIT_THRESHOLD
                       : ids_take(reader, "type both, ")      ? IDS_LIMIT_BOTH
                                                              : IDS_LIMIT_NONE;
    if (rule->limit_kind == IDS_LIMIT_NONE) {
        return ids_refuse_here(reader, "\"type\" and limit, threshold or both");
    }
    return parse_track(reader, rule) && parse_amount(reader, rule);
}

bool ids_parse_detection_filter(struct ids_reader *reader, struct ids_rule *rule) {
    if (!check_single(reader, rule)) {
        return false;
    }
    rule->limit_kind = IDS_LIMIT_DETECTION;
    return parse_track(reader, rule) && parse_amount(reader, rule);
}
