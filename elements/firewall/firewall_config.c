/* SPDX-License-Identifier: BSD-3-Clause */
/* The options of the firewall: their table, and what is checked that a table cannot say. */
#include "firewall_config.h"

#include <stddef.h>
#include <stdio.h>

#define DAYS_30 2592000U

int firewall_check(const void *config_pointer, uint32_t workers, char *error, size_t error_size) {
    const struct firewall_config *config = config_pointer;
    const char *message = NULL;
    (void)workers;
    if (config->trusted == config->untrusted) {
        message = "trusted and untrusted are the same port";
    } else if (config->rule_count == 0) {
        message = "rules is empty, so nothing would pass; \"allow any\" lets out what the trusted "
                  "side begins";
    } else if (config->pending_max > config->flows_max) {
        message = "pending_max is more than flows_max";
    }
    if (message != NULL) {
        snprintf(error, error_size, "%s", message);
    }
    return message == NULL ? 0 : -1;
}

const char *const firewall_policies[] = {
    [FIREWALL_INITIATED] = "initiated",
    [FIREWALL_ANSWERED] = "answered",
    [FIREWALL_TIMED] = "timed",
    NULL,
};

#define AT(member) .offset = offsetof(struct firewall_config, member)
#define SECONDS .type = FTMB_OPTION_SECONDS, .minimum = 1, .maximum = DAYS_30

const struct ftmb_option firewall_options[] = {
    {.name = "trusted",
     .help = "port of the trusted network",
     .type = FTMB_OPTION_PORT,
     AT(trusted)},
    {.name = "untrusted", .help = "port of the other one", .type = FTMB_OPTION_PORT, AT(untrusted)},
    {.name = "rules",
     .help = "who may begin what, the first match decides: "
             "\"allow tcp 10.0.0.0/8 -> any port 80,443\"; no match: dropped",
     .type = FTMB_OPTION_LIST,
     .parse = firewall_parse_rule},
    {.name = "policy",
     .help = "how long a flow's packets pass: once begun (initiated), more surely once the other "
             "side answered (answered), until silence (timed)",
     .type = FTMB_OPTION_CHOICE,
     AT(policy),
     .initial = "\"timed\"",
     .choices = firewall_policies},
    {.name = "flows_max",
     .help = "flows of each worker, 75 bytes of memory for one",
     .type = FTMB_OPTION_UNSIGNED,
     AT(flows_max),
     .minimum = 16,
     .maximum = 16777216,
     .initial = "65536"},
    {.name = "pending_max",
     .help = "of these, how many may be without an answer; the oldest makes room for a new one",
     .type = FTMB_OPTION_UNSIGNED,
     AT(pending_max),
     .minimum = 1,
     .maximum = 16777216,
     .initial = "16384"},
    {.name = "pending_timeout",
     .help = "seconds of silence that end a flow without an answer",
     SECONDS,
     AT(pending_ns),
     .initial = "240"},
    {.name = "udp_timeout",
     .help = "seconds of silence that end a UDP flow",
     SECONDS,
     AT(udp_ns),
     .initial = "300"},
    {.name = "icmp_timeout",
     .help = "seconds of silence that end an ICMP query",
     SECONDS,
     AT(icmp_ns),
     .initial = "60"},
    {.name = "other_timeout",
     .help = "seconds of silence that end a flow of another protocol",
     SECONDS,
     AT(other_ns),
     .initial = "600"},
    {.name = "tcp_transitory_timeout",
     .help = "seconds of silence that end a TCP connection half open",
     SECONDS,
     AT(tcp_transitory_ns),
     .initial = "240"},
    {.name = "tcp_established_timeout",
     .help = "seconds of silence that end an open TCP connection",
     SECONDS,
     AT(tcp_established_ns),
     .initial = "7440"},
    {.name = "tcp_closing_timeout",
     .help = "seconds of silence that end a TCP connection after a FIN or a reset",
     SECONDS,
     AT(tcp_closing_ns),
     .initial = "240"},
    {.name = "neighbours",
     .help = "ARP, IPv6 neighbour and multicast listener discovery pass, as between ports of a "
             "bridge",
     .type = FTMB_OPTION_BOOLEAN,
     AT(passes_neighbours),
     .initial = "true"},
    {.name = "check_checksum",
     .help = "drop what has a wrong IPv4 header checksum, or quotes one",
     .type = FTMB_OPTION_BOOLEAN,
     AT(check_checksum),
     .initial = "true"},
    {.name = NULL},
};
