/* SPDX-License-Identifier: BSD-3-Clause */
/* Services and backends as people write them, in the configuration and in commands. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "balancer_config.h"
#include "ftmb_packet.h"

#define SHOWN_MAX 40

/* A text, word by word. */
struct reader {
    const char *at;
    const char *word;
    size_t length; /* of the word; 0 at the end */
    char *error;
    size_t error_size;
};

static bool refuse(struct reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool refuse(struct reader *reader, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reader->error, reader->error_size, format, arguments);
    va_end(arguments);
    return false;
}

static bool refuse_word(struct reader *reader, const char *wanted) {
    if (reader->length == 0) {
        return refuse(reader, "ends where %s is needed", wanted);
    }
    int shown = reader->length < SHOWN_MAX ? (int)reader->length : SHOWN_MAX;
    return refuse(reader, "found \"%.*s\" where %s is needed", shown, reader->word, wanted);
}

static void next_word(struct reader *reader) {
    reader->at += strspn(reader->at, " \t");
    reader->word = reader->at;
    reader->length = strcspn(reader->at, " \t");
    reader->at += reader->length;
}

static bool skip_word(struct reader *reader, const char *word) {
    bool is_it = reader->length == strlen(word) && memcmp(reader->word, word, reader->length) == 0;
    if (is_it) {
        next_word(reader);
    }
    return is_it;
}

/* A decimal number that is all of `text`. */
static bool read_number(const char *text, size_t length, uint32_t maximum, uint32_t *value) {
    uint32_t number = 0;
    for (size_t i = 0; i < length; ++i) {
        if (text[i] < '0' || text[i] > '9' || i == 6) {
            return false;
        }
        number = number * 10 + (uint32_t)(text[i] - '0');
    }
    *value = number;
    return length > 0 && number >= 1 && number <= maximum;
}

/* What no service and no backend can be: this network, loopback, groups. */
static bool is_of_a_host(const struct balancer_address *address) {
    const uint8_t *bytes = address->bytes;
    static const struct balancer_address loopback6 = {.bytes = {[15] = 1}};
    static const struct balancer_address none6 = {.bytes = {0}};
    if (balancer_is_ipv4(address)) {
        return bytes[12] != 0 && bytes[12] != 127 && bytes[12] < 224;
    }
    return bytes[0] != 0xff && !balancer_is_same(address, &loopback6) &&
           !balancer_is_same(address, &none6);
}

/* "198.51.100.10:80" or "[2001:db8::10]:80"; the protocol stays as it is. */
static bool read_endpoint(struct reader *reader, struct balancer_endpoint *endpoint) {
    char text[INET6_ADDRSTRLEN + 2];
    uint32_t port;
    bool is_ipv6 = reader->length > 0 && reader->word[0] == '[';
    const char *end = reader->word + reader->length;
    const char *colon = end;
    while (colon > reader->word && *--colon != ':') {
    }
    size_t length = (size_t)(colon - reader->word);
    bool is_right = length > 2 && length < sizeof(text) &&
                    read_number(colon + 1, (size_t)(end - colon - 1), 65535, &port) &&
                    (!is_ipv6 || colon[-1] == ']');
    if (is_right) {
        size_t brackets = is_ipv6 ? 1 : 0;
        memcpy(text, reader->word + brackets, length - 2 * brackets);
        text[length - 2 * brackets] = '\0';
        endpoint->address = (struct balancer_address){.bytes = {[10] = 0xff, [11] = 0xff}};
        uint8_t *bytes = endpoint->address.bytes;
        is_right = inet_pton(is_ipv6 ? AF_INET6 : AF_INET, text, is_ipv6 ? bytes : bytes + 12) == 1;
    }
    if (!is_right || (is_ipv6 && balancer_is_ipv4(&endpoint->address)) ||
        !is_of_a_host(&endpoint->address)) {
        return refuse_word(reader, "an address of a host and a port, such as "
                                   "\"198.51.100.10:80\" or \"[2001:db8::10]:80\",");
    }
    endpoint->port = (uint16_t)port;
    next_word(reader);
    return true;
}

static uint8_t skip_protocol(struct reader *reader) {
    return skip_word(reader, "tcp")   ? FTMB_PROTOCOL_TCP
           : skip_word(reader, "udp") ? FTMB_PROTOCOL_UDP
                                      : 0;
}

