/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The firewall's configuration: filled from the options, checked once, then constant.
 *
 * Addresses of both versions are kept as 128 bits, IPv4 ones as ::ffff:a.b.c.d. A real IPv6 packet
 * with such an address is dropped, so the two never meet.
 */
#ifndef FIREWALL_CONFIG_H
#define FIREWALL_CONFIG_H

#include "ftmb_element.h"
#include "matching/match.h"

#define FIREWALL_RULES_MAX 512U

/* What lets a flow's packets through (see README.md); in the order of the option's choices. */
enum firewall_policy {
    FIREWALL_INITIATED, /* once begun, for good */
    FIREWALL_ANSWERED,  /* the same, and one without an answer yet may have to make room */
    FIREWALL_TIMED,     /* the same, and silence ends it */
};

enum firewall_side {
    FIREWALL_TRUSTED = 1U << 0,
    FIREWALL_UNTRUSTED = 1U << 1,
};

/* What the rules say of a flow's first packet. */
enum firewall_verdict {
    FIREWALL_NO_RULE, /* none matched: denied */
    FIREWALL_ALLOW,
    FIREWALL_DROP,
};

struct firewall_rule {
    uint8_t verdict; /* enum firewall_verdict */
    uint8_t sides;   /* enum firewall_side, or both: who begins */
    struct match match;
};

struct firewall_config {
    uint8_t trusted, untrusted; /* ports */
    uint8_t check_checksum;
    uint8_t passes_neighbours;
    uint32_t policy; /* enum firewall_policy */
    uint32_t flows_max, pending_max;
    uint64_t pending_ns, udp_ns, icmp_ns, other_ns;
    uint64_t tcp_transitory_ns, tcp_established_ns, tcp_closing_ns;
    uint32_t rule_count;
    struct firewall_rule rules[FIREWALL_RULES_MAX];
    struct match_pool pool; /* what the rules name */
};

extern const struct ftmb_option firewall_options[];
extern const char *const firewall_policies[]; /* their names */
int firewall_check(const void *config, uint32_t workers, char *error, size_t error_size);

/* Takes in one rule of the list (the option's `parse`). */
int firewall_parse_rule(void *config, const char *text, char *error, size_t error_size);

/* The first rule that matches a flow's first packet from that side decides. Reads the configuration
 * alone; takes time by the rules. */
enum firewall_verdict firewall_judge(const struct firewall_config *config, uint8_t side,
                                     const struct match_question *question);

#endif
