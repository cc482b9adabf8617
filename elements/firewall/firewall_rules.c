/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rule language, and what rules say of a packet.
 *
 *     rule      = action [ "from" side ] protocol [ endpoint "->" endpoint [ "type" numbers ] ]
 *     action    = "allow" | "drop"
 *     side      = "trusted" | "untrusted" | "any"
 *     protocol  = "tcp" | "udp" | "icmp" | "icmpv6" | "any" | number
 *     endpoint  = ( "any" | prefix { "," prefix } ) [ "port" numbers ]
 *     numbers   = number [ "-" number ] { "," number [ "-" number ] }
 *
 * A side that is left out is read in the safe way: allow speaks of the trusted side, drop of both.
 */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "firewall_config.h"
#include "ftmb_packet.h"

#define SHOWN_MAX 60 /* characters of a word in a message */

/* ---- Reading ---- */

struct reader {
    const char *at;   /* behind the word */
    const char *word; /* borrowed from the text */
    size_t length;    /* of the word; 0 at the end */
    char *error;
    size_t error_size;
};

static bool refuse(struct reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool refuse(struct reader *reader, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reader->error, reader->error_size, format, arguments);
    va_end(arguments);
    return false;
}

static bool refuse_word(struct reader *reader, const char *wanted) {
    if (reader->length == 0) {
        return refuse(reader, "ends where %s is needed", wanted);
    }
    int shown = reader->length < SHOWN_MAX ? (int)reader->length : SHOWN_MAX;
    return refuse(reader, "found \"%.*s\" where %s is needed", shown, reader->word, wanted);
}

static void next_word(struct reader *reader) {
    reader->at += strspn(reader->at, " \t");
    reader->word = reader->at;
    reader->length = strcspn(reader->at, " \t");
    reader->at += reader->length;
}

static bool is_word(const struct reader *reader, const char *word) {
    return reader->length == strlen(word) && memcmp(reader->word, word, reader->length) == 0;
}

static bool skip_word(struct reader *reader, const char *word) {
    if (!is_word(reader, word)) {
        return false;
    }
    next_word(reader);
    return true;
}

/* A decimal number at *at, before `end`; moves *at past it. */
static bool read_number(const char **at, const char *end, uint32_t maximum, uint32_t *value) {
    const char *start = *at;
    uint32_t number = 0;
    for (; *at < end && **at >= '0' && **at <= '9' && *at - start < 6; ++*at) {
        number = number * 10 + (uint32_t)(**at - '0');
    }
    *value = number;
    return *at != start && number <= maximum;
}

/* ---- Parts of a rule ---- */

static bool read_action(struct reader *reader, struct firewall_rule *rule) {
    if (!is_word(reader, "allow") && !is_word(reader, "drop")) {
        return refuse_word(reader, "\"allow\" or \"drop\"");
    }
    bool allows = is_word(reader, "allow");
    rule->verdict = allows ? FIREWALL_ALLOW : FIREWALL_DROP;
    rule->sides = FIREWALL_TRUSTED;
    if (!allows) {
        rule->sides |= FIREWALL_UNTRUSTED;
    }
    next_word(reader);
    if (!skip_word(reader, "from")) {
        return true;
    }
    if (is_word(reader, "any")) {
        rule->sides = FIREWALL_TRUSTED | FIREWALL_UNTRUSTED;
    } else if (is_word(reader, "trusted") || is_word(reader, "untrusted")) {
        rule->sides = is_word(reader, "trusted") ? FIREWALL_TRUSTED : FIREWALL_UNTRUSTED;
    } else {
        return refuse_word(reader, "\"trusted\", \"untrusted\" or \"any\"");
    }
    next_word(reader);
    return true;
}

static bool read_protocol(struct reader *reader, struct firewall_rule *rule) {
    static const struct {
        const char *name;
        uint8_t protocol;
    } named[] = {{"tcp", FTMB_PROTOCOL_TCP},
                 {"udp", FTMB_PROTOCOL_UDP},
                 {"icmp", FTMB_PROTOCOL_ICMP},
                 {"icmpv6", FTMB_PROTOCOL_ICMPV6}};
    const char *at = reader->word;
    const char *end = at + reader->length;
    uint32_t number;
    bool found = false;
    rule->is_any_protocol = is_word(reader, "any");
    for (uint32_t i = 0; i < sizeof(named) / sizeof(named[0]); ++i) {
        if (is_word(reader, named[i].name)) {
            rule->protocol = named[i].protocol;
            found = true;
        }
    }
    if (!found && !rule->is_any_protocol) {
        if (!read_number(&at, end, 255, &number) || at != end) {
            return refuse_word(reader, "\"tcp\", \"udp\", \"icmp\", \"icmpv6\", \"any\" or the "
                                       "number of a protocol");
        }
        rule->protocol = (uint8_t)number;
    }
    next_word(reader);
    return true;
}

