/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Forwarding of TCP and UDP: addresses, ports and checksums in place. Checksums are changed, never
 * computed anew, so that a packet damaged on its way here stays recognizably damaged (RFC 1624).
 */
#include "balancer_state.h"

#define HOPS_DELTA 0xfeffU /* of one less in the upper byte of a word */

/* Writes an endpoint as source or destination of the headers at `network` and `transport`. */
static void write_endpoint(const struct balancer_view *view,
                           const struct balancer_endpoint *endpoint, bool is_source) {
    uint8_t *network = view->packet->data + view->network;
    uint8_t *transport = view->packet->data + view->transport;
    if (view->version == 4) {
        memcpy(network + (is_source ? 12 : 16), endpoint->address.bytes + 12, 4);
    } else {
        memcpy(network + (is_source ? 8 : 24), endpoint->address.bytes, 16);
    }
    ftmb_store16(transport + (is_source ? 0 : 2), endpoint->port);
}

/* UDP over IPv6 has no packets without a checksum (RFC 8200, 8.1), so 0 is one that is wrong; over
 * IPv4 it stays. */
static void change_checksums(const struct balancer_view *view, uint32_t address, uint32_t port) {
    uint8_t *network = view->packet->data + view->network;
    uint8_t *transport = view->packet->data + view->transport;
    if (view->version == 4) {
        --network[8];
        ftmb_checksum_apply(network + 10, address + HOPS_DELTA);
    } else {
        --network[7];
    }
    if (view->peer.protocol == FTMB_PROTOCOL_TCP) {
        ftmb_checksum_apply(transport + 16, address + port);
    } else {
        ftmb_checksum_apply_udp(transport + 6, address + port);
    }
}

static void set_ethernet(const struct balancer_view *view, const struct balancer_backend *backend) {
    if (view->from_clients && backend->has_ethernet) {
        memcpy(view->packet->data, backend->ethernet, BALANCER_ETHERNET_SIZE);
    }
}

bool balancer_forward(const struct balancer_config *config, struct balancer_state *state,
                      const struct balancer_view *view, uint16_t place) {
    const struct balancer_backend *backend = &balancer_backends(state)[place];
    const struct balancer_endpoint *service = &config->services[backend->service];
    uint8_t hops = view->packet->data[view->network + (view->version == 4 ? 8U : 7U)];
    set_ethernet(view, backend);
    if (config->forwarding == BALANCER_DIRECT) {
        return true;
    }
    if (hops <= 1) {
        return false;
    }
    if (view->from_clients) {
        write_endpoint(view, &backend->endpoint, false);
        change_checksums(view, backend->delta_address, backend->delta_port);
    } else {
        write_endpoint(view, service, true);
        change_checksums(view, backend->delta_address ^ 0xffffU, backend->delta_port ^ 0xffffU);
    }
    return true;
}
