/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/state_copy.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "arena/arena.h"
#include "master/worker_state.h"

static const struct arena_header *header_of(const struct state_copy *copy) {
    return (const struct arena_header *)copy->bytes;
}

int state_copy_check(const struct state_copy *copy, uint64_t configuration_digest) {
    const struct arena_header *header = header_of(copy);
    if (copy->size < ARENA_HEADER_SIZE || header->magic != ARENA_MAGIC ||
        header->version != ARENA_VERSION || header->workers == 0 ||
        header->workers > FTMB_WORKERS_MAX) {
        return -EPROTO;
    }
    return header->configuration_digest == configuration_digest ? 0 : -EINVAL;
}

uint32_t state_copy_workers(const struct state_copy *copy) {
    return header_of(copy)->workers;
}

uint64_t state_copy_now_ns(const struct state_copy *copy) {
    const struct arena_header *header = header_of(copy);
    uint64_t now_ns = 0;
    for (uint32_t worker = 0; worker < header->workers; worker++) {
        uint64_t offset = header->worker_state[worker];
        if (offset < ARENA_HEADER_SIZE || offset >= copy->size ||
            copy->size - offset < sizeof(struct worker_state)) {
            continue;
        }
        const struct worker_state *state = (const void *)(copy->bytes + offset);
        now_ns = state->now_ns > now_ns ? state->now_ns : now_ns;
    }
    return now_ns;
}

/* The shared part of an element, or a worker's; NULL: there is none, or it cannot be. */
static const void *state_of(const struct state_copy *copy, uint32_t place, bool is_shared,
                            uint32_t worker) {
    const struct arena_header *header = header_of(copy);
    uint64_t offset =
        is_shared ? header->element_shared[place] : header->element_state[place][worker];
    bool is_inside = offset >= ARENA_HEADER_SIZE && offset < copy->size;
    return is_inside ? copy->bytes + offset : NULL;
}

int64_t state_copy_rows(const struct state_copy *copy, uint32_t place, uint32_t table,
                        uint32_t worker, const void **first) {
    const struct pipeline_stage *stage = &copy->pipeline->stages[place];
    const struct ftmb_table *described = &stage->element->tables[table];
    const void *state = state_of(copy, place, described->is_shared, worker);
    if (state == NULL) {
        return -ENOENT;
    }
    uint64_t count = described->rows(stage->config, state, first);
    uint64_t offset = (uint64_t)((const uint8_t *)*first - copy->bytes);
    if (offset > copy->size || count > (copy->size - offset) / described->row_size) {
        return -EPROTO;
    }
    return (int64_t)count;
}

void state_copy_mark_used(const struct state_copy *copy, uint32_t place, uint32_t table,
                          uint32_t worker, const void *first, uint64_t count, uint8_t *used) {
    const struct ftmb_table *described = &copy->pipeline->stages[place].element->tables[table];
    if (described->mark_used == NULL) {
        memset(used, 1, count);
    } else {
        described->mark_used(state_of(copy, place, described->is_shared, worker), first, count,
                             used);
    }
}
