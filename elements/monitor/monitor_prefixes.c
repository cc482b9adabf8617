/* SPDX-License-Identifier: BSD-3-Clause */
/* The configured prefixes: what each worker counts of them, in the order of the configuration. */
#include "monitor.h"

void monitor_prefixes_init(const struct monitor_config *config, struct monitor_state *state) {
    struct monitor_prefix *prefixes = monitor_at(state, state->prefixes);
    for (uint32_t index = 0; index < state->prefix_count; index++) {
        prefixes[index].address = config->prefixes.prefixes[index].address;
        prefixes[index].bits = config->prefixes.prefixes[index].bits;
    }
}

void monitor_count_prefixes(const struct monitor_config *config, struct monitor_state *state,
                            const struct monitor_burst *burst) {
    struct monitor_prefix *prefixes = monitor_at(state, state->prefixes);
    for (uint32_t index = 0; index < burst->entry_count; index++) {
        const struct monitor_entry *entry = &burst->entries[index];
        uint32_t found = prefix_map_find(&config->prefixes, entry->address);
        if (found != PREFIX_MAP_NONE) {
            prefixes[found].counts[entry->role].packets++;
            prefixes[found].counts[entry->role].bytes += entry->bytes;
        }
    }
}
