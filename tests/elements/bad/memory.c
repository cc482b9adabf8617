/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory from elsewhere while the box runs: it may fail in one process, and is no state. */
#include <stdlib.h>

#include "bad.h"

static void process(struct ftmb_context *context, struct ftmb_packet **packets, uint32_t count) {
    uint64_t *numbers = malloc(count * sizeof(*numbers));
    for (uint32_t index = 0; index < count && numbers != NULL; index++) {
        numbers[index] = index;
        stamp(context, packets[index], numbers[index]);
    }
    free(numbers);
}

BAD_ELEMENT();
