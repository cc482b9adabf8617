/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The interface of an element: everything that code under elements/ may see.
 *
 * Where it stands: a master or standby worker takes a burst of records from its input log, copies
 * the packets into the slots of the record it is building, and runs them through the pipeline's
 * elements, one after the other, to completion. The same calls are made in the same order with
 * the same arguments when a standby replays the log, so an element must be a function of what it
 * is given here and of its own state in the arena, and of nothing else: no clock, no rand(), no
 * thread or process identity, no order of pointers, no input or output, no mutable static.
 *
 * Ownership: packets and their bytes are borrowed until `process` or `tick` returns. State lives
 * in the arena from `init_*` to the end of the box; the arena must hold no pointer out of it (and
 * the containers in native/arena/ use indices, so that it holds no pointer at all).
 *
 * Threads: `process`, `tick` and `command` run on one worker and may touch the worker's own state
 * freely; shared state only between ftmb_shared_acquire() and ftmb_shared_release(). `steer` and
 * `check_command` run in the logger process, which has no state of any element: configuration only.
 */
#ifndef FTMB_ELEMENT_H
#define FTMB_ELEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ftmb_limits.h"
#include "ftmb_table.h"

/* port_out = FTMB_PORT_AGAIN | p: once committed, the frame is logged as a new input as if it had
 * arrived by port p (a NAT's hairpin: the second half of the translation is another worker's). */
#define FTMB_PORT_AGAIN 0x80U

struct ftmb_arena;
struct ftmb_shared;

/* A packet on its way through the pipeline. */
struct ftmb_packet {
    uint8_t *data;    /* the Ethernet header; writable, `length` bytes, 16-byte aligned */
    uint64_t time_ns; /* when the input logger took it in: the only clock there is */
    uint32_t hash;    /* symmetric hash of the 5-tuple, 0 for what is not IPv4/IPv6 */
    uint16_t length;  /* bytes; an element may shorten a frame, not grow it */
    uint8_t port_in;  /* index of the port it came in by */
    uint8_t port_out; /* index of the port it leaves by; FTMB_PORT_NONE drops it */
    bool is_again;    /* came in by FTMB_PORT_AGAIN: from this box's own elements, not the wire */
};

/* What a worker hands to an element: the element's whole world, valid during the call. */
struct ftmb_context {
    uint32_t worker; /* 0 .. workers - 1 */
    uint32_t workers;
    uint64_t now_ns;    /* tick: the tick's time; process: the time of the burst's first packet */
    const void *config; /* the element's configuration struct, filled from the TOML */
    void *state;        /* what init_worker returned for this worker */
    void *shared;       /* what init_shared returned, or NULL */
    void *scratch;      /* what init_scratch returned, or NULL */
};

/* A number from the worker's generator, whose state is part of the arena (xoshiro256++). */
uint64_t ftmb_random(struct ftmb_context *context);

/* Drops a packet and counts it under the element's own reason (an index into drop_reasons). */
void ftmb_drop(struct ftmb_context *context, struct ftmb_packet *packet, uint32_t reason);

/*
 * A new packet of `length` bytes (zeroed), made by the element itself, such as an ICMP error. It
 * leaves by `port_out` after the burst's own packets and does not pass the rest of the pipeline.
 * NULL when the record has no room left (FTMB_BURST_MAX in one burst): counted by the runtime.
 */
struct ftmb_packet *ftmb_emit(struct ftmb_context *context, uint16_t length, uint8_t port_out);
/* How many more may be made now. */
uint32_t ftmb_emit_room(const struct ftmb_context *context);

/*
 * Shared state: take the variable, read and write what it guards, release it. A worker holds at
 * most one at a time. Which worker came when is what the access log records.
 */
void ftmb_shared_acquire(struct ftmb_context *context, struct ftmb_shared *variable);
void ftmb_shared_release(struct ftmb_context *context, struct ftmb_shared *variable);
/*
 * Between the two: what follows is the access of another packet. Taking a variable once for all
 * packets of a burst that need it is cheaper, and what the log says of them stays the same.
 */
void ftmb_shared_again(struct ftmb_context *context, struct ftmb_shared *variable);

/* Allocation, while the box starts only: `init_shared` and `init_worker`. NULL: arena full. */
void *ftmb_allocate_shared(struct ftmb_arena *arena, size_t size, size_t alignment);
void *ftmb_allocate_worker(struct ftmb_arena *arena, uint32_t worker, size_t size,
                           size_t alignment);
/* `count` shared variables in the shared part, `stride` = FTMB_SHARED_SIZE bytes apart. */
struct ftmb_shared *ftmb_allocate_variables(struct ftmb_arena *arena, uint32_t count);
#define FTMB_SHARED_SIZE 64U
static inline struct ftmb_shared *ftmb_shared_at(struct ftmb_shared *first, uint32_t index) {
    return (struct ftmb_shared *)((uint8_t *)first + (size_t)index * FTMB_SHARED_SIZE);
}

