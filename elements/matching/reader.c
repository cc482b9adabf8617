/* SPDX-License-Identifier: BSD-3-Clause */
#include "matching/reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SHOWN_MAX 60 /* characters of a word in a message */

struct reader reader_begin(const char *text, char *error, size_t error_size) {
    struct reader reader = {.at = text, .error = error, .error_size = error_size};
    reader_next(&reader);
    return reader;
}

void reader_next(struct reader *reader) {
    reader->at += strspn(reader->at, " \t");
    reader->word = reader->at;
    reader->length = strcspn(reader->at, " \t");
    reader->at += reader->length;
}

bool reader_is(const struct reader *reader, const char *word) {
    return reader->length == strlen(word) && memcmp(reader->word, word, reader->length) == 0;
}

bool reader_skip(struct reader *reader, const char *word) {
    if (!reader_is(reader, word)) {
        return false;
    }
    reader_next(reader);
    return true;
}

bool reader_refuse(struct reader *reader, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reader->error, reader->error_size, format, arguments);
    va_end(arguments);
    return false;
}

bool reader_refuse_word(struct reader *reader, const char *wanted) {
    if (reader->length == 0) {
        return reader_refuse(reader, "ends where %s is needed", wanted);
    }
    int shown = reader->length < SHOWN_MAX ? (int)reader->length : SHOWN_MAX;
    return reader_refuse(reader, "found \"%.*s\" where %s is needed", shown, reader->word, wanted);
}

bool reader_number(const char **at, const char *end, uint32_t maximum, uint32_t *value) {
    const char *start = *at;
    uint64_t number = 0;
    for (; *at < end && **at >= '0' && **at <= '9' && *at - start < 10; ++*at) {
        number = number * 10 + (uint32_t)(**at - '0');
    }
    *value = (uint32_t)number;
    return *at != start && number <= maximum;
}
