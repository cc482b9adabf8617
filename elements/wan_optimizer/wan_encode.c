/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Encoding a burst, in four passes so that each stripe is taken twice at most:
 *
 *   1. each packet's digest, and its anchors' fingerprints, put into lists by stripe;
 *   2. for each stripe: what is remembered under the fingerprints is looked up and replaced by the
 *      packets' own, and payloads go into the cache; one that was there becomes a reference as a
 * whole;
 *   3. for each stripe: the bytes that were found are compared with the packet's, and the match is
 *      extended both ways as far as it goes (Spring and Wetherall, SIGCOMM 2000);
 *   4. each packet with matches is written anew, if that makes it shorter.
 *
 * A packet may refer to packets before it in the burst, and to one of its own content, but never to
 * itself: it is looked up before its own prints and payload go in.
 */
#include <string.h>

#include "wan_state.h"

#define NONE 0xffffU
#define MATCH_MIN 16U /* what is left after overlaps are cut, and more than a reference */
#define POINTS_MAX (FTMB_BURST_MAX * WAN_ANCHORS_MAX)
_Static_assert(POINTS_MAX < NONE, "points are linked by 16 bits");
_Static_assert(FTMB_BURST_MAX <= 32, "bits of a word stand for packets");

/* An anchor of a packet of the burst, and what was found for it. */
struct point {
    uint64_t fingerprint;
    uint64_t id; /* where the same bytes may be */
    uint16_t place, found_place;
    uint16_t packet, next;
};

struct list {
    uint16_t first, last;
};

struct outgoing {
    struct ftmb_packet *packet;
    struct wan_view view;
    bool is_known; /* its whole payload, to the other box: one reference will do */
    uint32_t match_count;
    struct wan_reference matches[WAN_REFERENCES_MAX];
};

struct burst {
    struct outgoing packets[FTMB_BURST_MAX];
    uint32_t count, point_count;
    struct list anchors[WAN_STRIPES_MAX], found[WAN_STRIPES_MAX];
    uint32_t inserts[WAN_STRIPES_MAX]; /* bit i: packet i's payload goes in there */
    struct point points[POINTS_MAX];
};

static void append(struct burst *burst, struct list *list, uint16_t index) {
    burst->points[index].next = NONE;
    if (list->first == NONE) {
        list->first = index;
    } else {
        burst->points[list->last].next = index;
    }
    list->last = index;
}

static void add_packet(struct ftmb_context *context, struct burst *burst,
                       struct ftmb_packet *packet, const struct wan_view *view) {
    const struct wan_config *config = context->config;
    struct wan_cache *cache = &((struct wan_shared *)context->shared)->sent;
    struct wan_anchor anchors[WAN_ANCHORS_MAX];
    uint16_t number = (uint16_t)burst->count++;
    struct outgoing *outgoing = &burst->packets[number];
    const uint8_t *payload = packet->data + view->payload;
    outgoing->packet = packet;
    outgoing->view = *view;
    outgoing->view.digest = wan_digest_of(config->key, payload, view->length);
    outgoing->match_count = 0;
    burst->inserts[wan_stripe_of(cache, outgoing->view.digest.id)] |= 1U << number;
    uint32_t count = wan_anchors(payload, view->length, anchors);
    for (uint32_t index = 0; index < count; index++) {
        uint16_t point = (uint16_t)burst->point_count++;
        burst->points[point] = (struct point){.fingerprint = anchors[index].fingerprint,
                                              .place = anchors[index].place,
                                              .packet = number};
        wan_print_prefetch(cache, anchors[index].fingerprint);
        append(burst, &burst->anchors[wan_stripe_of(cache, anchors[index].fingerprint)], point);
    }
}

/* The points of one packet, from `first` on: looked up, then put in. Returns the next packet's. */
static uint16_t look_up(struct wan_cache *cache, struct burst *burst, uint16_t first) {
    uint16_t packet = burst->points[first].packet;
    uint16_t at = first;
    for (; at != NONE && burst->points[at].packet == packet; at = burst->points[at].next) {
        struct point *point = &burst->points[at];
        if (!wan_print_find(cache, point->fingerprint, &point->id, &point->found_place)) {
            point->id = 0;
        }
    }
    uint64_t own = burst->packets[packet].view.digest.id;
    for (uint16_t again = first; again != at; again = burst->points[again].next) {
        wan_print_add(cache, burst->points[again].fingerprint, own, burst->points[again].place);
    }
    return at;
}

static bool may_refer(const struct wan_config *config, const struct ftmb_packet *packet,
                      const struct wan_entry *entry) {
    return entry != NULL &&
           wan_is_settled(entry, packet->hash, packet->time_ns, config->settle_ms * 1000000ULL);
}

