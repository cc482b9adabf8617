/* SPDX-License-Identifier: BSD-3-Clause */
/* The options of the limiter: how they are read, and what must hold between them. */
#include <stdio.h>

#include "limiter.h"

/* ---- Limits ---- */

static int parse_limits(const char *text, struct limiter_limit *limits, char *error,
                        size_t error_size) {
    struct reader reader = reader_begin(text, error, error_size);
    return limiter_read_limits(&reader, limits) ? 0 : -1;
}

static int parse_total(void *configuration, const char *text, char *error, size_t error_size) {
    struct limiter_config *config = configuration;
    config->has_total = 1;
    return parse_limits(text, config->total, error, error_size);
}

static int parse_host(void *configuration, const char *text, char *error, size_t error_size) {
    struct limiter_config *config = configuration;
    config->has_host = 1;
    return parse_limits(text, config->host, error, error_size);
}

static int parse_prefix(void *configuration, const char *text, char *error, size_t error_size) {
    struct limiter_config *config = configuration;
    struct limiter_limit limits[LIMITER_DIRECTIONS] = {{0}};
    struct reader reader = reader_begin(text, error, error_size);
    struct ip_prefix prefix;
    if (!ip_prefix_read(reader.word, reader.length, &prefix)) {
        reader_refuse_word(&reader, "a prefix such as \"10.0.0.0/8\" (no bits beyond its length)");
        return -1;
    }
    reader_next(&reader);
    if (!limiter_read_limits(&reader, limits)) {
        return -1;
    }
    enum prefix_map_fault fault = prefix_map_add(&config->prefixes, &prefix);
    if (fault != PREFIX_MAP_FINE) {
        reader_refuse(&reader, fault == PREFIX_MAP_TWICE ? "the prefix stands there twice"
                                                         : "there are too many prefixes");
        return -1;
    }
    memcpy(config->prefix_limits[config->prefixes.count - 1], limits, sizeof(limits));
    return 0;
}

/* ---- Classes and rules ---- */

/* The names of RFC 2474, 2597, 3246, 5865 and 8622, or a number. */
static bool read_dscp(const char *word, size_t length, uint32_t *dscp) {
    static const struct {
        const char *name;
        uint32_t dscp;
    } named[] = {{"be", 0}, {"le", 1}, {"va", 44}, {"ef", 46}};
    const char *at = word;
    for (uint32_t i = 0; i < sizeof(named) / sizeof(named[0]); ++i) {
        if (length == 2 && memcmp(word, named[i].name, 2) == 0) {
            *dscp = named[i].dscp;
            return true;
        }
    }
    if (length == 3 && memcmp(word, "cs", 2) == 0 && word[2] >= '0' && word[2] <= '7') {
        *dscp = (uint32_t)(word[2] - '0') * 8;
        return true;
    }
    if (length == 4 && memcmp(word, "af", 2) == 0 && word[2] >= '1' && word[2] <= '4' &&
        word[3] >= '1' && word[3] <= '3') {
        *dscp = (uint32_t)(word[2] - '0') * 8 + (uint32_t)(word[3] - '0') * 2;
        return true;
    }
    return reader_number(&at, word + length, 63, dscp) && at == word + length;
}

static bool read_dscps(struct reader *reader, uint64_t *dscps) {
    const char *end = reader->word + reader->length;
    *dscps = 0;
    for (const char *at = reader->word;;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma == NULL ? end : comma;
        uint32_t dscp;
        if (!read_dscp(at, (size_t)(stop - at), &dscp)) {
            return reader_refuse_word(reader, "DSCPs such as \"ef,af41,cs5,40\"");
        }
        *dscps |= 1ULL << dscp;
        if (comma == NULL) {
            reader_next(reader);
            return true;
        }
        at = comma + 1;
    }
}

static uint32_t find_class(const struct limiter_config *config, const struct reader *reader) {
    uint32_t class = 0;
    while (class < config->class_count && !reader_is(reader, config->classes[class].name)) {
        ++class;
    }
    return class;
}

static bool read_class_options(struct reader *reader, struct limiter_class *class) {
    uint32_t number;
    if (reader_skip(reader, "keeps")) {
        const char *at = reader->word;
        const char *end = at + reader->length;
        if (!reader_number(&at, end, LIMITER_KEPT_MAX, &number) || at + 1 != end || *at != '%') {
            return reader_refuse_word(reader, "a share such as \"20%\" (90% at most)");
        }
        class->keeps = (uint8_t)number;
        reader_next(reader);
    }
    if (reader_skip(reader, "mark")) {
        if (!read_dscp(reader->word, reader->length, &number)) {
            return reader_refuse_word(reader, "a DSCP such as \"ef\" or \"46\"");
        }
        class->mark = (uint8_t)number;
        reader_next(reader);
    }
    return reader->length == 0 || reader_refuse_word(reader, "\"keeps\", \"mark\" or the end");
}

static int parse_class(void *configuration, const char *text, char *error, size_t error_size) {
    struct limiter_config *config = configuration;
    struct limiter_class class = {.mark = LIMITER_NO_MARK};
    struct reader reader = reader_begin(text, error, error_size);
    if (config->class_count == LIMITER_CLASSES_MAX) {
        reader_refuse(&reader, "at most %u classes", LIMITER_CLASSES_MAX);
        return -1;
    }
    if (reader.length == 0 || reader.length >= LIMITER_NAME_SIZE) {
        reader_refuse_word(&reader, "the name of a class, of 15 characters at most,");
        return -1;
    }
    if (find_class(config, &reader) != config->class_count) {
        reader_refuse(&reader, "there is such a class already");
        return -1;
    }
    memcpy(class.name, reader.word, reader.length);
    reader_next(&reader);
    if (!read_class_options(&reader, &class)) {
        return -1;
    }
    config->classes[config->class_count++] = class;
    return 0;
}

