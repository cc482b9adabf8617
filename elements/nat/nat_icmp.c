/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ICMP beyond queries: errors that pass through, errors the NAT makes, and its answer to a ping.
 *
 * An error quotes the packet that caused it as it was on the error's side of the NAT, so the
 * quoted headers are translated the other way round (RFC 5508). Errors neither begin nor refresh
 * nor end a session.
 */
#include "nat.h"

#include <string.h>

#define TTL_INITIAL 64U
#define UNITS_PER_SECOND (1000000000ULL / NAT_UNIT_NS)

/* Writes `to` where the quoted packet has its endpoint on our side. */
static void rewrite_quoted(uint8_t *frame, const struct nat_view *view, uint64_t to) {
    uint8_t *network = frame + view->quoted_network;
    uint8_t *transport = frame + view->quoted_transport;
    uint8_t *address_field = network + (view->from_inside ? 16 : 12);
    uint8_t *port_field = view->protocol == FTMB_PROTOCOL_ICMP ? transport + 4
                          : view->from_inside                  ? transport + 2
                                                               : transport;
    uint32_t address = ftmb_checksum_delta32(ftmb_load32(address_field), nat_address(to));
    uint32_t port = ftmb_checksum_delta16(ftmb_load16(port_field), nat_port(to));
    ftmb_store32(address_field, nat_address(to));
    ftmb_store16(port_field, nat_port(to));
    ftmb_checksum_apply(network + 10, address);
    if (view->protocol == FTMB_PROTOCOL_ICMP) {
        ftmb_checksum_apply(transport + 2, port);
    } else if (view->protocol == FTMB_PROTOCOL_UDP) {
        ftmb_checksum_apply_udp(transport + 6, address + port);
    } else if (view->quoted_transport + 18U <=
               view->quoted_end) { /* seldom quoted as far as that */
        ftmb_checksum_apply(transport + 16, address + port);
    }
}

static void rewrite_outer(uint8_t *frame, const struct nat_view *view, uint64_t to) {
    uint8_t *network = frame + view->network;
    uint8_t *transport = frame + view->transport;
    uint8_t *field = network + (view->from_inside ? 12 : 16);
    uint32_t delta = ftmb_checksum_delta32(ftmb_load32(field), nat_address(to));
    ftmb_store32(field, nat_address(to));
    if (!view->hairpin) {
        uint16_t word = ftmb_load16(network + 8);
        --network[8];
        delta += ftmb_checksum_delta16(word, ftmb_load16(network + 8));
    }
    ftmb_checksum_apply(network + 10, delta);
    ftmb_store16(transport + 2, 0); /* it was found right, so computing it anew hides nothing */
    uint16_t sum = ftmb_checksum_sum(transport, (size_t)view->end - view->transport);
    ftmb_store16(transport + 2, (uint16_t)~sum);
}

/* Whether an error may pass, apart from its session. */
static enum nat_reason check_error(const struct nat_config *config, const uint8_t *frame,
                                   const struct nat_view *view) {
    const uint8_t *network = frame + view->network;
    const uint8_t *quoted = frame + view->quoted_network;
    size_t quoted_size = (size_t)view->quoted_transport - view->quoted_network;
    if (ftmb_checksum_sum(frame + view->transport, (size_t)view->end - view->transport) !=
        0xffffU) {
        return NAT_BAD_CHECKSUM;
    }
    if (config->check_checksum && ftmb_checksum_sum(quoted, quoted_size) != 0xffffU) {
        return NAT_BAD_CHECKSUM;
    }
    /* It goes to who sent the packet that it quotes. */
    if (ftmb_load32(network + 16) != ftmb_load32(quoted + 12)) {
        return NAT_ICMP_MALFORMED;
    }
    return !view->hairpin && network[8] <= 1 ? NAT_TTL_EXPIRED : NAT_PASS;
}

