/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Scanning, and what is remembered of a stream between two of its packets:
 *
 *     u16 count, count x u32 part (those found whose rules have other parts), Hyperscan's bytes
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ftmb_limits.h"
#include "ids/ids_engine.h"

#define HEAD_SIZE sizeof(uint16_t)
#define COMPRESSED_SLACK 256U /* what Hyperscan adds to a stream's size when nothing shrinks */

/* A library that fails here was called in a wrong way, or its memory is damaged. */
static void must(hs_error_t result, const char *what) {
    if (result != HS_SUCCESS) {
        fprintf(stderr, "ids: %s: Hyperscan's error %d\n", what, result);
        abort();
    }
}

/* ---- The workspace ---- */

static bool found_create(struct ids_found *found, uint32_t part_count) {
    found->bits = calloc(part_count / 64 + 1, sizeof(uint64_t));
    found->list = calloc(part_count + 1, sizeof(uint32_t));
    return found->bits != NULL && found->list != NULL;
}

static bool open_streams(struct ids_scanner *scanner) {
    const struct ids_engine *engine = scanner->engine;
    for (uint32_t index = 0; index < IDS_DATABASE_COUNT; index++) {
        if (engine->databases[index] == NULL) {
            continue;
        }
        if (hs_alloc_scratch(engine->databases[index], &scanner->scratch) != HS_SUCCESS) {
            return false;
        }
        if (index < IDS_STREAM_COUNT &&
            (hs_open_stream(engine->databases[index], 0, &scanner->streams[index]) != HS_SUCCESS ||
             hs_open_stream(engine->databases[index], 0, &scanner->lone[index]) != HS_SUCCESS)) {
            return false;
        }
    }
    return true;
}

int ids_scanner_create(const struct ids_rules *rules, const struct ids_engine *engine,
                       struct ids_scanner **created) {
    struct ids_scanner *scanner = calloc(1, sizeof(struct ids_scanner));
    if (scanner == NULL) {
        return -ENOMEM;
    }
    uint32_t parts_size = rules->part_count * (uint32_t)sizeof(uint32_t);
    scanner->rules = rules;
    scanner->engine = engine;
    scanner->candidate_words = rules->rule_count / 64 + 1;
    scanner->memory_max =
        (uint32_t)(HEAD_SIZE + parts_size + engine->stream_size_max + COMPRESSED_SLACK);
    scanner->candidates = calloc(scanner->candidate_words, sizeof(uint64_t));
    scanner->memory = malloc(scanner->memory_max);
    scanner->bytes = malloc(FTMB_FRAME_SIZE_MAX);
    scanner->kept = calloc(rules->part_count + 1, sizeof(uint32_t));
    bool is_whole = scanner->candidates != NULL && scanner->memory != NULL &&
                    scanner->bytes != NULL && scanner->kept != NULL &&
                    found_create(&scanner->stream, rules->part_count) &&
                    found_create(&scanner->packet, rules->part_count) && open_streams(scanner);
    if (!is_whole) {
        ids_scanner_free(scanner);
        return -ENOMEM;
    }
    scanner->candidate_first = scanner->candidate_words;
    *created = scanner;
    return 0;
}

void ids_scanner_free(struct ids_scanner *scanner) {
    if (scanner == NULL) {
        return;
    }
    for (uint32_t index = 0; index < IDS_STREAM_COUNT; index++) {
        if (scanner->streams[index] != NULL) {
            hs_close_stream(scanner->streams[index], NULL, NULL, NULL);
        }
        if (scanner->lone[index] != NULL) {
            hs_close_stream(scanner->lone[index], NULL, NULL, NULL);
        }
    }
    hs_free_scratch(scanner->scratch);
    free(scanner->stream.bits);
    free(scanner->stream.list);
    free(scanner->packet.bits);
    free(scanner->packet.list);
    free(scanner->candidates);
    free(scanner->memory);
    free(scanner->bytes);
    free(scanner->kept);
    free(scanner);
}

/* ---- What was found ---- */

static void found_clear(struct ids_found *found) {
    for (uint32_t index = 0; index < found->count; index++) {
        ids_forget(found, found->list[index]);
    }
    found->count = 0;
}

/* What is forgotten is not found again before the list is cleared, so each part is in it once. */
static void found_add(struct ids_found *found, uint32_t part) {
    if (!ids_is_found(found, part)) {
        found->bits[part / 64] |= 1ULL << (part % 64);
        found->list[found->count++] = part;
    }
}

void ids_scanner_begin(struct ids_scanner *scanner) {
    found_clear(&scanner->stream);
    found_clear(&scanner->packet);
    for (uint32_t word = scanner->candidate_first; word <= scanner->candidate_last; word++) {
        scanner->candidates[word] = 0;
    }
    scanner->candidate_first = scanner->candidate_words;
    scanner->candidate_last = 0;
}

void ids_scanner_ask(struct ids_scanner *scanner, uint32_t rank) {
    uint32_t word = rank / 64;
    scanner->candidates[word] |= 1ULL << (rank % 64);
    scanner->candidate_first = word < scanner->candidate_first ? word : scanner->candidate_first;
    scanner->candidate_last = word > scanner->candidate_last ? word : scanner->candidate_last;
}

