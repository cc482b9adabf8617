/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sending copies a frame from the output log into an mbuf and hands bursts to the device; what
 * the device does not take stays in `sending` and is offered again, so nothing is lost while the
 * device is alive.
 */
#include "port/dpdk_port.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>

#include "host/cycles.h"
#include "port/address_resolution.h"

#define SENDING_MAX 512U
#define MBUF_CACHE 256U

struct dpdk_port {
    struct port base;
    uint16_t id;
    uint16_t queues;
    uint16_t next_queue;
    bool is_routed;
    char name[RTE_ETH_NAME_MAX_LEN];
    struct rte_mempool *pool;
    struct rte_mbuf *received[PORT_BURST_MAX];
    uint32_t received_count;
    struct rte_mbuf *sending[SENDING_MAX];
    uint32_t sending_count;
    struct resolution resolution;
    uint64_t now_ns;
};

static struct dpdk_port *port_of(struct port *port) {
    return (struct dpdk_port *)port;
}

static void say(char *error, uint32_t size, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error, size, format, arguments);
    va_end(arguments);
}

int dpdk_start(int argc, char **argv, char *error, uint32_t error_size) {
    if (rte_eal_init(argc, argv) < 0) {
        say(error, error_size, "DPDK did not start: %s", rte_strerror(rte_errno));
        return -rte_errno;
    }
    return 0;
}

void dpdk_stop(void) {
    rte_eal_cleanup();
}

/* Hands what waits to the device, as much as it takes. */
static void push(struct dpdk_port *port) {
    uint32_t sent = 0;
    while (sent < port->sending_count) {
        uint16_t taken = rte_eth_tx_burst(port->id, 0, port->sending + sent,
                                          (uint16_t)(port->sending_count - sent));
        if (taken == 0) {
            break;
        }
        sent += taken;
    }
    if (sent > 0) {
        port->sending_count -= sent;
        memmove(port->sending, port->sending + sent,
                port->sending_count * sizeof(port->sending[0]));
    }
}

/* An mbuf with a copy of the frame, queued; false: no room or no memory at the moment. */
static bool queue_frame(struct dpdk_port *port, const uint8_t *bytes, uint16_t length) {
    if (port->sending_count == SENDING_MAX) {
        push(port);
        if (port->sending_count == SENDING_MAX) {
            return false;
        }
    }
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(port->pool);
    if (mbuf == NULL) {
        push(port);
        return false;
    }
    memcpy(rte_pktmbuf_mtod(mbuf, uint8_t *), bytes, length);
    mbuf->data_len = length;
    mbuf->pkt_len = length;
    port->sending[port->sending_count++] = mbuf;
    counter_add(&port->base.counters.sent, 1);
    counter_add(&port->base.counters.sent_bytes, length);
    return true;
}

static void count_drop(struct dpdk_port *port, enum port_drop reason) {
    counter_add(&port->base.counters.drops[reason], 1);
}

/* Routed: finds the Ethernet address first. True: the port is done with this frame. */
static bool send_routed(struct dpdk_port *port, const struct frame *frame) {
    uint8_t copy[FTMB_FRAME_SIZE_MAX];
    uint8_t request[ARP_FRAME_SIZE];
    bool has_request;
    if (port->sending_count + 2 > SENDING_MAX) {
        push(port);
        if (port->sending_count + 2 > SENDING_MAX) {
            return false;
        }
    }
    memcpy(copy, frame->bytes, frame->length);
    enum resolution_verdict verdict = resolution_prepare(&port->resolution, copy, frame->length,
                                                         port->now_ns, request, &has_request);
    if (has_request) {
        queue_frame(port, request, ARP_FRAME_SIZE);
    }
    if (verdict == RESOLUTION_SEND) {
        return queue_frame(port, copy, frame->length);
    }
    if (verdict == RESOLUTION_GIVE_UP) {
        count_drop(port, PORT_DROP_UNRESOLVED);
    }
    return true;
}