static int parse_rule(void *configuration, const char *text, char *error, size_t error_size) {
    struct limiter_config *config = configuration;
    struct reader reader = reader_begin(text, error, error_size);
    struct limiter_rule rule = {.dscps = ~0ULL, .match = {.is_any_protocol = 1}};
    if (config->rule_count == LIMITER_RULES_MAX) {
        reader_refuse(&reader, "at most %u rules", LIMITER_RULES_MAX);
        return -1;
    }
    rule.class = find_class(config, &reader);
    if (rule.class == config->class_count) {
        reader_refuse_word(&reader, "one of the classes");
        return -1;
    }
    reader_next(&reader);
    bool has_dscp = reader_skip(&reader, "dscp");
    if (has_dscp && !read_dscps(&reader, &rule.dscps)) {
        return -1;
    }
    bool is_all = has_dscp && reader.length == 0;
    if (!is_all && !match_read(&reader, &config->pool, &rule.match)) {
        return -1;
    }
    config->rules[config->rule_count++] = rule;
    return 0;
}

/* ---- The whole ---- */

static bool check_limits(const struct limiter_config *config, struct reader *reader) {
    for (uint32_t direction = 0; direction < LIMITER_DIRECTIONS; ++direction) {
        if (!limiter_limit_fits(config, &config->total[direction], reader) ||
            !limiter_limit_fits(config, &config->host[direction], reader)) {
            return false;
        }
        for (uint32_t i = 0; i < config->prefixes.count; ++i) {
            if (!limiter_limit_fits(config, &config->prefix_limits[i][direction], reader)) {
                return false;
            }
        }
    }
    return true;
}

int limiter_check(const void *configuration, uint32_t workers, char *error, size_t error_size) {
    const struct limiter_config *config = configuration;
    struct reader reader = {.error = error, .error_size = error_size};
    uint32_t last = config->class_count == 0 ? 0 : config->class_count - 1;
    bool is_right = true;
    (void)workers;
    if (config->inside == config->outside) {
        is_right = reader_refuse(&reader, "inside and outside are the same port");
    } else if (!config->has_total && !config->has_host && config->prefixes.count == 0) {
        is_right = reader_refuse(&reader, "nothing is limited: total, host or prefixes is needed");
    } else if (config->classes[last].keeps != 0) {
        is_right = reader_refuse(&reader, "the last class has none behind it to keep tokens from");
    } else if (limiter_kept(config, last) > LIMITER_KEPT_MAX) {
        is_right = reader_refuse(&reader, "classes keep more than %u%% together", LIMITER_KEPT_MAX);
    } else {
        is_right = check_limits(config, &reader);
    }
    return is_right ? 0 : -1;
}

#define AT(member) .offset = offsetof(struct limiter_config, member)

const struct ftmb_option limiter_options[] = {
    {.name = "inside",
     .help = "port of the hosts that are limited",
     .type = FTMB_OPTION_PORT,
     AT(inside)},
    {.name = "outside", .help = "the other port", .type = FTMB_OPTION_PORT, AT(outside)},
    {.name = "total",
     .help = "limits of everything: \"upload 200M burst 512k download 1G\", in bit/s and bytes",
     .type = FTMB_OPTION_TEXT,
     .initial = "",
     .parse = parse_total},
    {.name = "host",
     .help = "limits of each host inside, likewise",
     .type = FTMB_OPTION_TEXT,
     .initial = "",
     .parse = parse_host},
    {.name = "prefixes",
     .help = "limits of prefixes inside, a host's longest counts: \"10.1.0.0/16 download 50M\"",
     .type = FTMB_OPTION_LIST,
     .initial = "",
     .parse = parse_prefix},
    {.name = "classes",
     .help = "the first comes first: \"voice keeps 20% mark ef\"; what a class keeps of each "
             "burst, those behind it cannot use",
     .type = FTMB_OPTION_LIST,
     .initial = "",
     .parse = parse_class},
    {.name = "rules",
     .help = "which packets are of which class, the first match decides: \"voice dscp ef\", \"bulk "
             "tcp any -> any port 6881-6999\"; no match: the last class",
     .type = FTMB_OPTION_LIST,
     .initial = "",
     .parse = parse_rule},
    {.name = "hosts_max",
     .help = "places for hosts whose buckets are not full, 64 bytes of memory for one",
     .type = FTMB_OPTION_UNSIGNED,
     AT(hosts_max),
     .minimum = 256,
     .maximum = 1U << 24,
     .initial = "65536"},
    {.name = "host_ipv4_bits",
     .help = "of an IPv4 address, how many make a host",
     .type = FTMB_OPTION_UNSIGNED,
     AT(host_ipv4_bits),
     .minimum = 8,
     .maximum = 32,
     .initial = "32"},
    {.name = "host_ipv6_bits",
     .help = "the same of IPv6, where a customer has a network",
     .type = FTMB_OPTION_UNSIGNED,
     AT(host_ipv6_bits),
     .minimum = 16,
     .maximum = 128,
     .initial = "64"},
    {.name = "overhead",
     .help = "bytes added to each frame before it is counted; 24: what Ethernet adds on the wire",
     .type = FTMB_OPTION_UNSIGNED,
     AT(overhead),
     .minimum = 0,
     .maximum = 64,
     .initial = "0"},
    {.name = NULL},
};
