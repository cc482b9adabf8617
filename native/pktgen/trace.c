/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A table from the hash of what stays the same to the first frame that has it; frames alike are
 * linked. Of each kind one place is kept, `oldest`: the first occurrence that may still come. It
 * only moves on, so that finding an arrival's packet is a step or two.
 */
#include "pktgen/trace.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "ftmb_packet.h"

#define NONE UINT32_MAX

struct kind {
    uint64_t key;
    uint32_t first;  /* NONE: free */
    uint32_t oldest; /* a frame of the kind, in round oldest_round */
    uint64_t oldest_round;
};

struct pktgen_trace_index {
    const struct pktgen_trace *trace;
    uint64_t interval_q32;
    struct kind *kinds;
    uint64_t mask;
    uint32_t *next_alike; /* NONE: the last of its kind */
    uint64_t ambiguous;
};

/* Bytes of the transport header that a NAT may change, as bits. */
static uint32_t changeable(const struct ftmb_ip *ip, uint8_t type) {
    if (ip->fragment) {
        return 0;
    }
    switch (ip->protocol) {
    case FTMB_PROTOCOL_TCP:
        return 0x3000f; /* ports, checksum */
    case FTMB_PROTOCOL_UDP:
        return 0xcf; /* ports, checksum */
    case FTMB_PROTOCOL_ICMP:
        return type == 0 || type == 8 ? 0x3c : 0xc; /* checksum, and an echo's identifier */
    default:
        return 0;
    }
}

static uint64_t key_of(const uint8_t *frame, uint16_t length) {
    uint8_t header[20];
    struct ftmb_ip ip;
    if (ftmb_parse_ipv4(frame, length, &ip) != FTMB_IP_WHOLE) {
        return length < FTMB_ETHERNET_SIZE
                   ? XXH3_64bits(frame, length)
                   : XXH3_64bits(frame + 12, (size_t)length - 12); /* all but the addresses */
    }
    uint32_t room = (uint32_t)ip.end - ip.transport;
    uint32_t head = room < sizeof(header) ? room : (uint32_t)sizeof(header);
    memcpy(header, frame + ip.transport, head);
    uint32_t open = changeable(&ip, room > 0 ? header[0] : 0);
    for (uint32_t index = 0; index < head; index++) {
        header[index] = (open >> index) & 1 ? 0 : header[index];
    }
    uint64_t fixed = (uint64_t)ip.protocol << 48 |
                     (uint64_t)ftmb_load16(frame + ip.network + 2) << 32 |
                     ftmb_load32(frame + ip.network + 4);
    uint64_t behind = XXH3_64bits_withSeed(frame + ip.transport + head, room - head, fixed);
    return XXH3_64bits_withSeed(header, head, behind);
}

static struct kind *kind_of(const struct pktgen_trace_index *index, uint64_t key) {
    uint64_t at = key & index->mask;
    while (index->kinds[at].first != NONE && index->kinds[at].key != key) {
        at = (at + 1) & index->mask;
    }
    return &index->kinds[at];
}

uint64_t pktgen_trace_due(const struct pktgen_trace *trace, uint64_t interval_q32, uint64_t round,
                          uint32_t frame) {
    if (trace->due_ns != NULL) {
        return round * trace->round_ns + trace->due_ns[frame];
    }
    return (uint64_t)(((unsigned __int128)interval_q32 * (round * trace->count + frame)) >> 32);
}

/* From the last frame to the first, so that kinds are linked in the order of sending. */
static void enter_frames(struct pktgen_trace_index *index) {
    const struct pktgen_trace *trace = index->trace;
    for (uint32_t frame = trace->count; frame-- > 0;) {
        uint64_t key = key_of(trace->bytes + trace->offsets[frame], trace->lengths[frame]);
        struct kind *kind = kind_of(index, key);
        index->next_alike[frame] = kind->first;
        if (kind->first != NONE) {
            index->ambiguous += index->next_alike[kind->first] == NONE ? 2 : 1;
        }
        *kind = (struct kind){.key = key, .first = frame, .oldest = frame};
    }
}

struct pktgen_trace_index *pktgen_trace_index_create(const struct pktgen_trace *trace,
                                                     uint64_t interval_q32) {
    struct pktgen_trace_index *index = calloc(1, sizeof(*index));
    uint64_t places = 2;
    while (places < 2ULL * trace->count) {
        places *= 2;
    }
    if (index != NULL) {
        index->trace = trace;
        index->interval_q32 = interval_q32;
        index->mask = places - 1;
        index->kinds = malloc(places * sizeof(*index->kinds));
        index->next_alike = malloc((size_t)trace->count * sizeof(*index->next_alike));
    }
    if (index == NULL || index->kinds == NULL || index->next_alike == NULL) {
        pktgen_trace_index_destroy(index);
        return NULL;
    }
    for (uint64_t place = 0; place < places; place++) {
        index->kinds[place].first = NONE;
    }
    enter_frames(index);
    return index;
}

void pktgen_trace_index_destroy(struct pktgen_trace_index *index) {
    if (index != NULL) {
        free(index->kinds);
        free(index->next_alike);
        free(index);
    }
}

uint64_t pktgen_trace_ambiguous(const struct pktgen_trace_index *index) {
    return index->ambiguous;
}

/* Where in the run an occurrence of a kind is. */
struct occurrence {
    uint64_t round;
    uint32_t frame;
};

static struct occurrence after(const struct pktgen_trace_index *index, const struct kind *kind,
                               struct occurrence this) {
    uint32_t next = index->next_alike[this.frame];
    return next == NONE ? (struct occurrence){this.round + 1, kind->first}
                        : (struct occurrence){this.round, next};
}

static uint64_t sequence_of(const struct pktgen_trace_index *index, struct occurrence this) {
    return this.round * index->trace->count + this.frame;
}

enum pktgen_trace_verdict pktgen_trace_find(struct pktgen_trace_index *index,
                                            const struct frame *frame, uint64_t sent,
                                            uint64_t since_start_ns,
                                            struct pktgen_arrival *arrival) {
    const struct pktgen_trace *trace = index->trace;
    struct kind *kind = kind_of(index, key_of(frame->bytes, frame->length));
    if (kind->first == NONE) {
        return PKTGEN_TRACE_UNKNOWN;
    }
    struct occurrence this = {kind->oldest_round, kind->oldest};
    while (sequence_of(index, this) < sent) {
        uint64_t due_ns = pktgen_trace_due(trace, index->interval_q32, this.round, this.frame);
        struct occurrence next = after(index, kind, this);
        kind->oldest_round = next.round;
        kind->oldest = next.frame;
        if (since_start_ns - due_ns <= trace->patience_ns || sequence_of(index, next) >= sent) {
            *arrival = (struct pktgen_arrival){due_ns, (uint32_t)sequence_of(index, this),
                                               trace->flows[this.frame]};
            return PKTGEN_TRACE_AWAITED;
        }
        this = next;
    }
    arrival->flow = trace->flows[kind->first];
    return PKTGEN_TRACE_SURPLUS;
}
