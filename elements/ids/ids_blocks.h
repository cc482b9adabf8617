/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A pool of small blocks in the arena, and chains of them that hold bytes: what is known of a
 * stream, and segments that came early. A chain is the index of its first block.
 *
 * Position independent, one block of ids_blocks_size() bytes. Threads: one worker.
 */
#ifndef IDS_BLOCKS_H
#define IDS_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena/free_list.h"

#define IDS_BLOCK_BYTES 124U
#define IDS_NO_CHAIN 0xffffffffU

struct ids_block {
    uint32_t next; /* in the chain, or in the list of free ones */
    uint8_t bytes[IDS_BLOCK_BYTES];
};

struct ids_blocks {
    struct free_list pool;
    uint8_t padding[40];
    struct ids_block blocks[];
};
_Static_assert(sizeof(struct ids_blocks) == 64, "blocks begin on a cache line");

size_t ids_blocks_size(uint32_t count);
void ids_blocks_init(struct ids_blocks *blocks, uint32_t count);

/*
 * Makes *chain (IDS_NO_CHAIN at first) hold just these bytes, taking or giving back blocks. False
 * when there are too few free ones: then it holds nothing and is IDS_NO_CHAIN.
 */
bool ids_chain_write(struct ids_blocks *blocks, uint32_t *chain, const uint8_t *bytes,
                     uint32_t size);
/* The first `size` bytes that it was made to hold. */
void ids_chain_read(const struct ids_blocks *blocks, uint32_t chain, uint8_t *bytes, uint32_t size);
void ids_chain_free(struct ids_blocks *blocks, uint32_t *chain);

#endif
