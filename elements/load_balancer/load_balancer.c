/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The load balancer as the runtime sees it: a burst in three passes, ticks, commands, and the
 * table.
 *
 *     frame -> balancer_packet.c, balancer_icmp.c (client and peer, or why it is dropped)
 *           -> balancer_backends.c (which service, which backend)
 *           -> balancer_connection.c (its connection; a new one: by Maglev, or balancer_load.c)
 *           -> balancer_forward.c, balancer_icmp.c (the headers as they must be)
 */
#include "balancer_state.h"

#define FIRES_PER_TICK 1024U
#define FIRES_PER_BURST 32U /* while ticks leave some over */

static const char *const drop_reasons[] = {
    [BALANCER_WRONG_PORT - 1] = "wrong_port",
    [BALANCER_NOT_IP - 1] = "not_ip",
    [BALANCER_TRUNCATED - 1] = "truncated",
    [BALANCER_MALFORMED - 1] = "malformed",
    [BALANCER_BAD_CHECKSUM - 1] = "bad_checksum",
    [BALANCER_FRAGMENT - 1] = "fragment",
    [BALANCER_BAD_ADDRESS - 1] = "bad_address",
    [BALANCER_LAND - 1] = "land",
    [BALANCER_BAD_PORT - 1] = "bad_port",
    [BALANCER_BAD_TCP_FLAGS - 1] = "bad_tcp_flags",
    [BALANCER_NEIGHBOURS_OFF - 1] = "neighbours_off",
    [BALANCER_PROTOCOL_UNSUPPORTED - 1] = "protocol_unsupported",
    [BALANCER_ICMP_UNSUPPORTED - 1] = "icmp_unsupported",
    [BALANCER_ICMP_MALFORMED - 1] = "icmp_malformed",
    [BALANCER_ICMP_NO_CONNECTION - 1] = "icmp_no_connection",
    [BALANCER_HOPS_EXPIRED - 1] = "hops_expired",
    [BALANCER_NO_SERVICE - 1] = "no_service",
    [BALANCER_NO_BACKEND - 1] = "no_backend",
    [BALANCER_NOT_A_BACKEND - 1] = "not_a_backend",
    [BALANCER_WRONG_BACKEND - 1] = "wrong_backend",
    [BALANCER_BACKEND_REMOVED - 1] = "backend_removed",
    [BALANCER_NO_CONNECTION - 1] = "no_connection",
    [BALANCER_CONNECTIONS_FULL - 1] = "connections_full",
    [BALANCER_REASON_COUNT - 1] = NULL,
};

static bool is_maglev(const struct balancer_config *config) {
    return config->algorithm == BALANCER_MAGLEV;
}

static bool is_direct(const struct balancer_config *config) {
    return config->forwarding == BALANCER_DIRECT;
}

/* A SYN, or the first datagram: what may begin a connection. */
static bool begins(const struct balancer_view *view) {
    return view->peer.protocol == FTMB_PROTOCOL_UDP ||
           (view->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RESET)) == TCP_SYN;
}

/* ---- From clients ---- */

/* Without a connection: Maglev's table still knows where to, as in any box with these backends. */
static enum balancer_reason forward_by_hash(const struct balancer_config *config,
                                            struct balancer_state *state,
                                            const struct balancer_view *view, uint16_t *place) {
    *place = balancer_lookup(config, state, view);
    if (*place == BALANCER_NONE) {
        return BALANCER_NO_BACKEND;
    }
    ++state->services[view->service].stateless;
    return BALANCER_PASS;
}

static enum balancer_reason begin(struct ftmb_context *context, const struct balancer_view *view,
                                  uint16_t *place) {
    const struct balancer_config *config = context->config;
    struct balancer_state *state = context->state;
    *place = is_maglev(config) ? balancer_lookup(config, state, view)
                               : balancer_load_choose(context, view);
    if (*place == BALANCER_NONE) {
        return BALANCER_NO_BACKEND;
    }
    if (balancer_open(config, state, view, *place) != NULL) {
        return BALANCER_PASS;
    }
    if (is_maglev(config)) {
        return forward_by_hash(config, state, view, place);
    }
    balancer_load_take_back(context, *place);
    return BALANCER_CONNECTIONS_FULL;
}

static enum balancer_reason find_from_client(struct ftmb_context *context,
                                             const struct balancer_view *view, uint16_t *place) {
    const struct balancer_config *config = context->config;
    struct balancer_state *state = context->state;
    struct balancer_connection *connection = balancer_find(config, state, view);
    bool is_orphan = connection != NULL && balancer_is_orphan(state, connection);
    if (connection != NULL && begins(view) && (is_orphan || balancer_is_over(connection))) {
        balancer_close(config, state, connection);
        connection = NULL;
    } else if (is_orphan) {
        return BALANCER_BACKEND_REMOVED;
    }
    if (connection == NULL && !begins(view)) {
        return is_maglev(config) ? forward_by_hash(config, state, view, place)
                                 : BALANCER_NO_CONNECTION;
    }
    if (connection == NULL) {
        enum balancer_reason reason = begin(context, view, place);
        connection = reason == BALANCER_PASS ? balancer_find(config, state, view) : NULL;
        if (connection == NULL) {
            return reason;
        }
    }
    balancer_track(config, state, view, connection);
    *place = connection->backend;
    return BALANCER_PASS;
}

