/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which packets a rule speaks of: protocol, addresses and ports, the same language in every element
 * that has rules.
 *
 *     match     = protocol [ endpoint "->" endpoint [ "type" numbers ] ]
 *     protocol  = "tcp" | "udp" | "icmp" | "icmpv6" | "any" | number
 *     endpoint  = ( "any" | prefix { "," prefix } ) [ "port" numbers ]
 *     numbers   = number [ "-" number ] { "," number [ "-" number ] }
 *
 * Prefixes and ranges of all rules of an element stand in one pool of its configuration. Reading is
 * done while the configuration is filled, by one thread; what was read is constant then.
 */
#ifndef MATCHING_MATCH_H
#define MATCHING_MATCH_H

#include "matching/address.h"
#include "matching/reader.h"

#define MATCH_PREFIXES_MAX 1024U /* of all rules together */
#define MATCH_RANGES_MAX 1024U   /* of ports and of ICMP types, likewise */

struct match_range {
    uint16_t first, last;
};

struct match_pool {
    uint32_t prefix_count, range_count;
    struct ip_prefix prefixes[MATCH_PREFIXES_MAX];
    struct match_range ranges[MATCH_RANGES_MAX];
};

/* Entries of a pool; none: any. */
struct match_span {
    uint16_t first, count;
};

struct match {
    uint8_t is_any_protocol;
    uint8_t protocol;
    struct match_span source, destination;             /* prefixes */
    struct match_span source_ports, destination_ports; /* ranges; of ICMP types the latter */
};

/* A packet, as rules see it. */
struct match_question {
    struct ip_address source, destination;
    uint16_t source_port, destination_port; /* ICMP: 0 and the type; none: 0 */
    uint8_t version;                        /* 4 or 6 */
    uint8_t protocol;
};

/* From the reader's word to the end of the text; false with a message, and the pool as it was. */
bool match_read(struct reader *reader, struct match_pool *pool, struct match *match);
/* Numbers with commas and ranges at the reader's word, into the pool; `what` is needed there. */
bool match_read_ranges(struct reader *reader, struct match_pool *pool, uint32_t minimum,
                       uint32_t maximum, const char *what, struct match_span *span);

bool match_fits(const struct match_pool *pool, const struct match *match,
                const struct match_question *question);
/* Whether a number is in one of the ranges, of which none means any. */
bool match_fits_number(const struct match_pool *pool, struct match_span span, uint16_t number);

#endif
