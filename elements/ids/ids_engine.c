/* SPDX-License-Identifier: BSD-3-Clause */
/* Compiling: which parts are in which database, and in which order rules are asked. */
#include "ids/ids_engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whether packets or streams of a database can match a rule. */
static bool is_in(const struct ids_rule *rule, enum ids_database database) {
    bool only_stream = (rule->flow & IDS_FLOW_ONLY_STREAM) != 0;
    bool is_ip = rule->protocol == IDS_PROTOCOL_IP;
    bool is_tcp = is_ip || rule->protocol == IDS_PROTOCOL_TCP;
    switch (database) {
    case IDS_TO_SERVER:
        return is_tcp && (rule->places & IDS_IN_STREAM) != 0 &&
               (rule->flow & IDS_FLOW_TO_CLIENT) == 0;
    case IDS_TO_CLIENT:
        return is_tcp && (rule->places & IDS_IN_STREAM) != 0 &&
               (rule->flow & IDS_FLOW_TO_SERVER) == 0;
    case IDS_TCP_PACKET:
        return is_tcp && (rule->places & IDS_IN_PACKET) != 0;
    case IDS_UDP:
        return (is_ip && !only_stream) || rule->protocol == IDS_PROTOCOL_UDP;
    case IDS_ICMP:
        return (is_ip && !only_stream) || rule->protocol == IDS_PROTOCOL_ICMP;
    default:
        return is_ip && !only_stream;
    }
}

static int compile(const struct ids_rules *rules, enum ids_database database,
                   hs_database_t **compiled) {
    const char **texts = calloc(rules->part_count + 1, sizeof(char *));
    unsigned *flags = calloc(rules->part_count + 1, sizeof(unsigned));
    unsigned *numbers = calloc(rules->part_count + 1, sizeof(unsigned));
    int result = texts == NULL || flags == NULL || numbers == NULL ? -ENOMEM : 0;
    bool is_stream = database < IDS_STREAM_COUNT;
    uint32_t count = 0;
    for (uint32_t part = 0; part < rules->part_count && result == 0; part++) {
        if (is_in(&rules->rules[rules->parts[part].rule], database)) {
            texts[count] = ids_text(rules, rules->parts[part].expression);
            /* In a packet once is enough; a stream goes on, and what was found may be again. */
            flags[count] = HS_FLAG_DOTALL | (is_stream ? 0 : HS_FLAG_SINGLEMATCH);
            numbers[count++] = part;
        }
    }
    hs_compile_error_t *error = NULL;
    if (result == 0 && count != 0 &&
        hs_compile_multi(texts, flags, numbers, count, is_stream ? HS_MODE_STREAM : HS_MODE_BLOCK,
                         NULL, compiled, &error) != HS_SUCCESS) {
        fprintf(stderr, "ids: Hyperscan cannot compile the rules: %s\n", error->message);
        hs_free_compile_error(error);
        result = -EINVAL;
    }
    free(texts);
    free(flags);
    free(numbers);
    return result;
}

/* ---- Order ---- */

/* Rules that set flowbits come before those that ask for them. */
static uint32_t step_rank(const struct ids_rule *rule) {
    bool asks = false;
    bool sets = false;
    for (uint32_t index = 0; index < rule->step_count; index++) {
        bool is_question = rule->steps[index].kind >= IDS_STEP_IS_SET;
        asks = asks || is_question;
        sets = sets || !is_question;
    }
    return sets && !asks ? 0 : sets ? 1 : asks ? 2 : 3;
}

static uint64_t order_key(const struct ids_rules *rules, uint32_t index) {
    const struct ids_rule *rule = &rules->rules[index];
    return (uint64_t)rule->action << 48 | (uint64_t)step_rank(rule) << 44 |
           (uint64_t)rule->priority << 32 | index;
}

static int compare_keys(const void *one, const void *other) {
    uint64_t a = *(const uint64_t *)one;
    uint64_t b = *(const uint64_t *)other;
    return a < b ? -1 : a > b;
}