static uint32_t dpdk_port_send(struct port *base, const struct frame *frames, uint32_t count) {
    struct dpdk_port *port = port_of(base);
    for (uint32_t index = 0; index < count; index++) {
        const struct frame *frame = &frames[index];
        if (frame->length < RTE_ETHER_HDR_LEN) {
            count_drop(port, PORT_DROP_SEND_SHORT);
            continue;
        }
        bool is_taken = port->is_routed ? send_routed(port, frame)
                                        : queue_frame(port, frame->bytes, frame->length);
        if (!is_taken) {
            return index;
        }
    }
    return count;
}

static void dpdk_port_flush(struct port *base) {
    push(port_of(base));
}

static void send_what_waited(struct dpdk_port *port) {
    uint64_t given_up = port->resolution.given_up;
    const struct waiting_frame *ready;
    while (port->sending_count < SENDING_MAX &&
           (ready = resolution_next_ready(&port->resolution, port->now_ns)) != NULL) {
        queue_frame(port, ready->bytes, ready->length);
    }
    uint8_t request[ARP_FRAME_SIZE];
    while (port->sending_count < SENDING_MAX &&
           resolution_ask_again(&port->resolution, port->now_ns, request)) {
        queue_frame(port, request, ARP_FRAME_SIZE);
    }
    for (; given_up < port->resolution.given_up; given_up++) {
        count_drop(port, PORT_DROP_UNRESOLVED);
    }
}

static void receive_arp(struct dpdk_port *port, const uint8_t *bytes, uint16_t length) {
    uint8_t answer[ARP_FRAME_SIZE];
    counter_add(&port->base.counters.resolution, 1);
    if (resolution_receive(&port->resolution, bytes, length, port->now_ns, answer)) {
        queue_frame(port, answer, ARP_FRAME_SIZE);
    }
}

/* Whether a frame is for this port: its own Ethernet address, or a group's. */
static bool is_for_port(const struct dpdk_port *port, const uint8_t *bytes) {
    return (bytes[0] & 1) != 0 ||
           memcmp(bytes, port->resolution.own_ethernet, ETHERNET_ADDRESS_SIZE) == 0;
}

/* Looks at one received frame; true: it goes on to the elements. */
static bool take_in(struct dpdk_port *port, struct rte_mbuf *mbuf, struct frame *frame) {
    const uint8_t *bytes = rte_pktmbuf_mtod(mbuf, const uint8_t *);
    uint32_t length = rte_pktmbuf_pkt_len(mbuf);
    counter_add(&port->base.counters.received, 1);
    counter_add(&port->base.counters.received_bytes, length);
    if (length > FTMB_FRAME_SIZE_MAX || mbuf->nb_segs > 1 || length < RTE_ETHER_HDR_LEN) {
        count_drop(port, PORT_DROP_TOO_LONG);
        return false;
    }
    if (port->is_routed) {
        if (resolution_is_arp(bytes, (uint16_t)length)) {
            receive_arp(port, bytes, (uint16_t)length);
            return false;
        }
        if (!is_for_port(port, bytes)) {
            count_drop(port, PORT_DROP_FOR_PORT);
            return false;
        }
    }
    *frame = (struct frame){.bytes = bytes, .length = (uint16_t)length};
    return true;
}

static uint32_t dpdk_port_receive(struct port *base, uint64_t now_ns, struct frame *frames) {
    struct dpdk_port *port = port_of(base);
    port->now_ns = now_ns;
    uint32_t count = 0;
    for (uint16_t turn = 0; turn < port->queues && port->received_count < PORT_BURST_MAX; turn++) {
        uint32_t first = port->received_count;
        port->received_count += rte_eth_rx_burst(port->id, port->next_queue, port->received + first,
                                                 (uint16_t)(PORT_BURST_MAX - first));
        port->next_queue = (uint16_t)((port->next_queue + 1) % port->queues);
        for (uint32_t index = first; index < port->received_count; index++) {
            count += take_in(port, port->received[index], &frames[count]);
        }
    }
    if (port->is_routed && port->resolution.waiting_count > 0) {
        send_what_waited(port);
    }
    if (port->sending_count > 0) {
        push(port);
    }
    return count;
}

