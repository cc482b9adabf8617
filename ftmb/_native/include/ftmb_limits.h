/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sizes that are fixed when the code is compiled.
 *
 * The simulator runs the same code with small ones, so that logs are full and wrap round within a
 * few records, and every bound is met in a run of milliseconds.
 */
#ifndef FTMB_LIMITS_H
#define FTMB_LIMITS_H

#ifdef FTMB_SIMULATION
#define FTMB_BURST_MAX 4U
#define FTMB_FRAME_SIZE_MAX 256U
#define FTMB_WORKERS_MAX 8U
#define RECORD_PALS_MAX 32U
#define RING_SIZE_MIN 4096U
#define PENDING_RECORDS_MAX 8U
#else
#define FTMB_BURST_MAX 32U        /* packets that one call of `process` gets at most */
#define FTMB_FRAME_SIZE_MAX 2048U /* bytes of a frame, Ethernet header included, no FCS */
#define FTMB_WORKERS_MAX 64U
#define RECORD_PALS_MAX 2048U     /* of one record: with a PAL for each access, 64 for a packet */
#define RING_SIZE_MIN (1U << 18)  /* bytes */
#define PENDING_RECORDS_MAX 4096U /* a worker's records received and not consumed; power of two */
#endif

#define FTMB_PORTS_MAX 16U
#define FTMB_PORT_NONE 0xffU
#define FTMB_DROP_REASONS_MAX 32U /* of one element */
#define FTMB_PIPELINE_MAX 8U      /* elements of one pipeline */

#endif