static int order_rules(const struct ids_rules *rules, struct ids_engine *engine) {
    uint64_t *keys = calloc(rules->rule_count, sizeof(uint64_t));
    engine->order = calloc(rules->rule_count, sizeof(uint32_t));
    engine->ranks = calloc(rules->rule_count, sizeof(uint32_t));
    if (keys == NULL || engine->order == NULL || engine->ranks == NULL) {
        free(keys);
        return -ENOMEM;
    }
    for (uint32_t index = 0; index < rules->rule_count; index++) {
        keys[index] = order_key(rules, index);
    }
    qsort(keys, rules->rule_count, sizeof(uint64_t), compare_keys);
    for (uint32_t rank = 0; rank < rules->rule_count; rank++) {
        engine->order[rank] = (uint32_t)keys[rank];
        engine->ranks[engine->order[rank]] = rank;
    }
    free(keys);
    return 0;
}

/* Of a database of packets. A rule for streams of TCP with nothing positive to find is asked
 * with each packet as well. */
static bool is_always(const struct ids_rule *rule, enum ids_database database) {
    bool is_in_stream =
        database == IDS_TCP_PACKET && (is_in(rule, IDS_TO_SERVER) || is_in(rule, IDS_TO_CLIENT));
    return rule->positive_count == 0 && (rule->places & IDS_FIRST_PACKETS) == 0 &&
           (is_in(rule, database) || is_in_stream);
}

static int list_always(const struct ids_rules *rules, struct ids_engine *engine) {
    for (uint32_t place = 0; place < IDS_DATABASE_COUNT - IDS_STREAM_COUNT; place++) {
        struct ids_always *always = &engine->always[place];
        always->ranks = calloc(rules->rule_count, sizeof(uint32_t));
        if (always->ranks == NULL) {
            return -ENOMEM;
        }
        for (uint32_t rank = 0; rank < rules->rule_count; rank++) {
            if (is_always(&rules->rules[engine->order[rank]], place + IDS_STREAM_COUNT)) {
                always->ranks[always->count++] = rank;
            }
        }
    }
    engine->first = calloc(rules->rule_count, sizeof(uint32_t));
    if (engine->first == NULL) {
        return -ENOMEM;
    }
    for (uint32_t rank = 0; rank < rules->rule_count; rank++) {
        if ((rules->rules[engine->order[rank]].places & IDS_FIRST_PACKETS) != 0) {
            engine->first[engine->first_count++] = rank;
        }
    }
    return 0;
}

/* ---- The engine ---- */

static int open_fresh(struct ids_engine *engine) {
    for (uint32_t index = 0; index < IDS_STREAM_COUNT; index++) {
        size_t size = 0;
        if (engine->databases[index] == NULL) {
            continue;
        }
        if (hs_open_stream(engine->databases[index], 0, &engine->fresh[index]) != HS_SUCCESS ||
            hs_stream_size(engine->databases[index], &size) != HS_SUCCESS) {
            return -ENOMEM;
        }
        engine->stream_size_max = size > engine->stream_size_max ? size : engine->stream_size_max;
    }
    return 0;
}

static void *allocate_zeroed(size_t size) {
    return calloc(1, size);
}

int ids_engine_get(struct ids_rules *rules, const struct ids_engine **found) {
    *found = rules->engine;
    if (rules->engine != NULL) {
        return 0;
    }
    /* Bytes of a stream that Hyperscan never writes are in its compressed form as well. */
    if (hs_set_stream_allocator(allocate_zeroed, free) != HS_SUCCESS) {
        return -ENOMEM;
    }
    struct ids_engine *engine = calloc(1, sizeof(struct ids_engine));
    int result = engine == NULL ? -ENOMEM : order_rules(rules, engine);
    result = result == 0 ? list_always(rules, engine) : result;
    for (uint32_t index = 0; index < IDS_DATABASE_COUNT && result == 0; index++) {
        result = compile(rules, index, &engine->databases[index]);
    }
    result = result == 0 ? open_fresh(engine) : result;
    if (result != 0) {
        ids_engine_free(engine);
        return result;
    }
    rules->engine = engine;
    *found = engine;
    return 0;
}

void ids_engine_free(struct ids_engine *engine) {
    if (engine == NULL) {
        return;
    }
    for (uint32_t index = 0; index < IDS_STREAM_COUNT; index++) {
        if (engine->fresh[index] != NULL) {
            hs_close_stream(engine->fresh[index], NULL, NULL, NULL);
        }
    }
    for (uint32_t index = 0; index < IDS_DATABASE_COUNT; index++) {
        hs_free_database(engine->databases[index]);
    }
    for (uint32_t place = 0; place < IDS_DATABASE_COUNT - IDS_STREAM_COUNT; place++) {
        free(engine->always[place].ranks);
    }
    free(engine->order);
    free(engine->ranks);
    free(engine->first);
    free(engine);
}
