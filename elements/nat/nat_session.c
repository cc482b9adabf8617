/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sessions and mappings: found, opened on a first packet, and ended when their time is over.
 *
 * Opening either succeeds as a whole or changes nothing that lasts. A session belongs to a
 * mapping, and a mapping ends with its last session, unless it is static.
 *
 * TCP with address-dependent filtering asks whether any session of a mapping has a remote
 * *address*, but TCP sessions are kept by address and port. So a mapping's sessions are a list, of
 * which the newest NAT_SIBLINGS_MAX are looked at; a client seldom has two from one port.
 */
#include "nat_session.h"

/* ---- Lookup ---- */

struct session_key {
    const struct nat_session *sessions;
    uint64_t local;
    uint64_t remote;
};

static inline bool equal_by_inside(const void *key_pointer, uint32_t index) {
    const struct session_key *key = key_pointer;
    const struct nat_session *session = &key->sessions[index];
    return session->inside == key->local && session->remote == key->remote;
}

static inline bool equal_by_outside(const void *key_pointer, uint32_t index) {
    const struct session_key *key = key_pointer;
    const struct nat_session *session = &key->sessions[index];
    return session->outside == key->local && session->remote == key->remote;
}

struct mapping_key {
    const struct nat_mapping *mappings;
    uint64_t endpoint;
};

static inline bool equal_inside(const void *key_pointer, uint32_t index) {
    const struct mapping_key *key = key_pointer;
    return key->mappings[index].inside == key->endpoint;
}

static inline bool equal_outside(const void *key_pointer, uint32_t index) {
    const struct mapping_key *key = key_pointer;
    return key->mappings[index].outside == key->endpoint;
}

static uint32_t session_index(struct nat_state *state, uint64_t local, uint64_t remote,
                              uint64_t hash, bool by_inside) {
    struct session_key key = {nat_sessions(state), local, remote};
    return by_inside ? hash_table_find(nat_at(state, state->sessions_by_inside), hash,
                                       equal_by_inside, &key)
                     : hash_table_find(nat_at(state, state->sessions_by_outside), hash,
                                       equal_by_outside, &key);
}

static uint32_t mapping_index(struct nat_state *state, uint64_t endpoint, bool by_inside) {
    struct mapping_key key = {nat_mappings(state), endpoint};
    uint64_t hash = hash_table_hash(endpoint, 0, state->seed);
    return by_inside
               ? hash_table_find(nat_at(state, state->mappings_by_inside), hash, equal_inside, &key)
               : hash_table_find(nat_at(state, state->mappings_by_outside), hash, equal_outside,
                                 &key);
}

/* ---- Mappings ---- */

bool nat_mapping_insert(struct nat_state *state, uint32_t index) {
    const struct nat_mapping *mapping = &nat_mappings(state)[index];
    uint64_t inside_hash = hash_table_hash(mapping->inside, 0, state->seed);
    uint64_t outside_hash = hash_table_hash(mapping->outside, 0, state->seed);
    struct hash_table *by_inside = nat_at(state, state->mappings_by_inside);
    if (!hash_table_insert(by_inside, inside_hash, index)) {
        return false;
    }
    if (hash_table_insert(nat_at(state, state->mappings_by_outside), outside_hash, index)) {
        return true;
    }
    hash_table_remove(by_inside, inside_hash, index);
    return false;
}

static enum nat_reason mapping_open(struct ftmb_context *context, uint64_t inside,
                                    uint32_t *index) {
    struct nat_state *state = context->state;
    *index = free_list_take(&state->mapping_pool, nat_mappings(state));
    if (*index == FREE_LIST_NONE) {
        return NAT_SESSIONS_FULL;
    }
    enum nat_reason reason = NAT_PORTS_EXHAUSTED;
    uint64_t outside = nat_ports_take(context, inside);
    if (outside != 0) {
        nat_mappings(state)[*index] =
            (struct nat_mapping){.inside = inside, .outside = outside, .first = NAT_NONE};
        if (nat_mapping_insert(state, *index)) {
            return NAT_PASS;
        }
        reason = NAT_TABLE_FULL;
        nat_ports_give(context->config, state, outside);
    }
    free_list_give(&state->mapping_pool, nat_mappings(state), *index);
    return reason;
}

static void mapping_close_if_unused(const struct nat_config *config, struct nat_state *state,
                                    uint32_t index) {
    struct nat_mapping *mapping = &nat_mappings(state)[index];
    if (mapping->first != NAT_NONE || mapping->fixed) {
        return;
    }
    hash_table_remove(nat_at(state, state->mappings_by_inside),
                      hash_table_hash(mapping->inside, 0, state->seed), index);
    hash_table_remove(nat_at(state, state->mappings_by_outside),
                      hash_table_hash(mapping->outside, 0, state->seed), index);
    nat_ports_give(config, state, mapping->outside);
    free_list_give(&state->mapping_pool, nat_mappings(state), index);
}

