/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/pages.h"

#include <errno.h>
#include <linux/futex.h>

#include "log/shared_memory.h"

#define PAGE_SIZE 4096U

static size_t mapped_size(size_t size) {
    return (size + PAGE_SIZE - 1) & ~(size_t)(PAGE_SIZE - 1);
}

static void *map(int descriptor, size_t size, bool writable, int *error) {
    if (shared_memory_size(descriptor) != (long)mapped_size(size)) {
        *error = -EPROTO;
        return NULL;
    }
    void *page = shared_memory_map(descriptor, mapped_size(size), writable);
    *error = page == NULL ? -errno : 0;
    return page;
}

bool pages_is_dead(const struct process_page *page) {
    /* The futex word is the mutex's first member; a page written over can at worst claim a death,
     * which is what its writer then deserves. */
    const _Atomic uint32_t *word = (const _Atomic uint32_t *)&page->life.__data.__lock;
    return (atomic_load_explicit(word, memory_order_relaxed) & FUTEX_OWNER_DIED) != 0;
}

struct logger_page *pages_map_logger(int descriptor, int *error) {
    return map(descriptor, sizeof(struct logger_page), false, error);
}

struct process_page *pages_map_process(int descriptor, int *error) {
    return map(descriptor, sizeof(struct process_page), true, error);
}