/* A payload that the other box has had for long stays one that it has had for long. */
static void insert(const struct wan_config *config, struct wan_cache *cache,
                   struct outgoing *outgoing) {
    const struct ftmb_packet *packet = outgoing->packet;
    const struct wan_view *view = &outgoing->view;
    const struct wan_entry *before = wan_cache_find_usable(cache, view->digest.id);
    outgoing->is_known = may_refer(config, packet, before) && before->length == view->length &&
                         wan_digest_equal(before->digest, view->digest);
    uint32_t flow = outgoing->is_known ? before->flow : packet->hash;
    uint64_t time_ns = outgoing->is_known ? before->time_ns : packet->time_ns;
    wan_cache_insert(cache, view->digest, flow, time_ns, packet->data + view->payload,
                     view->length);
    if (outgoing->is_known) {
        outgoing->matches[outgoing->match_count++] =
            (struct wan_reference){.id = view->digest.id, .length = view->length};
    }
}

static void remember(struct ftmb_context *context, struct burst *burst, uint32_t stripe) {
    struct wan_cache *cache = &((struct wan_shared *)context->shared)->sent;
    struct ftmb_shared *variable = wan_variable(cache, stripe);
    uint32_t inserts = burst->inserts[stripe];
    uint16_t at = burst->anchors[stripe].first;
    if (at == NONE && inserts == 0) {
        return;
    }
    bool is_first = true;
    ftmb_shared_acquire(context, variable);
    while (at != NONE) {
        if (!is_first) {
            ftmb_shared_again(context, variable);
        }
        is_first = false;
        at = look_up(cache, burst, at);
    }
    for (; inserts != 0; inserts &= inserts - 1) {
        insert(context->config, cache, &burst->packets[__builtin_ctz(inserts)]);
    }
    ftmb_shared_release(context, variable);
}

/* Those for which something was found, by the stripe in which that is. Of a packet's own payload
 * the cache has by now what just went in, which says nothing of the other box. */
static void sort_found(struct ftmb_context *context, struct burst *burst) {
    struct wan_cache *cache = &((struct wan_shared *)context->shared)->sent;
    for (uint32_t index = 0; index < burst->point_count; index++) {
        const struct outgoing *outgoing = &burst->packets[burst->points[index].packet];
        uint64_t id = burst->points[index].id;
        if (id != 0 && id != outgoing->view.digest.id && !outgoing->is_known) {
            append(burst, &burst->found[wan_stripe_of(cache, id)], (uint16_t)index);
        }
    }
}

static bool is_covered(const struct outgoing *outgoing, uint32_t place) {
    for (uint32_t index = outgoing->match_count; index-- > 0;) {
        const struct wan_reference *match = &outgoing->matches[index];
        if (place >= match->target && place < (uint32_t)match->target + match->length) {
            return true;
        }
    }
    return false;
}

/* The match around a point, if its window's bytes are the same. */
static void extend(struct outgoing *outgoing, const struct point *point,
                   const struct wan_entry *entry) {
    const uint8_t *payload = outgoing->packet->data + outgoing->view.payload;
    uint32_t length = outgoing->view.length;
    uint32_t first = point->place, from = point->found_place;
    if (from + WAN_WINDOW > entry->length ||
        memcmp(payload + first, entry->bytes + from, WAN_WINDOW) != 0) {
        return;
    }
    uint32_t end = first + WAN_WINDOW, to = from + WAN_WINDOW;
    while (end + 8 <= length && to + 8 <= entry->length &&
           wan_load64(payload + end) == wan_load64(entry->bytes + to)) {
        end += 8;
        to += 8;
    }
    while (end < length && to < entry->length && payload[end] == entry->bytes[to]) {
        end++;
        to++;
    }
    while (first > 0 && from > 0 && payload[first - 1] == entry->bytes[from - 1]) {
        first--;
        from--;
    }
    outgoing->matches[outgoing->match_count++] =
        (struct wan_reference){.id = point->id,
                               .place = (uint16_t)from,
                               .target = (uint16_t)first,
                               .length = (uint16_t)(end - first)};
}

static void match_point(const struct wan_config *config, struct wan_cache *cache,
                        struct burst *burst, const struct point *point) {
    struct outgoing *outgoing = &burst->packets[point->packet];
    if (outgoing->match_count == WAN_REFERENCES_MAX || is_covered(outgoing, point->place)) {
        return;
    }
    const struct wan_entry *entry = wan_cache_find_usable(cache, point->id);
    if (may_refer(config, outgoing->packet, entry)) {
        extend(outgoing, point, entry);
    }
}

