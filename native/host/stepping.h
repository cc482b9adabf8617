/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Loggers and workers moved by the caller's thread instead of by their own: for measuring what one
 * role costs while no other runs, and many workers on a machine of few cores.
 *
 * Threads: one, with no logger_run() beside stepping_logger() and, of the same process, no worker
 * thread beside stepping_process().
 */
#ifndef FTMB_STEPPING_H
#define FTMB_STEPPING_H

#include "host/logger.h"
#include "host/process.h"

/* Rounds of the packet thread until one of them moves nothing; returns the cycles of the others. */
uint64_t stepping_logger(struct logger *logger);
/* One step of each worker after the other, until none of them finds anything to do; returns the
 * steps that did something. Their cycles are in the workers' own counters. A standby can follow so
 * only a master that was stepped so, and was live from the first turn on: else a worker waits for
 * one whose turn never comes. */
uint64_t stepping_process(struct process *process);

#endif
