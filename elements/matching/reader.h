/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading an option's or a command's text word by word, with messages that say what is needed.
 *
 * Words are separated by spaces and tabs. A reader borrows the text and the place for its message;
 * one thread.
 */
#ifndef MATCHING_READER_H
#define MATCHING_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reader {
    const char *at;   /* behind the word */
    const char *word; /* borrowed from the text */
    size_t length;    /* of the word; 0 at the end */
    char *error;
    size_t error_size;
};

/* At the text's first word. */
struct reader reader_begin(const char *text, char *error, size_t error_size);
void reader_next(struct reader *reader);
bool reader_is(const struct reader *reader, const char *word);
/* Moves past this word; false, and not moved, if it is another. */
bool reader_skip(struct reader *reader, const char *word);

/* Writes the message; always false. */
bool reader_refuse(struct reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* 'found "x" where WANTED is needed', or that the text ends there; always false. */
bool reader_refuse_word(struct reader *reader, const char *wanted);

/* A decimal number up to `maximum` at *at, before `end`; moves *at past its digits. */
bool reader_number(const char **at, const char *end, uint32_t maximum, uint32_t *value);

#endif