/* ---- From servers ---- */

/* An answer without a connection is one only if a question by hash would have gone there. */
static enum balancer_reason answer_by_hash(const struct balancer_config *config,
                                           struct balancer_state *state,
                                           const struct balancer_view *view) {
    bool is_question = view->peer.protocol == FTMB_PROTOCOL_TCP && begins(view);
    if (!is_maglev(config) || is_question ||
        balancer_lookup(config, state, view) != view->backend) {
        return BALANCER_NO_CONNECTION;
    }
    ++state->services[view->service].stateless;
    return BALANCER_PASS;
}

static enum balancer_reason find_from_server(const struct balancer_config *config,
                                             struct balancer_state *state,
                                             const struct balancer_view *view, uint16_t *place) {
    struct balancer_connection *connection = balancer_find(config, state, view);
    *place = view->backend;
    if (connection == NULL) {
        return is_direct(config) ? BALANCER_PASS : answer_by_hash(config, state, view);
    }
    if (is_direct(config)) { /* who of the backends it is, the packet does not say */
        *place = connection->backend;
    } else if (balancer_is_orphan(state, connection)) {
        return BALANCER_BACKEND_REMOVED;
    } else if (connection->backend != view->backend) {
        return BALANCER_WRONG_BACKEND;
    }
    balancer_track(config, state, view, connection);
    return BALANCER_PASS;
}

/* ---- Both ---- */

static enum balancer_reason find_of_error(const struct balancer_config *config,
                                          struct balancer_state *state,
                                          const struct balancer_view *view, uint16_t *place) {
    const struct balancer_connection *connection = balancer_find(config, state, view);
    uint16_t wanted = view->from_clients || is_direct(config) ? BALANCER_NONE : view->backend;
    if (connection != NULL) {
        *place = balancer_is_orphan(state, connection) ? BALANCER_NONE : connection->backend;
    } else {
        *place = is_maglev(config) ? balancer_lookup(config, state, view) : BALANCER_NONE;
    }
    return *place != BALANCER_NONE && (wanted == BALANCER_NONE || wanted == *place)
               ? BALANCER_PASS
               : BALANCER_ICMP_NO_CONNECTION;
}

static void count(struct balancer_state *state, const struct balancer_view *view, uint16_t place) {
    struct balancer_backend *backend = &balancer_backends(state)[place];
    if (view->from_clients) {
        ++backend->packets;
        backend->bytes += view->packet->length;
    } else {
        ++backend->packets_back;
        backend->bytes_back += view->packet->length;
    }
}

static enum balancer_reason balance(struct ftmb_context *context,
                                    const struct balancer_view *view) {
    const struct balancer_config *config = context->config;
    struct balancer_state *state = context->state;
    uint16_t place = BALANCER_NONE;
    bool is_about_error = view->kind == BALANCER_KIND_ERROR;
    enum balancer_reason reason = is_about_error ? find_of_error(config, state, view, &place)
                                  : view->from_clients
                                      ? find_from_client(context, view, &place)
                                      : find_from_server(config, state, view, &place);
    view->packet->port_out = view->from_clients ? config->servers : config->clients;
    if (reason != BALANCER_PASS || place == BALANCER_NONE) {
        return reason;
    }
    bool has_hops = is_about_error ? balancer_forward_error(config, state, view, place)
                                   : balancer_forward(config, state, view, place);
    if (!has_hops) {
        return BALANCER_HOPS_EXPIRED;
    }
    count(state, view, place);
    return BALANCER_PASS;
}

static enum balancer_reason answer_echo(const struct balancer_config *config,
                                        const struct balancer_view *view) {
    if (!balancer_has_address(config, &view->peer.address)) {
        return BALANCER_NO_SERVICE;
    }
    balancer_answer_echo(view);
    view->packet->port_out = config->clients;
    return BALANCER_PASS;
}

static enum balancer_reason handle(struct ftmb_context *context, const struct balancer_view *view) {
    const struct balancer_config *config = context->config;
    if (view->kind == BALANCER_KIND_NEIGHBOUR) {
        view->packet->port_out = view->from_clients ? config->servers : config->clients;
        return BALANCER_PASS;
    }
    return view->kind == BALANCER_KIND_ECHO ? answer_echo(config, view) : balance(context, view);
}

/* ---- A burst ---- */

/* Whose the packet is: the service by its virtual address, or by its backend. */
static enum balancer_reason find_service(const struct balancer_config *config,
                                         struct balancer_state *state, struct balancer_view *view) {
    if (view->from_clients || is_direct(config)) {
        view->service = balancer_find_service(state, &view->peer);
        return view->service != BALANCER_NONE ? BALANCER_PASS
               : view->from_clients           ? BALANCER_NO_SERVICE
                                              : BALANCER_NOT_A_BACKEND;
    }
    view->backend = balancer_find_backend(state, &view->peer);
    if (view->backend == BALANCER_NONE) {
        return BALANCER_NOT_A_BACKEND;
    }
    view->service = balancer_backends(state)[view->backend].service;
    return BALANCER_PASS;
}

