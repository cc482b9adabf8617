/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ICMP and ICMPv6: which of three kinds a message is, by its type (the table in README.md).
 *
 * A query is a flow by its identifier. An error belongs to the flow of the packet that it quotes,
 * as that went the other way; it is judged before it is believed (RFC 5508, 5927): its checksum
 * is right, so is that of the header it quotes, it goes to who sent that, and it is not about
 * another error. What keeps a link going (RFC 4890, 4.4) passes if it comes from the link.
 */
#include "firewall_packet.h"

#define HOP_LIMIT_OF_LINK 255U /* a router would have made it less */
#define TYPES 256U

enum icmp_class {
    ICMP_OTHER, /* dropped */
    ICMP_ERROR,
    ICMP_QUESTION,
    ICMP_REPLY,
    ICMP_NEIGHBOUR, /* with the hop limit of its own link */
    ICMP_LISTENER,  /* with a hop limit of 1, from a link-local address or none */
};

static const uint8_t classes4[TYPES] = {
    [0] = ICMP_REPLY,     /* echo reply */
    [3] = ICMP_ERROR,     /* destination unreachable */
    [8] = ICMP_QUESTION,  /* echo */
    [11] = ICMP_ERROR,    /* time exceeded */
    [12] = ICMP_ERROR,    /* parameter problem */
    [13] = ICMP_QUESTION, /* timestamp */
    [14] = ICMP_REPLY,
};

static const uint8_t classes6[TYPES] = {
    [1] = ICMP_ERROR,                              /* destination unreachable */
    [2] = ICMP_ERROR,                              /* packet too big */
    [3] = ICMP_ERROR,                              /* time exceeded */
    [4] = ICMP_ERROR,                              /* parameter problem */
    [128] = ICMP_QUESTION,                         /* echo */
    [129] = ICMP_REPLY,     [130] = ICMP_LISTENER, /* listener query, report, done (RFC 2710) */
    [131] = ICMP_LISTENER,  [132] = ICMP_LISTENER,
    [133] = ICMP_NEIGHBOUR, /* router and neighbour solicitation and advertisement (RFC 4861) */
    [134] = ICMP_NEIGHBOUR, [135] = ICMP_NEIGHBOUR,
    [136] = ICMP_NEIGHBOUR, [141] = ICMP_NEIGHBOUR, /* inverse neighbour discovery (RFC 3122) */
    [142] = ICMP_NEIGHBOUR, [143] = ICMP_LISTENER,  /* listener report of version 2 (RFC 3810) */
    [144] = ICMP_QUESTION,                          /* home agent address discovery (RFC 6275) */
    [145] = ICMP_REPLY,     [146] = ICMP_QUESTION,  /* mobile prefix */
    [147] = ICMP_REPLY,     [148] = ICMP_NEIGHBOUR, /* certification path (RFC 3971) */
    [149] = ICMP_NEIGHBOUR, [151] = ICMP_LISTENER,  /* multicast router discovery (RFC 4286) */
    [152] = ICMP_LISTENER,  [153] = ICMP_LISTENER,
};

static enum icmp_class class_of(uint8_t version, uint8_t type) {
    return (enum icmp_class)(version == 4 ? classes4[type] : classes6[type]);
}

/* The type of the question that a reply of this type answers. */
static uint8_t question_of(uint8_t version, uint8_t type) {
    return version == 4 && type == 0 ? 8 : (uint8_t)(type - 1);
}

static bool is_checksum_right(const uint8_t *frame, const struct firewall_view *view) {
    size_t size = (size_t)view->end - view->transport;
    uint64_t sum = ftmb_checksum_sum(frame + view->transport, size);
    if (view->version == 6) { /* with the pseudo-header (RFC 8200, 8.1) */
        sum += ftmb_checksum_sum(frame + view->network + 8, 32);
        sum += size + FTMB_PROTOCOL_ICMPV6;
    }
    return ftmb_checksum_fold(sum) == 0xffffU;
}

/* Puts the identifier and the question's type where other protocols have ports. */
static void fill_query(struct firewall_key *key, uint8_t version, const uint8_t *header,
                       bool from_trusted) {
    bool is_reply = class_of(version, header[0]) == ICMP_REPLY;
    uint32_t question = is_reply ? question_of(version, header[0]) : header[0];
    bool asked_by_trusted = from_trusted != is_reply;
    key->ports = (uint32_t)ftmb_load16(header + 4) << 16 | question |
                 (asked_by_trusted ? 0U : FIREWALL_ASKED_BY_UNTRUSTED);
}

