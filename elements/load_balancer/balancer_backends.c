/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Services and their backends: where they are found, and what commands do to them.
 *
 * Maglev's table of a service is made anew whenever its active backends or their weights change,
 * in the order of their names, so that it depends on who they are and not on how they came. At
 * 65,537 entries that takes about a millisecond or two, in which this worker does nothing else.
 */
#include "balancer_maglev.h"
#include "balancer_state.h"

#define ENDPOINT_SEED 0x9b05688c2b3e6c1fULL
#define NAME_SIZE 19U
#define SERVICE_SEED 3U

static uint64_t load64(const uint8_t *at) {
    return (uint64_t)ftmb_load32(at) << 32 | ftmb_load32(at + 4);
}

static uint64_t hash_endpoint(const struct balancer_endpoint *endpoint) {
    const uint8_t *bytes = endpoint->address.bytes;
    uint64_t hash = hash_table_hash(load64(bytes), load64(bytes + 8), ENDPOINT_SEED);
    return hash_table_hash(endpoint->port, endpoint->protocol, hash);
}

static bool is_same_endpoint(const struct balancer_endpoint *one,
                             const struct balancer_endpoint *other) {
    return one->port == other->port && one->protocol == other->protocol &&
           balancer_is_same(&one->address, &other->address);
}

/* 16 bytes of address, 2 of port, 1 of protocol: what is hashed by Maglev's functions. */
static void write_name(uint8_t *name, const struct balancer_endpoint *endpoint) {
    memcpy(name, endpoint->address.bytes, 16);
    ftmb_store16(name + 16, endpoint->port);
    name[18] = endpoint->protocol;
}

/* ---- Finding ---- */

struct question {
    struct balancer_state *state;
    const struct balancer_endpoint *endpoint;
};

static bool is_service(const void *pointer, uint32_t index) {
    const struct question *question = pointer;
    return is_same_endpoint(&question->state->services[index].endpoint, question->endpoint);
}

static bool is_backend(const void *pointer, uint32_t index) {
    const struct question *question = pointer;
    return is_same_endpoint(&balancer_backends(question->state)[index].endpoint,
                            question->endpoint);
}

uint16_t balancer_find_service(struct balancer_state *state,
                               const struct balancer_endpoint *endpoint) {
    struct question question = {state, endpoint};
    uint32_t index = hash_table_find(balancer_at(state, state->service_index),
                                     hash_endpoint(endpoint), is_service, &question);
    return (uint16_t)index; /* HASH_TABLE_NONE becomes BALANCER_NONE */
}

uint16_t balancer_find_backend(struct balancer_state *state,
                               const struct balancer_endpoint *endpoint) {
    struct question question = {state, endpoint};
    uint32_t index = hash_table_find(balancer_at(state, state->by_endpoint),
                                     hash_endpoint(endpoint), is_backend, &question);
    return (uint16_t)index;
}

bool balancer_has_address(const struct balancer_config *config,
                          const struct balancer_address *address) {
    for (uint32_t i = 0; i < config->service_count; ++i) {
        if (balancer_is_same(&config->services[i].address, address)) {
            return true;
        }
    }
    return false;
}

const uint16_t *balancer_members(const struct balancer_config *config, struct balancer_state *state,
                                 uint16_t service) {
    const uint16_t *members = balancer_at(state, state->members);
    return members + (size_t)service * config->backends_max;
}

uint16_t balancer_lookup(const struct balancer_config *config, struct balancer_state *state,
                         const struct balancer_view *view) {
    const struct balancer_service *service = &state->services[view->service];
    if (service->active == 0) {
        return BALANCER_NONE;
    }
    const uint16_t *table = balancer_at(state, state->lookup);
    const uint8_t *bytes = view->client.bytes;
    uint64_t hash = hash_table_hash(load64(bytes), load64(bytes + 8), service->seed);
    hash = hash_table_hash(view->client_port, 0, hash);
    return table[(size_t)view->service * config->table_size +
                 hash_table_reduce(hash, config->table_size)];
}

/* ---- Changing ---- */

void balancer_put_service(const struct balancer_config *config, struct balancer_state *state,
                          uint16_t service) {
    uint8_t name[NAME_SIZE];
    const struct balancer_endpoint *endpoint = &config->services[service];
    write_name(name, endpoint);
    state->services[service] = (struct balancer_service){
        .endpoint = *endpoint,
        .seed = maglev_hash(name, NAME_SIZE, SERVICE_SEED),
        .index = service,
    };
    hash_table_insert(balancer_at(state, state->service_index), hash_endpoint(endpoint), service);
}

static int compare(const struct balancer_backend *one, const struct balancer_backend *other) {
    int order =
        memcmp(&one->endpoint.address, &other->endpoint.address, sizeof(struct balancer_address));
    return order != 0 ? order : (int)one->endpoint.port - (int)other->endpoint.port;
}

/* The active places of a service in the order of their names; returns how many. */
static uint32_t list_members(const struct balancer_config *config, struct balancer_state *state,
                             uint16_t service, uint16_t *members) {
    const struct balancer_backend *backends = balancer_backends(state);
    uint32_t first = (uint32_t)service * config->backends_max;
    uint32_t count = 0;
    for (uint32_t place = first; place < first + config->backends_max; ++place) {
        if (backends[place].state != BALANCER_ACTIVE) {
            continue;
        }
        uint32_t at = count++;
        for (; at > 0 && compare(&backends[members[at - 1]], &backends[place]) > 0; --at) {
            members[at] = members[at - 1];
        }
        members[at] = (uint16_t)place;
    }
    return count;
}