static bool read_ethernet(struct reader *reader, uint8_t *ethernet) {
    bool is_right = reader->length == 17;
    for (uint32_t i = 0; i < BALANCER_ETHERNET_SIZE && is_right; ++i) {
        const char *at = reader->word + (size_t)i * 3;
        is_right = isxdigit((unsigned char)at[0]) && isxdigit((unsigned char)at[1]) &&
                   (i + 1 == BALANCER_ETHERNET_SIZE || at[2] == ':');
        if (is_right) {
            ethernet[i] = (uint8_t)strtoul((char[]){at[0], at[1], '\0'}, NULL, 16);
        }
    }
    if (!is_right || (ethernet[0] & 1U) != 0) {
        return refuse_word(reader, "an Ethernet address of one host, such as "
                                   "\"02:00:00:00:00:01\",");
    }
    next_word(reader);
    return true;
}

static bool is_same_endpoint(const struct balancer_endpoint *one,
                             const struct balancer_endpoint *other) {
    return one->port == other->port && one->protocol == other->protocol &&
           balancer_is_same(&one->address, &other->address);
}

/* The one service with this address, port and, unless it is 0, protocol. */
static bool find_service(struct reader *reader, const struct balancer_config *config,
                         const struct balancer_endpoint *wanted, uint16_t *service) {
    uint32_t found = 0;
    for (uint32_t i = 0; i < config->service_count; ++i) {
        struct balancer_endpoint endpoint = *wanted;
        endpoint.protocol = wanted->protocol == 0 ? config->services[i].protocol : wanted->protocol;
        if (is_same_endpoint(&config->services[i], &endpoint)) {
            *service = (uint16_t)i;
            ++found;
        }
    }
    if (found > 1) {
        return refuse(reader, "the service is one of tcp and one of udp: say which, before it");
    }
    return found == 1 || refuse(reader, "names a service that is not among `services`");
}

static bool read_rest(struct reader *reader, struct balancer_line *line) {
    while (reader->length > 0) {
        if (!line->has_weight && skip_word(reader, "weight")) {
            if (!read_number(reader->word, reader->length, BALANCER_WEIGHT_MAX, &line->weight)) {
                return refuse_word(reader, "a weight from 1 to 256");
            }
            line->has_weight = 1;
            next_word(reader);
        } else if (!line->has_ethernet && skip_word(reader, "mac")) {
            if (!read_ethernet(reader, line->ethernet)) {
                return false;
            }
            line->has_ethernet = 1;
        } else {
            return refuse_word(reader, "\"weight\", \"mac\" or the end");
        }
    }
    return true;
}

/* What the line and the configuration must agree on. */
static bool check_line(struct reader *reader, const struct balancer_config *config,
                       const struct balancer_line *line) {
    const struct balancer_endpoint *service = &config->services[line->service];
    if (balancer_is_ipv4(&service->address) != balancer_is_ipv4(&line->backend.address)) {
        return refuse(reader, "service and backend are of different versions of IP");
    }
    if (config->forwarding == BALANCER_DIRECT && service->port != line->backend.port) {
        return refuse(reader, "with forwarding = \"direct\" ports stay as they are, so the "
                              "backend's is the service's");
    }
    return true;
}

static bool read_line(struct reader *reader, const struct balancer_config *config,
                      struct balancer_line *line) {
    struct balancer_endpoint service = {0};
    *line = (struct balancer_line){.weight = 1};
    service.protocol = skip_protocol(reader);
    if (!read_endpoint(reader, &service) ||
        !find_service(reader, config, &service, &line->service)) {
        return false;
    }
    skip_word(reader, "->"); /* a shell would take it for a redirection, so commands go without */
    line->backend.protocol = config->services[line->service].protocol;
    return read_endpoint(reader, &line->backend) && read_rest(reader, line) &&
           check_line(reader, config, line);
}

int balancer_read_line(const struct balancer_config *config, const char *text,
                       struct balancer_line *line, char *error, size_t error_size) {
    struct reader reader = {.at = text, .error = error, .error_size = error_size};
    next_word(&reader);
    return read_line(&reader, config, line) ? 0 : -1;
}

/* ---- Options ---- */