static void dpdk_port_receive_done(struct port *base) {
    struct dpdk_port *port = port_of(base);
    if (port->received_count > 0) {
        rte_pktmbuf_free_bulk(port->received, port->received_count);
        port->received_count = 0;
    }
}

static uint64_t dpdk_port_missed(struct port *base) {
    struct rte_eth_stats stats;
    return rte_eth_stats_get(port_of(base)->id, &stats) == 0 ? stats.imissed + stats.rx_nombuf : 0;
}

static const struct port_class dpdk_port_class = {.receive = dpdk_port_receive,
                                                  .receive_done = dpdk_port_receive_done,
                                                  .send = dpdk_port_send,
                                                  .flush = dpdk_port_flush,
                                                  .missed = dpdk_port_missed};

static int probe(struct dpdk_port *port, const char *device, char *error, uint32_t size) {
    int failure = rte_dev_probe(device);
    if (failure != 0) {
        say(error, size, "device '%s' cannot be opened: %s", device, strerror(-failure));
        return failure;
    }
    struct rte_dev_iterator iterator;
    uint16_t id;
    RTE_ETH_FOREACH_MATCHING_DEV(id, device, &iterator) {
        port->id = id;
        rte_eth_iterator_cleanup(&iterator);
        rte_eth_dev_get_name_by_port(id, port->name);
        return 0;
    }
    say(error, size, "device '%s' was opened but is not an Ethernet port", device);
    return -ENODEV;
}

/*
 * The AF_XDP driver registers the pool's memory with the kernel as one area of `count` objects
 * without gaps. A pool made by rte_pktmbuf_pool_create leaves a gap at each page's end, so its
 * last objects would lie beyond the area, and the kernel would refuse each frame sent from one as
 * an invalid descriptor. Devices that do DMA need those gaps: an object must not span pages.
 */
static struct rte_mempool *create_pool_without_gaps(const char *name, uint32_t count, int socket) {
    struct rte_pktmbuf_pool_private private = {.mbuf_data_room_size = RTE_MBUF_DEFAULT_BUF_SIZE};
    struct rte_mempool *pool =
        rte_mempool_create_empty(name, count, sizeof(struct rte_mbuf) + RTE_MBUF_DEFAULT_BUF_SIZE,
                                 MBUF_CACHE, sizeof(private), socket, RTE_MEMPOOL_F_NO_IOVA_CONTIG);
    if (pool == NULL) {
        return NULL;
    }
    rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), NULL);
    rte_pktmbuf_pool_init(pool, &private);
    if (rte_mempool_populate_default(pool) < 0) {
        rte_mempool_free(pool);
        return NULL;
    }
    rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
    return pool;
}

static int create_pool(struct dpdk_port *port, uint32_t descriptors) {
    struct rte_eth_dev_info information;
    int failure = rte_eth_dev_info_get(port->id, &information);
    if (failure != 0) {
        return failure;
    }
    char name[RTE_MEMPOOL_NAMESIZE];
    snprintf(name, sizeof(name), "ftmb_port_%u", port->id);
    uint32_t count = port->queues * descriptors * 4 + SENDING_MAX + 2 * MBUF_CACHE;
    int socket = rte_eth_dev_socket_id(port->id);
    port->pool = strcmp(information.driver_name, "net_af_xdp") == 0
                     ? create_pool_without_gaps(name, count, socket)
                     : rte_pktmbuf_pool_create(name, count, MBUF_CACHE, 0,
                                               RTE_MBUF_DEFAULT_BUF_SIZE, socket);
    return port->pool == NULL ? -rte_errno : 0;
}