/* One option of an element in the TOML: Python validates and documents from this table. */
enum ftmb_option_type {
    FTMB_OPTION_UNSIGNED, /* uint32_t, min..max */
    FTMB_OPTION_BOOLEAN,  /* uint8_t */
    FTMB_OPTION_SECONDS,  /* uint64_t nanoseconds; the TOML has seconds; min..max in seconds */
    FTMB_OPTION_CHOICE,   /* uint32_t, index into choices */
    FTMB_OPTION_PORT,     /* uint8_t, index of the port that the TOML names */
    FTMB_OPTION_JOURNAL,  /* uint8_t, the same, of one that is a journal (port/journal_port.h) */
    FTMB_OPTION_TEXT,     /* string, given to `parse` once */
    FTMB_OPTION_LIST,     /* list of strings, given to `parse` one by one */
};

struct ftmb_option {
    const char *name;
    const char *help; /* one line, with the unit */
    enum ftmb_option_type type;
    uint32_t offset; /* of the value in the configuration struct */
    uint64_t minimum, maximum;
    const char *initial;        /* default as TOML text, such as "300"; NULL: required */
    const char *const *choices; /* CHOICE: NULL-terminated */
    /* TEXT and LIST: 0, or -1 with a message that says what is allowed. */
    int (*parse)(void *config, const char *text, char *error, size_t error_size);
};

/* Which worker must get a packet, for an element without a `steer` of its own. */
enum ftmb_steering {
    FTMB_STEERING_FLOW, /* both directions of a 5-tuple the same one: private state of flows */
    FTMB_STEERING_ANY,  /* any will do */
};

/* What an operator can tell a running element: `ftmb command BOX ELEMENT NAME ARGUMENTS...`. */
struct ftmb_command {
    const char *name;      /* the first word of the text */
    const char *arguments; /* how to write them, such as "ADDRESS [weight NUMBER]" */
    const char *help;      /* one line */
};
#define FTMB_COMMAND_SIZE_MAX 256U /* bytes of the text, its end included */

/* The constant table in which every element ends. */
struct ftmb_element_class {
    const char *name;
    const char *help;                  /* one line */
    uint32_t state_version;            /* of the layout of its state */
    uint32_t config_size;              /* bytes of the configuration struct */
    const struct ftmb_option *options; /* ends with .name = NULL; may be NULL */
    const char *const *drop_reasons;   /* NULL-terminated, snake_case; may be NULL */
    const struct ftmb_table
        *tables; /* that can be looked at; ends with .name = NULL; may be NULL */
    const struct ftmb_command *commands; /* ends with .name = NULL; may be NULL */
    enum ftmb_steering steering;
    bool rewrites; /* addresses or ports: what stands on either side sees another flow */
    /* The configuration as a whole; 0, or -1 with a message. Optional. */
    int (*check)(const void *config, uint32_t workers, char *error, size_t error_size);
    /* 0 or -ENOMEM. Both optional; workers are initialised in order after the shared part. */
    int (*init_shared)(struct ftmb_arena *arena, const void *config, uint32_t workers,
                       void **shared);
    int (*init_worker)(struct ftmb_arena *arena, const void *config, uint32_t worker,
                       uint32_t workers, void *shared, void **state);
    /*
     * Memory that is no state, in each process anew: what is in it when a call returns must not
     * matter, as a library's workspace. It may hold anything, also pointers; `config` may be added
     * to (what a library compiles from it), and is let go by `release_config`. 0 or -errno. Called
     * for one worker after the other before any of them runs, and not in the logger process.
     */
    int (*init_scratch)(void *config, uint32_t worker, uint32_t workers, void **scratch);
    void (*free_scratch)(void *scratch);
    void (*release_config)(void *config);
    /* Which worker takes a frame; NULL: symmetric hash of the 5-tuple. One element of a box may
     * have such a rule. The frame may be malformed: any worker will do, but none out of range. */
    uint32_t (*steer)(const void *config, uint32_t workers, const uint8_t *frame, uint16_t length,
                      uint8_t port_in, uint32_t hash);
    /* `count` packets (1 .. FTMB_BURST_MAX), none of them dropped before. The element sets
     * port_out of each, or drops it. port_out comes in as FTMB_PORT_NONE at the first element and
     * as the previous element left it later. */
    void (*process)(struct ftmb_context *context, struct ftmb_packet **packets, uint32_t count);
    /* Every 10 ms of input time, on every worker. Optional. */
    void (*tick)(struct ftmb_context *context);
    /* A command is an entry of every worker's log: each worker gets it once, at its own place
     * there, across any number of failovers. `check_command` says beforehand what is wrong with
     * the text, 0 or -1 with a message; it sees no state, so `command` must bear what does not fit
     * the state (and leave it as it is). Both or none. */
    int (*check_command)(const void *config, const char *text, char *error, size_t error_size);
    void (*command)(struct ftmb_context *context, const char *text);
};

#endif
