/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Translation of TCP, UDP and ICMP queries: the state of a connection, then addresses, ports and
 * checksums in place. Checksums are changed, never computed anew, so that a packet damaged on its
 * way here stays recognizably damaged (RFC 1624).
 */
#include "nat.h"

enum tcp_flag {
    TCP_FIN = 0x01,
    TCP_SYN = 0x02,
    TCP_RESET = 0x04,
    TCP_ACKNOWLEDGE = 0x10,
};

#define TTL_DELTA 0xfeffU /* of one less in the upper byte of a word */

static bool has_all(uint32_t flags, uint32_t wanted) {
    return (flags & wanted) == wanted;
}

static bool is_closed(uint32_t flags) {
    return (flags & NAT_RESET) != 0 || has_all(flags, NAT_FIN_OUT | NAT_FIN_IN);
}

/*
 * How long a connection may now be silent. It is established once both have sent a SYN and the
 * one who began has acknowledged, so that a forged SYN costs only the short time. A reset shortens
 * the time but does not end the session at once: it may be forged, and traffic that goes on
 * makes up for it.
 */
static enum nat_timeout track_tcp(struct nat_session *session, uint8_t tcp, bool from_inside) {
    uint32_t flags = session->flags;
    if ((tcp & TCP_RESET) != 0) {
        flags |= NAT_RESET;
    } else if ((tcp & TCP_SYN) != 0) {
        if ((tcp & TCP_ACKNOWLEDGE) == 0 && is_closed(flags)) { /* the endpoints begin again */
            flags = from_inside ? 0U : (uint32_t)NAT_BEGUN_OUTSIDE;
        }
        flags |= from_inside ? NAT_SYN_OUT : NAT_SYN_IN;
    } else {
        bool by_beginner = from_inside == ((flags & NAT_BEGUN_OUTSIDE) == 0);
        flags &= ~(uint32_t)NAT_RESET;
        if (by_beginner && has_all(flags, NAT_SYN_OUT | NAT_SYN_IN)) {
            flags |= NAT_CONFIRMED;
        }
        if ((tcp & TCP_FIN) != 0) {
            flags |= from_inside ? NAT_FIN_OUT : NAT_FIN_IN;
        }
    }
    session->flags = (uint8_t)flags;
    return (flags & NAT_CONFIRMED) != 0 && !is_closed(flags) ? NAT_TIMEOUT_ESTABLISHED
                                                             : NAT_TIMEOUT_TRANSITORY;
}

static void refresh(const struct nat_config *config, struct nat_state *state,
                    const struct nat_view *view, struct nat_session *session) {
    enum nat_timeout timeout = nat_timeout_of(view->protocol);
    if (view->protocol == FTMB_PROTOCOL_TCP) {
        timeout = track_tcp(session, view->packet->data[view->transport + 13U], view->from_inside);
    } else if (!view->from_inside && !config->inbound_refresh) {
        return;
    }
    nat_session_expire_in(state, session, state->timeouts[timeout]);
}

static void rewrite(const struct nat_view *view, const struct nat_session *session) {
    uint8_t *network = view->packet->data + view->network;
    uint8_t *transport = view->packet->data + view->transport;
    uint32_t address = session->delta_address;
    uint32_t port = session->delta_port;
    uint32_t ttl = 0;
    uint64_t endpoint = session->outside;
    if (!view->hairpin) { /* else it comes again, and is counted then */
        --network[8];
        ttl = TTL_DELTA;
    }
    if (!view->from_inside) {
        address ^= 0xffffU;
        port ^= 0xffffU;
        endpoint = session->inside;
    }
    ftmb_store32(network + (view->from_inside ? 12 : 16), nat_address(endpoint));
    ftmb_checksum_apply(network + 10, address + ttl);
    if (view->protocol == FTMB_PROTOCOL_ICMP) {
        ftmb_store16(transport + 4, nat_port(endpoint));
        ftmb_checksum_apply(transport + 2, port);
        return;
    }
    ftmb_store16(transport + (view->from_inside ? 0 : 2), nat_port(endpoint));
    if (view->protocol == FTMB_PROTOCOL_TCP) {
        ftmb_checksum_apply(transport + 16, address + port);
    } else {
        ftmb_checksum_apply_udp(transport + 6, address + port);
    }
}

static bool is_out_of_room(enum nat_reason reason) {
    return reason == NAT_PORTS_EXHAUSTED || reason == NAT_SESSIONS_FULL || reason == NAT_TABLE_FULL;
}

void nat_translate(struct ftmb_context *context, struct nat_view *view) {
    const struct nat_config *config = context->config;
    struct nat_state *state = context->state;
    if (!view->hairpin && view->packet->data[view->network + 8U] <= 1) {
        nat_send_error(context, view, NAT_ERROR_TIME_EXCEEDED);
        nat_drop(context, view->packet, NAT_TTL_EXPIRED);
        return;
    }
    struct nat_session *session = nat_session_find(config, state, view);
    if (session == NULL) {
        enum nat_reason reason = nat_session_open(context, view, &session);
        if (reason != NAT_PASS) {
            if (view->from_inside && is_out_of_room(reason)) {
                nat_send_error(context, view, NAT_ERROR_PROHIBITED);
            }
            nat_drop(context, view->packet, reason);
            return;
        }
    }
    refresh(config, state, view, session);
    rewrite(view, session);
    view->packet->port_out = view->from_inside ? nat_port_to_outside(config, view) : config->inside;
}
