/* SPDX-License-Identifier: BSD-3-Clause */
/* An operator who tells the pipeline's elements something now and then. */
#ifndef FTMB_SIMULATOR_COMMANDS_H
#define FTMB_SIMULATOR_COMMANDS_H

#include "host/logger.h"

void commands_begin(void);
/* One round of the control thread: perhaps a command is logged. */
void commands_give(void);

#endif
