/* SPDX-License-Identifier: BSD-3-Clause */
/* The memory of rules. */
#include "ids/ids_rules.h"

#include <stdlib.h>
#include <string.h>

#include "ids/ids_engine.h"

#define ROOM_FIRST 64U

void *ids_grow(void **array, uint32_t *count, uint32_t *room, size_t size, uint32_t more) {
    if (*room - *count < more) {
        uint64_t wanted = *room == 0 ? ROOM_FIRST : *room * 2ULL;
        while (wanted - *count < more) {
            wanted *= 2;
        }
        void *grown = wanted > UINT32_MAX / 2 ? NULL : realloc(*array, wanted * size);
        if (grown == NULL) {
            return NULL;
        }
        *array = grown;
        *room = (uint32_t)wanted;
    }
    uint8_t *place = (uint8_t *)*array + (size_t)*count * size;
    memset(place, 0, (size_t)more * size);
    *count += more;
    return place;
}

void ids_rules_free(struct ids_rules *rules) {
    if (rules == NULL) {
        return;
    }
    ids_engine_free(rules->engine);
    free(rules->rules);
    free(rules->parts);
    free(rules->prefixes);
    free(rules->ranges);
    free(rules->texts);
    free(rules->flowbits);
    free(rules);
}