static struct firewall_address mask_of(uint32_t bits) {
    return (struct firewall_address){
        .high = bits == 0 ? 0 : ~0ULL << (bits >= 64 ? 0 : 64 - bits),
        .low = bits <= 64 ? 0 : ~0ULL << (128 - bits),
    };
}

/* One address or prefix of either version. */
static bool read_prefix(const char *text, size_t length, struct firewall_prefix *prefix,
                        bool *is_ipv6) {
    char address[INET6_ADDRSTRLEN];
    uint8_t bytes[16] = {[10] = 0xff, [11] = 0xff};
    size_t before = 0;
    while (before < length && text[before] != '/') {
        ++before;
    }
    if (before >= sizeof(address)) {
        return false;
    }
    memcpy(address, text, before);
    address[before] = '\0';
    *is_ipv6 = strchr(address, ':') != NULL;
    uint32_t bits = *is_ipv6 ? 128 : 32;
    if (inet_pton(*is_ipv6 ? AF_INET6 : AF_INET, address, *is_ipv6 ? bytes : bytes + 12) != 1) {
        return false;
    }
    const char *at = text + before + 1;
    if (before < length && (!read_number(&at, text + length, bits, &bits) || at != text + length)) {
        return false;
    }
    prefix->address.high = (uint64_t)ftmb_load32(bytes) << 32 | ftmb_load32(bytes + 4);
    prefix->address.low = (uint64_t)ftmb_load32(bytes + 8) << 32 | ftmb_load32(bytes + 12);
    prefix->mask = mask_of(*is_ipv6 ? bits : bits + 96);
    prefix->version = *is_ipv6 ? 6 : 4;
    return (prefix->address.high & ~prefix->mask.high) == 0 &&
           (prefix->address.low & ~prefix->mask.low) == 0;
}

/* `versions` gathers which of them the rule names: bit 0 IPv4, bit 1 IPv6. */
static bool read_addresses(struct reader *reader, struct firewall_config *config,
                           struct firewall_span *span, uint32_t *versions) {
    span->first = (uint16_t)config->prefix_count;
    span->count = 0;
    if (skip_word(reader, "any")) {
        return true;
    }
    const char *end = reader->word + reader->length;
    for (const char *at = reader->word;;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma == NULL ? end : comma;
        bool is_ipv6;
        if (config->prefix_count == FIREWALL_PREFIXES_MAX) {
            return refuse(reader, "more than %u prefixes in all rules", FIREWALL_PREFIXES_MAX);
        }
        struct firewall_prefix *prefix = &config->prefixes[config->prefix_count];
        if (!read_prefix(at, (size_t)(stop - at), prefix, &is_ipv6)) {
            return refuse_word(reader, "\"any\", or addresses or prefixes such as \"10.0.0.0/8\" "
                                       "or \"2001:db8::/32\" (no bits beyond them)");
        }
        *versions |= is_ipv6 ? 2U : 1U;
        ++config->prefix_count;
        ++span->count;
        if (comma == NULL) {
            break;
        }
        at = comma + 1;
    }
    next_word(reader);
    return true;
}

static bool read_ranges(struct reader *reader, struct firewall_config *config, uint32_t minimum,
                        uint32_t maximum, const char *what, struct firewall_span *span) {
    span->first = (uint16_t)config->range_count;
    const char *end = reader->word + reader->length;
    for (const char *at = reader->word;; ++at) {
        uint32_t first, last;
        if (config->range_count == FIREWALL_RANGES_MAX) {
            return refuse(reader, "more than %u ranges in all rules", FIREWALL_RANGES_MAX);
        }
        bool is_right = read_number(&at, end, maximum, &first) && first >= minimum;
        last = first;
        if (is_right && at < end && *at == '-') {
            ++at;
            is_right = read_number(&at, end, maximum, &last) && last >= first;
        }
        if (!is_right || (at < end && *at != ',')) {
            return refuse_word(reader, what);
        }
        config->ranges[config->range_count++] =
            (struct firewall_range){.first = (uint16_t)first, .last = (uint16_t)last};
        ++span->count;
        if (at == end) {
            break;
        }
    }
    next_word(reader);
    return true;
}

static bool read_ports(struct reader *reader, struct firewall_config *config,
                       const struct firewall_rule *rule, struct firewall_span *span) {
    if (!skip_word(reader, "port")) {
        return true;
    }
    if (rule->is_any_protocol ||
        (rule->protocol != FTMB_PROTOCOL_TCP && rule->protocol != FTMB_PROTOCOL_UDP)) {
        return refuse(reader, "ports are of tcp or udp only");
    }
    return read_ranges(reader, config, 1, 65535, "ports such as \"80,443,8000-8099\"", span);
}

