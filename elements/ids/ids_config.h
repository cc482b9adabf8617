/* SPDX-License-Identifier: BSD-3-Clause */
/* The configuration: numbers from the TOML, and the rules. */
#ifndef IDS_CONFIG_H
#define IDS_CONFIG_H

#include "ftmb_element.h"
#include "ids/ids_rules.h"

enum ids_fragments { IDS_FRAGMENTS_DROP, IDS_FRAGMENTS_PASS };

struct ids_config {
    struct ids_rules *rules; /* owned; NULL before the first */
    uint64_t tcp_new_ns, tcp_established_ns, tcp_closed_ns;
    uint64_t other_new_ns, other_established_ns;
    uint32_t flows_max, blocks_max, thresholds_max, alerts_max;
    uint32_t stream_depth, reorder_max;
    uint32_t fragments;              /* enum ids_fragments */
    uint8_t inside, outside, alerts; /* ports */
    uint8_t picks_up;                /* TCP connections whose beginning was not seen */
    uint8_t check_checksum;
};

extern const struct ftmb_option ids_options[];
int ids_check(const void *config, uint32_t workers, char *error, size_t error_size);
void ids_release_config(void *config);

#endif
