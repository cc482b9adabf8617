/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The head of a canonical rule, and the words that all of its parsing is made of. RULES.md has the
 * grammar. The text is trusted with nothing: it is read once from left to right, and every number,
 * list and text has a bound.
 */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ids/ids_config.h"
#include "ids/ids_rules.h"

#define SHOWN_MAX 40

/* ---- Words ---- */

bool ids_refuse(struct ids_reader *reader, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reader->error, reader->error_size, format, arguments);
    va_end(arguments);
    return false;
}

bool ids_refuse_here(struct ids_reader *reader, const char *wanted) {
    char shown[SHOWN_MAX + 1];
    size_t length = 0;
    for (; length < SHOWN_MAX && reader->at[length] != '\0'; length++) {
        uint8_t byte = (uint8_t)reader->at[length]; /* the message stays whole UTF-8 */
        shown[length] = byte >= 0x20 && byte < 0x7f ? (char)byte : '?';
    }
    shown[length] = '\0';
    if (length == 0) {
        return ids_refuse(reader, "ends where %s is needed", wanted);
    }
    return ids_refuse(reader, "\"%s\" where %s is needed", shown, wanted);
}

bool ids_take(struct ids_reader *reader, const char *text) {
    size_t length = strlen(text);
    if (strncmp(reader->at, text, length) != 0) {
        return false;
    }
    reader->at += length;
    return true;
}

bool ids_take_number(struct ids_reader *reader, uint64_t minimum, uint64_t maximum,
                     const char *what, uint32_t *value) {
    const char *at = reader->at;
    uint64_t number = 0;
    for (; *at >= '0' && *at <= '9' && at - reader->at < 10; at++) {
        number = number * 10 + (uint64_t)(*at - '0');
    }
    bool has_zero = *reader->at == '0' && at - reader->at > 1;
    if (at == reader->at || has_zero || number < minimum || number > maximum ||
        (*at >= '0' && *at <= '9')) {
        char wanted[96];
        snprintf(wanted, sizeof(wanted), "%s from %llu to %llu", what, (unsigned long long)minimum,
                 (unsigned long long)maximum);
        return ids_refuse_here(reader, wanted);
    }
    reader->at = at;
    *value = (uint32_t)number;
    return true;
}

static bool refuse_memory(struct ids_reader *reader) {
    return ids_refuse(reader, "there is no memory for more rules");
}

bool ids_keep_text(struct ids_reader *reader, const char *text, size_t length, uint32_t *offset) {
    struct ids_rules *rules = reader->rules;
    uint32_t place = rules->text_size;
    char *kept = ids_grow((void **)&rules->texts, &rules->text_size, &rules->text_room, 1,
                          (uint32_t)length + 1);
    if (kept == NULL) {
        return refuse_memory(reader);
    }
    memcpy(kept, text, length);
    *offset = place;
    return true;
}

/* ---- Addresses ---- */

static struct ids_address mask_of(uint32_t bits) {
    return (struct ids_address){
        .high = bits == 0 ? 0 : ~0ULL << (bits >= 64 ? 0 : 64 - bits),
        .low = bits <= 64 ? 0 : ~0ULL << (128 - bits),
    };
}

static uint64_t load64(const uint8_t *at) {
    uint64_t value = 0;
    for (uint32_t index = 0; index < 8; index++) {
        value = value << 8 | at[index];
    }
    return value;
}

