/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rule language, and what rules say of a packet.
 *
 *     rule      = action [ "from" side ] match
 *     action    = "allow" | "drop"
 *     side      = "trusted" | "untrusted" | "any"
 *
 * matching/match.h has the rest of it. A side that is left out is read in the safe way: allow
 * speaks of the trusted side, drop of both.
 */
#include "firewall_config.h"

static bool read_action(struct reader *reader, struct firewall_rule *rule) {
    if (!reader_is(reader, "allow") && !reader_is(reader, "drop")) {
        return reader_refuse_word(reader, "\"allow\" or \"drop\"");
    }
    bool allows = reader_is(reader, "allow");
    rule->verdict = allows ? FIREWALL_ALLOW : FIREWALL_DROP;
    rule->sides = FIREWALL_TRUSTED;
    if (!allows) {
        rule->sides |= FIREWALL_UNTRUSTED;
    }
    reader_next(reader);
    if (!reader_skip(reader, "from")) {
        return true;
    }
    if (reader_is(reader, "any")) {
        rule->sides = FIREWALL_TRUSTED | FIREWALL_UNTRUSTED;
    } else if (reader_is(reader, "trusted") || reader_is(reader, "untrusted")) {
        rule->sides = reader_is(reader, "trusted") ? FIREWALL_TRUSTED : FIREWALL_UNTRUSTED;
    } else {
        return reader_refuse_word(reader, "\"trusted\", \"untrusted\" or \"any\"");
    }
    reader_next(reader);
    return true;
}

int firewall_parse_rule(void *config_pointer, const char *text, char *error, size_t error_size) {
    struct firewall_config *config = config_pointer;
    struct reader reader = reader_begin(text, error, error_size);
    struct firewall_rule rule = {0};
    if (config->rule_count == FIREWALL_RULES_MAX) {
        reader_refuse(&reader, "at most %u rules", FIREWALL_RULES_MAX);
        return -1;
    }
    if (!read_action(&reader, &rule) || !match_read(&reader, &config->pool, &rule.match)) {
        return -1;
    }
    config->rules[config->rule_count++] = rule;
    return 0;
}

enum firewall_verdict firewall_judge(const struct firewall_config *config, uint8_t side,
                                     const struct match_question *question) {
    for (uint32_t i = 0; i < config->rule_count; ++i) {
        const struct firewall_rule *rule = &config->rules[i];
        if ((rule->sides & side) != 0 && match_fits(&config->pool, &rule->match, question)) {
            return (enum firewall_verdict)rule->verdict;
        }
    }
    return FIREWALL_NO_RULE;
}
