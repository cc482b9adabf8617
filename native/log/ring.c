/* SPDX-License-Identifier: BSD-3-Clause */
#include "log/ring.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "log/shared_memory.h"

static bool is_valid_size(uint64_t size) {
    return size >= RING_SIZE_MIN && (size & (size - 1)) == 0;
}

static int map_ring(struct ring *ring, int descriptor, uint64_t size, bool writable) {
    uint8_t *base = shared_memory_map_ring(descriptor, RING_HEADER_SIZE, size, writable);
    if (base == NULL) {
        return -errno;
    }
    *ring = (struct ring){.header = (struct ring_header *)base,
                          .data = base + RING_HEADER_SIZE,
                          .size = size,
                          .mask = size - 1};
    return 0;
}

int ring_create(struct ring *ring, const char *name, uint64_t size, int *descriptor) {
    if (!is_valid_size(size)) {
        return -EINVAL;
    }
    int created = shared_memory_create(name, RING_HEADER_SIZE + size);
    if (created < 0) {
        return created;
    }
    int error = map_ring(ring, created, size, true);
    if (error != 0) {
        close(created);
        return error;
    }
    ring->header->magic = RING_MAGIC;
    ring->header->version = RING_VERSION;
    ring->header->size = size;
    *descriptor = created;
    return 0;
}

int ring_attach(struct ring *ring, int descriptor, bool writable) {
    long total = shared_memory_size(descriptor);
    if (total < 0) {
        return (int)total;
    }
    uint64_t size = (uint64_t)total - RING_HEADER_SIZE;
    if (total <= (long)RING_HEADER_SIZE || !is_valid_size(size)) {
        return -EPROTO;
    }
    int error = map_ring(ring, descriptor, size, writable);
    if (error != 0) {
        return error;
    }
    const struct ring_header *header = ring->header;
    if (header->magic != RING_MAGIC || header->version != RING_VERSION || header->size != size) {
        ring_detach(ring);
        return -EPROTO;
    }
    return 0;
}

void ring_detach(struct ring *ring) {
    if (ring->header != NULL) {
        shared_memory_unmap(ring->header, RING_HEADER_SIZE + 2 * ring->size);
    }
    memset(ring, 0, sizeof(*ring));
}
