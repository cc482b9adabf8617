/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A packet as the load balancer sees it: which client and whom it is about, or why it is dropped.
 * Used by workers, and by the input logger for steering.
 */
#ifndef BALANCER_PACKET_H
#define BALANCER_PACKET_H

#include "balancer_config.h"
#include "ftmb_element.h"
#include "ftmb_packet.h"

/* Why a packet is dropped; the names are in load_balancer.c. */
enum balancer_reason {
    BALANCER_PASS = 0, /* it is not */
    BALANCER_WRONG_PORT,
    BALANCER_NOT_IP,
    BALANCER_TRUNCATED,
    BALANCER_MALFORMED,
    BALANCER_BAD_CHECKSUM,
    BALANCER_FRAGMENT,
    BALANCER_BAD_ADDRESS,
    BALANCER_LAND,
    BALANCER_BAD_PORT,
    BALANCER_BAD_TCP_FLAGS,
    BALANCER_NEIGHBOURS_OFF,
    BALANCER_PROTOCOL_UNSUPPORTED,
    BALANCER_ICMP_UNSUPPORTED,
    BALANCER_ICMP_MALFORMED,
    BALANCER_ICMP_NO_CONNECTION,
    BALANCER_HOPS_EXPIRED,
    BALANCER_NO_SERVICE,
    BALANCER_NO_BACKEND,
    BALANCER_NOT_A_BACKEND,
    BALANCER_WRONG_BACKEND,
    BALANCER_BACKEND_REMOVED,
    BALANCER_NO_CONNECTION,
    BALANCER_CONNECTIONS_FULL,
    BALANCER_REASON_COUNT,
};
_Static_assert(BALANCER_REASON_COUNT - 1 <= FTMB_DROP_REASONS_MAX, "every reason has a counter");

enum balancer_kind {
    BALANCER_KIND_TRANSPORT, /* TCP, UDP */
    BALANCER_KIND_ERROR,     /* ICMP error: client and peer are those of the packet it quotes */
    BALANCER_KIND_ECHO,      /* an ICMP echo request of a client: the service may answer it */
    BALANCER_KIND_NEIGHBOUR, /* ARP, neighbour discovery, multicast listener discovery */
};

/* What is to be known of a packet on its way through; filled by balancer_parse(). */
struct balancer_view {
    struct ftmb_packet *packet;
    struct balancer_address client;
    struct balancer_endpoint peer; /* the virtual address, or the backend */
    uint64_t hash;                 /* of client and service, for the table of connections */
    uint16_t client_port;
    uint16_t service; /* index, and */
    uint16_t backend; /* place, where the peer is one; filled by the worker */
    uint16_t network, transport, end;
    uint16_t quoted_network, quoted_transport, quoted_end; /* in an ICMP error */
    uint8_t kind;                                          /* enum balancer_kind */
    uint8_t version;                                       /* 4 or 6; 0: no IP */
    uint8_t tcp_flags;
    bool from_clients;
};

enum balancer_tcp_flag { TCP_FIN = 0x01, TCP_SYN = 0x02, TCP_RESET = 0x04, TCP_ACK = 0x10 };

/*
 * From a frame to client and peer: BALANCER_PASS, or why it is dropped whatever the state says.
 * `checks` is false for who only steers: checksums are not looked at then.
 */
enum balancer_reason balancer_parse(const struct balancer_config *config, const uint8_t *frame,
                                    uint16_t length, uint8_t port_in, bool checks,
                                    struct balancer_view *view);
/* The ICMP part of it (balancer_icmp.c), for either version. */
enum balancer_reason balancer_parse_icmp(const uint8_t *frame, bool checks,
                                         struct balancer_view *view);
/* Puts the endpoints of a packet that goes to the service, or comes from it, into the view. */
void balancer_fill_endpoints(const uint8_t *frame, const struct ftmb_ip *ip, bool to_service,
                             struct balancer_view *view);
/* Whether no host of a wire has it. */
bool balancer_is_bad_address(const struct balancer_address *address, uint8_t version);

/* Both directions of a connection, and the errors about it, to the worker of the client. */
uint32_t balancer_steer(const void *config, uint32_t workers, const uint8_t *frame, uint16_t length,
                        uint8_t port_in, uint32_t hash);

#endif
