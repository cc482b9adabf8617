/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Prints Maglev's table for the backends on standard input, as 16-bit numbers: maglev_table SIZE.
 * A line is "name HEX WEIGHT" or "order OFFSET SKIP WEIGHT"; the lines are numbered from 0.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load_balancer/balancer_maglev.h"

#define BACKENDS_MAX 4096U
#define NAME_MAX_SIZE 64U

static size_t read_hex(const char *text, uint8_t *bytes) {
    size_t size = 0;
    unsigned value;
    while (size < NAME_MAX_SIZE && sscanf(text + size * 2, "%2x", &value) == 1) {
        bytes[size++] = (uint8_t)value;
    }
    return size;
}

int main(int count, char **arguments) {
    static struct maglev_backend backends[BACKENDS_MAX];
    uint32_t table_size = count == 2 ? (uint32_t)strtoul(arguments[1], NULL, 10) : 0;
    uint16_t *table = calloc(table_size, sizeof(*table));
    char text[256], hex[2 * NAME_MAX_SIZE + 1];
    uint32_t found = 0, offset, skip, weight;
    if (table_size < 3 || table == NULL) {
        return EXIT_FAILURE;
    }
    for (; found < BACKENDS_MAX && fgets(text, sizeof(text), stdin) != NULL; ++found) {
        uint8_t name[NAME_MAX_SIZE];
        if (sscanf(text, "order %u %u %u", &offset, &skip, &weight) == 3) {
            backends[found] = (struct maglev_backend){
                .offset = offset, .skip = skip, .weight = weight, .entry = (uint16_t)found};
        } else if (sscanf(text, "name %128s %u", hex, &weight) == 2) {
            backends[found] =
                maglev_backend(name, read_hex(hex, name), table_size, weight, (uint16_t)found);
        } else {
            return EXIT_FAILURE;
        }
    }
    maglev_fill(table, table_size, backends, found);
    fwrite(table, sizeof(*table), table_size, stdout);
    free(table);
    return EXIT_SUCCESS;
}
