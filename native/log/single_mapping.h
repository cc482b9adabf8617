/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For the thread sanitizer only: within one process, memory that both sides of a log map is mapped
 * once, so that their accesses have the same addresses and the sanitizer relates them. So it can
 * check what orders them (acquire and release on `written`, `consumed`, `epoch`, `cut`). Read-only
 * mappings are then not read-only; that they are otherwise is tests/hostile's to show.
 *
 * Elsewhere each side has a mapping of its own and these functions do nothing.
 */
#ifndef FTMB_SINGLE_MAPPING_H
#define FTMB_SINGLE_MAPPING_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __SANITIZE_THREAD__

#define SINGLE_MAPPING true
/* The mapping that there is of this memory, for one more user; NULL: none. */
void *single_mapping_share(int descriptor);
void single_mapping_remember(int descriptor, void *address);
/* One user less; whether it was the last one, who is to unmap it. */
bool single_mapping_let_go(void *address);

#else

#define SINGLE_MAPPING false
static inline void *single_mapping_share(int descriptor) {
    (void)descriptor;
    return NULL;
}
static inline void single_mapping_remember(int descriptor, void *address) {
    (void)descriptor;
    (void)address;
}
static inline bool single_mapping_let_go(void *address) {
    (void)address;
    return true;
}

#endif
#endif
