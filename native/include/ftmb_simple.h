/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shorter ways to write what most elements have: options and columns in a line each, and shared
 * state with the variable that guards it in one block. All of it can be written out as well, with
 * ftmb_element.h and ftmb_table.h alone.
 */
#ifndef FTMB_SIMPLE_H
#define FTMB_SIMPLE_H

#include <errno.h>

#include "ftmb_element.h"
#include "ftmb_export.h"

/* ---- Options: a member of the configuration struct `config`, under its own name ---- */

#define FTMB_PORT_OPTION(config, member, what)                                                     \
    { .name = #member, .help = what, .type = FTMB_OPTION_PORT, .offset = offsetof(config, member) }
/* A uint32_t; `usual` is a number in quotes, or NULL where the option is required. */
#define FTMB_UNSIGNED_OPTION(config, member, what, least, most, usual)                             \
    {                                                                                              \
        .name = #member, .help = what, .type = FTMB_OPTION_UNSIGNED,                               \
        .offset = offsetof(config, member), .minimum = least, .maximum = most, .initial = usual    \
    }

/* ---- Tables ---- */

/* A column: an unsigned number that is a member of the row's struct `row`. */
#define FTMB_NUMBER_FIELD(row, member, what)                                                       \
    {                                                                                              \
        .name = #member, .help = what, .type = FTMB_FIELD_NUMBER, .offset = offsetof(row, member), \
        .size = sizeof(((row *)0)->member)                                                         \
    }

/* `rows` of a table that is one row, the state itself. */
static inline uint64_t ftmb_one_row(const void *config, const void *state, const void **first) {
    (void)config;
    *first = state;
    return 1;
}

/* A table of the shared state that is that one row, a struct `row`. */
#define FTMB_ONE_ROW_TABLE(row, named, what, columns)                                              \
    {                                                                                              \
        .name = named, .help = what, .fields = columns, .row_size = sizeof(row),                   \
        .is_shared = true, .rows = ftmb_one_row                                                    \
    }

/* ---- Shared state ---- */

/* For `init_shared`: `size` bytes, zeroed, behind a variable that guards them. NULL: arena full. */
static inline void *ftmb_allocate_guarded(struct ftmb_arena *arena, size_t size) {
    struct ftmb_shared *guard = ftmb_allocate_variables(arena, 1);
    uint8_t *guarded = ftmb_allocate_shared(arena, size, FTMB_SHARED_SIZE);
    return guard != NULL && guarded == (uint8_t *)guard + FTMB_SHARED_SIZE ? guarded : NULL;
}

/* The variable to acquire before it is touched. */
static inline struct ftmb_shared *ftmb_guard_of(void *guarded) {
    return (struct ftmb_shared *)((uint8_t *)guarded - FTMB_SHARED_SIZE);
}

/* Defines `init_shared`, under this name, of an element whose shared state is one such struct. */
#define FTMB_INIT_GUARDED(function, type)                                                          \
    static int function(struct ftmb_arena *arena, const void *config, uint32_t workers,            \
                        void **shared) {                                                           \
        (void)config;                                                                              \
        (void)workers;                                                                             \
        *shared = ftmb_allocate_guarded(arena, sizeof(type));                                      \
        return *shared == NULL ? -ENOMEM : 0;                                                      \
    }

#endif
