/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The cache of payloads, shared by all workers: in stripes, each under a shared variable of its
 * own.
 *
 * A payload is known by its id, which also says in which stripe it is; where it lies and in which
 * order payloads came does not matter to the other box. Each stripe is a ring of bytes that
 * forgets what is oldest, with an index of ids. A payload that is there already goes in again, at
 * the young end: both boxes do so, and so forget alike.
 *
 * For what is sent there are also prints: the fingerprint of WAN_WINDOW bytes of a payload, and
 * where they are. Their stripes are guarded by the same variables, but a print's stripe is by its
 * fingerprint. A print may outlive its payload.
 *
 * Threads: everything but wan_cache_init() is called with the stripe's variable held. Position
 * independent; memory is touched only as it is used.
 */
#ifndef WAN_CACHE_H
#define WAN_CACHE_H

#include "wan_config.h"
#include "wan_digest.h"

#ifdef FTMB_SIMULATION
#define WAN_STRIPES_MAX 2U
#else
#define WAN_STRIPES_MAX 16U
#endif
#define WAN_STRIPES_PER_WORKER 4U
#define WAN_WAYS 4U /* places of an index at which something may stand */
#define WAN_BYTES_PER_ID 256U
#define WAN_BYTES_PER_PRINT 64U
#define WAN_OLD_SHARE 8U /* the oldest eighth is not referred to: the other box may be ahead */

struct wan_entry {
    struct wan_digest digest;
    uint64_t time_ns; /* when it came */
    uint32_t flow;    /* hash of its 5-tuple */
    uint16_t length;
    uint16_t is_suspect; /* the other box has said that it is not there */
    uint8_t bytes[];
};
_Static_assert(sizeof(struct wan_entry) == 32, "entries keep payloads aligned");

/* A row of the table `caches` (wan_tables.c). */
struct wan_stripe {
    uint64_t head;        /* bytes ever written to the ring: where the next entry goes */
    uint64_t usable_from; /* what is older was sent to a box that has forgotten all */
    uint64_t packets;     /* put in */
    uint64_t size;        /* bytes of the ring */
    uint64_t used;        /* of them, never more than `size` */
    uint32_t number;
    uint32_t is_received; /* of the cache of what comes from the WAN */
};

struct wan_cache {
    uint32_t stripe_count, shift;       /* a power of two; id >> shift is the stripe */
    uint32_t id_buckets, print_buckets; /* of each stripe, powers of two; print_buckets may be 0 */
    uint64_t ring_size;                 /* bytes, of each stripe */
    /* From this struct, as the arena holds no pointers. */
    int64_t variables, stripes, rings, ids, prints;
};

struct wan_id {
    uint64_t id; /* 0: free */
    uint64_t position;
};

struct wan_print {
    uint64_t id; /* 0: free */
    uint32_t tag;
    uint16_t place; /* of the window's first byte in the payload */
    uint16_t reserved;
};

/* Stripes for so many workers. */
uint32_t wan_stripes_for(uint32_t workers);

/* `stripes` is an array of stripe_count; with `has_prints` for what is sent. 0 or -ENOMEM. */
int wan_cache_init(struct wan_cache *cache, struct ftmb_arena *arena, uint64_t size,
                   uint32_t stripe_count, struct wan_stripe *stripes, bool has_prints);

static inline uint32_t wan_stripe_of(struct wan_cache *cache, uint64_t id) {
    return (uint32_t)(id >> cache->shift) & (cache->stripe_count - 1);
}

static inline void *wan_cache_at(struct wan_cache *cache, int64_t offset) {
    return (uint8_t *)cache + offset;
}

struct ftmb_shared *wan_variable(struct wan_cache *cache, uint32_t stripe);
struct wan_stripe *wan_stripe_at(struct wan_cache *cache, uint32_t stripe);

/* Puts a payload in, of at most FTMB_FRAME_SIZE_MAX bytes. */
void wan_cache_insert(struct wan_cache *cache, struct wan_digest digest, uint32_t flow,
                      uint64_t time_ns, const uint8_t *payload, uint16_t length);

/* The youngest entry of that id, or NULL. */
struct wan_entry *wan_cache_find(struct wan_cache *cache, uint64_t id);

/* The same, if the other box is likely to have it still. */
const struct wan_entry *wan_cache_find_usable(struct wan_cache *cache, uint64_t id);

/* Whether it is likely to be there before what `flow` sends at `now_ns`. */
static inline bool wan_is_settled(const struct wan_entry *entry, uint32_t flow, uint64_t now_ns,
                                  uint64_t settle_ns) {
    return entry->flow == flow || now_ns >= entry->time_ns + settle_ns;
}

/* Nothing that is in the stripe now will be referred to. */
void wan_stripe_retire(struct wan_stripe *stripe);

/* ---- Prints; fingerprints are spread over stripes as ids are ---- */

void wan_print_prefetch(struct wan_cache *cache, uint64_t fingerprint);
/* Where such bytes are: false, or the payload's id and the place in it. */
bool wan_print_find(struct wan_cache *cache, uint64_t fingerprint, uint64_t *id, uint16_t *place);
/* Remembered before what was there, of which the oldest goes. */
void wan_print_add(struct wan_cache *cache, uint64_t fingerprint, uint64_t id, uint16_t place);

#endif
