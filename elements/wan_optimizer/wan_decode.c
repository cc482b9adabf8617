/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Decoding a burst, in passes so that each stripe is taken twice at most:
 *
 *   1. each packet is read; an encoded one gets a new packet of its original length, as packets
 *      cannot grow, with headers and literals, and its references go into lists by stripe;
 *   2. for each stripe: bytes are copied from the cache to where references want them;
 *   3. in order: what is referred to and came with the same burst is copied from there; then the
 *      digest says whether it is the original. Nothing leaves for the LAN if it is not;
 *   4. for each stripe: payloads go into the cache.
 *
 * New packets leave after all others of the burst, so whatever follows a decoded packet in its flow
 * becomes a new packet too.
 */
#include <string.h>

#include "wan_state.h"

#define NONE 0xffffU
#define LINKS_MAX (FTMB_BURST_MAX * WAN_REFERENCES_MAX)
_Static_assert(LINKS_MAX < NONE, "links are numbered by 16 bits");
_Static_assert(FTMB_BURST_MAX <= 32, "bits of a word stand for packets");

struct link {
    struct wan_reference reference;
    uint16_t packet, next;
    bool is_done;
};

/* A packet with a payload that the cache is to have, raw or encoded. */
struct incoming {
    struct ftmb_packet *packet;  /* as it came */
    struct ftmb_packet *decoded; /* the new one; NULL: it came raw */
    uint8_t *payload;            /* of the original, whole once is_whole */
    struct wan_view view;
    bool is_whole;
    uint16_t first_link, link_count;
};

struct burst {
    struct incoming packets[FTMB_BURST_MAX];
    uint32_t count, link_count;
    uint16_t first[WAN_STRIPES_MAX], last[WAN_STRIPES_MAX];
    uint32_t flows[FTMB_BURST_MAX]; /* that have a decoded packet */
    uint32_t flow_count;
    struct link links[LINKS_MAX];
};

static struct wan_totals *totals_of(struct ftmb_context *context) {
    return &((struct wan_worker *)context->state)->totals;
}

static struct wan_cache *cache_of(struct ftmb_context *context) {
    return &((struct wan_shared *)context->shared)->received;
}

static bool is_behind_decoded(const struct burst *burst, uint32_t flow) {
    for (uint32_t index = 0; index < burst->flow_count; index++) {
        if (burst->flows[index] == flow) {
            return true;
        }
    }
    return false;
}

/* To the LAN as it is, but not past those before it in its flow. */
static void pass(struct ftmb_context *context, struct burst *burst, struct ftmb_packet *packet) {
    const struct wan_config *config = context->config;
    packet->port_out = config->lan;
    if (!is_behind_decoded(burst, packet->hash)) {
        return;
    }
    struct ftmb_packet *copy = ftmb_emit(context, packet->length, config->lan);
    if (copy != NULL) {
        memcpy(copy->data, packet->data, packet->length);
        packet->port_out = FTMB_PORT_NONE;
    }
}

static void add_links(struct wan_cache *cache, struct burst *burst,
                      const struct wan_reference *references, uint32_t count, uint16_t packet) {
    for (uint32_t index = 0; index < count; index++) {
        uint16_t number = (uint16_t)burst->link_count++;
        uint32_t stripe = wan_stripe_of(cache, references[index].id);
        burst->links[number] =
            (struct link){.reference = references[index], .packet = packet, .next = NONE};
        if (burst->first[stripe] == NONE) {
            burst->first[stripe] = number;
        } else {
            burst->links[burst->last[stripe]].next = number;
        }
        burst->last[stripe] = number;
    }
}

static void add_raw(struct ftmb_context *context, struct burst *burst, struct ftmb_packet *packet,
                    const struct wan_view *view) {
    const struct wan_config *config = context->config;
    struct incoming *incoming = &burst->packets[burst->count++];
    *incoming = (struct incoming){
        .packet = packet, .payload = packet->data + view->payload, .view = *view, .is_whole = true};
    incoming->view.digest = wan_digest_of(config->key, incoming->payload, view->length);
}