/* ---- Sessions ---- */

static bool session_insert(struct nat_state *state, uint32_t index) {
    const struct nat_session *session = &nat_sessions(state)[index];
    uint64_t inside_hash = hash_table_hash(session->inside, session->remote, state->seed);
    uint64_t outside_hash = hash_table_hash(session->outside, session->remote, state->seed);
    struct hash_table *by_inside = nat_at(state, state->sessions_by_inside);
    if (!hash_table_insert(by_inside, inside_hash, index)) {
        return false;
    }
    if (hash_table_insert(nat_at(state, state->sessions_by_outside), outside_hash, index)) {
        return true;
    }
    hash_table_remove(by_inside, inside_hash, index);
    return false;
}

/* What it costs a checksum to write the outside endpoint where the inside one stood. */
static void set_deltas(struct nat_session *session) {
    session->delta_address = ftmb_checksum_fold(
        ftmb_checksum_delta32(nat_address(session->inside), nat_address(session->outside)));
    session->delta_port = ftmb_checksum_fold(
        ftmb_checksum_delta16(nat_port(session->inside), nat_port(session->outside)));
}

/* The newest session of its mapping, in both tables, and its timer set. */
static enum nat_reason session_make(struct nat_state *state, uint32_t mapping_place,
                                    const struct nat_view *view, uint32_t *index) {
    struct nat_mapping *mapping = &nat_mappings(state)[mapping_place];
    *index = free_list_take(&state->session_pool, nat_sessions(state));
    if (*index == FREE_LIST_NONE) {
        return NAT_SESSIONS_FULL;
    }
    struct nat_session *session = &nat_sessions(state)[*index];
    *session = (struct nat_session){
        .inside = mapping->inside,
        .outside = mapping->outside,
        .remote = view->remote,
        .mapping = mapping_place,
        .older = mapping->first,
        .newer = NAT_NONE,
        .expires = state->now + state->timeouts[nat_timeout_of(view->protocol)],
        .flags = view->from_inside ? 0 : NAT_BEGUN_OUTSIDE,
    };
    set_deltas(session);
    if (!session_insert(state, *index)) {
        free_list_give(&state->session_pool, nat_sessions(state), *index);
        return NAT_TABLE_FULL;
    }
    if (session->older != NAT_NONE) {
        nat_sessions(state)[session->older].newer = *index;
    }
    mapping->first = *index;
    timer_wheel_add(nat_at(state, state->wheel), nat_sessions(state), *index, session->expires,
                    state->now);
    return NAT_PASS;
}

/* Its timer is out of the wheel. */
static void session_close(const struct nat_config *config, struct nat_state *state,
                          uint32_t index) {
    const struct nat_session *session = &nat_sessions(state)[index];
    uint32_t mapping = session->mapping;
    hash_table_remove(nat_at(state, state->sessions_by_inside),
                      hash_table_hash(session->inside, session->remote, state->seed), index);
    hash_table_remove(nat_at(state, state->sessions_by_outside),
                      hash_table_hash(session->outside, session->remote, state->seed), index);
    if (session->older != NAT_NONE) {
        nat_sessions(state)[session->older].newer = session->newer;
    }
    if (session->newer != NAT_NONE) {
        nat_sessions(state)[session->newer].older = session->older;
    } else {
        nat_mappings(state)[mapping].first = session->older;
    }
    free_list_give(&state->session_pool, nat_sessions(state), index);
    mapping_close_if_unused(config, state, mapping);
}

struct nat_session *nat_session_find(const struct nat_config *config, struct nat_state *state,
                                     const struct nat_view *view) {
    uint32_t index = session_index(state, view->local, view->remote, view->hash, view->from_inside);
    if (index == HASH_TABLE_NONE) {
        return NULL;
    }
    struct nat_session *session = &nat_sessions(state)[index];
    if ((int32_t)(session->expires - state->now) > 0) {
        return session;
    }
    /* Its time is over, and the wheel has not come to it yet. */
    timer_wheel_remove(nat_at(state, state->wheel), nat_sessions(state), index);
    session_close(config, state, index);
    return NULL;
}

