/* SPDX-License-Identifier: BSD-3-Clause */
#include "pktgen/end.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/cycles.h"
#include "host/idle.h"
#include "pktgen/frame.h"

struct pktgen_end *pktgen_end_create(struct port *port, const uint8_t *own_ethernet) {
    struct pktgen_end *end = calloc(1, sizeof(*end));
    if (end == NULL || resolution_init(&end->addresses, own_ethernet) != 0) {
        free(end);
        return NULL;
    }
    end->port = port;
    return end;
}

void pktgen_end_destroy(struct pktgen_end *end) {
    if (end != NULL) {
        resolution_release(&end->addresses);
        free(end);
    }
}

int pktgen_end_add_address(struct pktgen_end *end, uint32_t address, uint32_t mask) {
    return resolution_add_address(&end->addresses, address, mask);
}

int pktgen_end_add_network(struct pktgen_end *end, uint32_t network, uint32_t mask) {
    return resolution_add_answered(&end->addresses, network, mask);
}

void pktgen_end_set_gateway(struct pktgen_end *end, uint32_t gateway) {
    end->addresses.gateway = gateway;
}

static void send_one(struct pktgen_end *end, const uint8_t *bytes, uint16_t length) {
    struct frame frame = {.bytes = bytes, .length = length};
    end->port->class->send(end->port, &frame, 1);
    end->port->class->flush(end->port);
}

void pktgen_end_announce(struct pktgen_end *end) {
    uint8_t request[ARP_FRAME_SIZE];
    for (uint32_t index = 0; index < end->addresses.address_count; index++) {
        resolution_announce(&end->addresses, index, request);
        send_one(end, request, ARP_FRAME_SIZE);
    }
}

static void take_arp(struct pktgen_end *end, const struct frame *frame, uint64_t now_ns) {
    uint8_t answer[ARP_FRAME_SIZE];
    counter_add(&end->resolution, 1);
    if (resolution_receive(&end->addresses, frame->bytes, frame->length, now_ns, answer)) {
        send_one(end, answer, ARP_FRAME_SIZE);
    }
}

/* Asks when it has to; RESOLUTION_SEND: `ethernet` is the next hop's. */
static enum resolution_verdict look_up(struct pktgen_end *end, uint64_t now_ns, uint8_t *ethernet) {
    uint8_t probe[FTMB_ETHERNET_SIZE + FTMB_IPV4_SIZE_MIN] = {0};
    uint8_t request[ARP_FRAME_SIZE];
    bool has_request;
    ftmb_store16(probe + 12, FTMB_ETHER_TYPE_IPV4);
    memcpy(probe + FTMB_ETHERNET_SIZE + 16, &end->destination, sizeof(end->destination));
    enum resolution_verdict verdict = resolution_prepare(
        &end->addresses, probe, (uint16_t)sizeof(probe), now_ns, request, &has_request);
    if (has_request) {
        send_one(end, request, ARP_FRAME_SIZE);
    }
    if (verdict == RESOLUTION_SEND) {
        memcpy(ethernet, probe, ETHERNET_ADDRESS_SIZE);
    }
    return verdict;
}

int pktgen_end_resolve(struct pktgen_end *end, struct pktgen_end *other, uint32_t destination,
                       uint64_t patience_ns, uint8_t *ethernet) {
    uint64_t begun_ns = monotonic_ns();
    end->destination = destination;
    for (uint64_t now_ns = begun_ns; now_ns - begun_ns < patience_ns; now_ns = monotonic_ns()) {
        enum resolution_verdict verdict = look_up(end, now_ns, ethernet);
        if (verdict == RESOLUTION_SEND) {
            return 0;
        }
        if (verdict == RESOLUTION_GIVE_UP && end->addresses.waiting_count == 0) {
            return -ENETUNREACH;
        }
        pktgen_end_step(end, 0, now_ns);
        pktgen_end_step(other, 0, now_ns);
        idle_wait(IDLE_SLEEP, IDLE_SPINS + IDLE_YIELDS);
    }
    return -EHOSTUNREACH;
}

bool pktgen_end_next_hop(struct pktgen_end *end, uint64_t now_ns, uint8_t *ethernet) {
    return end->destination != 0 && look_up(end, now_ns, ethernet) == RESOLUTION_SEND;
}

