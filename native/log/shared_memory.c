/* SPDX-License-Identifier: BSD-3-Clause */
#include "log/shared_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log/single_mapping.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

int shared_memory_create(const char *name, size_t size) {
    int descriptor = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (descriptor < 0) {
        return -errno;
    }
    /* fallocate, not ftruncate: memory that is short is refused here, not by SIGBUS later. */
    int error = posix_fallocate(descriptor, 0, (off_t)size);
    if (error == 0 && fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0) {
        error = errno;
    }
    if (error != 0) {
        close(descriptor);
        return -error;
    }
    return descriptor;
}

int shared_memory_read_only(int descriptor) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", descriptor);
    int read_only = open(path, O_RDONLY | O_CLOEXEC);
    return read_only < 0 ? -errno : read_only;
}

int shared_memory_seal_writes(int descriptor) {
    return fcntl(descriptor, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == 0 ? 0 : -errno;
}

long shared_memory_size(int descriptor) {
    struct stat status;
    return fstat(descriptor, &status) == 0 ? (long)status.st_size : -errno;
}

static int protection_of(bool writable) {
    /* The one mapping of a process must serve its writer too. */
    return writable || SINGLE_MAPPING ? PROT_READ | PROT_WRITE : PROT_READ;
}

void *shared_memory_map(int descriptor, size_t size, bool writable) {
    void *shared = single_mapping_share(descriptor);
    if (shared != NULL) {
        return shared;
    }
    void *address =
        mmap(NULL, size, protection_of(writable), MAP_SHARED | MAP_POPULATE, descriptor, 0);
    if (address == MAP_FAILED) {
        return NULL;
    }
    single_mapping_remember(descriptor, address);
    return address;
}

void *shared_memory_map_ring(int descriptor, size_t header_size, size_t data_size, bool writable) {
    void *shared = single_mapping_share(descriptor);
    if (shared != NULL) {
        return shared;
    }
    size_t total = header_size + 2 * data_size;
    uint8_t *base = mmap(NULL, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) {
        return NULL;
    }
    int flags = MAP_SHARED | MAP_FIXED | MAP_POPULATE;
    void *first =
        mmap(base, header_size + data_size, protection_of(writable), flags, descriptor, 0);
    void *second = mmap(base + header_size + data_size, data_size, protection_of(writable), flags,
                        descriptor, (off_t)header_size);
    if (first == MAP_FAILED || second == MAP_FAILED) {
        int error = errno;
        munmap(base, total);
        errno = error;
        return NULL;
    }
    single_mapping_remember(descriptor, base);
    return base;
}

void shared_memory_unmap(void *address, size_t size) {
    if (address != NULL && single_mapping_let_go(address)) {
        munmap(address, size);
    }
}
