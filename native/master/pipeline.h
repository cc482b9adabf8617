/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A pipeline: the elements, with their configuration, that every worker runs to completion.
 *
 * Built once by the thread that sets a process up, then read-only. Configuration structs are the
 * process's own memory (owned), the same in every process since they come from the same file.
 */
#ifndef FTMB_PIPELINE_H
#define FTMB_PIPELINE_H

#include <stdint.h>

#include "arena/arena.h"
#include "ftmb_element.h"

struct pipeline_stage {
    const struct ftmb_element_class *element;
    void *config;
};

struct pipeline {
    struct pipeline_stage stages[FTMB_PIPELINE_MAX];
    uint32_t count;
};

/* Appends a stage; borrows `config` (config_size bytes) for as long as the pipeline is used. */
int pipeline_add(struct pipeline *pipeline, const struct ftmb_element_class *element, void *config);
/* Lets every element lay out its state in an empty arena: 0 or -ENOMEM. */
int pipeline_init_state(const struct pipeline *pipeline, struct ftmb_arena *arena,
                        uint64_t configuration_digest, uint64_t seed);

struct worker_state;
struct worker_state *pipeline_worker_state(const struct ftmb_arena *arena, uint32_t worker);

#endif
