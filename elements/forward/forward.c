/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Forward: what comes in by one port leaves by the other, untouched. The smallest element there
 * can be, and the measure of what the runtime itself costs.
 */
#include "ftmb_element.h"

struct forward_config {
    uint8_t first, second; /* ports */
};

enum forward_drop { FORWARD_DROP_OTHER_PORT };

static const char *const forward_drops[] = {"other_port", NULL};

static const struct ftmb_option forward_options[] = {
    {.name = "first",
     .help = "one of the two ports",
     .type = FTMB_OPTION_PORT,
     .offset = offsetof(struct forward_config, first)},
    {.name = "second",
     .help = "the other one",
     .type = FTMB_OPTION_PORT,
     .offset = offsetof(struct forward_config, second)},
    {.name = NULL},
};

static void forward_process(struct ftmb_context *context, struct ftmb_packet **packets,
                            uint32_t count) {
    const struct forward_config *config = context->config;
    for (uint32_t index = 0; index < count; index++) {
        struct ftmb_packet *packet = packets[index];
        if (packet->port_in == config->first) {
            packet->port_out = config->second;
        } else if (packet->port_in == config->second) {
            packet->port_out = config->first;
        } else {
            ftmb_drop(context, packet, FORWARD_DROP_OTHER_PORT);
        }
    }
}

const struct ftmb_element_class forward_class = {
    .name = "forward",
    .help = "sends what comes in by one port out of the other, untouched",
    .state_version = 1,
    .config_size = sizeof(struct forward_config),
    .options = forward_options,
    .drop_reasons = forward_drops,
    .steering = FTMB_STEERING_ANY,
    .process = forward_process,
};
