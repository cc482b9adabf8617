/* SPDX-License-Identifier: BSD-3-Clause */
#include "master/pipeline.h"

#include <errno.h>
#include <string.h>

#include "master/worker_state.h"

int pipeline_add(struct pipeline *pipeline, const struct ftmb_element_class *element,
                 void *config) {
    if (pipeline->count == FTMB_PIPELINE_MAX) {
        return -ENOSPC;
    }
    pipeline->stages[pipeline->count++] =
        (struct pipeline_stage){.element = element, .config = config};
    return 0;
}

static bool is_path(const struct pipeline *pipeline, const uint8_t *stages, uint32_t count) {
    uint32_t seen = 0;
    for (uint32_t index = 0; index < count; index++) {
        if (stages[index] >= pipeline->count || (seen & (1U << stages[index])) != 0) {
            return false;
        }
        seen |= 1U << stages[index];
    }
    return count > 0 && count <= FTMB_PIPELINE_MAX;
}

int pipeline_add_path(struct pipeline *pipeline, uint32_t ports, const struct bpf_insn *filter,
                      uint32_t filter_count, const uint8_t *stages, uint32_t count) {
    if (pipeline->path_count == FTMB_PATHS_MAX) {
        return -ENOSPC;
    }
    if (!is_path(pipeline, stages, count) ||
        (filter != NULL && !packet_filter_is_valid(filter, filter_count))) {
        return -EINVAL;
    }
    struct pipeline_path *path = &pipeline->paths[pipeline->path_count++];
    *path = (struct pipeline_path){.ports = ports, .filter = filter, .count = count};
    memcpy(path->stages, stages, count);
    return 0;
}

const struct pipeline_path *pipeline_path_of(const struct pipeline *pipeline,
                                             const struct ftmb_packet *packet) {
    for (uint32_t index = 0; index < pipeline->path_count; index++) {
        const struct pipeline_path *path = &pipeline->paths[index];
        if ((path->ports & (1U << packet->port_in)) != 0 &&
            (path->filter == NULL ||
             packet_filter_matches(path->filter, packet->data, packet->length))) {
            return path;
        }
    }
    return NULL;
}

/* splitmix64: spreads the worker's number over the generator's four words. */
static uint64_t spread(uint64_t *seed) {
    uint64_t value = (*seed += 0x9e3779b97f4a7c15ULL);
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
    return value ^ (value >> 31);
}

static int init_worker_states(struct ftmb_arena *arena, uint64_t seed) {
    struct arena_header *header = arena_header(arena);
    for (uint32_t worker = 0; worker < header->workers; worker++) {
        struct worker_state *state =
            ftmb_allocate_worker(arena, worker, sizeof(struct worker_state), 64);
        if (state == NULL) {
            return -ENOMEM;
        }
        for (uint32_t word = 0; word < 4; word++) {
            state->random[word] = spread(&seed);
        }
        header->worker_state[worker] = arena_offset(arena, state);
    }
    return 0;
}

static int init_stage(const struct pipeline_stage *stage, struct ftmb_arena *arena,
                      uint32_t index) {
    struct arena_header *header = arena_header(arena);
    const struct ftmb_element_class *element = stage->element;
    void *shared = NULL;
    if (element->init_shared != NULL) {
        int error = element->init_shared(arena, stage->config, header->workers, &shared);
        if (error != 0) {
            return error;
        }
    }
    header->element_shared[index] = arena_offset(arena, shared);
    for (uint32_t worker = 0; worker < header->workers && element->init_worker != NULL; worker++) {
        void *state = NULL;
        int error =
            element->init_worker(arena, stage->config, worker, header->workers, shared, &state);
        if (error != 0) {
            return error;
        }
        header->element_state[index][worker] = arena_offset(arena, state);
    }
    return 0;
}

int pipeline_init_state(const struct pipeline *pipeline, struct ftmb_arena *arena,
                        uint64_t configuration_digest, uint64_t seed) {
    arena_header(arena)->configuration_digest = configuration_digest;
    int error = init_worker_states(arena, seed);
    for (uint32_t index = 0; index < pipeline->count && error == 0; index++) {
        error = init_stage(&pipeline->stages[index], arena, index);
    }
    return error;
}

struct worker_state *pipeline_worker_state(const struct ftmb_arena *arena, uint32_t worker) {
    return arena_at(arena, arena_header(arena)->worker_state[worker]);
}
