/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Limits in words, as options and commands have them:
 *
 *     limits    = { ( "upload" | "download" ) rate [ "burst" bytes ] }
 *     rate      = number [ "k" | "M" | "G" ] | "unlimited"        in bit/s
 *     bytes     = number [ "k" | "M" | "G" ]
 */
#include "limiter.h"

#define RATE_MIN 1000ULL /* bit/s */
#define RATE_MAX 1000000000000ULL
#define BURST_DEFAULT_MIN 32768ULL
#define RATE_TO_DEFAULT_BURST 80U /* bytes that come in 100 ms */

/* A number with a decimal unit; false if the word is none. */
static bool read_amount(const struct reader *reader, uint64_t *amount) {
    static const struct {
        char unit;
        uint64_t factor;
    } units[] = {{'k', 1000}, {'M', 1000000}, {'G', 1000000000}};
    const char *at = reader->word;
    const char *end = at + reader->length;
    uint32_t number;
    if (!reader_number(&at, end, UINT32_MAX, &number)) {
        return false;
    }
    *amount = number;
    for (uint32_t i = 0; i < sizeof(units) / sizeof(units[0]) && at + 1 == end; ++i) {
        if (*at == units[i].unit) {
            *amount = number * units[i].factor;
            return true;
        }
    }
    return at == end;
}

static bool read_rate(struct reader *reader, struct limiter_limit *limit) {
    if (reader_skip(reader, "unlimited")) {
        *limit = (struct limiter_limit){0};
        return true;
    }
    if (!read_amount(reader, &limit->rate) || limit->rate < RATE_MIN || limit->rate > RATE_MAX) {
        return reader_refuse_word(reader, "a rate in bit/s such as \"100M\" (1k to 1000G) or "
                                          "\"unlimited\"");
    }
    reader_next(reader);
    uint64_t burst = limit->rate / RATE_TO_DEFAULT_BURST;
    burst = burst > LIMITER_BURST_MAX ? LIMITER_BURST_MAX : burst;
    limit->burst = burst < BURST_DEFAULT_MIN ? BURST_DEFAULT_MIN : burst;
    if (!reader_skip(reader, "burst")) {
        return true;
    }
    if (!read_amount(reader, &limit->burst) || limit->burst > LIMITER_BURST_MAX) {
        return reader_refuse_word(reader, "a burst in bytes such as \"64k\" (1073741824 at most)");
    }
    reader_next(reader);
    return true;
}

bool limiter_read_limits(struct reader *reader, struct limiter_limit *limits) {
    bool is_named[LIMITER_DIRECTIONS] = {false};
    do {
        bool is_upload = reader_is(reader, "upload");
        uint32_t direction = is_upload ? LIMITER_UPLOAD : LIMITER_DOWNLOAD;
        if ((!is_upload && !reader_is(reader, "download")) || is_named[direction]) {
            return reader_refuse_word(reader, "\"upload RATE\" or \"download RATE\", each once,");
        }
        is_named[direction] = true;
        reader_next(reader);
        if (!read_rate(reader, &limits[direction])) {
            return false;
        }
    } while (reader->length != 0);
    return true;
}

uint32_t limiter_kept(const struct limiter_config *config, uint32_t class) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < class; ++i) {
        kept += config->classes[i].keeps;
    }
    return kept;
}

bool limiter_limit_fits(const struct limiter_config *config, const struct limiter_limit *limit,
                        struct reader *reader) {
    uint32_t last = config->class_count == 0 ? 0 : config->class_count - 1;
    uint64_t left = limit->burst * (100 - limiter_kept(config, last)) / 100;
    if (limit->rate == 0 || left >= FTMB_FRAME_SIZE_MAX + config->overhead) {
        return true;
    }
    return reader_refuse(reader,
                         "of a burst of %llu bytes, %llu are left for the last class: fewer than "
                         "the largest frame has (%u)",
                         (unsigned long long)limit->burst, (unsigned long long)left,
                         FTMB_FRAME_SIZE_MAX + config->overhead);
}
