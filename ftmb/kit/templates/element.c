/* SPDX-License-Identifier: BSD-3-Clause */
/* sample: lets frames of at most `bytes_max` bytes through; all workers count them together. */
#include "ftmb_simple.h"

struct config {
    uint8_t first, second; /* ports */
    uint32_t bytes_max;
};
static const struct ftmb_option options[] = {
    FTMB_PORT_OPTION(struct config, first, "one of the two ports"),
    FTMB_PORT_OPTION(struct config, second, "the other one"),
    FTMB_UNSIGNED_OPTION(struct config, bytes_max, "longest frame let through", 60, 2048, "1514"),
    {.name = NULL},
};

enum { DROP_TOO_LONG };
static const char *const drop_reasons[] = {"too_long", NULL};

struct totals { /* shared: touched between acquire and release only */
    uint64_t packets, bytes;
};
FTMB_INIT_GUARDED(init_shared, struct totals)

static const struct ftmb_field total_fields[] = {
    FTMB_NUMBER_FIELD(struct totals, packets, "that went through"),
    FTMB_NUMBER_FIELD(struct totals, bytes, "of them, whole frames"),
    {.name = NULL},
};
static const struct ftmb_table tables[] = {
    FTMB_ONE_ROW_TABLE(struct totals, "totals", "what went through", total_fields),
    {.name = NULL},
};

static void process(struct ftmb_context *context, struct ftmb_packet **packets, uint32_t count) {
    const struct config *config = context->config;
    struct totals *totals = context->shared;
    ftmb_shared_acquire(context, ftmb_guard_of(totals)); /* once for the whole burst */
    for (uint32_t index = 0; index < count; index++) {
        struct ftmb_packet *packet = packets[index];
        if (packet->length > config->bytes_max) {
            ftmb_drop(context, packet, DROP_TOO_LONG);
            continue;
        }
        packet->port_out = packet->port_in == config->first ? config->second : config->first;
        totals->packets++;
        totals->bytes += packet->length;
    }
    ftmb_shared_release(context, ftmb_guard_of(totals));
}

const struct ftmb_element_class sample_class = {
    .name = "sample",
    .help = "lets frames of a bounded length through, and counts them",
    .config_size = sizeof(struct config),
    .options = options,
    .drop_reasons = drop_reasons,
    .tables = tables,
    .init_shared = init_shared,
    .process = process,
};
