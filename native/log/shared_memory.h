/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shared memory that outlives the process writing to it: memfds, made by the logger process and
 * handed to the others over its control socket.
 *
 * Owner: the logger process. A memfd's size is sealed, so that no peer can cut it short under a
 * reader (SIGBUS). A descriptor from shared_memory_read_only() maps read-only, and once the seal
 * against further writable mappings is set (shared_memory_seal_writes), nobody but those who
 * mapped it before can write.
 */
#ifndef FTMB_SHARED_MEMORY_H
#define FTMB_SHARED_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* Returns an owned descriptor, or -errno. */
int shared_memory_create(const char *name, size_t size);
/* A second, read-only descriptor of the same memory: owned, or -errno. */
int shared_memory_read_only(int descriptor);
/* From here on no new writable mapping can be made. 0 or -errno. */
int shared_memory_seal_writes(int descriptor);
/* Bytes, or -errno. */
long shared_memory_size(int descriptor);

/* Maps all of it, prefaulted; NULL with errno set. */
void *shared_memory_map(int descriptor, size_t size, bool writable);
/*
 * Maps `header_size` bytes once and the rest twice, back to back, so that a run of bytes which
 * wraps around the end of a ring is contiguous in memory. NULL with errno set.
 */
void *shared_memory_map_ring(int descriptor, size_t header_size, size_t data_size, bool writable);
void shared_memory_unmap(void *address, size_t size);

#endif