static void match(struct ftmb_context *context, struct burst *burst, uint32_t stripe) {
    struct wan_cache *cache = &((struct wan_shared *)context->shared)->sent;
    struct ftmb_shared *variable = wan_variable(cache, stripe);
    uint16_t at = burst->found[stripe].first;
    if (at == NONE) {
        return;
    }
    uint16_t packet = burst->points[at].packet;
    ftmb_shared_acquire(context, variable);
    for (; at != NONE; at = burst->points[at].next) {
        if (burst->points[at].packet != packet) {
            packet = burst->points[at].packet;
            ftmb_shared_again(context, variable);
        }
        match_point(context->config, cache, burst, &burst->points[at]);
    }
    ftmb_shared_release(context, variable);
}

/* In order of target, and none beginning before the one before it ends. */
static void put_in_order(struct outgoing *outgoing) {
    struct wan_reference *matches = outgoing->matches;
    for (uint32_t index = 1; index < outgoing->match_count; index++) {
        struct wan_reference moved = matches[index];
        uint32_t place = index;
        for (; place > 0 && matches[place - 1].target > moved.target; place--) {
            matches[place] = matches[place - 1];
        }
        matches[place] = moved;
    }
    uint32_t kept = 0, end = 0;
    for (uint32_t index = 0; index < outgoing->match_count; index++) {
        struct wan_reference cut = matches[index];
        uint32_t over = end > cut.target ? end - cut.target : 0;
        if (cut.length < over + MATCH_MIN) {
            continue;
        }
        cut.target = (uint16_t)(cut.target + over);
        cut.place = (uint16_t)(cut.place + over);
        cut.length = (uint16_t)(cut.length - over);
        end = (uint32_t)cut.target + cut.length;
        matches[kept++] = cut;
    }
    outgoing->match_count = kept;
}

static void write_encoded(struct ftmb_context *context, struct outgoing *outgoing) {
    struct wan_totals *totals = &((struct wan_worker *)context->state)->totals;
    struct ftmb_packet *packet = outgoing->packet;
    const struct wan_view *view = &outgoing->view;
    uint8_t tokens[FTMB_FRAME_SIZE_MAX];
    put_in_order(outgoing);
    uint32_t room = view->length > WAN_SHIM_SIZE ? view->length - WAN_SHIM_SIZE : 0;
    uint32_t size = wan_write_tokens(tokens, room, packet->data + view->payload, view->length,
                                     outgoing->matches, outgoing->match_count);
    if (outgoing->match_count == 0 || size == 0) {
        return;
    }
    uint16_t end = (uint16_t)(view->payload + WAN_SHIM_SIZE + size);
    wan_write_shim(packet->data, view, WAN_ENCODED, wan_generation(context));
    memcpy(packet->data + view->payload + WAN_SHIM_SIZE, tokens, size);
    wan_mark(packet->data, view, true, end);
    totals->encoded_packets++;
    totals->encoded_bytes += packet->length;
    totals->saved_bytes += (uint64_t)packet->length - end;
    packet->length = end;
}

static void begin(struct burst *burst, uint32_t stripes) {
    burst->count = 0;
    burst->point_count = 0;
    for (uint32_t stripe = 0; stripe < stripes; stripe++) {
        burst->anchors[stripe].first = NONE;
        burst->found[stripe].first = NONE;
        burst->inserts[stripe] = 0;
    }
}

void wan_encode(struct ftmb_context *context, struct ftmb_packet **packets, uint32_t count) {
    const struct wan_config *config = context->config;
    struct wan_shared *shared = context->shared;
    struct wan_totals *totals = &((struct wan_worker *)context->state)->totals;
    struct burst burst;
    begin(&burst, shared->stripe_count);
    for (uint32_t index = 0; index < count; index++) {
        struct ftmb_packet *packet = packets[index];
        struct wan_view view;
        wan_parse(packet->data, packet->length, config->payload_min, &view);
        if (view.content != WAN_LEFT_ALONE && view.content != WAN_RAW) {
            ftmb_drop(context, packet, WAN_DROP_FOREIGN);
            continue;
        }
        packet->port_out = config->wan;
        totals->lan_packets++;
        totals->lan_bytes += packet->length;
        if (view.content == WAN_RAW && wan_encodes(config)) {
            add_packet(context, &burst, packet, &view);
        }
    }
    for (uint32_t stripe = 0; stripe < shared->stripe_count && burst.count > 0; stripe++) {
        remember(context, &burst, stripe);
    }
    sort_found(context, &burst);
    for (uint32_t stripe = 0; stripe < shared->stripe_count; stripe++) {
        match(context, &burst, stripe);
    }
    for (uint32_t index = 0; index < burst.count; index++) {
        write_encoded(context, &burst.packets[index]);
    }
}
