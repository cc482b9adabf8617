/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A ring of bytes in shared memory, one producer and one or more readers: every log is one.
 *
 * Positions are counts of bytes since the start and never wrap; `data` is mapped twice in a row,
 * so that any run of up to `size` bytes from a position is contiguous. What a run means is the
 * business of input_record.h, output_record.h and access_record.h.
 *
 * Who writes what: the producer owns `written`. `consumed` belongs to the one reader that frees
 * space, where there is such a reader in another process (an output log); for the input and the
 * access log the logger process itself, as their producer, decides what may go.
 *
 * A reader in the logger process takes `written` of a master's ring as a claim to be checked.
 */
#ifndef FTMB_RING_H
#define FTMB_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ftmb_limits.h"

#define RING_MAGIC 0x46544d4252494e47ULL /* "FTMBRING" */
#define RING_VERSION 2U
#define RING_HEADER_SIZE 4096U
#define RING_ALIGNMENT 16U /* of every record, in bytes */

struct ring_header {
    uint64_t magic;
    uint32_t version;
    uint32_t reserved;
    uint64_t size; /* bytes of data, a power of two */
    _Alignas(64) _Atomic uint64_t written;
    _Alignas(64) _Atomic uint64_t consumed;
    _Atomic uint64_t consumed_records; /* of an output log; beside `consumed`, no line more */
};
_Static_assert(offsetof(struct ring_header, written) == 64, "a cache line per writer");
_Static_assert(offsetof(struct ring_header, consumed) == 128, "a cache line per writer");

struct ring {
    struct ring_header *header;
    uint8_t *data;
    uint64_t size;
    uint64_t mask;
};

/* Creates the memory and maps it writable; *descriptor is owned by the caller. 0 or -errno. */
int ring_create(struct ring *ring, const char *name, uint64_t size, int *descriptor);
/* Maps memory that another process made; -EPROTO if it is no ring of this version. */
int ring_attach(struct ring *ring, int descriptor, bool writable);
void ring_detach(struct ring *ring);

static inline uint64_t ring_align(uint64_t size) {
    return (size + RING_ALIGNMENT - 1) & ~(uint64_t)(RING_ALIGNMENT - 1);
}

static inline void *ring_at(const struct ring *ring, uint64_t position) {
    return ring->data + (position & ring->mask);
}

/*
 * Copies out of memory that its writer may be changing meanwhile, such as a master's log. The copy
 * is what is checked and used: the barrier keeps the compiler from reading the original again.
 */
static inline void ring_copy(void *target, const void *source, size_t size) {
    memcpy(target, source, size);
    __asm__ volatile("" ::: "memory");
}

/* R1: acquire; pairs with R2, so that the bytes below the position are seen whole. */
static inline uint64_t ring_written(const struct ring *ring) {
    return atomic_load_explicit(&ring->header->written, memory_order_acquire);
}

/* R2: release; the bytes below `position` are published to R1. */
static inline void ring_publish(struct ring *ring, uint64_t position) {
    atomic_store_explicit(&ring->header->written, position, memory_order_release);
}

/* R3: acquire; pairs with R4: the reader is done with what the producer will write over. */
static inline uint64_t ring_consumed(const struct ring *ring) {
    return atomic_load_explicit(&ring->header->consumed, memory_order_acquire);
}

/* R4: release; pairs with R3. */
static inline void ring_consume(struct ring *ring, uint64_t position) {
    atomic_store_explicit(&ring->header->consumed, position, memory_order_release);
}

/* A count only: what may be written over is said by the position. */
static inline uint64_t ring_consumed_records(const struct ring *ring) {
    return atomic_load_explicit(&ring->header->consumed_records, memory_order_relaxed);
}

static inline void ring_count_consumed(struct ring *ring, uint64_t records) {
    atomic_store_explicit(&ring->header->consumed_records, records, memory_order_relaxed);
}

#endif
