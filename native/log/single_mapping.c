/* SPDX-License-Identifier: BSD-3-Clause */
#include "log/single_mapping.h"

#ifdef __SANITIZE_THREAD__

#include <pthread.h>
#include <stdint.h>
#include <sys/stat.h>

#define MAPPINGS_MAX 4096U

struct single_mapping {
    ino_t inode; /* of a memfd; they all are of one device */
    void *address;
    uint32_t users; /* 0: a free place */
};

static struct single_mapping mappings[MAPPINGS_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static ino_t inode_of(int descriptor) {
    struct stat status;
    return fstat(descriptor, &status) == 0 ? status.st_ino : 0;
}

void *single_mapping_share(int descriptor) {
    ino_t inode = inode_of(descriptor);
    void *found = NULL;
    pthread_mutex_lock(&lock);
    for (uint32_t index = 0; index < MAPPINGS_MAX && found == NULL; index++) {
        if (mappings[index].users > 0 && mappings[index].inode == inode) {
            mappings[index].users++;
            found = mappings[index].address;
        }
    }
    pthread_mutex_unlock(&lock);
    return found;
}

void single_mapping_remember(int descriptor, void *address) {
    ino_t inode = inode_of(descriptor);
    pthread_mutex_lock(&lock);
    for (uint32_t index = 0; index < MAPPINGS_MAX; index++) {
        if (mappings[index].users == 0) {
            mappings[index] = (struct single_mapping){inode, address, 1};
            break;
        }
    }
    pthread_mutex_unlock(&lock);
}

bool single_mapping_let_go(void *address) {
    bool was_last = true;
    pthread_mutex_lock(&lock);
    for (uint32_t index = 0; index < MAPPINGS_MAX; index++) {
        if (mappings[index].users > 0 && mappings[index].address == address) {
            was_last = --mappings[index].users == 0;
            break;
        }
    }
    pthread_mutex_unlock(&lock);
    return was_last;
}

#endif