static void add_encoded(struct ftmb_context *context, struct burst *burst,
                        struct ftmb_packet *packet, const struct wan_view *view) {
    const struct wan_config *config = context->config;
    struct wan_reference references[WAN_REFERENCES_MAX];
    uint16_t end = (uint16_t)(view->payload + view->length);
    struct ftmb_packet *decoded = ftmb_emit(context, end, config->lan);
    if (decoded == NULL) {
        ftmb_drop(context, packet, WAN_DROP_NO_ROOM);
        return;
    }
    uint8_t *payload = decoded->data + view->payload;
    int count = wan_read_tokens(packet->data, view, payload, references);
    if (count < 0) {
        decoded->port_out = FTMB_PORT_NONE;
        ftmb_drop(context, packet, WAN_DROP_MALFORMED);
        return;
    }
    wan_meet_peer(context, view->generation);
    memcpy(decoded->data, packet->data, view->payload);
    wan_mark(decoded->data, view, false, end);
    packet->port_out = FTMB_PORT_NONE;
    burst->flows[burst->flow_count++] = packet->hash;
    uint16_t number = (uint16_t)burst->count++;
    burst->packets[number] = (struct incoming){.packet = packet,
                                               .decoded = decoded,
                                               .payload = payload,
                                               .view = *view,
                                               .first_link = (uint16_t)burst->link_count,
                                               .link_count = (uint16_t)count};
    add_links(cache_of(context), burst, references, (uint32_t)count, number);
}

static void read_special(struct ftmb_context *context, struct burst *burst,
                         struct ftmb_packet *packet, const struct wan_view *view) {
    const struct wan_config *config = context->config;
    bool is_mine = view->kind == WAN_ENCODED ? wan_decodes(config) : wan_encodes(config);
    if (!is_mine) {
        ftmb_drop(context, packet, WAN_DROP_ROLE);
    } else if (view->kind == WAN_ENCODED) {
        add_encoded(context, burst, packet, view);
    } else {
        wan_meet_peer(context, view->generation);
        wan_answer(context, packet, view);
    }
}

static void read_packet(struct ftmb_context *context, struct burst *burst,
                        struct ftmb_packet *packet) {
    const struct wan_config *config = context->config;
    struct wan_view view;
    wan_parse(packet->data, packet->length, config->payload_min, &view);
    totals_of(context)->wan_packets++;
    totals_of(context)->wan_bytes += packet->length;
    switch ((enum wan_content)view.content) {
    case WAN_UNREADABLE:
        ftmb_drop(context, packet, WAN_DROP_MALFORMED);
        break;
    case WAN_OTHER_VERSION:
        ftmb_drop(context, packet, WAN_DROP_VERSION);
        break;
    case WAN_SPECIAL:
        read_special(context, burst, packet, &view);
        break;
    case WAN_RAW:
        if (wan_decodes(config)) {
            add_raw(context, burst, packet, &view);
        }
        pass(context, burst, packet);
        break;
    case WAN_LEFT_ALONE:
        pass(context, burst, packet);
        break;
    }
}

/* The bytes of a reference, if the payload has them. */
static bool copy_bytes(const struct burst *burst, struct link *link, const uint8_t *from,
                       uint32_t length) {
    const struct wan_reference *reference = &link->reference;
    if ((uint32_t)reference->place + reference->length > length) {
        return false;
    }
    memcpy(burst->packets[link->packet].payload + reference->target, from + reference->place,
           reference->length);
    link->is_done = true;
    return true;
}

static void fetch(struct ftmb_context *context, struct burst *burst, uint32_t stripe) {
    struct wan_cache *cache = cache_of(context);
    struct ftmb_shared *variable = wan_variable(cache, stripe);
    uint16_t at = burst->first[stripe];
    if (at == NONE) {
        return;
    }
    uint16_t packet = burst->links[at].packet;
    ftmb_shared_acquire(context, variable);
    for (; at != NONE; at = burst->links[at].next) {
        struct link *link = &burst->links[at];
        if (link->packet != packet) {
            packet = link->packet;
            ftmb_shared_again(context, variable);
        }
        const struct wan_entry *entry = wan_cache_find(cache, link->reference.id);
        if (entry != NULL) {
            copy_bytes(burst, link, entry->bytes, entry->length);
        }
    }
    ftmb_shared_release(context, variable);
}

