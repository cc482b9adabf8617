/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Commands: limits that an operator changes while the box runs.
 *
 * Every worker gets a command at a place of its own log; the first worker alone obeys it, so it
 * happens once, at one place of the order in which buckets are touched. A bucket whose limit
 * changes keeps what is in it, up to the new burst; one that had no limit begins full.
 */
#include "limiter.h"

enum target { TARGET_TOTAL, TARGET_PREFIX, TARGET_HOST };

struct order {
    enum target target;
    struct ip_prefix prefix; /* of a prefix, or of a host's address */
    bool is_default;         /* a host: the common limits again */
    const char *limits_text; /* what follows, borrowed */
};

/* What a command is about; false with a message if it is none. */
static bool read_order(struct reader *reader, struct order *order) {
    static const struct {
        const char *name;
        enum target target;
    } targets[] = {{"total", TARGET_TOTAL}, {"prefix", TARGET_PREFIX}, {"host", TARGET_HOST}};
    uint32_t at = 0;
    while (at < 3 && !reader_is(reader, targets[at].name)) {
        ++at;
    }
    if (at == 3) {
        return reader_refuse_word(reader, "\"total\", \"prefix\" or \"host\"");
    }
    *order = (struct order){.target = targets[at].target};
    reader_next(reader);
    if (order->target != TARGET_TOTAL) {
        if (!ip_prefix_read(reader->word, reader->length, &order->prefix)) {
            return reader_refuse_word(reader, "a prefix or an address");
        }
        reader_next(reader);
    }
    order->is_default = order->target == TARGET_HOST && reader_is(reader, "default");
    order->limits_text = reader->word;
    return true;
}

static bool check_target(const struct limiter_config *config, const struct order *order,
                         struct reader *reader) {
    switch (order->target) {
    case TARGET_TOTAL:
        return config->has_total ||
               reader_refuse(reader,
                             "there is no limit of everything to change; the option total = "
                             "\"upload unlimited\" makes a place for one");
    case TARGET_PREFIX:
        return prefix_map_index(&config->prefixes, &order->prefix) != PREFIX_MAP_NONE ||
               reader_refuse(reader, "this is none of the prefixes of the configuration");
    case TARGET_HOST:
        break;
    }
    return config->has_host ||
           reader_refuse(reader, "hosts are not limited; the option host = \"upload unlimited\" "
                                 "makes a place for limits of single ones");
}

int limiter_check_command(const void *configuration, const char *text, char *error,
                          size_t error_size) {
    const struct limiter_config *config = configuration;
    struct reader reader = reader_begin(text, error, error_size);
    struct limiter_limit limits[LIMITER_DIRECTIONS] = {{0}};
    struct order order;
    if (!read_order(&reader, &order) || !check_target(config, &order, &reader)) {
        return -1;
    }
    if (order.is_default) {
        reader_next(&reader);
        return reader.length == 0 || reader_refuse_word(&reader, "the end") ? 0 : -1;
    }
    if (!limiter_read_limits(&reader, limits)) {
        return -1;
    }
    for (uint32_t direction = 0; direction < LIMITER_DIRECTIONS; ++direction) {
        if (!limiter_limit_fits(config, &limits[direction], &reader)) {
            return -1;
        }
    }
    return 0;
}

/* The text was checked. */
static void read_limits(const struct order *order, struct limiter_limit *limits) {
    char error[2];
    struct reader reader = reader_begin(order->limits_text, error, sizeof(error));
    limiter_read_limits(&reader, limits);
}

static void change(struct limiter_bucket *bucket, const struct limiter_limit *before,
                   const struct limiter_limit *after, uint64_t now_ns) {
    if (before->rate == 0) {
        limiter_bucket_fill(bucket, after, now_ns);
        return;
    }
    uint64_t capacity = limiter_capacity(after);
    bucket->parts = limiter_bucket_parts(bucket, before, now_ns);
    bucket->parts = bucket->parts > capacity ? capacity : bucket->parts;
    bucket->time_ns = now_ns;
}

