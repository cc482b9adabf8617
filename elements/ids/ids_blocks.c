/* SPDX-License-Identifier: BSD-3-Clause */
#include "ids/ids_blocks.h"

#include <string.h>

size_t ids_blocks_size(uint32_t count) {
    return sizeof(struct ids_blocks) + (size_t)count * sizeof(struct ids_block);
}

void ids_blocks_init(struct ids_blocks *blocks, uint32_t count) {
    free_list_init(&blocks->pool, count, sizeof(struct ids_block),
                   offsetof(struct ids_block, next));
}

void ids_chain_free(struct ids_blocks *blocks, uint32_t *chain) {
    while (*chain != IDS_NO_CHAIN) {
        uint32_t next = blocks->blocks[*chain].next;
        free_list_give(&blocks->pool, blocks->blocks, *chain);
        *chain = next;
    }
}

bool ids_chain_write(struct ids_blocks *blocks, uint32_t *chain, const uint8_t *bytes,
                     uint32_t size) {
    uint32_t *link = chain;
    while (size != 0) {
        if (*link == IDS_NO_CHAIN) {
            uint32_t taken = free_list_take(&blocks->pool, blocks->blocks);
            if (taken == FREE_LIST_NONE) {
                ids_chain_free(blocks, chain);
                return false;
            }
            blocks->blocks[taken].next = IDS_NO_CHAIN;
            *link = taken;
        }
        struct ids_block *block = &blocks->blocks[*link];
        uint32_t part = size < IDS_BLOCK_BYTES ? size : IDS_BLOCK_BYTES;
        memcpy(block->bytes, bytes, part);
        bytes += part;
        size -= part;
        link = &block->next;
    }
    ids_chain_free(blocks, link);
    return true;
}

void ids_chain_read(const struct ids_blocks *blocks, uint32_t chain, uint8_t *bytes,
                    uint32_t size) {
    while (size != 0) {
        const struct ids_block *block = &blocks->blocks[chain];
        uint32_t part = size < IDS_BLOCK_BYTES ? size : IDS_BLOCK_BYTES;
        memcpy(bytes, block->bytes, part);
        bytes += part;
        size -= part;
        chain = block->next;
    }
}
