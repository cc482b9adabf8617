/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The output logger: receives the master's records, keeps the access log, decides what is
 * committed, and alone lets packets out.
 *
 * Per worker a record goes through these states, each a number that rises while a master lives:
 *
 *     received -> committed (in the cut; now in the access log) -> released (its packets are out)
 *
 * (With RELEASE_NONE released is ahead of committed.) What is both is consumed: the output log may
 * be written over.
 *
 * It owns the access logs and reads the output logs of the present master, whom it trusts in
 * nothing: a record that fails output_record_check() ends that master (`is_rejecting`), and has
 * no other effect.
 *
 * Threads: the logger process's packet thread; counters may be read by any.
 */
#ifndef FTMB_OUTPUT_LOGGER_H
#define FTMB_OUTPUT_LOGGER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "host/pages.h"
#include "input_logger/input_logger.h"
#include "log/access_record.h"
#include "log/output_record.h"
#include "log/ring.h"
#include "output_logger/cut.h"

#define UNCOMMITTED_NS 5000000000ULL /* a record that depends on what never comes is garbage */
#define STANDBY_STALL_NS 500000000ULL
#define SEND_STUCK_NS 50000000ULL /* a port that takes nothing for so long loses the packet */

/*
 * When packets leave. Only the first keeps all promises and costs nothing that is felt; the others
 * are there to be compared with it.
 */
enum release_mode {
    RELEASE_PARALLEL,   /* output commit: as soon as the record is in the cut */
    RELEASE_NONE,       /* as soon as it is received, without output commit: a failover executes
                           again what is not in the cut, so packets leave twice, or differ */
    RELEASE_CHECKPOINT, /* as Remus does: when a snapshot that holds it is complete; no PALs, no
                           access log, no replay */
};

/* A record between being received and being released. */
struct pending_record {
    uint64_t start;              /* position in the output log */
    struct output_record header; /* the logger's own copy, checked */
    uint64_t input_sequence;     /* of the last input record it consumed */
    uint64_t sent;               /* bit i: slot i is out, or was never to go */
    struct record_outputs outputs;
    uint32_t out_count; /* of these, packets that a port has taken */
};

/* What is atomic here only the packet thread changes, by counter_set() and counter_add(): the
 * control thread looks at it. */
struct output_queue {
    struct ring ring;          /* of the present master; borrowed */
    uint64_t position;         /* received up to here */
    _Atomic uint64_t received; /* record numbers */
    _Atomic uint64_t released;
    uint64_t consumed;                 /* released and committed: the output log may be reused */
    uint64_t ring_records;             /* of the present master, consumed */
    uint64_t checkpoint;               /* of RELEASE_CHECKPOINT: the last record in a snapshot */
    _Atomic uint64_t input_sequence;   /* consumed by the records received */
    uint64_t vector[FTMB_WORKERS_MAX]; /* of the last record received */
    uint64_t vector_changed;           /* by which record */
    struct pending_record *pending;    /* by number, PENDING_RECORDS_MAX */
    uint64_t *changed;                 /* likewise: cut.h */
    uint64_t *vectors;                 /* likewise, `workers` entries each */
    struct ring access;
    _Atomic uint64_t access_position;
    _Atomic uint64_t access_retained;
    uint64_t access_number; /* of the last record that the standby has let go */
};

struct output_counters {
    _Atomic uint64_t records;
    _Atomic uint64_t rejected[RECORD_FAULTS];
    _Atomic uint64_t discarded; /* received and not in the cut when their master ended */
    /* Of these, packets that a port had taken, exactly: of RELEASE_NONE alone. Not among them: what
     * came back as an input, and frames that a stuck port was offered and did not take. */
    _Atomic uint64_t slots_out_again;
    _Atomic uint64_t slots_out;
    _Atomic uint64_t slots_dropped; /* by an element's decision */
    _Atomic uint64_t pals;
    _Atomic uint64_t dependencies;
    _Atomic uint64_t cut_lag_max;  /* records received and not committed, largest seen */
    _Atomic uint64_t access_waits; /* commits put off since the standby lags behind */
};

struct output_logger {
    struct output_queue queues[FTMB_WORKERS_MAX];
    struct cut_queue cut_queues[FTMB_WORKERS_MAX];
    uint64_t cut[FTMB_WORKERS_MAX];       /* greatest, by cut_advance */
    uint64_t committed[FTMB_WORKERS_MAX]; /* of it, what is in the access log */
    uint32_t workers;
    _Atomic uint32_t epoch; /* changed by the packet thread alone */
    bool is_logged;         /* records carry PALs and dependencies, and go to the access log */
    enum release_mode release;
    enum pal_mode pals;
    bool has_master;           /* rings of a master are attached */
    bool is_finishing;         /* an epoch ends: what is behind the cut does not leave any more */
    _Atomic bool is_rejecting; /* the present master wrote garbage; nothing more is read from it */
    _Atomic uint64_t first_output_ns; /* of this epoch; 0: none yet */
    struct input_logger *input;
    struct logger_page *page;
    const struct process_page *standby; /* NULL: logs are kept for nobody */
    /* The master itself, while it still replays what was committed before its epoch. */
    const struct process_page *successor;
    uint64_t successor_end[FTMB_WORKERS_MAX]; /* positions in the access logs */
    uint64_t uncommitted_since_ns;            /* 0: everything received is committed */
    uint64_t stuck_since_ns[FTMB_PORTS_MAX];  /* 0: the port took the last frame it was given */
    struct output_counters counters;
};

struct output_logger_settings {
    uint32_t workers;
    bool is_logged;
    enum release_mode release;
    enum pal_mode pals;
};

/* Takes over the access logs' rings; borrows the input logger and the page. 0 or -ENOMEM. */
int output_logger_init(struct output_logger *logger, const struct output_logger_settings *settings,
                       const struct ring *access_rings, struct input_logger *input,
                       struct logger_page *page);
void output_logger_release(struct output_logger *logger);

/* Receive, commit, release, free: one round. Returns how many records moved in any way. */
uint64_t output_logger_poll(struct output_logger *logger);

/* A process that is to be master: its place in the sequence, its output logs, its page. */
struct next_master {
    uint32_t epoch;
    const struct ring *rings;
    const struct process_page *page;
};

/*
 * The fence and the cut: takes the last whole records of the present master, computes the cut,
 * releases what is in it, throws the rest away, and from then on accepts only the next one's
 * records (borrowed until the next change; NULL: nobody is master for now). False: the standby
 * left no room for what was committed and was given up, so nobody is master now.
 */
bool output_logger_change_master(struct output_logger *logger, const struct next_master *next);
/* From now on logs are kept for this standby (NULL: for none). Borrows the page. */
void output_logger_set_standby(struct output_logger *logger, const struct process_page *standby);

/* A snapshot with all records up to these is complete; one for each worker. False, and nothing
 * changes: the master cannot have been there, or had been further. */
bool output_logger_checkpoint(struct output_logger *logger, const uint64_t *records);

/* With no master: the next one begins behind what was logged by now. */
void output_logger_discard_input(struct output_logger *logger);

#endif
