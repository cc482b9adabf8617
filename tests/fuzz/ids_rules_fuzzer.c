/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Canonical rules of the ids: lines of the input are rules, in blocks of their own length. What is
 * refused leaves a message and no trace; what is taken tells no more of itself than the arrays
 * hold, and its expressions compile, all together as one by one.
 */
#include "fuzz_box.h"

#include "ids/ids_config.h"
#include "ids/ids_engine.h"

#define LINES_MAX 12U
#define HEAD "alert tcp any any -> any any ("

extern const struct ftmb_element_class ids_class;

/* A byte says how it begins: a fuzzer should not have to guess the same head each time. */
static void parse_line(struct ids_config *config, const uint8_t *line, size_t length, uint8_t how) {
    size_t head = (how & 1) != 0 ? sizeof(HEAD) - 1 : 0;
    size_t error_size = 1 + (how >> 1);
    char *text = malloc(head + length + 1);
    char *error = malloc(error_size);
    memcpy(text, HEAD, head);
    memcpy(text + head, line, length);
    text[head + length] = '\0';
    memset(error, 'x', error_size);
    struct ids_rules before = config->rules == NULL ? (struct ids_rules){0} : *config->rules;
    int result = ids_parse_rule(config, text, error, error_size);
    struct ids_rules *rules = config->rules;
    MUST(result == 0 || result == -1);
    MUST(rules->rule_count == before.rule_count + (result == 0));
    if (result != 0) {
        MUST(memchr(error, '\0', error_size) != NULL);
        MUST(rules->part_count == before.part_count && rules->text_size == before.text_size &&
             rules->prefix_count == before.prefix_count &&
             rules->range_count == before.range_count);
    }
    free(text);
    free(error);
}

static void check_span(struct ids_span span, uint32_t count) {
    MUST(span.count <= count && span.first <= count - span.count);
}

static void check_rules(const struct ids_rules *rules) {
    for (uint32_t index = 0; index < rules->rule_count; index++) {
        const struct ids_rule *rule = &rules->rules[index];
        check_span(rule->source, rules->prefix_count);
        check_span(rule->destination, rules->prefix_count);
        check_span(rule->source_ports, rules->range_count);
        check_span(rule->destination_ports, rules->range_count);
        check_span(rule->parts, rules->part_count);
        MUST(rule->sid != 0 && rule->places != 0);
        MUST(strlen(ids_text(rules, rule->alert)) < 1500);
        for (uint32_t part = 0; part < rule->parts.count; part++) {
            MUST(rules->parts[rule->parts.first + part].rule == index);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct fuzz_data data = {.at = bytes, .left = size};
    struct ids_config config = {0};
    for (uint32_t count = 0; count < LINES_MAX && data.left > 0; count++) {
        uint8_t how = fuzz_take8(&data);
        const uint8_t *end = memchr(data.at, '\n', data.left);
        size_t length = end == NULL ? data.left : (size_t)(end - data.at);
        const uint8_t *line = fuzz_take(&data, &length);
        fuzz_take8(&data);
        parse_line(&config, line, length, how);
    }
    if (config.rules != NULL) {
        const struct ids_engine *engine;
        struct ids_scanner *scanner = NULL;
        check_rules(config.rules);
        MUST(ids_engine_get(config.rules, &engine) == 0);
        MUST(ids_scanner_create(config.rules, engine, &scanner) == 0);
        ids_scanner_free(scanner);
    }
    ids_class.release_config(&config);
    return 0;
}
