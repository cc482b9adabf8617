/* SPDX-License-Identifier: BSD-3-Clause */
#include "arena/free_list.h"

#include <assert.h>
#include <string.h>

void free_list_init(struct free_list *list, uint32_t capacity, uint32_t stride, uint32_t link) {
    assert(capacity < FREE_LIST_NONE && link + sizeof(uint32_t) <= stride);
    *list = (struct free_list){
        .head = FREE_LIST_NONE, .capacity = capacity, .stride = stride, .link = link};
}

uint32_t free_list_take(struct free_list *list, const void *entries) {
    uint32_t index = list->head;
    if (index != FREE_LIST_NONE) {
        const uint8_t *entry = (const uint8_t *)entries + (size_t)index * list->stride;
        memcpy(&list->head, entry + list->link, sizeof list->head);
    } else if (list->fresh < list->capacity) {
        index = list->fresh++;
    } else {
        return FREE_LIST_NONE;
    }
    ++list->used;
    return index;
}

void free_list_give(struct free_list *list, void *entries, uint32_t index) {
    assert(index < list->fresh && list->used > 0);
    uint8_t *entry = (uint8_t *)entries + (size_t)index * list->stride;
    memcpy(entry + list->link, &list->head, sizeof list->head);
    list->head = index;
    --list->used;
}

/* Also of a copy that may be damaged: each entry that is on the list is visited once. */
void free_list_mark_used(const struct free_list *list, const void *entries, uint8_t *used) {
    uint32_t fresh = list->fresh < list->capacity ? list->fresh : list->capacity;
    memset(used, 1, fresh);
    for (uint32_t index = list->head; index < fresh && used[index] != 0;) {
        const uint8_t *entry = (const uint8_t *)entries + (size_t)index * list->stride;
        used[index] = 0;
        memcpy(&index, entry + list->link, sizeof index);
    }
}
