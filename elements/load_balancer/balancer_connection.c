/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Connections of one worker: found, opened, followed and ended.
 *
 * Sequence numbers are not looked at, so a reset or FIN may be forged; it therefore only shortens
 * the time, and traffic that goes on makes up for it. With direct forwarding the backend's side is
 * not seen, and the client's has to do.
 */
#include "balancer_state.h"

static uint64_t load64(const uint8_t *at) {
    uint64_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

static uint64_t hash_of(struct balancer_state *state, const struct balancer_address *client,
                        uint16_t client_port, uint16_t service) {
    uint64_t hash = hash_table_hash(load64(client->bytes), load64(client->bytes + 8), state->seed);
    return hash_table_hash((uint64_t)client_port << 16 | service, 0, hash);
}

uint64_t balancer_hash(struct balancer_state *state, const struct balancer_view *view) {
    return hash_of(state, &view->client, view->client_port, view->service);
}

struct question {
    const struct balancer_connection *connections;
    const struct balancer_view *view;
};

static inline bool is_equal(const void *pointer, uint32_t index) {
    const struct question *question = pointer;
    const struct balancer_connection *connection = &question->connections[index];
    const struct balancer_view *view = question->view;
    return connection->client_port == view->client_port && connection->service == view->service &&
           balancer_is_same(&connection->client, &view->client);
}

/* ---- Ends ---- */

bool balancer_is_orphan(struct balancer_state *state,
                        const struct balancer_connection *connection) {
    const struct balancer_backend *backend = &balancer_backends(state)[connection->backend];
    return backend->generation != connection->generation || backend->state == BALANCER_REMOVED;
}

/* For the counter that all workers share: taken off at the end of the burst or tick. */
static void note_ended(struct balancer_state *state, struct balancer_backend *backend,
                       uint16_t place) {
    uint16_t *places = balancer_at(state, state->settling);
    if (backend->ended++ == 0) {
        places[state->settling_count++] = place;
        state->changed |= 1U << backend->service % BALANCER_VARIABLES;
    }
}

/* Its timer is out of the wheel. */
static void close_untimed(const struct balancer_config *config, struct balancer_state *state,
                          struct balancer_connection *connection) {
    uint32_t index = (uint32_t)(connection - balancer_connections(state));
    struct balancer_backend *backend = &balancer_backends(state)[connection->backend];
    if (backend->generation == connection->generation) {
        --backend->connections;
        if (config->algorithm == BALANCER_LEAST_CONNECTIONS) {
            note_ended(state, backend, connection->backend);
        }
    }
    uint64_t hash =
        hash_of(state, &connection->client, connection->client_port, connection->service);
    hash_table_remove(balancer_at(state, state->by_client), hash, index);
    free_list_give(&state->pool, balancer_connections(state), index);
}

void balancer_close(const struct balancer_config *config, struct balancer_state *state,
                    struct balancer_connection *connection) {
    timer_wheel_remove(balancer_at(state, state->wheel), balancer_connections(state),
                       (uint32_t)(connection - balancer_connections(state)));
    close_untimed(config, state, connection);
}

struct expiry {
    const struct balancer_config *config;
    struct balancer_state *state;
};

static bool fire(void *context, uint32_t index, uint32_t now, uint32_t *due) {
    const struct expiry *expiry = context;
    struct balancer_connection *connection = &balancer_connections(expiry->state)[index];
    *due = connection->expires;
    if ((int32_t)(connection->expires - now) > 0) {
        return true;
    }
    close_untimed(expiry->config, expiry->state, connection);
    return false;
}

void balancer_expire(const struct balancer_config *config, struct balancer_state *state,
                     uint32_t budget) {
    struct expiry expiry = {config, state};
    timer_wheel_advance(balancer_at(state, state->wheel), balancer_connections(state), state->now,
                        budget, fire, &expiry);
}

/* ---- Beginnings ---- */

struct balancer_connection *balancer_find(const struct balancer_config *config,
                                          struct balancer_state *state,
                                          const struct balancer_view *view) {
    struct question question = {balancer_connections(state), view};
    uint32_t index =
        hash_table_find(balancer_at(state, state->by_client), view->hash, is_equal, &question);
    if (index == HASH_TABLE_NONE) {
        return NULL;
    }
    struct balancer_connection *connection = &balancer_connections(state)[index];
    if ((int32_t)(connection->expires - state->now) > 0) {
        return connection;
    }
    balancer_close(config, state, connection); /* the wheel has not come to it yet */
    return NULL;
}

struct balancer_connection *balancer_open(const struct balancer_config *config,
                                          struct balancer_state *state,
                                          const struct balancer_view *view, uint16_t place) {
    struct balancer_backend *backend = &balancer_backends(state)[place];
    uint32_t index = free_list_take(&state->pool, balancer_connections(state));
    (void)config;
    if (index == FREE_LIST_NONE) {
        return NULL;
    }
    if (!hash_table_insert(balancer_at(state, state->by_client), view->hash, index)) {
        free_list_give(&state->pool, balancer_connections(state), index);
        return NULL;
    }
    struct balancer_connection *connection = &balancer_connections(state)[index];
    *connection = (struct balancer_connection){
        .client = view->client,
        .client_port = view->client_port,
        .service = view->service,
        .backend = place,
        .generation = backend->generation,
        .expires =
            state->now +
            state->timeouts[view->peer.protocol == FTMB_PROTOCOL_UDP ? BALANCER_TIMEOUT_UDP
                                                                     : BALANCER_TIMEOUT_TRANSITORY],
    };
    ++backend->connections;
    ++state->services[view->service].connections;
    timer_wheel_add(balancer_at(state, state->wheel), balancer_connections(state), index,
                    connection->expires, state->now);
    return connection;
}

/* ---- On the way ---- */

bool balancer_is_over(const struct balancer_connection *connection) {
    uint32_t both = BALANCER_FIN_CLIENT | BALANCER_FIN_BACKEND;
    return (connection->flags & BALANCER_RESET) != 0 || (connection->flags & both) == both;
}

static enum balancer_timeout track_tcp(const struct balancer_config *config,
                                       const struct balancer_view *view,
                                       struct balancer_connection *connection) {
    uint32_t flags = connection->flags;
    bool is_direct = config->forwarding == BALANCER_DIRECT;
    if ((view->tcp_flags & TCP_RESET) != 0) {
        flags |= BALANCER_RESET;
    } else if ((view->tcp_flags & TCP_SYN) != 0) {
        flags |= view->from_clients ? 0U : (uint32_t)BALANCER_SYN_BACK;
    } else {
        flags &= ~(uint32_t)BALANCER_RESET;
        if (view->from_clients && (is_direct || (flags & BALANCER_SYN_BACK) != 0)) {
            flags |= BALANCER_CONFIRMED;
        }
        if ((view->tcp_flags & TCP_FIN) != 0) {
            flags |= view->from_clients ? BALANCER_FIN_CLIENT : BALANCER_FIN_BACKEND;
        }
    }
    connection->flags = (uint8_t)flags;
    if (balancer_is_over(connection) || (is_direct && (flags & BALANCER_FIN_CLIENT) != 0)) {
        return BALANCER_TIMEOUT_CLOSING;
    }
    return (flags & BALANCER_CONFIRMED) != 0 ? BALANCER_TIMEOUT_ESTABLISHED
                                             : BALANCER_TIMEOUT_TRANSITORY;
}

void balancer_track(const struct balancer_config *config, struct balancer_state *state,
                    const struct balancer_view *view, struct balancer_connection *connection) {
    enum balancer_timeout timeout = view->peer.protocol == FTMB_PROTOCOL_TCP
                                        ? track_tcp(config, view, connection)
                                        : BALANCER_TIMEOUT_UDP;
    uint32_t expires = state->now + state->timeouts[timeout];
    bool is_earlier = (int32_t)(expires - connection->expires) < 0;
    ++connection->packets;
    connection->bytes += view->packet->length;
    connection->expires = expires;
    if (is_earlier) {
        uint32_t index = (uint32_t)(connection - balancer_connections(state));
        struct timer_wheel *wheel = balancer_at(state, state->wheel);
        timer_wheel_remove(wheel, balancer_connections(state), index);
        timer_wheel_add(wheel, balancer_connections(state), index, expires, state->now);
    }
}