static bool has_connection(const struct balancer_view *view) {
    return view->kind == BALANCER_KIND_TRANSPORT || view->kind == BALANCER_KIND_ERROR;
}

static void drop(struct ftmb_context *context, struct ftmb_packet *packet,
                 enum balancer_reason reason) {
    ftmb_drop(context, packet, (uint32_t)reason - 1);
}

/* Parses each packet and asks for its bucket; what is wrong in itself is dropped here. */
static uint32_t parse_burst(struct ftmb_context *context, struct ftmb_packet **packets,
                            uint32_t count, struct balancer_view *views) {
    const struct balancer_config *config = context->config;
    struct balancer_state *state = context->state;
    uint32_t passed = 0;
    for (uint32_t i = 0; i < count; ++i) {
        struct balancer_view *view = &views[passed];
        enum balancer_reason reason = balancer_parse(config, packets[i]->data, packets[i]->length,
                                                     packets[i]->port_in, true, view);
        if (reason == BALANCER_PASS && has_connection(view)) {
            reason = find_service(config, state, view);
        }
        if (reason != BALANCER_PASS) {
            drop(context, packets[i], reason);
            continue;
        }
        view->packet = packets[i];
        if (has_connection(view)) {
            view->hash = balancer_hash(state, view);
            hash_table_prefetch(balancer_at(state, state->by_client), view->hash);
        }
        ++passed;
    }
    return passed;
}

/* Asks for the connection that each packet probably has. */
static void prefetch_connections(struct balancer_state *state, const struct balancer_view *views,
                                 uint32_t count) {
    const struct hash_table *table = balancer_at(state, state->by_client);
    for (uint32_t i = 0; i < count; ++i) {
        uint32_t index = has_connection(&views[i]) ? hash_table_candidate(table, views[i].hash)
                                                   : HASH_TABLE_NONE;
        if (index != HASH_TABLE_NONE) {
            __builtin_prefetch(&balancer_connections(state)[index], 1);
        }
    }
}

static void load_balancer_process(struct ftmb_context *context, struct ftmb_packet **packets,
                                  uint32_t count) {
    struct balancer_state *state = context->state;
    struct balancer_view views[FTMB_BURST_MAX];
    state->now = (uint32_t)(context->now_ns / BALANCER_UNIT_NS);
    if (!state->seeded) {
        state->seed = ftmb_random(context);
        state->seeded = 1;
    }
    uint32_t passed = parse_burst(context, packets, count, views);
    prefetch_connections(state, views, passed);
    for (uint32_t i = 0; i < passed; ++i) {
        enum balancer_reason reason = handle(context, &views[i]);
        if (reason != BALANCER_PASS) {
            drop(context, views[i].packet, reason);
        }
    }
    const struct timer_wheel *wheel = balancer_at(state, state->wheel);
    if (wheel->behind) {
        balancer_expire(context->config, state, FIRES_PER_BURST);
    }
    balancer_load_settle(context);
}

static void load_balancer_tick(struct ftmb_context *context) {
    struct balancer_state *state = context->state;
    state->now = (uint32_t)(context->now_ns / BALANCER_UNIT_NS);
    balancer_expire(context->config, state, FIRES_PER_TICK);
    balancer_load_settle(context);
}

static void load_balancer_command(struct ftmb_context *context, const char *text) {
    const struct balancer_config *config = context->config;
    struct balancer_state *state = context->state;
    enum balancer_command command;
    struct balancer_line line;
    char error[FTMB_COMMAND_SIZE_MAX];
    if (balancer_read_command(config, text, &command, &line, error, sizeof(error)) != 0 ||
        !balancer_apply(config, state, command, &line)) {
        ++state->commands_ignored;
        return;
    }
    balancer_rebuild(config, state, line.service);
}

static int load_balancer_init_shared(struct ftmb_arena *arena, const void *config, uint32_t workers,
                                     void **shared) {
    (void)workers;
    return balancer_load_create(arena, config, shared);
}

static int load_balancer_init_worker(struct ftmb_arena *arena, const void *config, uint32_t worker,
                                     uint32_t workers, void *shared, void **state) {
    struct balancer_state *created = NULL;
    (void)workers;
    (void)shared;
    int result = balancer_state_create(arena, config, worker, &created);
    *state = created;
    return result;
}

const struct ftmb_element_class load_balancer_class = {
    .name = "load_balancer",
    .help = "virtual addresses for many backends, by Maglev hashing or least connections",
    .state_version = 1,
    .config_size = sizeof(struct balancer_config),
    .options = balancer_options,
    .drop_reasons = drop_reasons,
    .tables = balancer_tables,
    .commands = balancer_commands,
    .rewrites = true,
    .check = balancer_check,
    .init_shared = load_balancer_init_shared,
    .init_worker = load_balancer_init_worker,
    .steer = balancer_steer,
    .process = load_balancer_process,
    .tick = load_balancer_tick,
    .check_command = balancer_check_command,
    .command = load_balancer_command,
};