/* Of what came with this burst before the packet. */
static void fetch_near(struct burst *burst, struct link *link) {
    for (uint32_t index = link->packet; index-- > 0;) {
        const struct incoming *near = &burst->packets[index];
        if (near->is_whole && near->view.digest.id == link->reference.id &&
            copy_bytes(burst, link, near->payload, near->view.length)) {
            return;
        }
    }
}

static void finish(struct ftmb_context *context, struct burst *burst, struct incoming *incoming) {
    const struct wan_config *config = context->config;
    struct wan_totals *totals = totals_of(context);
    uint64_t missing[WAN_MISSING_MAX];
    uint32_t missing_count = 0;
    for (uint32_t index = 0; index < incoming->link_count; index++) {
        struct link *link = &burst->links[incoming->first_link + index];
        if (!link->is_done) {
            fetch_near(burst, link);
        }
        if (!link->is_done && missing_count < WAN_MISSING_MAX) {
            missing[missing_count++] = link->reference.id;
        }
    }
    incoming->is_whole =
        missing_count == 0 &&
        wan_digest_equal(wan_digest_of(config->key, incoming->payload, incoming->view.length),
                         incoming->view.digest);
    if (incoming->is_whole) {
        totals->decoded_packets++;
        totals->decoded_bytes += incoming->decoded->length;
        return;
    }
    incoming->decoded->port_out = FTMB_PORT_NONE;
    wan_ask(context, incoming->packet, &incoming->view, missing, missing_count);
}

static void keep(struct ftmb_context *context, struct burst *burst, uint32_t stripe,
                 uint32_t whole) {
    struct wan_cache *cache = cache_of(context);
    struct ftmb_shared *variable = wan_variable(cache, stripe);
    bool is_first = true;
    ftmb_shared_acquire(context, variable);
    for (; whole != 0; whole &= whole - 1) {
        const struct incoming *incoming = &burst->packets[__builtin_ctz(whole)];
        if (!is_first) {
            ftmb_shared_again(context, variable);
        }
        is_first = false;
        wan_cache_insert(cache, incoming->view.digest, incoming->packet->hash,
                         incoming->packet->time_ns, incoming->payload, incoming->view.length);
    }
    ftmb_shared_release(context, variable);
}

static void keep_all(struct ftmb_context *context, struct burst *burst) {
    struct wan_cache *cache = cache_of(context);
    uint32_t whole[WAN_STRIPES_MAX] = {0};
    for (uint32_t index = 0; index < burst->count; index++) {
        const struct incoming *incoming = &burst->packets[index];
        whole[wan_stripe_of(cache, incoming->view.digest.id)] |= (uint32_t)incoming->is_whole
                                                                 << index;
    }
    for (uint32_t stripe = 0; stripe < cache->stripe_count; stripe++) {
        if (whole[stripe] != 0) {
            keep(context, burst, stripe, whole[stripe]);
        }
    }
}

void wan_decode(struct ftmb_context *context, struct ftmb_packet **packets, uint32_t count) {
    uint32_t stripes = ((struct wan_shared *)context->shared)->stripe_count;
    struct burst burst;
    burst.count = burst.link_count = burst.flow_count = 0;
    for (uint32_t stripe = 0; stripe < stripes; stripe++) {
        burst.first[stripe] = NONE;
    }
    for (uint32_t index = 0; index < count; index++) {
        read_packet(context, &burst, packets[index]);
    }
    if (burst.count == 0) {
        return;
    }
    for (uint32_t stripe = 0; stripe < stripes; stripe++) {
        fetch(context, &burst, stripe);
    }
    for (uint32_t index = 0; index < burst.count; index++) {
        if (burst.packets[index].decoded != NULL) {
            finish(context, &burst, &burst.packets[index]);
        }
    }
    keep_all(context, &burst);
}
