/* SPDX-License-Identifier: BSD-3-Clause */
#include "matching/match.h"

#include <string.h>

/* ---- Reading ---- */

static bool read_protocol(struct reader *reader, struct match *match) {
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
    match->is_any_protocol = reader_is(reader, "any");
    for (uint32_t i = 0; i < sizeof(named) / sizeof(named[0]); ++i) {
        if (reader_is(reader, named[i].name)) {
            match->protocol = named[i].protocol;
            found = true;
        }
    }
    if (!found && !match->is_any_protocol) {
        if (!reader_number(&at, end, 255, &number) || at != end) {
            return reader_refuse_word(reader,
                                      "\"tcp\", \"udp\", \"icmp\", \"icmpv6\", \"any\" or the "
                                      "number of a protocol");
        }
        match->protocol = (uint8_t)number;
    }
    reader_next(reader);
    return true;
}

/* `versions` gathers which of them the rule names: bit 0 IPv4, bit 1 IPv6. */
static bool read_addresses(struct reader *reader, struct match_pool *pool, struct match_span *span,
                           uint32_t *versions) {
    span->first = (uint16_t)pool->prefix_count;
    span->count = 0;
    if (reader_skip(reader, "any")) {
        return true;
    }
    const char *end = reader->word + reader->length;
    for (const char *at = reader->word;;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma == NULL ? end : comma;
        if (pool->prefix_count == MATCH_PREFIXES_MAX) {
            return reader_refuse(reader, "more than %u prefixes in all rules", MATCH_PREFIXES_MAX);
        }
        struct ip_prefix *prefix = &pool->prefixes[pool->prefix_count];
        if (!ip_prefix_read(at, (size_t)(stop - at), prefix)) {
            return reader_refuse_word(reader,
                                      "\"any\", or addresses or prefixes such as \"10.0.0.0/8\" "
                                      "or \"2001:db8::/32\" (no bits beyond them)");
        }
        *versions |= prefix->version == 6 ? 2U : 1U;
        ++pool->prefix_count;
        ++span->count;
        if (comma == NULL) {
            break;
        }
        at = comma + 1;
    }
    reader_next(reader);
    return true;
}

bool match_read_ranges(struct reader *reader, struct match_pool *pool, uint32_t minimum,
                       uint32_t maximum, const char *what, struct match_span *span) {
    span->first = (uint16_t)pool->range_count;
    const char *end = reader->word + reader->length;
    for (const char *at = reader->word;; ++at) {
        uint32_t first, last;
        if (pool->range_count == MATCH_RANGES_MAX) {
            return reader_refuse(reader, "more than %u ranges in all rules", MATCH_RANGES_MAX);
        }
        bool is_right = reader_number(&at, end, maximum, &first) && first >= minimum;
        last = first;
        if (is_right && at < end && *at == '-') {
            ++at;
            is_right = reader_number(&at, end, maximum, &last) && last >= first;
        }
        if (!is_right || (at < end && *at != ',')) {
            return reader_refuse_word(reader, what);
        }
        pool->ranges[pool->range_count++] =
            (struct match_range){.first = (uint16_t)first, .last = (uint16_t)last};
        ++span->count;
        if (at == end) {
            break;
        }
    }
    reader_next(reader);
    return true;
}

static bool read_ports(struct reader *reader, struct match_pool *pool, const struct match *match,
                       struct match_span *span) {
    if (!reader_skip(reader, "port")) {
        return true;
    }
    if (match->is_any_protocol ||
        (match->protocol != FTMB_PROTOCOL_TCP && match->protocol != FTMB_PROTOCOL_UDP)) {
        return reader_refuse(reader, "ports are of tcp or udp only");
    }
    return match_read_ranges(reader, pool, 1, 65535, "ports such as \"80,443,8000-8099\"", span);
}

static bool read_types(struct reader *reader, struct match_pool *pool, const struct match *match,
                       struct match_span *span) {
    if (!reader_skip(reader, "type")) {
        return true;
    }
    if (match->is_any_protocol ||
        (match->protocol != FTMB_PROTOCOL_ICMP && match->protocol != FTMB_PROTOCOL_ICMPV6)) {
        return reader_refuse(reader, "types are of icmp or icmpv6 only");
    }
    return match_read_ranges(reader, pool, 0, 255, "types such as \"8,13\"", span);
}

static bool check_versions(struct reader *reader, const struct match *match, uint32_t source,
                           uint32_t destination) {
    uint32_t both = source | destination;
    if (source != 0 && destination != 0 && (source & destination) == 0) {
        return reader_refuse(reader, "source and destination have no version of IP in common");
    }
    if (!match->is_any_protocol && match->protocol == FTMB_PROTOCOL_ICMP && (both & 2U) != 0) {
        return reader_refuse(reader, "icmp is of IPv4; with IPv6 addresses it is icmpv6");
    }
    if (!match->is_any_protocol && match->protocol == FTMB_PROTOCOL_ICMPV6 && (both & 1U) != 0) {
        return reader_refuse(reader, "icmpv6 is of IPv6; with IPv4 addresses it is icmp");
    }
    return true;
}

static bool read_endpoints(struct reader *reader, struct match_pool *pool, struct match *match) {
    uint32_t source = 0;
    uint32_t destination = 0;
    if (reader->length == 0) { /* any -> any */
        return true;
    }
    if (!read_addresses(reader, pool, &match->source, &source) ||
        !read_ports(reader, pool, match, &match->source_ports)) {
        return false;
    }
    if (!reader_skip(reader, "->")) {
        return reader_refuse_word(reader, "\"->\"");
    }
    if (!read_addresses(reader, pool, &match->destination, &destination) ||
        !read_ports(reader, pool, match, &match->destination_ports) ||
        !read_types(reader, pool, match, &match->destination_ports)) {
        return false;
    }
    return reader->length == 0 ? check_versions(reader, match, source, destination)
                               : reader_refuse_word(reader, "the end");
}

bool match_read(struct reader *reader, struct match_pool *pool, struct match *match) {
    uint32_t prefixes = pool->prefix_count;
    uint32_t ranges = pool->range_count;
    if (!read_protocol(reader, match) || !read_endpoints(reader, pool, match)) {
        pool->prefix_count = prefixes;
        pool->range_count = ranges;
        return false;
    }
    return true;
}

/* ---- Whether a packet fits ---- */

static bool matches_address(const struct match_pool *pool, struct match_span span,
                            struct ip_address address, uint32_t version) {
    for (uint32_t i = 0; i < span.count; ++i) {
        const struct ip_prefix *prefix = &pool->prefixes[span.first + i];
        if (ip_prefix_contains(prefix, address, version)) {
            return true;
        }
    }
    return span.count == 0;
}

bool match_fits_number(const struct match_pool *pool, struct match_span span, uint16_t number) {
    for (uint32_t i = 0; i < span.count; ++i) {
        const struct match_range *range = &pool->ranges[span.first + i];
        if (number >= range->first && number <= range->last) {
            return true;
        }
    }
    return span.count == 0;
}

bool match_fits(const struct match_pool *pool, const struct match *match,
                const struct match_question *question) {
    return (match->is_any_protocol || match->protocol == question->protocol) &&
           match_fits_number(pool, match->destination_ports, question->destination_port) &&
           match_fits_number(pool, match->source_ports, question->source_port) &&
           matches_address(pool, match->source, question->source, question->version) &&
           matches_address(pool, match->destination, question->destination, question->version);
}