static bool read_types(struct reader *reader, struct firewall_config *config,
                       const struct firewall_rule *rule, struct firewall_span *span) {
    if (!skip_word(reader, "type")) {
        return true;
    }
    if (rule->is_any_protocol ||
        (rule->protocol != FTMB_PROTOCOL_ICMP && rule->protocol != FTMB_PROTOCOL_ICMPV6)) {
        return refuse(reader, "types are of icmp or icmpv6 only");
    }
    return read_ranges(reader, config, 0, 255, "types such as \"8,13\"", span);
}

static bool check_versions(struct reader *reader, const struct firewall_rule *rule, uint32_t source,
                           uint32_t destination) {
    uint32_t both = source | destination;
    if (source != 0 && destination != 0 && (source & destination) == 0) {
        return refuse(reader, "source and destination have no version of IP in common");
    }
    if (!rule->is_any_protocol && rule->protocol == FTMB_PROTOCOL_ICMP && (both & 2U) != 0) {
        return refuse(reader, "icmp is of IPv4; with IPv6 addresses it is icmpv6");
    }
    if (!rule->is_any_protocol && rule->protocol == FTMB_PROTOCOL_ICMPV6 && (both & 1U) != 0) {
        return refuse(reader, "icmpv6 is of IPv6; with IPv4 addresses it is icmp");
    }
    return true;
}

static bool read_endpoints(struct reader *reader, struct firewall_config *config,
                           struct firewall_rule *rule) {
    uint32_t source = 0;
    uint32_t destination = 0;
    if (reader->length == 0) { /* any -> any */
        return true;
    }
    if (!read_addresses(reader, config, &rule->source, &source) ||
        !read_ports(reader, config, rule, &rule->source_ports)) {
        return false;
    }
    if (!skip_word(reader, "->")) {
        return refuse_word(reader, "\"->\"");
    }
    if (!read_addresses(reader, config, &rule->destination, &destination) ||
        !read_ports(reader, config, rule, &rule->destination_ports) ||
        !read_types(reader, config, rule, &rule->destination_ports)) {
        return false;
    }
    return reader->length == 0 ? check_versions(reader, rule, source, destination)
                               : refuse_word(reader, "the end");
}

int firewall_parse_rule(void *config_pointer, const char *text, char *error, size_t error_size) {
    struct firewall_config *config = config_pointer;
    struct reader reader = {.at = text, .error = error, .error_size = error_size};
    struct firewall_rule rule = {0};
    uint32_t prefixes = config->prefix_count;
    uint32_t ranges = config->range_count;
    if (config->rule_count == FIREWALL_RULES_MAX) {
        refuse(&reader, "at most %u rules", FIREWALL_RULES_MAX);
        return -1;
    }
    next_word(&reader);
    if (!read_action(&reader, &rule) || !read_protocol(&reader, &rule) ||
        !read_endpoints(&reader, config, &rule)) {
        config->prefix_count = prefixes;
        config->range_count = ranges;
        return -1;
    }
    config->rules[config->rule_count++] = rule;
    return 0;
}

/* ---- Judging ---- */

static bool matches_address(const struct firewall_config *config, struct firewall_span span,
                            struct firewall_address address, uint32_t version) {
    for (uint32_t i = 0; i < span.count; ++i) {
        const struct firewall_prefix *prefix = &config->prefixes[span.first + i];
        if (prefix->version == version &&
            (address.high & prefix->mask.high) == prefix->address.high &&
            (address.low & prefix->mask.low) == prefix->address.low) {
            return true;
        }
    }
    return span.count == 0;
}

static bool matches_number(const struct firewall_config *config, struct firewall_span span,
                           uint16_t number) {
    for (uint32_t i = 0; i < span.count; ++i) {
        const struct firewall_range *range = &config->ranges[span.first + i];
        if (number >= range->first && number <= range->last) {
            return true;
        }
    }
    return span.count == 0;
}

enum firewall_verdict firewall_judge(const struct firewall_config *config,
                                     const struct firewall_question *question) {
    for (uint32_t i = 0; i < config->rule_count; ++i) {
        const struct firewall_rule *rule = &config->rules[i];
        if ((rule->sides & question->side) != 0 &&
            (rule->is_any_protocol || rule->protocol == question->protocol) &&
            matches_number(config, rule->destination_ports, question->destination_port) &&
            matches_number(config, rule->source_ports, question->source_port) &&
            matches_address(config, rule->source, question->source, question->version) &&
            matches_address(config, rule->destination, question->destination, question->version)) {
            return (enum firewall_verdict)rule->verdict;
        }
    }
    return FIREWALL_NO_RULE;
}
