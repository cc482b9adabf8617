/* SPDX-License-Identifier: BSD-3-Clause */
/* The options of the NAT: their table, and what is checked that a table cannot say. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "arena/hash_table.h"
#include "ftmb_packet.h"
#include "nat_config.h"

#define DAYS_30 2592000U
#define INDEX_SEED 0x3c6ef372fe94f82bULL

/* Reads a decimal number up to `maximum`; moves *text past it. */
static bool read_number(const char **text, uint32_t maximum, uint32_t *value) {
    const char *at = *text;
    uint32_t number = 0;
    for (; *at >= '0' && *at <= '9' && at - *text < 6; ++at) {
        number = number * 10 + (uint32_t)(*at - '0');
    }
    if (at == *text || number > maximum) {
        return false;
    }
    *text = at;
    *value = number;
    return true;
}

static bool read_character(const char **text, char character) {
    if (**text != character) {
        return false;
    }
    ++*text;
    return true;
}

static bool read_address(const char **text, uint32_t *address) {
    uint32_t value = 0;
    for (int i = 0; i < 4; ++i) {
        uint32_t part;
        if ((i != 0 && !read_character(text, '.')) || !read_number(text, 255, &part)) {
            return false;
        }
        value = value << 8 | part;
    }
    *address = value;
    return true;
}

static bool is_usable(uint32_t address) {
    return address >> 24 != 0 && address >> 24 != 127 && address >> 24 < 224;
}

static int parse_inside_address(void *config, const char *text, char *error, size_t error_size) {
    uint32_t address = 0;
    const char *at = text;
    if (*text != '\0' && (!read_address(&at, &address) || *at != '\0' || !is_usable(address))) {
        snprintf(error, error_size, "\"%s\" is not an IPv4 address such as \"10.0.0.1\"", text);
        return -1;
    }
    ((struct nat_config *)config)->inside_address = address;
    return 0;
}

static int parse_external(void *config_pointer, const char *text, char *error, size_t error_size) {
    struct nat_config *config = config_pointer;
    uint32_t first;
    uint32_t bits = 32;
    const char *at = text;
    if (!read_address(&at, &first) ||
        (*at != '\0' && (!read_character(&at, '/') || !read_number(&at, 32, &bits))) ||
        *at != '\0' || bits < 20 || (first & ~(0xffffffffULL << (32 - bits))) != 0 ||
        !is_usable(first)) {
        snprintf(error, error_size,
                 "\"%s\" is not an address such as \"203.0.113.1\" or a prefix such as "
                 "\"203.0.113.0/28\" (/20 to /32, no bits beyond it)",
                 text);
        return -1;
    }
    uint32_t count = 1U << (32 - bits);
    if (config->prefix_count == NAT_PREFIXES_MAX ||
        config->external_count + count > NAT_EXTERNAL_MAX) {
        snprintf(error, error_size, "at most %u prefixes and %u external addresses",
                 NAT_PREFIXES_MAX, NAT_EXTERNAL_MAX);
        return -1;
    }
    for (uint32_t i = 0; i < config->prefix_count; ++i) {
        const struct nat_prefix *other = &config->prefixes[i];
        if (first - other->first < other->count || other->first - first < count) {
            snprintf(error, error_size, "\"%s\" overlaps another external address", text);
            return -1;
        }
    }
    if (config->prefix_count == 0 || first < config->external_lowest) {
        config->external_lowest = first;
    }
    if (first + (count - 1) > config->external_highest) {
        config->external_highest = first + (count - 1);
    }
    config->prefixes[config->prefix_count++] =
        (struct nat_prefix){.first = first, .count = count, .index = config->external_count};
    config->external_count += count;
    return 0;
}

uint32_t nat_external_address(const struct nat_config *config, uint32_t index) {
    uint32_t i = 0;
    while (index - config->prefixes[i].index >= config->prefixes[i].count) {
        ++i;
    }
    return config->prefixes[i].first + (index - config->prefixes[i].index);
}

