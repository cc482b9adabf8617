/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The load balancer's configuration: filled from the options, checked once, then constant; and the
 * line of text that names a backend, the same in the configuration and in commands.
 *
 * Addresses of both versions are 16 bytes in network order, IPv4 ones as ::ffff:a.b.c.d. A real
 * IPv6 packet with such an address is dropped, so the two never meet.
 */
#ifndef BALANCER_CONFIG_H
#define BALANCER_CONFIG_H

#include <string.h>

#include "ftmb_element.h"

#define BALANCER_SERVICES_MAX 64U
#define BALANCER_BACKENDS_MAX 512U /* that the configuration can name; commands add more */
#define BALANCER_PER_SERVICE_MAX 1000U
#define BALANCER_WEIGHT_MAX 256U
#define BALANCER_NONE 0xffffU
#define BALANCER_ETHERNET_SIZE 6U

enum balancer_algorithm {
    BALANCER_MAGLEV,            /* by a consistent hash of the connection */
    BALANCER_LEAST_CONNECTIONS, /* by counters that all workers share */
};

enum balancer_forwarding {
    BALANCER_REWRITE, /* the destination becomes the backend, answers come back through here */
    BALANCER_DIRECT,  /* the destination Ethernet address alone; backends answer by themselves */
};

struct balancer_address {
    uint8_t bytes[16];
};

static inline bool balancer_is_same(const struct balancer_address *one,
                                    const struct balancer_address *other) {
    return memcmp(one, other, sizeof(*one)) == 0;
}

static inline bool balancer_is_ipv4(const struct balancer_address *address) {
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(address->bytes, mapped, sizeof(mapped)) == 0;
}

struct balancer_endpoint {
    struct balancer_address address;
    uint16_t port;
    uint8_t protocol; /* FTMB_PROTOCOL_TCP or _UDP */
    uint8_t padding;
};

/* A backend as a line of text names it. */
struct balancer_line {
    struct balancer_endpoint backend;
    uint16_t service; /* index */
    uint8_t has_ethernet;
    uint8_t ethernet[BALANCER_ETHERNET_SIZE];
    uint8_t has_weight;
    uint32_t weight; /* 1 if it names none */
};

struct balancer_config {
    uint8_t clients, servers; /* ports */
    uint8_t passes_neighbours;
    uint32_t algorithm;  /* enum balancer_algorithm */
    uint32_t forwarding; /* enum balancer_forwarding */
    uint32_t connections_max, backends_max, table_size;
    uint64_t udp_ns, tcp_transitory_ns, tcp_established_ns, tcp_closing_ns;
    uint32_t service_count, backend_count;
    struct balancer_endpoint services[BALANCER_SERVICES_MAX];
    struct balancer_line backends[BALANCER_BACKENDS_MAX];
};

extern const struct ftmb_option balancer_options[];
int balancer_check(const void *config, uint32_t workers, char *error, size_t error_size);

/* ---- Texts (balancer_text.c): 0, or -1 with a message that says what is allowed ---- */

/* "tcp 198.51.100.10:80": the options' `parse`. */
int balancer_parse_service(void *config, const char *text, char *error, size_t error_size);
int balancer_parse_backend(void *config, const char *text, char *error, size_t error_size);
/* "[tcp|udp] 198.51.100.10:80 -> 10.0.0.1:8080 [weight 2] [mac 02:00:00:00:00:01]". */
int balancer_read_line(const struct balancer_config *config, const char *text,
                       struct balancer_line *line, char *error, size_t error_size);

/* ---- Commands: the first word, then a line ---- */

enum balancer_command {
    BALANCER_ADD,    /* new connections go there; of one that is known, weight and address change */
    BALANCER_DRAIN,  /* no new ones, and those that are go on */
    BALANCER_REMOVE, /* those that are end */
};
extern const struct ftmb_command balancer_commands[];
int balancer_check_command(const void *config, const char *text, char *error, size_t error_size);
/* The command and its line; 0 or -1. */
int balancer_read_command(const struct balancer_config *config, const char *text,
                          enum balancer_command *command, struct balancer_line *line, char *error,
                          size_t error_size);

#endif
