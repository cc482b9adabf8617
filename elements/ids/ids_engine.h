/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hyperscan: the databases compiled from all parts, and scanning with them.
 *
 * The databases belong to the process (the configuration holds them); ids_scanner is a worker's
 * workspace, made by init_scratch. Neither is state: what is known of a stream is a short text of
 * bytes (a *memory*: Hyperscan's compressed state and the numbers of the parts found) that the
 * caller keeps in the arena between packets. It holds no pointer, so it means the same in every
 * process, and it depends on the stream's bytes alone: the stream that it is expanded into is
 * first made a copy of one that was never used.
 */
#ifndef IDS_ENGINE_H
#define IDS_ENGINE_H

#include <hs/hs.h>

#include "ids/ids_rules.h"

enum ids_database {
    IDS_TO_SERVER, /* TCP's streams */
    IDS_TO_CLIENT,
    IDS_TCP_PACKET, /* payloads of packets, from here on */
    IDS_UDP,
    IDS_ICMP,
    IDS_OTHER,
    IDS_DATABASE_COUNT,
};
#define IDS_STREAM_COUNT 2U /* the first two are for streams */

struct ids_engine {
    hs_database_t *databases[IDS_DATABASE_COUNT]; /* NULL: nothing to look for */
    hs_stream_t *fresh[IDS_STREAM_COUNT];
    size_t stream_size_max;
    uint32_t *order; /* the rules' numbers in the order of asking */
    uint32_t *ranks; /* of each rule, its place in `order` */
    /* Ranks of rules that are asked for every packet, as nothing in them is to be found. */
    struct ids_always {
        uint32_t *ranks;
        uint32_t count;
    } always[IDS_DATABASE_COUNT - IDS_STREAM_COUNT];
    uint32_t *first; /* ranks of those asked for the first packet each way of a flow */
    uint32_t first_count;
};

/* Which parts were found, as bits and as a list of those set. */
struct ids_found {
    uint64_t *bits;
    uint32_t *list;
    uint32_t count;
};

struct ids_scanner {
    const struct ids_rules *rules;
    const struct ids_engine *engine;
    hs_scratch_t *scratch;
    hs_stream_t *streams[IDS_STREAM_COUNT]; /* what was loaded */
    hs_stream_t *lone[IDS_STREAM_COUNT];    /* for payloads that are in no stream */
    struct ids_found stream, packet;        /* of the packet at hand, and of its stream so far */
    uint64_t *candidates;                   /* bits by rank: rules to ask about this packet */
    uint32_t candidate_words;
    uint32_t candidate_first, candidate_last; /* words that may have bits; first > last: none */
    uint8_t *memory;                          /* of memory_max bytes, to pack into */
    uint32_t memory_max;
    uint32_t *kept;          /* parts to pack */
    uint8_t *bytes;          /* FTMB_FRAME_SIZE_MAX, for a segment put together */
    bool is_resumed;         /* what is being scanned has lost its beginning */
    struct ids_found *found; /* where matches are noted */
};

/* The databases, compiled if this process has not yet: 0, or -errno with a message on stderr. */
int ids_engine_get(struct ids_rules *rules, const struct ids_engine **engine);
void ids_engine_free(struct ids_engine *engine);

/* 0 or -ENOMEM. */
int ids_scanner_create(const struct ids_rules *rules, const struct ids_engine *engine,
                       struct ids_scanner **scanner);
void ids_scanner_free(struct ids_scanner *scanner);

/* Forgets what was found for the packet before. */
void ids_scanner_begin(struct ids_scanner *scanner);
void ids_scanner_ask(struct ids_scanner *scanner, uint32_t rank);

/* ---- Streams: a memory is loaded, scanned on, and packed again ---- */

/* `size` 0: a stream that begins. */
void ids_stream_load(struct ids_scanner *scanner, enum ids_database database, const uint8_t *memory,
                     uint32_t size);
void ids_stream_scan(struct ids_scanner *scanner, enum ids_database database, const uint8_t *bytes,
                     uint32_t length, bool is_resumed);
/* The stream ends here: what is bound to its end is found. */
void ids_stream_end(struct ids_scanner *scanner, enum ids_database database, bool is_resumed);
/* Into scanner->memory; bytes written. */
uint32_t ids_stream_pack(struct ids_scanner *scanner, enum ids_database database);

/* ---- Packets ---- */

void ids_packet_scan(struct ids_scanner *scanner, enum ids_database database, const uint8_t *bytes,
                     uint32_t length);
/* A payload that is in no stream, as if it were a whole one. */
void ids_packet_scan_alone(struct ids_scanner *scanner, enum ids_database database,
                           const uint8_t *bytes, uint32_t length);

static inline bool ids_is_found(const struct ids_found *found, uint32_t part) {
    return (found->bits[part / 64] >> (part % 64) & 1) != 0;
}
/* After its rule matched, a part is to be found anew. */
static inline void ids_forget(struct ids_found *found, uint32_t part) {
    found->bits[part / 64] &= ~(1ULL << (part % 64));
}

#endif
