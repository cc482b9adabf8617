/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A pipeline: the elements, with their configuration, that every worker runs to completion, and
 * the paths that packets take through them.
 *
 * Built once by the thread that sets a process up, then read-only. Configuration structs are the
 * process's own memory (owned), the same in every process since they come from the same file.
 */
#ifndef FTMB_PIPELINE_H
#define FTMB_PIPELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "arena/arena.h"
#include "ftmb_element.h"
#include "master/packet_filter.h"

struct pipeline_stage {
    const struct ftmb_element_class *element;
    void *config;
};

/* Through which elements, in which order, for packets that come in by these ports and match. */
struct pipeline_path {
    uint32_t ports;                /* bit p: port p */
    const struct bpf_insn *filter; /* NULL: all */
    uint32_t count;
    uint8_t stages[FTMB_PIPELINE_MAX];
};

struct pipeline {
    struct pipeline_stage stages[FTMB_PIPELINE_MAX];
    uint32_t count;
    /* The first that a packet matches is its path. None: all elements in order, for all packets. */
    struct pipeline_path paths[FTMB_PATHS_MAX];
    uint32_t path_count;
};

/* Appends a stage; borrows `config` (config_size bytes) for as long as the pipeline is used. */
int pipeline_add(struct pipeline *pipeline, const struct ftmb_element_class *element, void *config);
/*
 * Appends a path through stages that are there; borrows `filter` (`filter_count` instructions, or
 * NULL) likewise. 0; -ENOSPC; -EINVAL: a stage that is not there or comes twice, or no filter.
 */
int pipeline_add_path(struct pipeline *pipeline, uint32_t ports, const struct bpf_insn *filter,
                      uint32_t filter_count, const uint8_t *stages, uint32_t count);
/* The path of a packet as it came in; NULL: it has none. For a pipeline with paths. */
const struct pipeline_path *pipeline_path_of(const struct pipeline *pipeline,
                                             const struct ftmb_packet *packet);
/* Lets every element lay out its state in an empty arena: 0 or -ENOMEM. */
int pipeline_init_state(const struct pipeline *pipeline, struct ftmb_arena *arena,
                        uint64_t configuration_digest, uint64_t seed);

struct worker_state;
struct worker_state *pipeline_worker_state(const struct ftmb_arena *arena, uint32_t worker);

#endif
