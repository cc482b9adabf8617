/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tables: how an element lets its state be looked at (`ftmb state show`).
 *
 * They are read from a copy of a standby's state, in another process, at another address, and
 * while nobody writes: a table's functions see nothing else, and keep nothing. State without a
 * table works as well; it is only not shown.
 */
#ifndef FTMB_TABLE_H
#define FTMB_TABLE_H

#include <stdbool.h>
#include <stdint.h>

enum ftmb_field_type {
    FTMB_FIELD_NUMBER, /* unsigned, of 1, 2, 4 or 8 bytes */
    /* In network byte order: IPv4 of 4 bytes, or IPv6 of 16; in these IPv4 is ::ffff:a.b.c.d. */
    FTMB_FIELD_ADDRESS,
    FTMB_FIELD_ADDRESS_AS_NUMBER,  /* IPv4, a uint32_t */
    FTMB_FIELD_ADDRESS_AS_NUMBERS, /* the 16 bytes as two uint64_t, the upper half first */
    FTMB_FIELD_PREFIX,             /* the same, and a uint64_t behind them: bits of 128 */
    FTMB_FIELD_CHOICE,             /* a number whose name stands in `names` */
    FTMB_FIELD_FLAGS,              /* a number of bits whose names stand in `names` */
    FTMB_FIELD_SECONDS,            /* a number of units of `unit_ns` nanoseconds */
    FTMB_FIELD_SECONDS_LEFT, /* until such a time of the box's clock (its lower bits); 0: none */
    FTMB_FIELD_PARTS,        /* a number of parts, of which `parts` are one */
    FTMB_FIELD_PROTOCOL,     /* of IP, a uint8_t */
    FTMB_FIELD_TEXT,         /* UTF-8, zeros behind it if it is shorter */
};

/* What of a table Prometheus gets: metrics are called ftmb_ELEMENT_TABLE_FIELD. */
enum ftmb_metric {
    FTMB_METRIC_NONE,
    FTMB_METRIC_LABEL,   /* rows with the same labels are added up; there must be few */
    FTMB_METRIC_TOP,     /* a label of many rows: the 32 with the most of the first number */
    FTMB_METRIC_COUNTER, /* a number that only grows */
    FTMB_METRIC_GAUGE,
};

struct ftmb_field {
    const char *name;
    const char *help; /* one line, with the unit */
    enum ftmb_field_type type;
    uint32_t offset, size;    /* bytes, within a row */
    const char *const *names; /* CHOICE and FLAGS: NULL-terminated */
    uint64_t unit_ns;         /* SECONDS */
    uint64_t parts;           /* PARTS */
    enum ftmb_metric metric;
};

struct ftmb_table {
    const char *name;
    const char *help;                /* one line */
    const struct ftmb_field *fields; /* ends with .name = NULL */
    uint32_t row_size;               /* bytes from one row to the next */
    bool is_shared;                  /* one for all workers; else each has its own */
    /* The rows, in the shared part's or the worker's `state`; their number. */
    uint64_t (*rows)(const void *config, const void *state, const void **first);
    /* used[i], all of them 0 before: whether row i holds anything. NULL: all do. */
    void (*mark_used)(const void *state, const void *first, uint64_t count, uint8_t *used);
    /* Metrics: how many rows at most, those with the most of the first number that is one; 0: all,
     * of which there must be few. Somebody may pay for each. */
    uint32_t metric_rows_max;
};

#endif
