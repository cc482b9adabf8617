/* SPDX-License-Identifier: BSD-3-Clause */
/* Whose packet it is, of which class, and the class's mark. */
#include "limiter.h"

static uint32_t dscp_of(const uint8_t *header, uint32_t version) {
    return version == 4 ? header[1] >> 2 : (ftmb_load16(header) >> 6 & 0x3fU);
}

/* Ports, or an ICMP type, as far as they are in sight. */
static void fill_ports(const uint8_t *frame, const struct ftmb_ip *ip,
                       struct match_question *question) {
    uint32_t room = (uint32_t)ip->end - ip->transport;
    if (ip->later) {
        return;
    }
    if ((ip->protocol == FTMB_PROTOCOL_TCP || ip->protocol == FTMB_PROTOCOL_UDP) && room >= 4) {
        question->source_port = ftmb_load16(frame + ip->transport);
        question->destination_port = ftmb_load16(frame + ip->transport + 2);
    }
    if ((ip->protocol == FTMB_PROTOCOL_ICMP || ip->protocol == FTMB_PROTOCOL_ICMPV6) && room >= 1) {
        question->destination_port = frame[ip->transport];
    }
}

static uint32_t classify(const struct limiter_config *config, uint32_t dscp,
                         const struct match_question *question) {
    for (uint32_t i = 0; i < config->rule_count; ++i) {
        const struct limiter_rule *rule = &config->rules[i];
        if ((rule->dscps >> dscp & 1) != 0 && match_fits(&config->pool, &rule->match, question)) {
            return rule->class;
        }
    }
    return config->class_count == 0 ? 0 : config->class_count - 1;
}

struct ip_address limiter_host_of(const struct limiter_config *config, struct ip_address address,
                                  uint32_t version) {
    uint32_t bits = version == 4 ? config->host_ipv4_bits + 96 : config->host_ipv6_bits;
    struct ip_address host = ip_address_and(address, ip_address_mask(bits));
    host.low |= (host.high | host.low) == 0; /* all zeros is a free place */
    return host;
}

uint32_t limiter_hash(struct ip_address host) {
    uint64_t value = (host.low ^ host.high * 0xbf58476d1ce4e5b9ULL) * 0x9e3779b97f4a7c15ULL;
    return (uint32_t)(value >> 32);
}

static void fill_view(const struct limiter_config *config, const uint8_t *frame,
                      const struct ftmb_ip *ip, struct limiter_view *view) {
    uint32_t size = ip->version == 4 ? 4 : 16;
    const uint8_t *source = frame + ip->network + (ip->version == 4 ? 12 : 8);
    struct match_question question = {.source = ip_address_load(source, ip->version),
                                      .destination = ip_address_load(source + size, ip->version),
                                      .version = ip->version,
                                      .protocol = ip->protocol};
    struct ip_address inside =
        view->direction == LIMITER_UPLOAD ? question.source : question.destination;
    view->network = ip->network;
    view->version = ip->version;
    view->host = limiter_host_of(config, inside, ip->version);
    view->hash = limiter_hash(view->host);
    if (config->prefixes.count != 0) {
        view->prefix = prefix_map_find(&config->prefixes, inside);
    }
    if (config->rule_count != 0) {
        fill_ports(frame, ip, &question);
        view->class =
            (uint8_t)classify(config, dscp_of(frame + ip->network, ip->version), &question);
    } else if (config->class_count != 0) {
        view->class = (uint8_t)(config->class_count - 1);
    }
}

enum limiter_reason limiter_parse(const struct limiter_config *config, struct ftmb_packet *packet,
                                  struct limiter_view *view) {
    struct ftmb_ip ip;
    if (packet->port_in != config->inside && packet->port_in != config->outside) {
        return LIMITER_OTHER_PORT;
    }
    *view = (struct limiter_view){
        .packet = packet,
        .prefix = PREFIX_MAP_NONE,
        .bytes = packet->length + config->overhead,
        .direction = packet->port_in == config->inside ? LIMITER_UPLOAD : LIMITER_DOWNLOAD,
        .verdict = LIMITER_PASS,
    };
    enum ftmb_ip_fault fault = ftmb_parse_ip(packet->data, packet->length, &ip);
    if (fault == FTMB_IP_OTHER) {
        return LIMITER_PASS; /* nobody's: the total alone, in the first class */
    }
    if (fault != FTMB_IP_WHOLE) {
        return LIMITER_MALFORMED;
    }
    fill_view(config, packet->data, &ip, view);
    view->kept = (uint8_t)limiter_kept(config, view->class);
    return LIMITER_PASS;
}

void limiter_mark(const struct limiter_config *config, const struct limiter_view *view) {
    uint32_t mark = config->classes[view->class].mark;
    uint8_t *header = view->packet->data + view->network;
    if (view->version == 0 || config->class_count == 0 || mark == LIMITER_NO_MARK ||
        dscp_of(header, view->version) == mark) {
        return;
    }
    uint16_t old = ftmb_load16(header);
    if (view->version == 6) { /* no checksum covers it */
        ftmb_store16(header, (uint16_t)((old & ~0x0fc0U) | mark << 6));
        return;
    }
    uint16_t changed = (uint16_t)((old & ~0x00fcU) | mark << 2);
    ftmb_store16(header, changed);
    ftmb_checksum_apply(header + 10, ftmb_checksum_delta16(old, changed));
}