/* Whether a session of the mapping has the remote address, its time not over. */
static bool knows_address(struct nat_state *state, const struct nat_mapping *mapping,
                          uint32_t address) {
    uint32_t index = mapping->first;
    for (uint32_t looked = 0; index != NAT_NONE && looked < NAT_SIBLINGS_MAX; ++looked) {
        const struct nat_session *session = &nat_sessions(state)[index];
        if (nat_address(session->remote) == address &&
            (int32_t)(session->expires - state->now) > 0) {
            return true;
        }
        index = session->older;
    }
    return false;
}

/* Whether the mapping of a packet from outside lets it open a session. */
static enum nat_reason admit(const struct nat_config *config, struct nat_state *state,
                             const struct nat_view *view, uint32_t mapping_place) {
    const uint8_t *header = view->packet->data + view->transport;
    bool is_tcp = view->protocol == FTMB_PROTOCOL_TCP;
    bool begins = is_tcp && (header[13] & 0x12U) == 0x02U; /* SYN, not SYN-ACK */
    if (mapping_place == HASH_TABLE_NONE) {
        bool external = nat_external_index(config, nat_address(view->local)) != NAT_NONE;
        return !external ? NAT_NOT_EXTERNAL : begins ? NAT_TCP_UNSOLICITED : NAT_NO_MAPPING;
    }
    const struct nat_mapping *mapping = &nat_mappings(state)[mapping_place];
    bool open = mapping->fixed || config->filtering == NAT_FILTER_ENDPOINT_INDEPENDENT;
    if (!open && is_tcp && config->filtering == NAT_FILTER_ADDRESS_DEPENDENT) {
        open = knows_address(state, mapping, nat_address(view->remote));
    }
    if (!open) {
        return begins ? NAT_TCP_UNSOLICITED : NAT_FILTERED;
    }
    return is_tcp && !begins ? NAT_TCP_NO_SESSION : NAT_PASS;
}

/* The mapping that a new session belongs to: from inside it is made, from outside it must be. */
static enum nat_reason mapping_for(struct ftmb_context *context, const struct nat_view *view,
                                   uint32_t *index) {
    struct nat_state *state = context->state;
    const uint8_t *header = view->packet->data + view->transport;
    *index = mapping_index(state, view->local, view->from_inside);
    if (!view->from_inside) {
        return admit(context->config, state, view, *index);
    }
    if (view->protocol == FTMB_PROTOCOL_TCP && (header[13] & 0x12U) != 0x02U) {
        return NAT_TCP_NO_SESSION;
    }
    if (view->protocol == FTMB_PROTOCOL_ICMP && (header[0] == 0 || header[0] == 14)) {
        return NAT_NO_MAPPING; /* a reply to nothing */
    }
    return *index == HASH_TABLE_NONE ? mapping_open(context, view->local, index) : NAT_PASS;
}

enum nat_reason nat_session_open(struct ftmb_context *context, const struct nat_view *view,
                                 struct nat_session **opened) {
    struct nat_state *state = context->state;
    uint32_t mapping;
    uint32_t index;
    enum nat_reason reason = mapping_for(context, view, &mapping);
    if (reason != NAT_PASS) {
        return reason;
    }
    reason = session_make(state, mapping, view, &index);
    if (reason != NAT_PASS) {
        mapping_close_if_unused(context->config, state, mapping);
        return reason;
    }
    *opened = &nat_sessions(state)[index];
    return NAT_PASS;
}

void nat_session_expire_in(struct nat_state *state, struct nat_session *session, uint32_t units) {
    uint32_t expires = state->now + units;
    if (expires == session->expires) {
        return;
    }
    bool earlier = (int32_t)(expires - session->expires) < 0;
    session->expires = expires;
    if (!earlier) {
        return;
    }
    uint32_t index = (uint32_t)(session - nat_sessions(state));
    struct timer_wheel *wheel = nat_at(state, state->wheel);
    timer_wheel_remove(wheel, nat_sessions(state), index);
    timer_wheel_add(wheel, nat_sessions(state), index, expires, state->now);
}

struct expiry {
    const struct nat_config *config;
    struct nat_state *state;
};

static bool fire(void *context, uint32_t index, uint32_t now, uint32_t *due) {
    const struct expiry *expiry = context;
    const struct nat_session *session = &nat_sessions(expiry->state)[index];
    *due = session->expires;
    if ((int32_t)(session->expires - now) > 0) {
        return true;
    }
    session_close(expiry->config, expiry->state, index);
    return false;
}

bool nat_sessions_expire(const struct nat_config *config, struct nat_state *state,
                         uint32_t budget) {
    struct expiry expiry = {config, state};
    return timer_wheel_advance(nat_at(state, state->wheel), nat_sessions(state), state->now, budget,
                               fire, &expiry);
}
