/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Segments that came before what is missing: a list in order of sequence numbers, without
 * overlaps. What came first stays; of what comes later only bytes that are not there yet are kept.
 *
 * A segment is a chain of blocks: its header, then its bytes.
 */
#include <string.h>

#include "ids/ids_state.h"

#define SEGMENTS_MAX 128U /* of one direction: what walking the list may cost */

struct segment {
    uint32_t sequence;
    uint32_t following; /* chain of the next one */
    uint32_t size;
};
_Static_assert(sizeof(struct segment) <= IDS_BLOCK_BYTES, "a header is in the first block");

static struct segment segment_at(const struct ids_state *state, uint32_t chain) {
    struct segment segment;
    memcpy(&segment, ids_blocks(state)->blocks[chain].bytes, sizeof(segment));
    return segment;
}

static void set_following(struct ids_state *state, uint32_t chain, uint32_t following) {
    memcpy(ids_blocks(state)->blocks[chain].bytes + offsetof(struct segment, following), &following,
           sizeof(following));
}

/* Puts a piece behind `before` (IDS_NO_CHAIN: at the beginning). */
static bool insert(struct ids_state *state, struct ids_direction *direction, uint32_t *before,
                   uint32_t sequence, const uint8_t *bytes, uint32_t size) {
    uint8_t whole[sizeof(struct segment) + FTMB_FRAME_SIZE_MAX];
    struct segment segment = {.sequence = sequence, .size = size, .following = direction->early};
    uint32_t chain = IDS_NO_CHAIN;
    if (*before != IDS_NO_CHAIN) {
        segment.following = segment_at(state, *before).following;
    }
    memcpy(whole, &segment, sizeof(segment));
    memcpy(whole + sizeof(segment), bytes, size);
    if (direction->early_count == SEGMENTS_MAX ||
        !ids_chain_write(ids_blocks(state), &chain, whole, (uint32_t)sizeof(segment) + size)) {
        return false;
    }
    if (*before == IDS_NO_CHAIN) {
        direction->early = chain;
    } else {
        set_following(state, *before, chain);
    }
    direction->early_count++;
    *before = chain;
    return true;
}

bool ids_early_add(struct ids_state *state, struct ids_direction *direction, uint32_t sequence,
                   const uint8_t *bytes, uint32_t size) {
    uint32_t end = sequence + size;
    uint32_t at = sequence;
    uint32_t before = IDS_NO_CHAIN;
    uint32_t chain = direction->early;
    while (chain != IDS_NO_CHAIN && at != end) {
        struct segment segment = segment_at(state, chain);
        uint32_t room = segment.sequence - at;
        if ((int32_t)(segment.sequence - at) > 0) {
            uint32_t part = room < end - at ? room : end - at;
            if (!insert(state, direction, &before, at, bytes + (at - sequence), part)) {
                return false;
            }
            at += part;
        }
        uint32_t segment_end = segment.sequence + segment.size;
        if (at != end && (int32_t)(segment_end - at) > 0) {
            at = (int32_t)(segment_end - end) > 0 ? end : segment_end;
        }
        before = chain;
        chain = segment.following;
    }
    return at == end || insert(state, direction, &before, at, bytes + (at - sequence), end - at);
}

bool ids_early_first(const struct ids_state *state, const struct ids_direction *direction,
                     uint32_t *sequence) {
    if (direction->early == IDS_NO_CHAIN) {
        return false;
    }
    *sequence = segment_at(state, direction->early).sequence;
    return true;
}

uint32_t ids_early_take(struct ids_state *state, struct ids_direction *direction, uint32_t sequence,
                        uint32_t *first, uint8_t *bytes) {
    uint8_t whole[sizeof(struct segment) + FTMB_FRAME_SIZE_MAX];
    if (direction->early == IDS_NO_CHAIN) {
        return 0;
    }
    struct segment segment = segment_at(state, direction->early);
    if ((int32_t)(segment.sequence - sequence) > 0) {
        return 0;
    }
    ids_chain_read(ids_blocks(state), direction->early, whole,
                   (uint32_t)sizeof(segment) + segment.size);
    memcpy(bytes, whole + sizeof(segment), segment.size);
    ids_chain_free(ids_blocks(state), &direction->early);
    direction->early = segment.following;
    direction->early_count--;
    *first = segment.sequence;
    return segment.size;
}

void ids_early_clear(struct ids_state *state, struct ids_direction *direction) {
    while (direction->early != IDS_NO_CHAIN) {
        uint32_t following = segment_at(state, direction->early).following;
        ids_chain_free(ids_blocks(state), &direction->early);
        direction->early = following;
    }
    direction->early_count = 0;
}
