/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a measured packet carries: the last 18 of the 60 bytes that a 64-byte frame hands over (its
 * frame check sequence is the card's), at the beginning of the UDP payload.
 *
 *     0  magic, 16 bits: on its way out, or an answer
 *     2  run, 8 bits: packets of an earlier run are not counted
 *     3  flow, 24 bits
 *     6  sequence, 32 bits: counts the packets of the run, not of the flow
 *    10  due, 48 bits: nanoseconds from the start of the run
 *    16  check, 16 bits: XXH3 over run to due and the length of the payload
 *
 * The magic is not under the check, so that an answer needs no new one. What follows the stamp is
 * PKTGEN_FILLER, which the receiver compares byte by byte.
 */
#ifndef FTMB_PKTGEN_STAMP_H
#define FTMB_PKTGEN_STAMP_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define PKTGEN_STAMP_SIZE 18U
#define PKTGEN_MAGIC_OUT 0xf7b1U
#define PKTGEN_MAGIC_ANSWER 0xf7b2U
#define PKTGEN_DUE_BITS 48U
#define PKTGEN_FLOWS_MAX 16777216U /* flow numbers have 24 bits */

struct pktgen_stamp {
    uint64_t due_ns; /* from the start of the run */
    uint32_t sequence;
    uint32_t flow;
    uint16_t magic;
    uint16_t check;
    uint8_t run;
};

/* The stamp as two words of 64 bits in host order, and the check that belongs to them. */
struct pktgen_stamp_words {
    uint64_t first, second;
    uint16_t check;
};

static inline uint16_t pktgen_stamp_check(uint64_t first, uint64_t second,
                                          uint16_t payload_length) {
    uint64_t words[2] = {first & 0x0000ffffffffffffULL, second};
    return (uint16_t)XXH3_64bits_withSeed(words, sizeof(words), payload_length);
}

static inline struct pktgen_stamp_words pktgen_stamp_pack(uint16_t magic, uint8_t run,
                                                          uint32_t flow, uint32_t sequence,
                                                          uint64_t due_ns,
                                                          uint16_t payload_length) {
    struct pktgen_stamp_words words = {.first = (uint64_t)magic << 48 | (uint64_t)run << 40 |
                                                (uint64_t)flow << 16 | sequence >> 16,
                                       .second = (uint64_t)(sequence & 0xffffU) << PKTGEN_DUE_BITS |
                                                 due_ns};
    words.check = pktgen_stamp_check(words.first, words.second, payload_length);
    return words;
}

/* The one's complement sum of a packed stamp's 16-bit words, not folded. */
static inline uint64_t pktgen_stamp_sum(const struct pktgen_stamp_words *words) {
    return (words->first >> 32) + (words->first & 0xffffffffU) + (words->second >> 32) +
           (words->second & 0xffffffffU) + words->check;
}

static inline void pktgen_stamp_write(uint8_t *at, const struct pktgen_stamp_words *words) {
    uint64_t first = __builtin_bswap64(words->first), second = __builtin_bswap64(words->second);
    uint16_t check = __builtin_bswap16(words->check);
    memcpy(at, &first, sizeof(first));
    memcpy(at + 8, &second, sizeof(second));
    memcpy(at + 16, &check, sizeof(check));
}

/* Reads what is there; whether the check is right is for pktgen_stamp_is_whole() to say. */
static inline struct pktgen_stamp pktgen_stamp_read(const uint8_t *at) {
    uint64_t first, second;
    uint16_t check;
    memcpy(&first, at, sizeof(first));
    memcpy(&second, at + 8, sizeof(second));
    memcpy(&check, at + 16, sizeof(check));
    first = __builtin_bswap64(first);
    second = __builtin_bswap64(second);
    return (struct pktgen_stamp){.due_ns = second & ((1ULL << PKTGEN_DUE_BITS) - 1),
                                 .sequence = (uint32_t)(first & 0xffffU) << 16 |
                                             (uint32_t)(second >> PKTGEN_DUE_BITS),
                                 .flow = (uint32_t)(first >> 16) & 0xffffffU,
                                 .magic = (uint16_t)(first >> 48),
                                 .check = __builtin_bswap16(check),
                                 .run = (uint8_t)(first >> 40)};
}

static inline bool pktgen_stamp_is_whole(const struct pktgen_stamp *stamp,
                                         uint16_t payload_length) {
    return pktgen_stamp_pack(stamp->magic, stamp->run, stamp->flow, stamp->sequence, stamp->due_ns,
                             payload_length)
               .check == stamp->check;
}

#endif
