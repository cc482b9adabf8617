/* SPDX-License-Identifier: BSD-3-Clause */
/* The options of the load balancer: their table, and what is checked that a table cannot say. */
#include "balancer_config.h"

#include <stddef.h>
#include <stdio.h>

#define DAYS_30 2592000U

static bool is_prime(uint32_t number) {
    for (uint32_t divisor = 2; (uint64_t)divisor * divisor <= number; ++divisor) {
        if (number % divisor == 0) {
            return false;
        }
    }
    return number > 1;
}

/* Whether a service has more backends than it has places. */
static bool is_crowded(const struct balancer_config *config) {
    uint32_t counts[BALANCER_SERVICES_MAX] = {0};
    bool found = false;
    for (uint32_t i = 0; i < config->backend_count; ++i) {
        found = found || ++counts[config->backends[i].service] > config->backends_max;
    }
    return found;
}

int balancer_check(const void *config_pointer, uint32_t workers, char *error, size_t error_size) {
    const struct balancer_config *config = config_pointer;
    const char *message = NULL;
    (void)workers;
    if (config->clients == config->servers) {
        message = "clients and servers are the same port";
    } else if (config->service_count == 0) {
        message = "services is empty; \"tcp 198.51.100.10:80\" is one";
    } else if (!is_prime(config->table_size)) {
        message = "table_size is not a prime; 65537 and 655373 are, and the smallest ones above "
                  "100 backends a service are 10007 and above 10 are 1009";
    } else if (config->table_size <= config->backends_max) {
        message = "table_size is not more than backends_max, so that some would have no place";
    } else if (is_crowded(config)) {
        message = "a service has more backends than backends_max";
    }
    if (message != NULL) {
        snprintf(error, error_size, "%s", message);
    }
    return message == NULL ? 0 : -1;
}

static const char *const algorithm_choices[] = {
    [BALANCER_MAGLEV] = "maglev",
    [BALANCER_LEAST_CONNECTIONS] = "least_connections",
    NULL,
};
static const char *const forwarding_choices[] = {
    [BALANCER_REWRITE] = "rewrite",
    [BALANCER_DIRECT] = "direct",
    NULL,
};

#define AT(member) .offset = offsetof(struct balancer_config, member)
#define SECONDS .type = FTMB_OPTION_SECONDS, .minimum = 1, .maximum = DAYS_30

/* Services before backends, which name them, and behind what decides how both are read. */
const struct ftmb_option balancer_options[] = {
    {.name = "clients", .help = "port of those who ask", .type = FTMB_OPTION_PORT, AT(clients)},
    {.name = "servers", .help = "port of the backends", .type = FTMB_OPTION_PORT, AT(servers)},
    {.name = "algorithm",
     .help = "where a new connection goes: by a consistent hash (maglev), or to the backend with "
             "the fewest for its weight (least_connections)",
     .type = FTMB_OPTION_CHOICE,
     AT(algorithm),
     .initial = "\"maglev\"",
     .choices = algorithm_choices},
    {.name = "forwarding",
     .help = "the destination becomes the backend's address (rewrite), or its Ethernet address "
             "alone, and it answers by itself (direct)",
     .type = FTMB_OPTION_CHOICE,
     AT(forwarding),
     .initial = "\"rewrite\"",
     .choices = forwarding_choices},
    {.name = "services",
     .help = "virtual addresses that clients ask for: \"tcp 198.51.100.10:80\"",
     .type = FTMB_OPTION_LIST,
     .parse = balancer_parse_service},
    {.name = "backends",
     .help = "who answers for them: \"198.51.100.10:80 -> 10.0.0.1:8080 weight 2\"",
     .type = FTMB_OPTION_LIST,
     .parse = balancer_parse_backend,
     .initial = ""},
    {.name = "backends_max",
     .help = "backends of each service, with those that commands add",
     .type = FTMB_OPTION_UNSIGNED,
     AT(backends_max),
     .minimum = 1,
     .maximum = BALANCER_PER_SERVICE_MAX,
     .initial = "64"},
    {.name = "table_size",
     .help = "entries of each service's Maglev table, a prime; more than 100 for each backend keep "
             "them within 1%",
     .type = FTMB_OPTION_UNSIGNED,
     AT(table_size),
     .minimum = 3,
     .maximum = 1000003,
     .initial = "65537"},
    {.name = "connections_max",
     .help = "connections of each worker, 75 bytes of memory for one",
     .type = FTMB_OPTION_UNSIGNED,
     AT(connections_max),
     .minimum = 16,
     .maximum = 16777216,
     .initial = "65536"},
    {.name = "udp_timeout",
     .help = "seconds of silence that end a UDP flow",
     SECONDS,
     AT(udp_ns),
     .initial = "300"},
    {.name = "tcp_transitory_timeout",
     .help = "seconds of silence that end a TCP connection half open",
     SECONDS,
     AT(tcp_transitory_ns),
     .initial = "60"},
    {.name = "tcp_established_timeout",
     .help = "seconds of silence that end an open TCP connection",
     SECONDS,
     AT(tcp_established_ns),
     .initial = "7440"},
    {.name = "tcp_closing_timeout",
     .help = "seconds of silence that end a TCP connection after a FIN or a reset",
     SECONDS,
     AT(tcp_closing_ns),
     .initial = "60"},
    {.name = "neighbours",
     .help = "ARP and IPv6 neighbour discovery pass, as between ports of a bridge",
     .type = FTMB_OPTION_BOOLEAN,
     AT(passes_neighbours),
     .initial = "true"},
    {.name = NULL},
};
