/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The logger process: input logger and output logger in one packet thread, the memory of all
 * logs, and a small door through which the control thread asks for changes.
 *
 * Everything that changes who is master happens in the packet thread, between two rounds, so the
 * fence is a plain sequence of steps: logger_change_master() and logger_set_standby() hand a
 * request over and wait until it is done (microseconds).
 *
 * Threads: logger_run() is the packet thread; all else is the control thread's.
 */
#ifndef FTMB_LOGGER_H
#define FTMB_LOGGER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "host/idle.h"
#include "host/pages.h"
#include "input_logger/input_logger.h"
#include "output_logger/output_logger.h"

struct logger_settings {
    uint32_t workers;
    uint32_t idle;                                 /* enum idle_strategy */
    uint64_t input_size, access_size, output_size; /* bytes of each log, powers of two */
    bool is_logged;
    uint32_t release; /* enum release_mode */
    uint32_t pals;    /* enum pal_mode */
};

/* A master or standby, as the logger process holds it: its memory outlives it. */
struct peer {
    uint32_t epoch;
    bool is_used;
    struct process_page *page; /* mapped read-only */
    int page_descriptor;       /* writable, for the peer */
    int output_descriptors[FTMB_WORKERS_MAX];
    struct ring outputs[FTMB_WORKERS_MAX]; /* mapped from the start: a failover must not wait */
};
#define PEERS_MAX 8U

enum logger_request_kind {
    REQUEST_NONE,
    REQUEST_CHANGE_MASTER,
    REQUEST_SET_STANDBY,
    REQUEST_OPEN,
    REQUEST_DISCARD_INPUT,
    REQUEST_WATCH,
    REQUEST_CHECKPOINT,
    REQUEST_ARM,
    REQUEST_COMMAND,
};

struct logger_request {
    _Atomic uint32_t kind;
    struct next_master next; /* .rings NULL: nobody is to be master */
    bool has_succeeded;
    const struct process_page *page;    /* of the standby, or of the process to watch */
    uint64_t records[FTMB_WORKERS_MAX]; /* that the checkpoint holds */
    const char *command;                /* text for the element at place `stage` */
    uint8_t stage;
    uint64_t sequences[FTMB_WORKERS_MAX]; /* of the command in each log */
};

/* A failover that the packet thread made by itself, for the control thread to take note of. */
struct succession {
    uint64_t detected_ns, live_ns; /* live: fence and cut were done */
    bool has_succeeded;            /* false: the heir had stopped reading and was given up */
    uint32_t epoch;                /* the heir's */
};

struct logger {
    struct logger_settings settings;
    struct input_logger input;
    struct output_logger output;
    struct logger_page *page;
    int page_descriptor;                      /* read-only, for peers */
    int input_descriptors[FTMB_WORKERS_MAX];  /* likewise */
    int access_descriptors[FTMB_WORKERS_MAX]; /* likewise */
    struct peer peers[PEERS_MAX];
    struct logger_request request;
    bool has_thread; /* the control thread's: requests are the packet thread's to serve */
    _Atomic bool must_stop;
    /* An eventfd that the packet thread raises once when it sees the master dead. */
    int death_event;
    const struct process_page *watched; /* the packet thread's; NULL: nobody */
    struct next_master heir;            /* likewise: who follows when `watched` dies; or nobody */
    struct succession succession;
    _Atomic bool has_succession; /* L3: set with release behind `succession`; L4 takes it */
    _Atomic uint64_t busy_cycles, rounds;
};

/* NULL with *error (-ENOMEM: the logs do not fit into memory; -EINVAL: a size). Borrows the
 * pipeline (for steering). */
struct logger *logger_create(const struct logger_settings *settings,
                             const struct pipeline *pipeline, int *error);
/* Accepts NULL. The ports stay the caller's. */
void logger_destroy(struct logger *logger);
int logger_add_port(struct logger *logger, struct port *port);

/* Makes the memory of a new master or standby; its index, or -errno. */
int logger_add_peer(struct logger *logger, uint32_t epoch);
/* Its memory goes; it must be neither master nor standby any more. */
void logger_remove_peer(struct logger *logger, int peer);
/* Where a process with empty state begins: behind the cut. */
void logger_start_of(const struct logger *logger, uint32_t worker, uint64_t *record_number,
                     uint64_t *input_position);

/* Said by the control thread before it starts the packet thread: from then on that one alone
 * serves requests. (Not by looking whether it runs: it may be about to.) */
void logger_expect_thread(struct logger *logger);
/* The packet thread: until logger_stop(). */
void logger_run(struct logger *logger, int core);
void logger_stop(struct logger *logger);
/* One round at the given time: for tests and simulation, instead of logger_run(). */
uint64_t logger_step(struct logger *logger, uint64_t now_ns);

/* Control; each waits until the packet thread has done it (at once in tests without one). */
/* < 0: nobody. -ETIMEDOUT: the standby had stopped reading and was given up, nobody is master. */
int logger_change_master(struct logger *logger, int peer);
int logger_set_standby(struct logger *logger, int peer); /* < 0: nobody */
/* Raises `death_event` when this peer dies; < 0: watches nobody. */
void logger_watch(struct logger *logger, int peer);
/*
 * Decides in advance what a death of the watched master leads to: this peer, a standby that has
 * everything, follows at once, in the packet thread, before the control thread even wakes up.
 * < 0: nobody does. Any change of master disarms.
 */
void logger_arm(struct logger *logger, int peer);
/* Whether that has happened since it was last asked; told once. */
bool logger_take_succession(struct logger *logger, struct succession *succession);
void logger_open_ports(struct logger *logger);
/* Without protection and without a master: what arrived meanwhile is lost, as it is when a
 * middlebox of today is restarted. */
void logger_discard_input(struct logger *logger);

/* With RELEASE_CHECKPOINT: a complete snapshot holds these records, one for each worker; what they
 * send may leave. False: that cannot be. */
bool logger_checkpoint(struct logger *logger, const uint64_t *records);

/* Logs a command of an operator (input_logger_command()). False: the logs are full now. */
bool logger_command(struct logger *logger, uint8_t stage, const char *text, uint64_t *sequences);

/* Where in a worker's access log a new standby begins to read. */
uint64_t logger_access_start(const struct logger *logger, uint32_t worker);
uint64_t logger_committed(const struct logger *logger, uint32_t worker);
bool logger_master_is_rejected(const struct logger *logger);

#endif
