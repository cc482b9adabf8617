/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An entry of the access log: what a committed output record leaves behind once its packets are
 * on their way, and all that the standby needs beside the input log to replay it.
 *
 *     struct access_record | PALs
 *
 * Written by the output logger (in memory of the logger process, so nothing that a dying master
 * does can reach it), read-only for the standby.
 */
#ifndef FTMB_ACCESS_RECORD_H
#define FTMB_ACCESS_RECORD_H

#include "log/output_record.h"

struct access_record {
    uint64_t number;
    uint64_t digest;    /* over what the record's packets were, see log/digest.h */
    uint64_t input_end; /* position in the input log behind the last record consumed */
    uint16_t input_count;
    uint16_t output_count; /* packets that leave */
    uint32_t pal_count;
};
_Static_assert(sizeof(struct access_record) == 32, "fixed width");

static inline uint64_t access_record_size(uint32_t pal_count) {
    return sizeof(struct access_record) + (uint64_t)pal_count * sizeof(struct pal);
}

/* Within what a record can be: the logger writes no others, and a standby builds no others. */
static inline bool access_record_is_sane(const struct access_record *record) {
    return record->input_count >= 1 && record->input_count <= FTMB_BURST_MAX &&
           record->pal_count <= RECORD_PALS_MAX;
}

static inline const struct pal *access_record_pals(const struct access_record *record) {
    return (const struct pal *)(record + 1);
}

#endif