static bool parse_address(struct ids_reader *reader, struct ids_prefix *prefix) {
    static const char wanted[] = "an address such as 10.0.0.0/8 or 2001:db8::/32, no bits behind "
                                 "the prefix,";
    char text[INET6_ADDRSTRLEN];
    uint8_t bytes[16] = {[10] = 0xff, [11] = 0xff};
    struct ids_reader start = *reader;
    prefix->is_negated = ids_take(reader, "!");
    size_t length = strspn(reader->at, "0123456789abcdefABCDEF:.");
    if (length == 0 || length >= sizeof(text)) {
        return ids_refuse_here(&start, wanted);
    }
    memcpy(text, reader->at, length);
    text[length] = '\0';
    bool is_ipv6 = strchr(text, ':') != NULL;
    uint32_t bits = is_ipv6 ? 128 : 32;
    if (inet_pton(is_ipv6 ? AF_INET6 : AF_INET, text, is_ipv6 ? bytes : bytes + 12) != 1) {
        return ids_refuse_here(&start, wanted);
    }
    reader->at += length;
    if (ids_take(reader, "/") && !ids_take_number(reader, 0, bits, "bits of a prefix", &bits)) {
        return false;
    }
    prefix->address = (struct ids_address){.high = load64(bytes), .low = load64(bytes + 8)};
    prefix->mask = mask_of(is_ipv6 ? bits : bits + 96);
    prefix->version = is_ipv6 ? 6 : 4;
    if ((prefix->address.high & ~prefix->mask.high) != 0 ||
        (prefix->address.low & ~prefix->mask.low) != 0) {
        return ids_refuse_here(&start, wanted);
    }
    return true;
}

static bool parse_addresses(struct ids_reader *reader, struct ids_span *span) {
    struct ids_rules *rules = reader->rules;
    span->first = rules->prefix_count;
    if (ids_take(reader, "any")) {
        return true;
    }
    bool is_list = ids_take(reader, "[");
    do {
        struct ids_prefix *prefix = ids_grow((void **)&rules->prefixes, &rules->prefix_count,
                                             &rules->prefix_room, sizeof(struct ids_prefix), 1);
        if (prefix == NULL) {
            return refuse_memory(reader);
        }
        span->count++;
        if (!parse_address(reader, prefix)) {
            return false;
        }
    } while (is_list && ids_take(reader, ","));
    return !is_list || ids_take(reader, "]") || ids_refuse_here(reader, "\",\" or \"]\"");
}

/* ---- Ports ---- */

static bool parse_range(struct ids_reader *reader, struct ids_range *range) {
    uint32_t first = 0;
    uint32_t last = UINT16_MAX;
    range->is_negated = ids_take(reader, "!");
    bool has_first = *reader->at != ':';
    if (has_first && !ids_take_number(reader, 0, UINT16_MAX, "a port", &first)) {
        return false;
    }
    bool has_colon = ids_take(reader, ":");
    bool has_last = has_colon && *reader->at >= '0' && *reader->at <= '9';
    if (!has_colon) {
        last = first;
    } else if (has_last && !ids_take_number(reader, first, UINT16_MAX, "a port", &last)) {
        return false;
    }
    if (!has_first && !has_last) {
        return ids_refuse_here(reader, "a port behind \":\"");
    }
    range->first = (uint16_t)first;
    range->last = (uint16_t)last;
    return true;
}

static bool parse_ports(struct ids_reader *reader, const struct ids_rule *rule,
                        struct ids_span *span) {
    struct ids_rules *rules = reader->rules;
    span->first = rules->range_count;
    if (ids_take(reader, "any")) {
        return true;
    }
    if (rule->protocol != IDS_PROTOCOL_TCP && rule->protocol != IDS_PROTOCOL_UDP) {
        return ids_refuse_here(reader, "\"any\", as ports are of tcp and udp,");
    }
    bool is_list = ids_take(reader, "[");
    do {
        struct ids_range *range = ids_grow((void **)&rules->ranges, &rules->range_count,
                                           &rules->range_room, sizeof(struct ids_range), 1);
        if (range == NULL) {
            return refuse_memory(reader);
        }
        span->count++;
        if (!parse_range(reader, range)) {
            return false;
        }
    } while (is_list && ids_take(reader, ","));
    return !is_list || ids_take(reader, "]") || ids_refuse_here(reader, "\",\" or \"]\"");
}

/* ---- A rule ---- */

static bool take_space(struct ids_reader *reader) {
    return ids_take(reader, " ") || ids_refuse_here(reader, "a space");
}

static bool parse_action(struct ids_reader *reader, struct ids_rule *rule) {
    static const char *const names[] = {
        [IDS_ACTION_PASS] = "pass ", [IDS_ACTION_DROP] = "drop ", [IDS_ACTION_ALERT] = "alert "};
    for (uint8_t action = 0; action < sizeof(names) / sizeof(names[0]); action++) {
        if (ids_take(reader, names[action])) {
            rule->action = action;
            return true;
        }
    }
    return ids_refuse_here(reader, "\"alert\", \"drop\" or \"pass\"");
}

