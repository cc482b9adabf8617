/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Asking for a packet that could not be decoded, and answering. A request carries all of the packet
 * but its payload, so the box that asks keeps nothing, and the one that answers needs the payload
 * alone, which it has in its cache. What it has not any more is counted; then whoever sent the
 * packet sends it again, as after any loss, and asks with that.
 */
#include <string.h>

#include "wan_state.h"

void wan_ask(struct ftmb_context *context, struct ftmb_packet *packet, struct wan_view *view,
             const uint64_t *missing, uint32_t missing_count) {
    const struct wan_config *config = context->config;
    uint32_t at = view->payload + WAN_SHIM_SIZE;
    for (uint32_t index = 0; index < missing_count && at + 8 <= view->end; index++, at += 8) {
        wan_store64(packet->data + at, missing[index]);
    }
    wan_write_shim(packet->data, view, WAN_REQUEST, wan_generation(context));
    wan_mark(packet->data, view, true, (uint16_t)at);
    wan_turn_round(packet->data, view);
    wan_set_hops(packet->data, view, WAN_REQUEST_HOPS);
    packet->length = (uint16_t)at;
    packet->port_out = config->wan;
    ((struct wan_worker *)context->state)->totals.missed_packets++;
}

/* What the other box lacks is not referred to any more, until it is sent again. */
static void note_missing(struct ftmb_context *context, const struct ftmb_packet *packet,
                         const struct wan_view *view) {
    struct wan_cache *cache = &((struct wan_shared *)context->shared)->sent;
    uint32_t at = view->payload + WAN_SHIM_SIZE;
    for (uint32_t count = 0; count < WAN_MISSING_MAX && at + 8 <= view->end; count++, at += 8) {
        uint64_t id = wan_load64(packet->data + at);
        struct ftmb_shared *variable = wan_variable(cache, wan_stripe_of(cache, id));
        ftmb_shared_acquire(context, variable);
        struct wan_entry *entry = wan_cache_find(cache, id);
        if (entry != NULL) {
            entry->is_suspect = true;
        }
        ftmb_shared_release(context, variable);
    }
}

/* The packet as it was when it came from the LAN; NULL: no room for it. */
static struct ftmb_packet *send_copy(struct ftmb_context *context, const struct ftmb_packet *packet,
                                     const struct wan_view *view, const uint8_t *payload) {
    const struct wan_config *config = context->config;
    uint16_t end = (uint16_t)(view->payload + view->length);
    struct ftmb_packet *copy = ftmb_emit(context, end, config->wan);
    if (copy == NULL) {
        return NULL;
    }
    memcpy(copy->data, packet->data, view->payload);
    memcpy(copy->data + view->payload, payload, view->length);
    wan_turn_round(copy->data, view);
    wan_mark(copy->data, view, false, end);
    wan_set_hops(copy->data, view, view->hops);
    return copy;
}

/* The payload goes into the cache once more, as it will into the other box's. */
void wan_answer(struct ftmb_context *context, struct ftmb_packet *packet,
                const struct wan_view *view) {
    struct wan_totals *totals = &((struct wan_worker *)context->state)->totals;
    struct wan_cache *cache = &((struct wan_shared *)context->shared)->sent;
    struct ftmb_shared *variable = wan_variable(cache, wan_stripe_of(cache, view->digest.id));
    struct ftmb_packet *copy = NULL;
    totals->requests++;
    note_missing(context, packet, view);
    ftmb_shared_acquire(context, variable);
    const struct wan_entry *entry = wan_cache_find(cache, view->digest.id);
    bool is_there = entry != NULL && entry->length == view->length &&
                    wan_digest_equal(entry->digest, view->digest);
    if (is_there) {
        copy = send_copy(context, packet, view, entry->bytes);
    }
    if (copy != NULL) {
        wan_cache_insert(cache, view->digest, packet->hash, packet->time_ns,
                         copy->data + view->payload, view->length);
    }
    ftmb_shared_release(context, variable);
    if (copy != NULL) {
        packet->port_out = FTMB_PORT_NONE;
        totals->copies++;
        return;
    }
    totals->requests_gone += !is_there;
    ftmb_drop(context, packet, is_there ? WAN_DROP_NO_ROOM : WAN_DROP_GONE);
}