static enum firewall_reason check_quoted(const struct firewall_config *config, const uint8_t *frame,
                                         const struct ftmb_ip *quoted,
                                         const struct firewall_view *view) {
    const uint8_t *outer = frame + view->network;
    const uint8_t *inner = frame + quoted->network;
    bool is_to_sender = view->version == 4 ? memcmp(outer + 16, inner + 12, 4) == 0
                                           : memcmp(outer + 24, inner + 8, 16) == 0;
    if (!is_checksum_right(frame, view)) {
        return FIREWALL_BAD_CHECKSUM;
    }
    if (view->version == 4 && config->check_checksum &&
        ftmb_checksum_sum(inner, (size_t)quoted->transport - quoted->network) != 0xffffU) {
        return FIREWALL_BAD_CHECKSUM;
    }
    return is_to_sender ? FIREWALL_PASS : FIREWALL_ICMP_MALFORMED;
}

/* The key of the packet that an error quotes, which went the other way. */
static enum firewall_reason parse_error(const struct firewall_config *config, const uint8_t *frame,
                                        struct firewall_view *view) {
    struct ftmb_ip quoted;
    uint32_t at = (uint32_t)view->transport + FTMB_ICMP_SIZE;
    enum ftmb_ip_fault fault = view->version == 4
                                   ? ftmb_parse_ipv4_at(frame, view->end, at, true, &quoted)
                                   : ftmb_parse_ipv6_at(frame, view->end, at, true, &quoted);
    if (fault != FTMB_IP_WHOLE || quoted.later || quoted.end < quoted.transport + 8U) {
        return FIREWALL_ICMP_MALFORMED;
    }
    enum firewall_reason reason = check_quoted(config, frame, &quoted, view);
    if (reason != FIREWALL_PASS) {
        return reason;
    }
    const uint8_t *header = frame + quoted.transport;
    firewall_fill_key(&view->key, frame, &quoted, !view->from_trusted);
    if (quoted.protocol == FTMB_PROTOCOL_ICMP || quoted.protocol == FTMB_PROTOCOL_ICMPV6) {
        enum icmp_class class = class_of(view->version, header[0]);
        if (class != ICMP_QUESTION && class != ICMP_REPLY) {
            return FIREWALL_ICMP_UNSUPPORTED; /* never an error about an error */
        }
        fill_query(&view->key, view->version, header, !view->from_trusted);
    }
    view->kind = FIREWALL_KIND_ERROR;
    view->quoted_network = quoted.network;
    view->quoted_transport = quoted.transport;
    return FIREWALL_PASS;
}

static bool is_link_local(const uint8_t *address) {
    return address[0] == 0xfe && (address[1] & 0xc0U) == 0x80;
}

static bool is_unspecified(const uint8_t *address) {
    uint32_t any = 0;
    for (uint32_t i = 0; i < 16; i += 4) {
        any |= ftmb_load32(address + i);
    }
    return any == 0;
}

static enum firewall_reason parse_link(const struct firewall_config *config, const uint8_t *frame,
                                       enum icmp_class class, struct firewall_view *view) {
    const uint8_t *network = frame + view->network;
    bool is_from_link =
        class == ICMP_NEIGHBOUR
            ? network[7] == HOP_LIMIT_OF_LINK && frame[view->transport + 1U] == 0
            : network[7] == 1 && (is_link_local(network + 8) || is_unspecified(network + 8));
    view->kind = FIREWALL_KIND_NEIGHBOUR;
    return !config->passes_neighbours ? FIREWALL_NEIGHBOURS_OFF
           : is_from_link             ? FIREWALL_PASS
                                      : FIREWALL_BAD_NEIGHBOUR;
}

enum firewall_reason firewall_parse_icmp(const struct firewall_config *config, const uint8_t *frame,
                                         struct firewall_view *view) {
    const uint8_t *header = frame + view->transport;
    bool is_own =
        view->key.protocol == (view->version == 4 ? FTMB_PROTOCOL_ICMP : FTMB_PROTOCOL_ICMPV6);
    enum icmp_class class = is_own ? class_of(view->version, header[0]) : ICMP_OTHER;
    if (class == ICMP_OTHER) {
        return FIREWALL_ICMP_UNSUPPORTED;
    }
    if (class == ICMP_NEIGHBOUR || class == ICMP_LISTENER) {
        return parse_link(config, frame, class, view);
    }
    if (view->kind == FIREWALL_KIND_GROUP && class != ICMP_QUESTION) {
        return FIREWALL_BAD_ADDRESS;
    }
    if (class == ICMP_ERROR) {
        return parse_error(config, frame, view);
    }
    if (view->key.trusted.high == view->key.untrusted.high &&
        view->key.trusted.low == view->key.untrusted.low) {
        return FIREWALL_LAND;
    }
    fill_query(&view->key, view->version, header, view->from_trusted);
    view->is_reply = class == ICMP_REPLY;
    return FIREWALL_PASS;
}
