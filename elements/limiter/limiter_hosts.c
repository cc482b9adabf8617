/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The hosts' buckets, in a table of bounded size that all workers share.
 *
 * A host that has none has full buckets: so one whose buckets are full again, and that has no
 * limits of its own, says nothing, and its place is free for another. That is exact, not a guess at
 * who is gone: with or without an entry, the same packets pass. So the table holds those who sent
 * or got something within the last burst / rate seconds. It is a plain one with a few places for
 * each host; a place is never empty again, so a search may end at the first one that is.
 */
#include "limiter.h"

#define PROBES 8U
#define BUCKETS 16U /* of a burst's packets, by the lowest bits of the hash */

static struct limiter_host *hosts_of(struct limiter_shared *shared, uint32_t hash) {
    struct limiter_host *hosts = limiter_at(shared, shared->hosts);
    return hosts + (size_t)limiter_stripe_of(shared, hash) * shared->slots_per_stripe;
}

static uint32_t first_slot(const struct limiter_shared *shared, uint32_t hash) {
    return hash / shared->stripes & (shared->slots_per_stripe - 1);
}

uint32_t limiter_stripe_of(const struct limiter_shared *shared, uint32_t hash) {
    return hash & (shared->stripes - 1);
}

void limiter_prefetch_host(const struct limiter_shared *shared, uint32_t hash) {
    const struct limiter_host *hosts = (const void *)((const uint8_t *)shared + shared->hosts);
    size_t stripe = (size_t)limiter_stripe_of(shared, hash) * shared->slots_per_stripe;
    __builtin_prefetch(hosts + stripe + first_slot(shared, hash), 1);
}

const struct limiter_limit *limiter_limits_of(const struct limiter_config *config,
                                              struct limiter_shared *shared,
                                              const struct limiter_host *host) {
    const struct limiter_own *own = limiter_at(shared, shared->own);
    return host->own == 0 ? config->host : own[host->own - 1].limits;
}

/* Whether there would be no difference without this entry. */
static bool says_nothing(const struct limiter_config *config, const struct limiter_host *host,
                         uint64_t now_ns) {
    for (uint32_t direction = 0; direction < LIMITER_DIRECTIONS; ++direction) {
        const struct limiter_limit *limit = &config->host[direction];
        if (limit->rate != 0 && limiter_bucket_parts(&host->buckets[direction], limit, now_ns) !=
                                    limiter_capacity(limit)) {
            return false;
        }
    }
    return host->own == 0;
}

struct limiter_host *limiter_find_host(const struct limiter_config *config,
                                       struct limiter_shared *shared, struct ip_address address,
                                       uint32_t hash, uint64_t now_ns) {
    struct limiter_host *stripe = hosts_of(shared, hash);
    struct limiter_host *place = NULL;
    for (uint32_t probe = 0; probe < PROBES; ++probe) {
        uint32_t slot = (first_slot(shared, hash) + probe) & (shared->slots_per_stripe - 1);
        struct limiter_host *host = &stripe[slot];
        bool is_empty = (host->address.high | host->address.low) == 0;
        if (!is_empty && ip_address_equal(host->address, address)) {
            return host;
        }
        if (place == NULL && (is_empty || says_nothing(config, host, now_ns))) {
            place = host;
        }
        if (is_empty) {
            break;
        }
    }
    if (place != NULL) {
        *place = (struct limiter_host){.address = address};
        for (uint32_t direction = 0; direction < LIMITER_DIRECTIONS; ++direction) {
            limiter_bucket_fill(&place->buckets[direction], &config->host[direction], now_ns);
        }
    }
    return place;
}

static void pass_host(const struct limiter_config *config, struct limiter_shared *shared,
                      struct limiter_view *view, uint64_t now_ns) {
    struct limiter_host *host = limiter_find_host(config, shared, view->host, view->hash, now_ns);
    uint32_t direction = view->direction;
    if (host == NULL) {
        view->verdict = LIMITER_HOSTS_FULL;
    } else if (!limiter_bucket_take(&host->buckets[direction],
                                    &limiter_limits_of(config, shared, host)[direction], now_ns,
                                    view->bytes, view->kept)) {
        view->verdict = (uint8_t)(LIMITER_HOST + direction);
    }
}

/* Those of `left` that are in the stripe of the first of them, in their order; the others. */
static uint32_t pass_stripe(struct ftmb_context *context, struct limiter_burst *burst,
                            uint32_t left) {
    struct limiter_shared *shared = context->shared;
    uint32_t stripe = limiter_stripe_of(shared, burst->views[__builtin_ctz(left)].hash);
    struct ftmb_shared *variable = limiter_variable(shared, LIMITER_DIRECTIONS + stripe);
    struct limiter_stripe *head =
        (struct limiter_stripe *)limiter_at(shared, shared->stripe_heads) + stripe;
    uint32_t others = 0;
    ftmb_shared_acquire(context, variable);
    for (bool is_first = true; left != 0; left &= left - 1) {
        uint32_t index = (uint32_t)__builtin_ctz(left);
        struct limiter_view *view = &burst->views[index];
        if (limiter_stripe_of(shared, view->hash) != stripe) {
            others |= 1U << index;
            continue;
        }
        if (!is_first) {
            ftmb_shared_again(context, variable);
        }
        is_first = false;
        pass_host(context->config, shared, view,
                  limiter_advance(&head->clock_ns, view->packet->time_ns));
    }
    ftmb_shared_release(context, variable);
    return others;
}

void limiter_pass_hosts(struct ftmb_context *context, struct limiter_burst *burst) {
    uint32_t buckets[BUCKETS] = {0};
    for (uint32_t index = 0; index < burst->count; ++index) {
        if (burst->views[index].version != 0) {
            buckets[burst->views[index].hash % BUCKETS] |= 1U << index;
        }
    }
    for (uint32_t bucket = 0; bucket < BUCKETS; ++bucket) {
        for (uint32_t left = buckets[bucket]; left != 0;) {
            left = pass_stripe(context, burst, left);
        }
    }
}
