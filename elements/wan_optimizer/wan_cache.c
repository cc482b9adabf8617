/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Positions in a ring count bytes ever written, so an entry is whole as long as the ring's head is
 * at most a ring's size beyond its position. An index may name positions that are not whole any
 * more; it is asked for the id, and its buckets forget what is oldest, as the ring does.
 */
#include "wan_cache.h"

#include <errno.h>
#include <string.h>

#define ENTRY_ALIGNMENT 32U
#define BUCKET_BITS_SHIFT 8U /* the bits of an id below these choose nothing else */

static uint32_t power_of_two(uint64_t value) {
    uint32_t power = 1;
    while (power < value && power < 1U << 30) {
        power *= 2;
    }
    return power;
}

uint32_t wan_stripes_for(uint32_t workers) {
    uint32_t stripes = workers == 1 ? 1 : power_of_two((uint64_t)workers * WAN_STRIPES_PER_WORKER);
    return stripes > WAN_STRIPES_MAX ? WAN_STRIPES_MAX : stripes;
}

static int64_t offset_of(struct wan_cache *cache, const void *at) {
    return (const uint8_t *)at - (const uint8_t *)cache;
}

int wan_cache_init(struct wan_cache *cache, struct ftmb_arena *arena, uint64_t size,
                   uint32_t stripe_count, struct wan_stripe *stripes, bool has_prints) {
    uint64_t ring_size = size / stripe_count / ENTRY_ALIGNMENT * ENTRY_ALIGNMENT;
    uint32_t id_buckets = power_of_two(ring_size / WAN_BYTES_PER_ID / WAN_WAYS);
    uint32_t print_buckets =
        has_prints ? power_of_two(ring_size / WAN_BYTES_PER_PRINT / WAN_WAYS) : 0;
    struct ftmb_shared *variables = ftmb_allocate_variables(arena, stripe_count);
    uint8_t *rings = ftmb_allocate_shared(arena, ring_size * stripe_count, 64);
    struct wan_id *ids = ftmb_allocate_shared(
        arena, (size_t)id_buckets * WAN_WAYS * stripe_count * sizeof(struct wan_id), 64);
    struct wan_print *prints = ftmb_allocate_shared(
        arena, (size_t)print_buckets * WAN_WAYS * stripe_count * sizeof(struct wan_print) + 64, 64);
    if (variables == NULL || rings == NULL || ids == NULL || prints == NULL) {
        return -ENOMEM;
    }
    *cache = (struct wan_cache){.stripe_count = stripe_count,
                                .shift = 56, /* apart from the bits that choose a bucket */
                                .id_buckets = id_buckets,
                                .print_buckets = print_buckets,
                                .ring_size = ring_size,
                                .variables = offset_of(cache, variables),
                                .stripes = offset_of(cache, stripes),
                                .rings = offset_of(cache, rings),
                                .ids = offset_of(cache, ids),
                                .prints = offset_of(cache, prints)};
    for (uint32_t number = 0; number < stripe_count; number++) {
        stripes[number] =
            (struct wan_stripe){.size = ring_size, .number = number, .is_received = !has_prints};
    }
    return 0;
}

struct ftmb_shared *wan_variable(struct wan_cache *cache, uint32_t stripe) {
    return ftmb_shared_at(wan_cache_at(cache, cache->variables), stripe);
}

struct wan_stripe *wan_stripe_at(struct wan_cache *cache, uint32_t stripe) {
    return (struct wan_stripe *)wan_cache_at(cache, cache->stripes) + stripe;
}

static struct wan_entry *entry_at(struct wan_cache *cache, uint32_t stripe, uint64_t position) {
    uint8_t *ring = (uint8_t *)wan_cache_at(cache, cache->rings) + stripe * cache->ring_size;
    return (struct wan_entry *)(ring + position % cache->ring_size);
}

static struct wan_id *id_bucket(struct wan_cache *cache, uint64_t id) {
    struct wan_id *ids = wan_cache_at(cache, cache->ids);
    uint64_t bucket = (id >> BUCKET_BITS_SHIFT) & (cache->id_buckets - 1);
    bucket += (uint64_t)wan_stripe_of(cache, id) * cache->id_buckets;
    return ids + bucket * WAN_WAYS;
}

/* Where an entry of `size` bytes goes: not over the ring's end. */
static uint64_t place_entry(struct wan_stripe *stripe, uint64_t size) {
    uint64_t left = stripe->size - stripe->head % stripe->size;
    uint64_t position = stripe->head + (left < size ? left : 0);
    stripe->head = position + size;
    stripe->used = stripe->head < stripe->size ? stripe->head : stripe->size;
    stripe->packets++;
    return position;
}

