/* SPDX-License-Identifier: BSD-3-Clause */
/* Which elements a simulated box has. */
#ifndef FTMB_SIMULATOR_PIPELINES_H
#define FTMB_SIMULATOR_PIPELINES_H

#include "master/pipeline.h"

/* Fills the pipeline, whose configuration lasts until the next call, and the commands that its
 * first element may be told; its name. `place` below 100 decides which. */
const char *pipelines_draw(struct pipeline *pipeline, uint32_t workers, uint32_t place);

#endif