int balancer_parse_service(void *config_pointer, const char *text, char *error, size_t error_size) {
    struct balancer_config *config = config_pointer;
    struct reader reader = {.at = text, .error = error, .error_size = error_size};
    struct balancer_endpoint service = {0};
    next_word(&reader);
    service.protocol = skip_protocol(&reader);
    bool is_right = service.protocol != 0 || refuse_word(&reader, "\"tcp\" or \"udp\"");
    is_right = is_right && read_endpoint(&reader, &service) &&
               (reader.length == 0 || refuse_word(&reader, "the end"));
    for (uint32_t i = 0; i < config->service_count && is_right; ++i) {
        is_right =
            !is_same_endpoint(&config->services[i], &service) || refuse(&reader, "is there twice");
    }
    if (is_right && config->service_count == BALANCER_SERVICES_MAX) {
        is_right = refuse(&reader, "more than %u services", BALANCER_SERVICES_MAX);
    }
    if (!is_right) {
        return -1;
    }
    config->services[config->service_count++] = service;
    return 0;
}

/* What a packet from there could belong to must be one thing: with rewriting, one service. */
static bool is_taken(const struct balancer_config *config, const struct balancer_line *line) {
    for (uint32_t i = 0; i < config->backend_count; ++i) {
        const struct balancer_line *other = &config->backends[i];
        if (is_same_endpoint(&other->backend, &line->backend) &&
            (config->forwarding == BALANCER_REWRITE || other->service == line->service)) {
            return true;
        }
    }
    return false;
}

int balancer_parse_backend(void *config_pointer, const char *text, char *error, size_t error_size) {
    struct balancer_config *config = config_pointer;
    struct balancer_line line;
    if (balancer_read_line(config, text, &line, error, error_size) != 0) {
        return -1;
    }
    const char *message = NULL;
    if (is_taken(config, &line)) {
        message = "the backend is there already; with rewriting it can have one service alone, as "
                  "its answers could not be told apart";
    } else if (config->forwarding == BALANCER_DIRECT && !line.has_ethernet) {
        message = "forwarding = \"direct\" needs each backend's Ethernet address: \"mac "
                  "02:00:00:00:00:01\"";
    } else if (config->backend_count == BALANCER_BACKENDS_MAX) {
        message = "more backends than a configuration can name; others can be added by command";
    }
    if (message != NULL) {
        snprintf(error, error_size, "%s", message);
        return -1;
    }
    config->backends[config->backend_count++] = line;
    return 0;
}

/* ---- Commands ---- */

int balancer_read_command(const struct balancer_config *config, const char *text,
                          enum balancer_command *command, struct balancer_line *line, char *error,
                          size_t error_size) {
    struct reader reader = {.at = text, .error = error, .error_size = error_size};
    next_word(&reader);
    uint32_t which = 0;
    while (balancer_commands[which].name != NULL &&
           !skip_word(&reader, balancer_commands[which].name)) {
        ++which;
    }
    *command = (enum balancer_command)which;
    if (balancer_commands[which].name == NULL) {
        refuse_word(&reader, "\"add\", \"drain\" or \"remove\"");
        return -1;
    }
    if (!read_line(&reader, config, line)) {
        return -1;
    }
    if (*command != BALANCER_ADD && (line->has_weight || line->has_ethernet)) {
        refuse(&reader, "a weight or an Ethernet address is for \"add\" alone");
        return -1;
    }
    if (*command == BALANCER_ADD && config->forwarding == BALANCER_DIRECT && !line->has_ethernet) {
        refuse(&reader, "with forwarding = \"direct\" it needs \"mac\" and an Ethernet address");
        return -1;
    }
    return 0;
}

int balancer_check_command(const void *config, const char *text, char *error, size_t error_size) {
    enum balancer_command command;
    struct balancer_line line;
    return balancer_read_command(config, text, &command, &line, error, error_size);
}

const struct ftmb_command balancer_commands[] = {
    [BALANCER_ADD] = {.name = "add",
                      .arguments = "[tcp|udp] SERVICE BACKEND [weight NUMBER] [mac ETHERNET]",
                      .help = "new connections of the service go to the backend too; of one that "
                              "is there already, drained or not, the weight changes"},
    [BALANCER_DRAIN] = {.name = "drain",
                        .arguments = "[tcp|udp] SERVICE BACKEND",
                        .help = "no new connections go to the backend, those that it has go on"},
    [BALANCER_REMOVE] = {.name = "remove",
                         .arguments = "[tcp|udp] SERVICE BACKEND",
                         .help = "the backend's connections end: their packets are dropped until "
                                 "the client begins anew"},
    {.name = NULL},
};