static int set_up_queues(struct dpdk_port *port, uint16_t descriptors) {
    struct rte_eth_conf configuration = {0};
    if (port->queues > 1) {
        configuration.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        configuration.rx_adv_conf.rss_conf.rss_hf =
            RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_TCP;
        struct rte_eth_dev_info information;
        if (rte_eth_dev_info_get(port->id, &information) == 0) {
            configuration.rx_adv_conf.rss_conf.rss_hf &= information.flow_type_rss_offloads;
        }
    }
    int failure = rte_eth_dev_configure(port->id, port->queues, port->queues, &configuration);
    uint16_t receive = descriptors, send = descriptors;
    if (failure == 0) {
        failure = rte_eth_dev_adjust_nb_rx_tx_desc(port->id, &receive, &send);
    }
    int socket = rte_eth_dev_socket_id(port->id);
    for (uint16_t queue = 0; queue < port->queues && failure == 0; queue++) {
        failure =
            rte_eth_rx_queue_setup(port->id, queue, receive, (unsigned)socket, NULL, port->pool);
        if (failure == 0) {
            failure = rte_eth_tx_queue_setup(port->id, queue, send, (unsigned)socket, NULL);
        }
    }
    return failure == 0 ? rte_eth_dev_start(port->id) : failure;
}

static int set_up_addresses(struct dpdk_port *port, const struct dpdk_port_settings *settings) {
    struct rte_ether_addr own;
    int failure = rte_eth_macaddr_get(port->id, &own);
    if (failure == 0) {
        failure = resolution_init(&port->resolution, own.addr_bytes);
    }
    for (uint32_t index = 0; index < settings->address_count && failure == 0; index++) {
        failure = resolution_add_address(&port->resolution, settings->addresses[index],
                                         settings->masks[index]);
    }
    for (uint32_t index = 0; index < settings->answered_count && failure == 0; index++) {
        failure = resolution_add_answered(&port->resolution, settings->answered[index],
                                          settings->answered_masks[index]);
    }
    port->resolution.gateway = settings->gateway;
    port->is_routed = settings->address_count > 0;
    return failure;
}

/* The neighbours may know another Ethernet address from whoever had these before. */
static void announce(struct dpdk_port *port) {
    uint8_t request[ARP_FRAME_SIZE];
    for (uint32_t index = 0; index < port->resolution.address_count; index++) {
        resolution_announce(&port->resolution, index, request);
        queue_frame(port, request, ARP_FRAME_SIZE);
    }
    push(port);
}

struct dpdk_port *dpdk_port_open(const struct dpdk_port_settings *settings, char *error,
                                 uint32_t error_size) {
    struct dpdk_port *port = calloc(1, sizeof(*port));
    if (port == NULL || probe(port, settings->device, error, error_size) != 0) {
        free(port);
        return NULL;
    }
    port->base.class = &dpdk_port_class;
    port->queues = (uint16_t)settings->queues;
    int failure = create_pool(port, settings->descriptors);
    if (failure != 0) {
        say(error, error_size, "no memory for the packets of '%s': give it more huge pages",
            settings->device);
    } else if ((failure = set_up_queues(port, (uint16_t)settings->descriptors)) != 0) {
        say(error, error_size, "device '%s' does not start with %u queues of %u descriptors: %s",
            settings->device, settings->queues, settings->descriptors, strerror(-failure));
    } else if ((failure = set_up_addresses(port, settings)) != 0) {
        say(error, error_size, "addresses of '%s': %s", settings->device, strerror(-failure));
    } else if (!port->is_routed) {
        rte_eth_promiscuous_enable(port->id); /* a transparent port takes whatever comes */
    }
    if (failure != 0) {
        dpdk_port_close(port);
        return NULL;
    }
    announce(port);
    return port;
}

void dpdk_port_close(struct dpdk_port *port) {
    if (port == NULL) {
        return;
    }
    dpdk_port_receive_done(&port->base);
    rte_pktmbuf_free_bulk(port->sending, port->sending_count);
    struct rte_eth_dev_info information;
    int known = rte_eth_dev_info_get(port->id, &information);
    rte_eth_dev_stop(port->id);
    rte_eth_dev_close(port->id);
    if (known == 0) {
        rte_dev_remove(information.device);
    }
    rte_mempool_free(port->pool);
    resolution_release(&port->resolution);
    free(port);
}

struct port *dpdk_port_base(struct dpdk_port *port) {
    return &port->base;
}