static int on_match(unsigned number, unsigned long long from, unsigned long long to, unsigned flags,
                    void *context) {
    struct ids_scanner *scanner = context;
    const struct ids_part *part = &scanner->rules->parts[number];
    (void)from;
    (void)to;
    (void)flags;
    if (part->is_anchored && scanner->is_resumed) {
        return 0;
    }
    found_add(scanner->found, number);
    if (!part->is_negated) {
        ids_scanner_ask(scanner, scanner->engine->ranks[part->rule]);
    }
    return 0;
}

/* ---- Streams ---- */

void ids_stream_load(struct ids_scanner *scanner, enum ids_database database, const uint8_t *memory,
                     uint32_t size) {
    hs_stream_t *stream = scanner->streams[database];
    if (stream == NULL) {
        return;
    }
    must(hs_reset_and_copy_stream(stream, scanner->engine->fresh[database], NULL, NULL, NULL),
         "copying a stream");
    found_clear(&scanner->stream);
    if (size == 0) {
        return;
    }
    uint16_t count;
    memcpy(&count, memory, sizeof(count));
    memory += HEAD_SIZE;
    for (uint32_t index = 0; index < count; index++) {
        uint32_t part;
        memcpy(&part, memory + index * sizeof(part), sizeof(part));
        found_add(&scanner->stream, part);
    }
    size_t before = HEAD_SIZE + count * sizeof(uint32_t);
    must(hs_reset_and_expand_stream(stream, (const char *)memory + count * sizeof(uint32_t),
                                    size - before, NULL, NULL, NULL),
         "expanding a stream");
}

void ids_stream_scan(struct ids_scanner *scanner, enum ids_database database, const uint8_t *bytes,
                     uint32_t length, bool is_resumed) {
    if (scanner->streams[database] == NULL || length == 0) {
        return;
    }
    scanner->is_resumed = is_resumed;
    scanner->found = &scanner->stream;
    must(hs_scan_stream(scanner->streams[database], (const char *)bytes, length, 0,
                        scanner->scratch, on_match, scanner),
         "scanning a stream");
}

void ids_stream_end(struct ids_scanner *scanner, enum ids_database database, bool is_resumed) {
    if (scanner->streams[database] == NULL) {
        return;
    }
    scanner->is_resumed = is_resumed;
    scanner->found = &scanner->stream;
    must(hs_reset_stream(scanner->streams[database], 0, scanner->scratch, on_match, scanner),
         "ending a stream");
}

static int compare_parts(const void *one, const void *other) {
    uint32_t a = *(const uint32_t *)one;
    uint32_t b = *(const uint32_t *)other;
    return a < b ? -1 : a > b;
}

uint32_t ids_stream_pack(struct ids_scanner *scanner, enum ids_database database) {
    const struct ids_part *parts = scanner->rules->parts;
    if (scanner->streams[database] == NULL) {
        return 0;
    }
    uint32_t *kept = scanner->kept;
    uint16_t count = 0;
    for (uint32_t index = 0; index < scanner->stream.count; index++) {
        uint32_t part = scanner->stream.list[index];
        if (parts[part].is_kept && ids_is_found(&scanner->stream, part) && count < UINT16_MAX) {
            kept[count++] = part;
        }
    }
    if (count > 1) {
        qsort(kept, count, sizeof(uint32_t), compare_parts);
    }
    memcpy(scanner->memory, &count, sizeof(count));
    memcpy(scanner->memory + HEAD_SIZE, kept, count * sizeof(uint32_t));
    uint32_t before = (uint32_t)(HEAD_SIZE + count * sizeof(uint32_t));
    size_t used = 0;
    must(hs_compress_stream(scanner->streams[database], (char *)scanner->memory + before,
                            scanner->memory_max - before, &used),
         "compressing a stream");
    return before + (uint32_t)used;
}

/* ---- Packets ---- */

void ids_packet_scan(struct ids_scanner *scanner, enum ids_database database, const uint8_t *bytes,
                     uint32_t length) {
    if (scanner->engine->databases[database] == NULL || length == 0) {
        return;
    }
    scanner->is_resumed = false;
    scanner->found = &scanner->packet;
    must(hs_scan(scanner->engine->databases[database], (const char *)bytes, length, 0,
                 scanner->scratch, on_match, scanner),
         "scanning a packet");
}

void ids_packet_scan_alone(struct ids_scanner *scanner, enum ids_database database,
                           const uint8_t *bytes, uint32_t length) {
    hs_stream_t *stream = scanner->lone[database];
    if (stream == NULL || length == 0) {
        return;
    }
    scanner->is_resumed = false;
    scanner->found = &scanner->packet;
    must(
        hs_scan_stream(stream, (const char *)bytes, length, 0, scanner->scratch, on_match, scanner),
        "scanning a packet");
    must(hs_reset_stream(stream, 0, scanner->scratch, on_match, scanner), "ending a packet");
}
