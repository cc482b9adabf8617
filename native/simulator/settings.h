/* SPDX-License-Identifier: BSD-3-Clause */
/* What the seed decides before a run begins. */
#ifndef FTMB_SIMULATOR_SETTINGS_H
#define FTMB_SIMULATOR_SETTINGS_H

#include "simulator/simulation.h"

/* Draws the settings and fills the pipeline, whose configuration lasts until the next call. */
void settings_draw(struct settings *settings, struct pipeline *pipeline);

#endif
