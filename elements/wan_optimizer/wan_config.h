/* SPDX-License-Identifier: BSD-3-Clause */
/* The WAN optimizer's configuration: filled from the options, checked once, then constant. */
#ifndef WAN_CONFIG_H
#define WAN_CONFIG_H

#include "ftmb_element.h"

/* In the order of the option's choices. */
enum wan_role {
    WAN_BOTH,
    WAN_ENCODER, /* what goes to the WAN is encoded; nothing encoded comes back */
    WAN_DECODER, /* the other end of such a one */
};

struct wan_config {
    uint8_t lan, wan; /* ports */
    uint8_t reserved[2];
    uint32_t role; /* enum wan_role */
    uint32_t cache_kib;
    uint32_t payload_min; /* bytes */
    uint32_t settle_ms;
    uint32_t padding;
    uint64_t key[2];
};

extern const struct ftmb_option wan_options[];
int wan_check(const void *config, uint32_t workers, char *error, size_t error_size);

static inline bool wan_encodes(const struct wan_config *config) {
    return config->role != WAN_DECODER;
}

static inline bool wan_decodes(const struct wan_config *config) {
    return config->role != WAN_ENCODER;
}

#endif
