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
    FTMB_FIELD_NUMBER,  /* unsigned, of 1, 2, 4 or 8 bytes */
    FTMB_FIELD_ADDRESS, /* 4 bytes of IPv4, or 16 of IPv6 (::ffff:a.b.c.d: IPv4), network order */
    FTMB_FIELD_ADDRESS_AS_NUMBER, /* IPv4, a uint32_t */
    FTMB_FIELD_CHOICE,            /* a number whose name stands in `names` */
    FTMB_FIELD_FLAGS,             /* a number of bits whose names stand in `names` */
    FTMB_FIELD_SECONDS,           /* a number of units of `unit_ns` nanoseconds */
    FTMB_FIELD_PROTOCOL,          /* of IP, a uint8_t */
};

struct ftmb_field {
    const char *name;
    const char *help; /* one line, with the unit */
    enum ftmb_field_type type;
    uint32_t offset, size;    /* bytes, within a row */
    const char *const *names; /* CHOICE and FLAGS: NULL-terminated */
    uint64_t unit_ns;         /* SECONDS */
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
};

#endif
