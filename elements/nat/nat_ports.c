/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * External ports: for each external address and protocol a bit map of this worker's range, and a
 * count of what is free in it. An inside address is paired with one external address by a hash
 * (RFC 4787 REQ-2). The search begins at a random place (RFC 6056) and goes round once, a word of
 * 64 ports at a time, so it is bounded by a thousand words; an exhausted address costs one look.
 */
#include "nat_session.h"

#define PAIRING_SEED 0xbb67ae8584caa73bULL
#define PROTOCOLS 3U

/* Before each bit map, in its first word: how many are free. */
static uint32_t words_of(uint32_t port_count) {
    return 1 + (port_count + 63) / 64;
}

static uint32_t protocol_index(uint8_t protocol) {
    return protocol == FTMB_PROTOCOL_TCP ? 0 : protocol == FTMB_PROTOCOL_UDP ? 1 : 2;
}

static uint64_t *pool_at(struct nat_state *state, uint32_t address_index, uint8_t protocol) {
    uint64_t *words = nat_at(state, state->ports);
    size_t place = (size_t)address_index * PROTOCOLS + protocol_index(protocol);
    return words + place * words_of(state->port_count);
}

size_t nat_ports_size(const struct nat_config *config, uint32_t workers) {
    return (size_t)config->external_count * PROTOCOLS *
           words_of(nat_ports_per_worker(config, workers)) * sizeof(uint64_t);
}

/* A set bit is a port in use: those beyond the range's end, and those of static mappings. */
void nat_ports_init(const struct nat_config *config, struct nat_state *state) {
    static const uint8_t protocols[PROTOCOLS] = {FTMB_PROTOCOL_TCP, FTMB_PROTOCOL_UDP,
                                                 FTMB_PROTOCOL_ICMP};
    for (uint32_t address = 0; address < config->external_count; ++address) {
        for (uint32_t protocol = 0; protocol < PROTOCOLS; ++protocol) {
            uint64_t *pool = pool_at(state, address, protocols[protocol]);
            pool[0] = state->port_count;
            if (state->port_count % 64 != 0) {
                pool[1 + state->port_count / 64] = ~0ULL << (state->port_count % 64);
            }
        }
    }
    for (uint32_t i = 0; i < config->static_count; ++i) {
        uint64_t outside = config->statics[i].outside;
        uint32_t offset = (uint32_t)nat_port(outside) - state->port_first; /* may wrap */
        uint32_t address = nat_external_index(config, nat_address(outside));
        if (offset >= state->port_count || address == NAT_NONE) {
            continue;
        }
        uint64_t *pool = pool_at(state, address, nat_protocol(outside));
        pool[1 + offset / 64] |= 1ULL << (offset % 64);
        --pool[0];
    }
}

/* A free port among those that `allowed` has bits for, beginning at `start`; or NAT_NONE. */
static uint32_t search(uint64_t *pool, uint32_t port_count, uint64_t allowed, uint32_t start) {
    uint32_t words = words_of(port_count) - 1;
    uint32_t word = start / 64;
    uint64_t from = ~0ULL << (start % 64);
    for (uint32_t looked = 0; looked <= words; ++looked) {
        uint64_t free_bits = ~pool[1 + word] & allowed & from;
        if (free_bits != 0) {
            uint32_t bit = (uint32_t)__builtin_ctzll(free_bits);
            pool[1 + word] |= 1ULL << bit;
            --pool[0];
            return word * 64 + bit;
        }
        from = ~0ULL;
        word = word + 1 == words ? 0 : word + 1;
    }
    return NAT_NONE;
}

uint64_t nat_ports_take(struct ftmb_context *context, uint64_t inside) {
    const struct nat_config *config = context->config;
    struct nat_state *state = context->state;
    uint64_t hash = hash_table_hash(nat_address(inside), 0, PAIRING_SEED);
    uint32_t address_index = hash_table_reduce(hash, config->external_count);
    uint64_t *pool = pool_at(state, address_index, nat_protocol(inside));
    if (pool[0] == 0) {
        return 0;
    }
    uint32_t start = hash_table_reduce(ftmb_random(context), state->port_count);
    uint64_t allowed = ~0ULL;
    if (nat_protocol(inside) == FTMB_PROTOCOL_UDP) { /* an even port for an even one: RTP, RTCP */
        allowed = ((nat_port(inside) ^ state->port_first) & 1U) == 0 ? 0x5555555555555555ULL
                                                                     : 0xaaaaaaaaaaaaaaaaULL;
    }
    uint32_t offset = search(pool, state->port_count, allowed, start);
    if (offset == NAT_NONE) {
        offset = search(pool, state->port_count, ~allowed, start);
    }
    if (offset == NAT_NONE) {
        return 0;
    }
    return nat_endpoint(nat_external_address(config, address_index),
                        (uint16_t)(state->port_first + offset), nat_protocol(inside));
}

void nat_ports_give(const struct nat_config *config, struct nat_state *state, uint64_t outside) {
    uint32_t address_index = nat_external_index(config, nat_address(outside));
    uint32_t offset = (uint32_t)nat_port(outside) - state->port_first;
    uint64_t *pool = pool_at(state, address_index, nat_protocol(outside));
    pool[1 + offset / 64] &= ~(1ULL << (offset % 64));
    ++pool[0];
}
