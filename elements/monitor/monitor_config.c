/* SPDX-License-Identifier: BSD-3-Clause */
/* The options of the monitor. */
#include <stdio.h>

#include "monitor.h"

#define TOP_MIN 16U

int monitor_check(const void *configuration, uint32_t workers, char *error, size_t error_size) {
    const struct monitor_config *config = configuration;
    (void)workers;
    if (config->top != 0 && config->top < TOP_MIN) {
        snprintf(error, error_size, "top is 0 (none) or at least %u", TOP_MIN);
        return -1;
    }
    return 0;
}

static int parse_prefix(void *configuration, const char *text, char *error, size_t error_size) {
    struct monitor_config *config = configuration;
    struct ip_prefix prefix;
    if (!ip_prefix_read(text, strlen(text), &prefix)) {
        snprintf(error, error_size,
                 "a prefix such as \"10.0.0.0/8\" or \"2001:db8::/32\" is needed (no bits beyond "
                 "its length)");
        return -1;
    }
    switch (prefix_map_add(&config->prefixes, &prefix)) {
    case PREFIX_MAP_FULL:
        snprintf(error, error_size, "at most %u prefixes", PREFIX_MAP_MAX);
        return -1;
    case PREFIX_MAP_TWICE:
        snprintf(error, error_size, "stands there twice");
        return -1;
    case PREFIX_MAP_FINE:
        break;
    }
    return 0;
}

#define AT(member) .offset = offsetof(struct monitor_config, member)

const struct ftmb_option monitor_options[] = {
    {.name = "first", .help = "one of the two ports", .type = FTMB_OPTION_PORT, AT(first)},
    {.name = "second", .help = "the other one", .type = FTMB_OPTION_PORT, AT(second)},
    {.name = "hosts_max",
     .help = "hosts that the table has room for",
     .type = FTMB_OPTION_UNSIGNED,
     AT(hosts_max),
     .minimum = 1024,
     .maximum = 1U << 26,
     .initial = "65536"},
    {.name = "destinations",
     .help = "count hosts, prefixes and top talkers as destinations too, not as sources alone",
     .type = FTMB_OPTION_BOOLEAN,
     AT(destinations),
     .initial = "false"},
    {.name = "prefixes",
     .help = "prefixes that are counted, each address in the longest that holds it",
     .type = FTMB_OPTION_LIST,
     .initial = "",
     .parse = parse_prefix},
    {.name = "top",
     .help =
         "entries of each worker's sketch of top talkers: no count is wrong by more than one in "
         "so many of all bytes; 0: no sketch",
     .type = FTMB_OPTION_UNSIGNED,
     AT(top),
     .minimum = 0,
     .maximum = 1U << 16,
     .initial = "0"},
    {.name = "sample_percent",
     .help = "how many in a hundred flows are counted",
     .type = FTMB_OPTION_UNSIGNED,
     AT(sample_percent),
     .minimum = 0,
     .maximum = 100,
     .initial = "100"},
    {.name = "stamp",
     .help = "write the running total over the last 8 bytes of each packet",
     .type = FTMB_OPTION_BOOLEAN,
     AT(stamp),
     .initial = "false"},
    {.name = NULL},
};