void balancer_rebuild(const struct balancer_config *config, struct balancer_state *state,
                      uint16_t service) {
    struct maglev_backend turns[BALANCER_PER_SERVICE_MAX];
    uint16_t *members =
        (uint16_t *)balancer_at(state, state->members) + (size_t)service * config->backends_max;
    uint32_t count = list_members(config, state, service, members);
    state->services[service].active = count;
    if (config->algorithm != BALANCER_MAGLEV || count == 0) {
        return;
    }
    for (uint32_t i = 0; i < count; ++i) {
        const struct balancer_backend *backend = &balancer_backends(state)[members[i]];
        uint8_t name[NAME_SIZE];
        write_name(name, &backend->endpoint);
        turns[i] = maglev_backend(name, NAME_SIZE, config->table_size, backend->weight, members[i]);
    }
    uint16_t *table = balancer_at(state, state->lookup);
    maglev_fill(table + (size_t)service * config->table_size, config->table_size, turns, count);
}

static uint16_t find_place(const struct balancer_config *config, struct balancer_state *state,
                           const struct balancer_line *line) {
    const struct balancer_backend *backends = balancer_backends(state);
    uint32_t first = (uint32_t)line->service * config->backends_max;
    for (uint32_t place = first; place < first + config->backends_max; ++place) {
        if (backends[place].state != BALANCER_FREE &&
            is_same_endpoint(&backends[place].endpoint, &line->backend)) {
            return (uint16_t)place;
        }
    }
    return BALANCER_NONE;
}

/* A free place, or that of the backend of this service removed longest ago. */
static uint16_t take_place(const struct balancer_config *config, struct balancer_state *state,
                           uint16_t service) {
    const struct balancer_backend *backends = balancer_backends(state);
    uint32_t first = (uint32_t)service * config->backends_max;
    uint32_t found = BALANCER_NONE;
    for (uint32_t place = first; place < first + config->backends_max; ++place) {
        if (backends[place].state == BALANCER_FREE) {
            return (uint16_t)place;
        }
        if (backends[place].state == BALANCER_REMOVED &&
            (found == BALANCER_NONE || backends[place].order < backends[found].order)) {
            found = place;
        }
    }
    return (uint16_t)found;
}

static void forget(const struct balancer_config *config, struct balancer_state *state,
                   uint16_t place) {
    struct balancer_backend *backend = &balancer_backends(state)[place];
    if (config->forwarding == BALANCER_REWRITE && backend->state != BALANCER_FREE) {
        hash_table_remove(balancer_at(state, state->by_endpoint), hash_endpoint(&backend->endpoint),
                          place);
    }
    *backend = (struct balancer_backend){.generation = backend->generation + 1};
}

static uint16_t address_delta(const struct balancer_address *from,
                              const struct balancer_address *to) {
    uint32_t delta = 0;
    for (uint32_t at = 0; at < sizeof(from->bytes); at += 2) {
        delta += ftmb_checksum_delta16(ftmb_load16(from->bytes + at), ftmb_load16(to->bytes + at));
    }
    return ftmb_checksum_fold(delta);
}

static void put(const struct balancer_config *config, struct balancer_state *state, uint16_t place,
                const struct balancer_line *line) {
    struct balancer_backend *backend = &balancer_backends(state)[place];
    const struct balancer_endpoint *service = &config->services[line->service];
    forget(config, state, place);
    backend->endpoint = line->backend;
    backend->service = line->service;
    backend->place = place;
    backend->delta_address = address_delta(&service->address, &line->backend.address);
    backend->delta_port =
        ftmb_checksum_fold(ftmb_checksum_delta16(service->port, line->backend.port));
    if (config->forwarding == BALANCER_REWRITE) { /* as large as all places: there is room */
        hash_table_insert(balancer_at(state, state->by_endpoint), hash_endpoint(&line->backend),
                          place);
    }
}

/* Makes room for a backend that this service does not have; BALANCER_NONE: there is none. */
static uint16_t place_for(const struct balancer_config *config, struct balancer_state *state,
                          const struct balancer_line *line) {
    if (config->forwarding == BALANCER_REWRITE) {
        uint16_t other = balancer_find_backend(state, &line->backend);
        if (other != BALANCER_NONE) {
            if (balancer_backends(state)[other].state != BALANCER_REMOVED) {
                return BALANCER_NONE; /* it has another service */
            }
            forget(config, state, other);
        }
    }
    return take_place(config, state, line->service);
}

static bool add(const struct balancer_config *config, struct balancer_state *state,
                const struct balancer_line *line) {
    struct balancer_backend *backends = balancer_backends(state);
    uint16_t place = find_place(config, state, line);
    bool is_new = place == BALANCER_NONE || backends[place].state == BALANCER_REMOVED;
    if (place == BALANCER_NONE) {
        place = place_for(config, state, line);
    }
    if (place == BALANCER_NONE) {
        return false;
    }
    if (is_new) {
        put(config, state, place, line);
    }
    backends[place].state = BALANCER_ACTIVE;
    backends[place].weight = line->weight;
    backends[place].has_ethernet = line->has_ethernet;
    memcpy(backends[place].ethernet, line->ethernet, BALANCER_ETHERNET_SIZE);
    return true;
}

bool balancer_apply(const struct balancer_config *config, struct balancer_state *state,
                    enum balancer_command command, const struct balancer_line *line) {
    if (command == BALANCER_ADD) {
        return add(config, state, line);
    }
    uint16_t place = find_place(config, state, line);
    if (place == BALANCER_NONE || balancer_backends(state)[place].state == BALANCER_REMOVED) {
        return false;
    }
    struct balancer_backend *backend = &balancer_backends(state)[place];
    backend->state = command == BALANCER_DRAIN ? BALANCER_DRAINED : BALANCER_REMOVED;
    backend->order = ++state->order;
    return true;
}
