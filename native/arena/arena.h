/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The arena: all state of the elements, at the same virtual address in master and standby.
 *
 * It has a part for each worker and, last, a shared part, each `part_size` bytes of address space
 * of which only what is touched costs memory. Allocation is by advancing a mark while the box
 * starts, so that the same configuration gives the same layout in every process. Memory is
 * anonymous and private: a fork is a snapshot (snapshot.h).
 *
 * Threads: created, allocated from and destroyed by one thread; afterwards each worker writes its
 * own part, and the shared part under shared variables.
 */
#ifndef FTMB_ARENA_H
#define FTMB_ARENA_H

#include <stdbool.h>
#include <stdint.h>

#include "ftmb_element.h"

#define ARENA_ADDRESS 0x100000000000ULL   /* far from what the kernel chooses by itself */
#define ARENA_MAGIC 0x46544d424152454eULL /* "FTMBAREN" */
#define ARENA_VERSION 1U
#define ARENA_PARTS_MAX (FTMB_WORKERS_MAX + 1U)
#define ARENA_HEADER_SIZE 65536U

/* What stands at the start of the arena, and so of every snapshot. */
struct arena_header {
    uint64_t magic;
    uint32_t version;
    uint32_t workers;
    uint64_t part_size;
    uint64_t configuration_digest;  /* of the pipeline: a snapshot fits only the same one */
    uint64_t used[ARENA_PARTS_MAX]; /* bytes allocated of each part */
    /* Offsets of what init_shared and init_worker returned; 0: NULL. */
    uint64_t element_shared[FTMB_PIPELINE_MAX];
    uint64_t element_state[FTMB_PIPELINE_MAX][FTMB_WORKERS_MAX];
    uint64_t worker_state[FTMB_WORKERS_MAX];
    uint32_t variable_count;
};
_Static_assert(sizeof(struct arena_header) <= ARENA_HEADER_SIZE, "the header has its own pages");

struct ftmb_arena {
    uint8_t *base;
    uint64_t size; /* bytes of address space */
};

/*
 * Maps an empty arena at `address`, or anywhere if 0 (tests hold several in one process).
 * 0, -EEXIST if something else is mapped there, -ENOMEM, -EINVAL.
 */
int arena_create(struct ftmb_arena *arena, uint64_t address, uint32_t workers, uint64_t part_size);
void arena_destroy(struct ftmb_arena *arena);

static inline struct arena_header *arena_header(const struct ftmb_arena *arena) {
    return (struct arena_header *)arena->base;
}

/* An offset of 0 is NULL in both directions. */
void *arena_at(const struct ftmb_arena *arena, uint64_t offset);
uint64_t arena_offset(const struct ftmb_arena *arena, const void *pointer);

/* Bytes in all that were allocated: what the box needs in memory, once all of it is touched. */
uint64_t arena_used(const struct ftmb_arena *arena);

/* A digest of the whole state: equal in master and standby at the same cut. No worker may run. */
uint64_t arena_digest(const struct ftmb_arena *arena);

#endif
