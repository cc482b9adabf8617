/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the bad elements have in common: frames go from one port to the other, and the last 8 bytes
 * of each become a number that the element should not have had, so that the outside could see it.
 */
#ifndef BAD_H
#define BAD_H

#include <string.h>

#include "ftmb_simple.h"

struct config {
    uint8_t first, second;
    uint64_t count; /* nobody's to write */
};

static const struct ftmb_option options[] = {
    FTMB_PORT_OPTION(struct config, first, "one of the two ports"),
    FTMB_PORT_OPTION(struct config, second, "the other one"),
    {.name = NULL},
};

static inline void stamp(struct ftmb_context *context, struct ftmb_packet *packet,
                         uint64_t number) {
    const struct config *config = context->config;
    packet->port_out = packet->port_in == config->first ? config->second : config->first;
    memcpy(packet->data + packet->length - sizeof(number), &number, sizeof(number));
}

#define BAD_ELEMENT(...)                                                                           \
    static const struct ftmb_element_class bad_class = {.name = "bad",                             \
                                                        .help = "breaks the contract",             \
                                                        .config_size = sizeof(struct config),      \
                                                        .options = options,                        \
                                                        .process = process,                        \
                                                        __VA_ARGS__};                              \
    FTMB_EXPORT_ELEMENT(bad_class)

#endif