void nat_translate_error(struct ftmb_context *context, struct nat_view *view) {
    const struct nat_config *config = context->config;
    uint8_t *frame = view->packet->data;
    enum nat_reason reason = check_error(config, frame, view);
    const struct nat_session *session = NULL;
    if (reason == NAT_PASS) {
        session = nat_session_find(config, context->state, view);
        if (session == NULL) {
            reason = NAT_NO_MAPPING;
        }
    }
    if (reason != NAT_PASS) {
        nat_drop(context, view->packet, reason);
        return;
    }
    /* From inside, also a router behind the NAT gets the external address for its own. */
    uint64_t to = view->from_inside ? session->outside : session->inside;
    rewrite_quoted(frame, view, to);
    rewrite_outer(frame, view, to);
    view->packet->port_out = view->from_inside ? nat_port_to_outside(config, view) : config->inside;
}

static void swap(uint8_t *first, uint8_t *second, size_t size) {
    uint8_t kept[8];
    memcpy(kept, first, size);
    memcpy(first, second, size);
    memcpy(second, kept, size);
}

void nat_answer_echo(struct ftmb_context *context, struct nat_view *view) {
    const struct nat_config *config = context->config;
    uint8_t *frame = view->packet->data;
    uint8_t *network = frame + view->network;
    uint8_t *transport = frame + view->transport;
    uint16_t type = ftmb_load16(transport);
    uint16_t ttl = ftmb_load16(network + 8);
    swap(frame, frame + 6, 6);
    swap(network + 12, network + 16, 4);
    network[8] = TTL_INITIAL;
    ftmb_checksum_apply(network + 10, ftmb_checksum_delta16(ttl, ftmb_load16(network + 8)));
    transport[0] = 0;
    ftmb_checksum_apply(transport + 2, ftmb_checksum_delta16(type, ftmb_load16(transport)));
    view->packet->port_out = config->inside;
}

/* Counts an error in this second's allowance. */
static bool allow_error(const struct nat_config *config, struct nat_state *state) {
    if (state->now - state->error_window >= UNITS_PER_SECOND) {
        state->error_window = state->now;
        state->error_count = 0;
    }
    if (state->error_count >= config->icmp_errors_max) {
        return false;
    }
    ++state->error_count;
    return true;
}

void nat_send_error(struct ftmb_context *context, const struct nat_view *view,
                    enum nat_error error) {
    const struct nat_config *config = context->config;
    const uint8_t *cause = view->packet->data;
    uint32_t sender = ftmb_load32(cause + view->network + 12);
    uint32_t own =
        view->from_inside ? config->inside_address : ftmb_load32(cause + view->network + 16);
    bool external = nat_external_index(config, own) != NAT_NONE;
    if (own == 0 || (!view->from_inside && !external) ||
        nat_external_index(config, sender) != NAT_NONE || !allow_error(config, context->state)) {
        return;
    }
    uint32_t quoted = (uint32_t)view->transport - view->network + 8U;
    uint32_t total = FTMB_IPV4_SIZE_MIN + FTMB_ICMP_SIZE + quoted;
    struct ftmb_packet *answer =
        ftmb_emit(context, (uint16_t)(FTMB_ETHERNET_SIZE + total), view->packet->port_in);
    if (answer == NULL) {
        return;
    }
    uint8_t *network = answer->data + FTMB_ETHERNET_SIZE;
    uint8_t *transport = network + FTMB_IPV4_SIZE_MIN;
    memcpy(answer->data, cause + 6, 6);
    memcpy(answer->data + 6, cause, 6);
    ftmb_store16(answer->data + 12, FTMB_ETHER_TYPE_IPV4);
    network[0] = 0x45;
    network[1] = 0xc0; /* internetwork control (RFC 1812, 4.3.2.5) */
    ftmb_store16(network + 2, (uint16_t)total);
    ftmb_store16(network + 6, 0x4000); /* whole, so it needs no identification */
    network[8] = TTL_INITIAL;
    network[9] = FTMB_PROTOCOL_ICMP;
    ftmb_store32(network + 12, own);
    ftmb_store32(network + 16, sender);
    ftmb_store16(network + 10, (uint16_t)~ftmb_checksum_sum(network, FTMB_IPV4_SIZE_MIN));
    ftmb_store16(transport, (uint16_t)error);
    memcpy(transport + FTMB_ICMP_SIZE, cause + view->network, quoted);
    ftmb_store16(transport + 2, (uint16_t)~ftmb_checksum_sum(transport, FTMB_ICMP_SIZE + quoted));
}