void wan_cache_insert(struct wan_cache *cache, struct wan_digest digest, uint32_t flow,
                      uint64_t time_ns, const uint8_t *payload, uint16_t length) {
    uint64_t size = (sizeof(struct wan_entry) + length + ENTRY_ALIGNMENT - 1) / ENTRY_ALIGNMENT *
                    ENTRY_ALIGNMENT;
    if (digest.id == 0 || size > cache->ring_size) {
        return;
    }
    uint32_t number = wan_stripe_of(cache, digest.id);
    uint64_t position = place_entry(wan_stripe_at(cache, number), size);
    struct wan_entry *entry = entry_at(cache, number, position);
    *entry =
        (struct wan_entry){.digest = digest, .time_ns = time_ns, .flow = flow, .length = length};
    memcpy(entry->bytes, payload, length);
    struct wan_id *bucket = id_bucket(cache, digest.id);
    memmove(bucket + 1, bucket, (WAN_WAYS - 1) * sizeof(*bucket));
    bucket[0] = (struct wan_id){.id = digest.id, .position = position};
}

/* The youngest comes first in its bucket. */
static struct wan_entry *find_from(struct wan_cache *cache, uint64_t id, uint64_t reach,
                                   uint64_t oldest) {
    const struct wan_id *bucket = id_bucket(cache, id);
    uint32_t number = wan_stripe_of(cache, id);
    uint64_t head = wan_stripe_at(cache, number)->head;
    for (uint32_t way = 0; way < WAN_WAYS && id != 0; way++) {
        if (bucket[way].id == id) {
            uint64_t position = bucket[way].position;
            bool is_there = head - position <= reach && position >= oldest;
            return is_there ? entry_at(cache, number, position) : NULL;
        }
    }
    return NULL;
}

struct wan_entry *wan_cache_find(struct wan_cache *cache, uint64_t id) {
    return find_from(cache, id, cache->ring_size, 0);
}

const struct wan_entry *wan_cache_find_usable(struct wan_cache *cache, uint64_t id) {
    const struct wan_stripe *stripe = wan_stripe_at(cache, wan_stripe_of(cache, id));
    uint64_t reach = cache->ring_size - cache->ring_size / WAN_OLD_SHARE;
    const struct wan_entry *entry = find_from(cache, id, reach, stripe->usable_from);
    return entry == NULL || entry->is_suspect ? NULL : entry;
}

void wan_stripe_retire(struct wan_stripe *stripe) {
    stripe->usable_from = stripe->head;
}

static struct wan_print *print_bucket(struct wan_cache *cache, uint64_t fingerprint) {
    struct wan_print *prints = wan_cache_at(cache, cache->prints);
    uint64_t bucket = (fingerprint >> BUCKET_BITS_SHIFT) & (cache->print_buckets - 1);
    bucket += (uint64_t)wan_stripe_of(cache, fingerprint) * cache->print_buckets;
    return prints + bucket * WAN_WAYS;
}

static uint32_t tag_of(uint64_t fingerprint) {
    return (uint32_t)(fingerprint ^ fingerprint >> 32);
}

void wan_print_prefetch(struct wan_cache *cache, uint64_t fingerprint) {
    __builtin_prefetch(print_bucket(cache, fingerprint), 1);
}

bool wan_print_find(struct wan_cache *cache, uint64_t fingerprint, uint64_t *id, uint16_t *place) {
    const struct wan_print *bucket = print_bucket(cache, fingerprint);
    uint32_t tag = tag_of(fingerprint);
    for (uint32_t way = 0; way < WAN_WAYS; way++) {
        if (bucket[way].id != 0 && bucket[way].tag == tag) {
            *id = bucket[way].id;
            *place = bucket[way].place;
            return true;
        }
    }
    return false;
}

void wan_print_add(struct wan_cache *cache, uint64_t fingerprint, uint64_t id, uint16_t place) {
    struct wan_print *bucket = print_bucket(cache, fingerprint);
    uint32_t tag = tag_of(fingerprint);
    uint32_t last = 0; /* the place that is given up: its own older one, or the oldest */
    while (last < WAN_WAYS - 1 && !(bucket[last].id != 0 && bucket[last].tag == tag)) {
        last++;
    }
    memmove(bucket + 1, bucket, last * sizeof(*bucket));
    bucket[0] = (struct wan_print){.id = id, .tag = tag, .place = place};
}
