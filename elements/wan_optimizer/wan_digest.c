/* SPDX-License-Identifier: BSD-3-Clause */
#include "wan_digest.h"

struct state {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate_left(uint64_t value, int bits) {
    return value << bits | value >> (64 - bits);
}

static inline void round_of(struct state *s) {
    s->v0 += s->v1;
    s->v1 = rotate_left(s->v1, 13) ^ s->v0;
    s->v0 = rotate_left(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotate_left(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotate_left(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotate_left(s->v1, 17) ^ s->v2;
    s->v2 = rotate_left(s->v2, 32);
}

static inline void add_word(struct state *s, uint64_t word) {
    s->v3 ^= word;
    round_of(s);
    round_of(s);
    s->v0 ^= word;
}

static inline uint64_t finish(struct state *s) {
    for (int count = 0; count < 4; count++) {
        round_of(s);
    }
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

struct wan_digest wan_digest_of(const uint64_t key[2], const uint8_t *bytes, size_t length) {
    struct state s = {
        .v0 = 0x736f6d6570736575ULL ^ key[0],
        .v1 = 0x646f72616e646f6dULL ^ key[1] ^ 0xee,
        .v2 = 0x6c7967656e657261ULL ^ key[0],
        .v3 = 0x7465646279746573ULL ^ key[1],
    };
    size_t whole = length & ~(size_t)7;
    for (size_t at = 0; at < whole; at += 8) {
        add_word(&s, wan_load64(bytes + at));
    }
    uint64_t last = (uint64_t)length << 56;
    for (size_t at = whole; at < length; at++) {
        last |= (uint64_t)bytes[at] << (at - whole) * 8;
    }
    add_word(&s, last);
    s.v2 ^= 0xee;
    struct wan_digest digest = {.id = finish(&s)};
    s.v1 ^= 0xdd;
    digest.rest = finish(&s);
    return digest;
}

struct wan_digest wan_digest_load(const uint8_t *at) {
    return (struct wan_digest){.id = wan_load64(at), .rest = wan_load64(at + 8)};
}

void wan_digest_store(uint8_t *at, struct wan_digest digest) {
    wan_store64(at, digest.id);
    wan_store64(at + 8, digest.rest);
}