static bool parse_protocol(struct ids_reader *reader, struct ids_rule *rule) {
    static const char *const names[] = {[IDS_PROTOCOL_IP] = "ip ",
                                        [IDS_PROTOCOL_TCP] = "tcp ",
                                        [IDS_PROTOCOL_UDP] = "udp ",
                                        [IDS_PROTOCOL_ICMP] = "icmp "};
    for (uint8_t protocol = 0; protocol < sizeof(names) / sizeof(names[0]); protocol++) {
        if (ids_take(reader, names[protocol])) {
            rule->protocol = protocol;
            return true;
        }
    }
    return ids_refuse_here(reader, "\"ip\", \"tcp\", \"udp\" or \"icmp\"");
}

static bool parse_head(struct ids_reader *reader, struct ids_rule *rule) {
    if (!parse_action(reader, rule) || !parse_protocol(reader, rule) ||
        !parse_addresses(reader, &rule->source) || !take_space(reader) ||
        !parse_ports(reader, rule, &rule->source_ports) || !take_space(reader)) {
        return false;
    }
    rule->is_both_ways = ids_take(reader, "<> ");
    if (!rule->is_both_ways && !ids_take(reader, "-> ")) {
        return ids_refuse_here(reader, "\"->\" or \"<>\"");
    }
    if (!parse_addresses(reader, &rule->destination) || !take_space(reader) ||
        !parse_ports(reader, rule, &rule->destination_ports) || !take_space(reader)) {
        return false;
    }
    return ids_take(reader, "(") || ids_refuse_here(reader, "\"(\"");
}

static bool check_unique(struct ids_reader *reader, const struct ids_rule *rule) {
    const struct ids_rules *rules = reader->rules;
    for (uint32_t index = 0; index < rules->rule_count; index++) {
        if (rules->rules[index].sid == rule->sid && rules->rules[index].gid == rule->gid) {
            return ids_refuse(reader, "another rule has sid %u of gid %u", rule->sid, rule->gid);
        }
    }
    return true;
}

static bool parse_rule(struct ids_reader *reader, struct ids_draft *draft) {
    struct ids_rules *rules = reader->rules;
    if (rules->rule_count == IDS_RULES_MAX) {
        return ids_refuse(reader, "there are more than %u rules", IDS_RULES_MAX);
    }
    if (strnlen(reader->at, IDS_RULE_SIZE_MAX + 1) > IDS_RULE_SIZE_MAX) {
        return ids_refuse(reader, "is longer than %u bytes", IDS_RULE_SIZE_MAX);
    }
    if (!parse_head(reader, &draft->rule) || !ids_parse_options(reader, draft) ||
        !check_unique(reader, &draft->rule) || !ids_build_parts(reader, draft)) {
        return false;
    }
    struct ids_rule *rule = ids_grow((void **)&rules->rules, &rules->rule_count, &rules->rule_room,
                                     sizeof(struct ids_rule), 1);
    if (rule == NULL) {
        return refuse_memory(reader);
    }
    *rule = draft->rule;
    return true;
}

int ids_parse_rule(void *config_pointer, const char *text, char *error, size_t error_size) {
    struct ids_config *config = config_pointer;
    if (config->rules == NULL) {
        config->rules = calloc(1, sizeof(struct ids_rules));
    }
    struct ids_draft *draft = calloc(1, sizeof(struct ids_draft));
    struct ids_reader reader = {
        .at = text, .rules = config->rules, .error = error, .error_size = error_size};
    if (config->rules == NULL || draft == NULL) {
        free(draft);
        refuse_memory(&reader);
        return -1;
    }
    struct ids_rules before = *config->rules;
    bool is_parsed = parse_rule(&reader, draft);
    if (!is_parsed) { /* what was added is forgotten; the memory is kept for the next */
        config->rules->part_count = before.part_count;
        config->rules->prefix_count = before.prefix_count;
        config->rules->range_count = before.range_count;
        config->rules->text_size = before.text_size;
        config->rules->flowbit_count = before.flowbit_count;
    }
    free(draft);
    return is_parsed ? 0 : -1;
}
