/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A TCP connection as far as time-outs need it, and what cannot be part of one.
 *
 * Sequence numbers are not looked at, so a reset or FIN may be forged; it therefore only shortens
 * the time, and traffic that goes on makes up for it. For the same reason a repeated SYN of the
 * beginner passes and changes nothing: an endpoint that lost its state must be able to learn from
 * its peer's answer that the peer has not (RFC 9293, 3.10.7.4).
 */
#include "firewall_flow.h"

enum tcp_flag { TCP_FIN = 0x01, TCP_SYN = 0x02, TCP_RESET = 0x04, TCP_ACKNOWLEDGE = 0x10 };

static bool is_closed(uint32_t flags) {
    uint32_t both = FIREWALL_FIN_BEGINNER | FIREWALL_FIN_OTHER;
    return (flags & FIREWALL_RESET) != 0 || (flags & both) == both;
}

bool firewall_tcp_begins(uint8_t flags) {
    return (flags & (TCP_SYN | TCP_ACKNOWLEDGE)) == TCP_SYN;
}

bool firewall_tcp_is_reset(uint8_t flags) {
    return (flags & TCP_RESET) != 0;
}

/* SYN of either kind. From the other side without ACK it is a simultaneous open, or a lie. */
static enum firewall_tcp_verdict track_syn(struct firewall_flow *flow, uint8_t tcp,
                                           bool by_beginner) {
    uint32_t flags = flow->flags;
    bool acknowledges = (tcp & TCP_ACKNOWLEDGE) != 0;
    if (!acknowledges && is_closed(flags)) {
        return FIREWALL_TCP_ANEW;
    }
    if (by_beginner) {
        if (!acknowledges) {
            return FIREWALL_TCP_FITS;
        }
        uint32_t wanted = FIREWALL_SYN_BACK; /* and neither of these: */
        if ((flags & (wanted | FIREWALL_CONFIRMED | FIREWALL_RESET)) != wanted) {
            return FIREWALL_TCP_OUT_OF_PLACE; /* acknowledges nothing, or what was long ago */
        }
    } else {
        if (!acknowledges && (flags & FIREWALL_SYN_ACKNOWLEDGED) != 0) {
            return FIREWALL_TCP_OUT_OF_PLACE;
        }
        flags |= FIREWALL_SYN_BACK;
    }
    if (acknowledges) {
        flags |= FIREWALL_SYN_ACKNOWLEDGED;
    }
    flow->flags = (uint8_t)flags;
    return FIREWALL_TCP_FITS;
}

enum firewall_tcp_verdict firewall_tcp_track(struct firewall_flow *flow, uint8_t tcp,
                                             bool by_beginner) {
    uint32_t flags = flow->flags;
    if ((tcp & TCP_RESET) != 0) {
        bool refuses = !by_beginner && (tcp & TCP_ACKNOWLEDGE) != 0; /* RFC 9293, 3.10.7.3 */
        if ((flags & FIREWALL_SYN_BACK) == 0 && !refuses) {
            return FIREWALL_TCP_OUT_OF_PLACE; /* resets what there is not yet */
        }
        flow->flags = (uint8_t)(flags | FIREWALL_RESET);
        return FIREWALL_TCP_FITS;
    }
    if ((tcp & TCP_SYN) != 0) {
        return track_syn(flow, tcp, by_beginner);
    }
    if ((flags & FIREWALL_SYN_ACKNOWLEDGED) == 0) {
        return FIREWALL_TCP_OUT_OF_PLACE; /* a SYN is acknowledged by a SYN-ACK */
    }
    flags &= ~(uint32_t)FIREWALL_RESET;
    if (by_beginner) {
        flags |= FIREWALL_CONFIRMED;
    }
    if ((tcp & TCP_FIN) != 0) {
        flags |= by_beginner ? FIREWALL_FIN_BEGINNER : FIREWALL_FIN_OTHER;
    }
    flow->flags = (uint8_t)flags;
    return FIREWALL_TCP_FITS;
}

/* Established once the beginner has acknowledged the other's SYN, so that a forged SYN costs only
 * the short time. */
enum firewall_timeout firewall_tcp_timeout(const struct firewall_flow *flow) {
    uint32_t ended = FIREWALL_FIN_BEGINNER | FIREWALL_FIN_OTHER | FIREWALL_RESET;
    if ((flow->flags & ended) != 0) {
        return FIREWALL_TIMEOUT_CLOSING;
    }
    return (flow->flags & FIREWALL_CONFIRMED) != 0 ? FIREWALL_TIMEOUT_ESTABLISHED
                                                   : FIREWALL_TIMEOUT_TRANSITORY;
}