static uint32_t static_slot(uint64_t outside) {
    return hash_table_reduce(hash_table_hash(outside, 0, INDEX_SEED), NAT_STATIC_SLOTS);
}

const struct nat_static *nat_static_find(const struct nat_config *config, uint64_t outside) {
    if (config->static_count == 0) {
        return NULL;
    }
    uint32_t slot = static_slot(outside);
    for (; config->static_index[slot] != 0; slot = (slot + 1) % NAT_STATIC_SLOTS) {
        const struct nat_static *fixed = &config->statics[config->static_index[slot] - 1];
        if (fixed->outside == outside) {
            return fixed;
        }
    }
    return NULL;
}

/* "tcp 203.0.113.1:80 -> 10.0.0.5:8080" */
static bool read_static(const char *text, struct nat_static *fixed) {
    uint8_t protocol = strncmp(text, "tcp ", 4) == 0   ? FTMB_PROTOCOL_TCP
                       : strncmp(text, "udp ", 4) == 0 ? FTMB_PROTOCOL_UDP
                                                       : 0;
    uint32_t address[2];
    uint32_t port[2];
    const char *at = text + 4;
    if (protocol == 0 || !read_address(&at, &address[0]) || !read_character(&at, ':') ||
        !read_number(&at, 65535, &port[0]) || strncmp(at, " -> ", 4) != 0) {
        return false;
    }
    at += 4;
    if (!read_address(&at, &address[1]) || !read_character(&at, ':') ||
        !read_number(&at, 65535, &port[1]) || *at != '\0') {
        return false;
    }
    fixed->outside = nat_endpoint(address[0], (uint16_t)port[0], protocol);
    fixed->inside = nat_endpoint(address[1], (uint16_t)port[1], protocol);
    return port[0] != 0 && port[1] != 0 && is_usable(address[0]) && is_usable(address[1]);
}

static int parse_static(void *config_pointer, const char *text, char *error, size_t error_size) {
    struct nat_config *config = config_pointer;
    struct nat_static fixed;
    if (!read_static(text, &fixed)) {
        snprintf(error, error_size,
                 "\"%s\" is not like \"tcp 203.0.113.1:80 -> 10.0.0.5:8080\" (tcp or udp)", text);
        return -1;
    }
    if (config->static_count == NAT_STATIC_MAX) {
        snprintf(error, error_size, "at most %u static mappings", NAT_STATIC_MAX);
        return -1;
    }
    for (uint32_t i = 0; i < config->static_count; ++i) {
        if (config->statics[i].inside == fixed.inside ||
            config->statics[i].outside == fixed.outside) {
            snprintf(error, error_size, "\"%s\" has an endpoint that another mapping has", text);
            return -1;
        }
    }
    uint32_t slot = static_slot(fixed.outside);
    while (config->static_index[slot] != 0) {
        slot = (slot + 1) % NAT_STATIC_SLOTS;
    }
    config->statics[config->static_count++] = fixed;
    config->static_index[slot] = (uint16_t)config->static_count;
    return 0;
}

int nat_check(const void *config_pointer, uint32_t workers, char *error, size_t error_size) {
    const struct nat_config *config = config_pointer;
    const char *message = NULL;
    if (config->inside == config->outside) {
        message = "inside and outside are the same port";
    } else if (config->external_count == 0) {
        message = "external has no address";
    } else if (config->port_first > config->port_last) {
        message = "port_first is above port_last";
    } else if (nat_ports_per_worker(config, workers) == 0) {
        message = "port_first to port_last has fewer ports than there are workers";
    } else if (nat_external_index(config, config->inside_address) != NAT_NONE) {
        message = "inside_address is an external address";
    }
    for (uint32_t i = 0; message == NULL && i < config->static_count; ++i) {
        if (nat_external_index(config, nat_address(config->statics[i].outside)) == NAT_NONE) {
            message = "a static mapping's external address is not one of external";
        } else if (nat_external_index(config, nat_address(config->statics[i].inside)) != NAT_NONE) {
            message = "a static mapping's inside address is an external one";
        }
    }
    if (message != NULL) {
        snprintf(error, error_size, "%s", message);
    }
    return message == NULL ? 0 : -1;
}