static bool is_for(const struct pktgen_end *end, const uint8_t *bytes) {
    return end->takes_any_ethernet ||
           memcmp(bytes, end->addresses.own_ethernet, ETHERNET_ADDRESS_SIZE) == 0;
}

/* Looks at one frame; true: `arrival` is to be counted. */
static bool take_stamped(struct pktgen_end *end, const struct frame *frame,
                         struct pktgen_arrival *arrival) {
    struct pktgen_stamp stamp;
    enum pktgen_verdict verdict = pktgen_frame_read(frame->bytes, frame->length, &stamp);
    if (verdict == PKTGEN_FOREIGN || stamp.magic != end->magic) {
        counter_add(&end->foreign, 1);
        return false;
    }
    if (verdict == PKTGEN_ILLEGIBLE) {
        counter_add(&end->collector->corrupted, 1);
        return false;
    }
    if (stamp.run != end->run) {
        counter_add(&end->collector->stale, 1);
        return false;
    }
    if (verdict == PKTGEN_CORRUPTED) {
        pktgen_collect_corrupted(end->collector, stamp.flow);
        return false;
    }
    *arrival = (struct pktgen_arrival){stamp.due_ns, stamp.sequence, stamp.flow};
    return true;
}

/* The same for a capture's frames. */
static bool take_traced(struct pktgen_end *end, const struct frame *frame, uint64_t sent,
                        uint64_t now_ns, struct pktgen_arrival *arrival) {
    uint64_t since_start_ns = now_ns - end->collector->start_ns;
    switch (pktgen_trace_find(end->trace, frame, sent, since_start_ns, arrival)) {
    case PKTGEN_TRACE_AWAITED:
        return true;
    case PKTGEN_TRACE_SURPLUS:
        pktgen_collect_surplus(end->collector, arrival->flow);
        return false;
    case PKTGEN_TRACE_UNKNOWN:
        break;
    }
    counter_add(&end->foreign, 1);
    return false;
}

static bool take_in(struct pktgen_end *end, const struct frame *frame, uint64_t sent,
                    uint64_t now_ns, struct pktgen_arrival *arrival) {
    if (end->collector == NULL || !is_for(end, frame->bytes)) {
        counter_add(&end->foreign, 1);
        return false;
    }
    return end->trace != NULL ? take_traced(end, frame, sent, now_ns, arrival)
                              : take_stamped(end, frame, arrival);
}

static void send_answers(struct pktgen_end *end, const struct frame *answers, uint32_t count) {
    uint32_t taken = end->port->class->send(end->port, answers, count);
    end->port->class->flush(end->port);
    counter_add(&end->answered, taken);
    counter_add(&end->answers_unsent, count - taken);
}

static void take_burst(struct pktgen_end *end, const struct frame *frames, uint32_t count,
                       uint64_t sent, uint64_t now_ns) {
    struct pktgen_arrival arrivals[PORT_BURST_MAX];
    struct frame answers[PORT_BURST_MAX];
    uint32_t arrived = 0;
    for (uint32_t index = 0; index < count; index++) {
        const struct frame *frame = &frames[index];
        if (resolution_is_arp(frame->bytes, frame->length)) {
            take_arp(end, frame, now_ns);
            if (end->trace == NULL) {
                continue; /* a capture may have some too */
            }
        }
        if (!take_in(end, frame, sent, now_ns, &arrivals[arrived])) {
            continue;
        }
        if (end->answers) {
            uint8_t *answer = end->answers_room[arrived];
            memcpy(answer, frame->bytes, frame->length);
            pktgen_frame_answer(answer);
            answers[arrived] = (struct frame){.bytes = answer, .length = frame->length};
        }
        arrived++;
    }
    if (arrived > 0) {
        pktgen_collect(end->collector, arrivals, arrived, sent, now_ns);
        if (end->answers) {
            send_answers(end, answers, arrived);
        }
    }
}

bool pktgen_end_step(struct pktgen_end *end, uint64_t sent, uint64_t now_ns) {
    struct frame frames[PORT_BURST_MAX];
    uint32_t count = end->port->class->receive(end->port, now_ns, frames);
    if (count > 0) {
        /* Taken now, not when the round began: the time it took to get here is the packets' too. */
        take_burst(end, frames, count, sent, monotonic_ns());
    }
    end->port->class->receive_done(end->port);
    return count > 0;
}
