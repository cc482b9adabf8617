/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A NAPT: the parts of elements/nat/, seen by each other only.
 *
 * A packet from inside is looked up by its own endpoint (address, port, protocol) and the remote
 * one, a packet from outside by the external endpoint it is sent to and its source:
 *
 *     frame -> nat_packet.c (where the headers are, or why it is dropped)
 *           -> nat_session.c (the session; on its first packet the mapping, a port, a session)
 *           -> nat_translate.c (TCP state, addresses, ports, checksums)     or nat_icmp.c
 *
 * A *mapping* is the external endpoint that an inside endpoint has, for all its remotes (RFC
 * 4787); a *session* is what is remembered of one remote, as finely as filtering needs it. Both
 * belong to one worker: nat_steer() sends every packet of a mapping there, so nothing is shared.
 * ICMP queries are treated as UDP with the query identifier for a port.
 */
#ifndef NAT_H
#define NAT_H

#include "nat_config.h"
#include "nat_packet.h"
#include "nat_session.h"

#define NAT_FIRES_PER_TICK 1024U
#define NAT_FIRES_PER_BURST 32U /* while ticks leave some over */

/* Each decides about the packet: sets port_out, or drops it. */
void nat_translate(struct ftmb_context *context, struct nat_view *view);
void nat_translate_error(struct ftmb_context *context, struct nat_view *view);
void nat_answer_echo(struct ftmb_context *context, struct nat_view *view);

void nat_drop(struct ftmb_context *context, struct ftmb_packet *packet, enum nat_reason reason);

/* An ICMP error that the NAT makes: type << 8 | code. */
enum nat_error {
    NAT_ERROR_PROHIBITED = 3 << 8 | 13,
    NAT_ERROR_TIME_EXCEEDED = 11 << 8,
};

/* Tells the sender of a packet, if there is an address to tell it from and the limit allows. */
void nat_send_error(struct ftmb_context *context, const struct nat_view *view,
                    enum nat_error error);

/* From inside to an external address: in again, as if from outside. */
static inline uint8_t nat_port_to_outside(const struct nat_config *config,
                                          const struct nat_view *view) {
    return view->hairpin ? (uint8_t)(FTMB_PORT_AGAIN | config->outside) : config->outside;
}

#endif
