/* SPDX-License-Identifier: BSD-3-Clause */
/* How a process's life is marked, and how it ends itself. The simulator has its own. */
#include <stdio.h>
#include <stdlib.h>

#include "host/pages.h"
#include "host/process.h"

int pages_begin_life(struct process_page *page) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    int error = pthread_mutex_init(&page->life, &attributes);
    pthread_mutexattr_destroy(&attributes);
    return error == 0 ? -pthread_mutex_lock(&page->life) : -error;
}

void invariant_broken(const char *what) {
    fprintf(stderr, "ftmb: broken invariant: %s\n", what);
    abort();
}