static const char *const filtering_choices[] = {
    [NAT_FILTER_ENDPOINT_INDEPENDENT] = "endpoint-independent",
    [NAT_FILTER_ADDRESS_DEPENDENT] = "address-dependent",
    [NAT_FILTER_ADDRESS_AND_PORT_DEPENDENT] = "address-and-port-dependent",
    NULL,
};

#define AT(member) .offset = offsetof(struct nat_config, member)
#define SECONDS .type = FTMB_OPTION_SECONDS, .minimum = 1, .maximum = DAYS_30

const struct ftmb_option nat_options[] = {
    {.name = "inside", .help = "port of the inside network", .type = FTMB_OPTION_PORT, AT(inside)},
    {.name = "outside",
     .help = "port of the outside network",
     .type = FTMB_OPTION_PORT,
     AT(outside)},
    {.name = "external",
     .help = "external addresses and prefixes, such as \"203.0.113.0/28\"",
     .type = FTMB_OPTION_LIST,
     .parse = parse_external},
    {.name = "static",
     .help = "mappings such as \"tcp 203.0.113.1:80 -> 10.0.0.5:8080\"",
     .type = FTMB_OPTION_LIST,
     .initial = "[]",
     .parse = parse_static},
    {.name = "inside_address",
     .help = "the NAT's own address inside: ping, ICMP time exceeded",
     .type = FTMB_OPTION_TEXT,
     .initial = "\"\"",
     .parse = parse_inside_address},
    {.name = "filtering",
     .help = "what a mapping lets in from outside (RFC 4787, RFC 5382)",
     .type = FTMB_OPTION_CHOICE,
     AT(filtering),
     .initial = "\"address-dependent\"",
     .choices = filtering_choices},
    {.name = "sessions_max",
     .help = "sessions of each worker, 128 bytes of memory for one",
     .type = FTMB_OPTION_UNSIGNED,
     AT(sessions_max),
     .minimum = 16,
     .maximum = 16777216,
     .initial = "65536"},
    {.name = "port_first",
     .help = "lowest external port and ICMP identifier given out",
     .type = FTMB_OPTION_UNSIGNED,
     AT(port_first),
     .minimum = 1,
     .maximum = 65535,
     .initial = "1024"},
    {.name = "port_last",
     .help = "highest external port and ICMP identifier given out",
     .type = FTMB_OPTION_UNSIGNED,
     AT(port_last),
     .minimum = 1,
     .maximum = 65535,
     .initial = "65535"},
    {.name = "udp_timeout",
     .help = "seconds of silence that end a UDP session",
     SECONDS,
     AT(udp_ns),
     .initial = "300"},
    {.name = "icmp_timeout",
     .help = "seconds of silence that end an ICMP query session",
     SECONDS,
     AT(icmp_ns),
     .initial = "60"},
    {.name = "tcp_established_timeout",
     .help = "seconds of silence that end an open TCP connection",
     SECONDS,
     AT(tcp_established_ns),
     .initial = "7440"},
    {.name = "tcp_transitory_timeout",
     .help = "seconds of silence that end a TCP connection half open "
             "or closed",
     SECONDS,
     AT(tcp_transitory_ns),
     .initial = "240"},
    {.name = "inbound_refresh",
     .help = "packets from outside keep UDP and ICMP sessions alive",
     .type = FTMB_OPTION_BOOLEAN,
     AT(inbound_refresh),
     .initial = "false"},
    {.name = "check_checksum",
     .help = "drop what has a wrong IP header checksum",
     .type = FTMB_OPTION_BOOLEAN,
     AT(check_checksum),
     .initial = "true"},
    {.name = "icmp_errors_max",
     .help = "ICMP errors that a worker makes in a second, at most",
     .type = FTMB_OPTION_UNSIGNED,
     AT(icmp_errors_max),
     .minimum = 0,
     .maximum = 1000000,
     .initial = "100"},
    {.name = NULL},
};
