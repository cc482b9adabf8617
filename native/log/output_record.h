/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An output record: what a worker appends to its output log for one burst.
 *
 *     struct output_record | slot, slot, ... | PALs | (vectors of packets) | dependencies
 *
 * A slot is the buffer in which the elements rewrite a packet, and from which the output logger
 * sends it. Dependencies are what changed in the worker's vector D, which holds one number for each
 * worker: the highest record of that worker which this one depends on. A record that took over
 * nothing has none, however many workers there are. With PAL_EVERY_ACCESS there is a whole vector
 * for each slot too.
 *
 * Written by a worker of the master; the output logger takes nothing in it on trust and goes
 * through output_record_check() first.
 */
#ifndef FTMB_OUTPUT_RECORD_H
#define FTMB_OUTPUT_RECORD_H

#include <stdint.h>

#include "ftmb_element.h"
#include "log/ring.h"

#define RECORD_SLOTS_MAX (2U * FTMB_BURST_MAX) /* the burst's own and as many emitted ones */

/* How accesses to shared state are logged. The second is FTMB as it was published, for comparison:
 * a PAL for each access, and a vector for each packet. */
enum pal_mode { PAL_HAND_OVERS, PAL_EVERY_ACCESS };

/*
 * A packet access log entry: this worker took over a shared variable. Accesses by the owner are
 * not logged. The ownership epoch is needed beside owner and count, since these come round again.
 */
struct pal {
    uint32_t access;          /* which access to shared state of this record, from 0 */
    uint32_t variable;        /* the variable's number */
    uint64_t ownership_epoch; /* of the new owner */
    uint64_t previous_count;  /* accesses by the previous owner in its epoch */
    uint32_t previous_owner;  /* PAL_OWNER_NONE: never owned */
    uint32_t reserved;
};
#define PAL_OWNER_NONE 0xffffffffU
_Static_assert(sizeof(struct pal) == 32, "fixed width");

struct output_slot {
    uint16_t length; /* bytes that follow */
    uint8_t port;    /* index, FTMB_PORT_AGAIN | index, or FTMB_PORT_NONE: dropped */
    uint8_t reserved;
    uint32_t stride;  /* bytes to the next slot; an element may have shortened the frame */
    uint64_t time_ns; /* of the input it comes from */
};
_Static_assert(sizeof(struct output_slot) == 16, "fixed width; keeps the bytes aligned");

/* This record, and all later ones of its worker, depend on another worker's. */
struct dependency {
    uint64_t record; /* its number */
    uint32_t worker; /* another than the record's own; ascending in a record */
    uint32_t reserved;
};
_Static_assert(sizeof(struct dependency) == 16, "fixed width");

struct output_record {
    uint32_t size;        /* bytes, all included */
    uint32_t epoch;       /* of the master that wrote it */
    uint64_t number;      /* in this worker's sequence, from 1, going on across epochs */
    uint32_t input_count; /* input records consumed, 1 .. FTMB_BURST_MAX */
    uint32_t slot_count;
    uint32_t pal_count;
    uint32_t pals_offset;  /* bytes from the start of the record */
    uint32_t vector_count; /* entries, see output_record_vector_count() */
    uint32_t dependency_count;
};
_Static_assert(sizeof(struct output_record) == 40, "fixed width");

#define OUTPUT_SLOT_SIZE_MAX (sizeof(struct output_slot) + FTMB_FRAME_SIZE_MAX)
#define OUTPUT_RECORD_HEADER_SIZE 48U /* keeps the slots aligned */
#define OUTPUT_RECORD_SIZE_MAX                                                                     \
    (OUTPUT_RECORD_HEADER_SIZE + RECORD_SLOTS_MAX * OUTPUT_SLOT_SIZE_MAX +                         \
     RECORD_PALS_MAX * sizeof(struct pal) +                                                        \
     RECORD_SLOTS_MAX * FTMB_WORKERS_MAX * sizeof(uint64_t) +                                      \
     FTMB_WORKERS_MAX * sizeof(struct dependency))

static inline uint64_t output_slot_size(uint16_t length) {
    return ring_align(sizeof(struct output_slot) + length);
}

/* Of a record that is logged: the entries of its packets' vectors, all together. */
static inline uint32_t output_record_vector_count(uint32_t workers, uint32_t slot_count,
                                                  enum pal_mode pals) {
    return pals == PAL_EVERY_ACCESS ? workers * slot_count : 0;
}

/* Why a record was not accepted. */
enum record_fault {
    RECORD_FINE = 0,
    RECORD_BAD_SIZE, /* beyond what was published, or not what its parts add up to */
    RECORD_BAD_EPOCH,
    RECORD_BAD_NUMBER, /* not the next one */
    RECORD_BAD_INPUT,  /* consumes more than a burst, or more than was logged */
    RECORD_BAD_SLOT,   /* a length or port that cannot be */
    RECORD_BAD_PAL,
    RECORD_BAD_VECTOR, /* depends on what cannot be */
    RECORD_FAULTS
};

/* What the reader expects of the next record. */
struct record_expectation {
    uint64_t available; /* bytes published behind its start */
    uint64_t number;
    uint64_t input_available; /* records logged and not consumed yet */
    const uint64_t *vector;   /* of the record before, `workers` entries: for PAL_EVERY_ACCESS */
    uint32_t epoch;
    uint32_t worker; /* whose record it is */
    uint32_t workers;
    uint32_t ports;
    bool is_logged; /* carries PALs and dependencies */
    enum pal_mode pals;
};

/* The packets of a record that leave, as they were when it was checked. */
struct record_outputs {
    uint64_t digest; /* of a record that is logged: what the standby will compare its own with */
    uint32_t count;
};

/*
 * Checks a record in memory that its writer may be changing. `header` is the reader's own copy
 * of it, made first (ring_copy); its dependencies are copied to `dependencies` (room for `workers`
 * of them). The caller uses these copies from then on; slots are bounded anew whenever one is read
 * (release.c). The digest is taken in the same walk over the slots, so that a master that changes
 * the record later cannot make the standby look wrong. Of a record that is not RECORD_FINE
 * `*outputs` means nothing.
 */
enum record_fault output_record_check(const struct output_record *header, const uint8_t *start,
                                      const struct record_expectation *expected,
                                      struct dependency *dependencies,
                                      struct record_outputs *outputs);

#endif