static void change_gates(struct ftmb_context *context, const struct order *order, uint32_t prefix) {
    struct limiter_shared *shared = context->shared;
    for (uint32_t direction = 0; direction < LIMITER_DIRECTIONS; ++direction) {
        struct limiter_gate *gate = limiter_gate_of(shared, prefix, direction);
        struct limiter_limit limits[LIMITER_DIRECTIONS];
        ftmb_shared_acquire(context, limiter_variable(shared, direction));
        limits[direction] = gate->limit;
        read_limits(order, limits);
        change(&gate->bucket, &gate->limit, &limits[direction],
               limiter_advance(&shared->clocks_ns[direction], context->now_ns));
        gate->limit = limits[direction];
        ftmb_shared_release(context, limiter_variable(shared, direction));
    }
}

/* A free place for a host's own limits, plus 1; 0: all are taken. */
static uint32_t take_own(struct limiter_state *state) {
    for (uint32_t place = 0; place < LIMITER_OWN_MAX; ++place) {
        if (!state->own_taken[place]) {
            state->own_taken[place] = 1;
            return place + 1;
        }
    }
    return 0;
}

/* Under the variable of its stripe. */
static bool change_host(struct ftmb_context *context, const struct order *order,
                        struct limiter_host *host, uint64_t now_ns) {
    const struct limiter_config *config = context->config;
    struct limiter_state *state = context->state;
    struct limiter_own *owned =
        limiter_at(context->shared, ((struct limiter_shared *)context->shared)->own);
    struct limiter_limit before[LIMITER_DIRECTIONS], after[LIMITER_DIRECTIONS];
    uint32_t own = host->own;
    memcpy(before, limiter_limits_of(config, context->shared, host), sizeof(before));
    memcpy(after, order->is_default ? config->host : before, sizeof(after));
    if (order->is_default) {
        if (own != 0) {
            state->own_taken[own - 1] = 0;
        }
        own = 0;
    } else {
        own = own != 0 ? own : take_own(state);
        if (own == 0) {
            return false;
        }
        read_limits(order, after);
        memcpy(owned[own - 1].limits, after, sizeof(after));
    }
    for (uint32_t direction = 0; direction < LIMITER_DIRECTIONS; ++direction) {
        change(&host->buckets[direction], &before[direction], &after[direction], now_ns);
    }
    host->own = own;
    return true;
}

static bool command_host(struct ftmb_context *context, const struct order *order) {
    const struct limiter_config *config = context->config;
    struct limiter_shared *shared = context->shared;
    struct ip_address address =
        limiter_host_of(config, order->prefix.address, order->prefix.version);
    uint32_t hash = limiter_hash(address);
    uint32_t stripe = limiter_stripe_of(shared, hash);
    struct limiter_stripe *heads = limiter_at(shared, shared->stripe_heads);
    struct ftmb_shared *variable = limiter_variable(shared, LIMITER_DIRECTIONS + stripe);
    ftmb_shared_acquire(context, variable);
    uint64_t now_ns = limiter_advance(&heads[stripe].clock_ns, context->now_ns);
    struct limiter_host *host = limiter_find_host(config, shared, address, hash, now_ns);
    bool is_done = host != NULL && change_host(context, order, host, now_ns);
    ftmb_shared_release(context, variable);
    return is_done;
}

void limiter_command(struct ftmb_context *context, const char *text) {
    const struct limiter_config *config = context->config;
    struct limiter_state *state = context->state;
    char error[2];
    struct reader reader = reader_begin(text, error, sizeof(error));
    struct order order;
    if (context->worker != 0 || !read_order(&reader, &order)) {
        return;
    }
    if (order.target == TARGET_HOST) {
        state->commands_ignored += !command_host(context, &order);
    } else {
        change_gates(context, &order,
                     order.target == TARGET_TOTAL
                         ? PREFIX_MAP_NONE
                         : prefix_map_index(&config->prefixes, &order.prefix));
    }
}

const struct ftmb_command limiter_command_list[] = {
    {.name = "total",
     .arguments = "[upload RATE [burst BYTES]] [download RATE [burst BYTES]]",
     .help = "limits of everything; what is not named stays as it is"},
    {.name = "prefix",
     .arguments = "PREFIX [upload RATE [burst BYTES]] [download RATE [burst BYTES]]",
     .help = "limits of a prefix of the configuration"},
    {.name = "host",
     .arguments = "ADDRESS default | ADDRESS [upload RATE [burst BYTES]] [download RATE [burst "
                  "BYTES]]",
     .help = "limits of one host, for as long as the box runs; default: those of all again"},
    {.name = NULL},
};
