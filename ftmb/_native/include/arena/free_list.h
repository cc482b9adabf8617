/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A free list of entries in an array, for state in the arena: a fixed pool that gives out indices.
 *
 * A free entry holds the index of the next free one in a uint32_t of its own, so the list costs
 * no memory per entry. Entries that were never given out are not touched: an empty pool needs no
 * memory and no time to set up.
 *
 * Position independent. `entries` is the array, `link` the byte offset of that uint32_t in an
 * entry. Threads: one. Every operation takes constant time.
 */
#ifndef FTMB_FREE_LIST_H
#define FTMB_FREE_LIST_H

#include <stdint.h>

#define FREE_LIST_NONE 0xffffffffU

struct free_list {
    uint32_t head;     /* the entry given back last, or FREE_LIST_NONE */
    uint32_t fresh;    /* entries from here on were never given out */
    uint32_t capacity; /* entries in the array */
    uint32_t used;     /* entries given out and not given back */
    uint32_t stride;   /* bytes of an entry */
    uint32_t link;
};

void free_list_init(struct free_list *list, uint32_t capacity, uint32_t stride, uint32_t link);

/* An entry, its bytes as they were left; FREE_LIST_NONE when all are in use. */
uint32_t free_list_take(struct free_list *list, const void *entries);

/* Takes back an entry that was given out. */
void free_list_give(struct free_list *list, void *entries, uint32_t index);

/* used[i] = 1 for each entry given out and not given back; `used` has `capacity` places, all 0. */
void free_list_mark_used(const struct free_list *list, const void *entries, uint8_t *used);

#endif
