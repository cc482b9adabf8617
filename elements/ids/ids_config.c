/* SPDX-License-Identifier: BSD-3-Clause */
/* The options: their table, and what is checked that a table cannot say. */
#include "ids/ids_config.h"

#include <stddef.h>
#include <stdio.h>

#define DAY_SECONDS 86400U

int ids_check(const void *config_pointer, uint32_t workers, char *error, size_t error_size) {
    const struct ids_config *config = config_pointer;
    const char *message = NULL;
    (void)workers;
    if (config->inside == config->outside) {
        message = "inside and outside are the same port";
    } else if (config->alerts == config->inside || config->alerts == config->outside) {
        message = "alerts is the port inside or outside; it must be one of its own, such as a "
                  "journal";
    } else if (config->rules == NULL || config->rules->rule_count == 0) {
        message = "rules is empty, so nothing would be looked for";
    }
    if (message != NULL) {
        snprintf(error, error_size, "%s", message);
    }
    return message == NULL ? 0 : -1;
}

void ids_release_config(void *config_pointer) {
    struct ids_config *config = config_pointer;
    ids_rules_free(config->rules);
    config->rules = NULL;
}

static const char *const fragment_choices[] = {
    [IDS_FRAGMENTS_DROP] = "drop", [IDS_FRAGMENTS_PASS] = "pass", NULL};

#define AT(member) .offset = offsetof(struct ids_config, member)
#define NUMBER .type = FTMB_OPTION_UNSIGNED
#define SECONDS .type = FTMB_OPTION_SECONDS, .minimum = 1, .maximum = DAY_SECONDS

const struct ftmb_option ids_options[] = {
    {.name = "inside", .help = "port of one side", .type = FTMB_OPTION_PORT, AT(inside)},
    {.name = "outside", .help = "port of the other", .type = FTMB_OPTION_PORT, AT(outside)},
    {.name = "alerts",
     .help = "journal for alerts, one line of EVE JSON each",
     .type = FTMB_OPTION_JOURNAL,
     AT(alerts)},
    {.name = "rules",
     .help = "what is looked for, in the canonical form that RULES.md tells",
     .type = FTMB_OPTION_LIST,
     .parse = ids_parse_rule},
    {.name = "flows_max",
     .help = "flows of each worker, 202 bytes of memory for one, streams aside",
     NUMBER,
     AT(flows_max),
     .minimum = 16,
     .maximum = 16777216,
     .initial = "65536"},
    {.name = "blocks_max",
     .help = "blocks of 128 bytes of each worker, for what is known of streams and for segments "
             "that came early",
     NUMBER,
     AT(blocks_max),
     .minimum = 16,
     .maximum = 67108864,
     .initial = "524288"},
    {.name = "thresholds_max",
     .help = "hosts and pairs of hosts that thresholds count, of all workers together",
     NUMBER,
     AT(thresholds_max),
     .minimum = 1024,
     .maximum = 16777216,
     .initial = "65536"},
    {.name = "alerts_max",
     .help = "alerts of each worker that may wait for their turn to leave",
     NUMBER,
     AT(alerts_max),
     .minimum = 16,
     .maximum = 1048576,
     .initial = "4096"},
    {.name = "stream_depth",
     .help = "bytes of each direction of a TCP connection that are looked at; 0: all",
     NUMBER,
     AT(stream_depth),
     .maximum = 4294967295,
     .initial = "1048576"},
    {.name = "reorder_max",
     .help = "bytes that a segment may be ahead of what is missing, to wait for it",
     NUMBER,
     AT(reorder_max),
     .minimum = 0,
     .maximum = 1048576,
     .initial = "262144"},
    {.name = "pick_up",
     .help = "follow TCP connections whose beginning was not seen",
     .type = FTMB_OPTION_BOOLEAN,
     AT(picks_up),
     .initial = "false"},
    {.name = "fragments",
     .help = "what happens to fragments of IP datagrams, which are not looked into",
     .type = FTMB_OPTION_CHOICE,
     AT(fragments),
     .initial = "\"drop\"",
     .choices = fragment_choices},
    {.name = "check_checksum",
     .help = "drop packets with a wrong IPv4, TCP, UDP or ICMP checksum, which no host takes",
     .type = FTMB_OPTION_BOOLEAN,
     AT(check_checksum),
     .initial = "true"},
    {.name = "tcp_new_timeout",
     .help = "seconds of silence that end a TCP connection half open",
     SECONDS,
     AT(tcp_new_ns),
     .initial = "60"},
    {.name = "tcp_established_timeout",
     .help = "seconds of silence that end an open one",
     SECONDS,
     AT(tcp_established_ns),
     .initial = "600"},
    {.name = "tcp_closed_timeout",
     .help = "seconds of silence that end one after both FINs or a reset",
     SECONDS,
     AT(tcp_closed_ns),
     .initial = "10"},
    {.name = "other_new_timeout",
     .help = "seconds of silence that end a flow of another protocol without an answer",
     SECONDS,
     AT(other_new_ns),
     .initial = "30"},
    {.name = "other_established_timeout",
     .help = "the same of one with an answer",
     SECONDS,
     AT(other_established_ns),
     .initial = "300"},
    {.name = NULL},
};
