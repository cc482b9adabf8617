/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The texts of elements' options: lines of the input go to each option that parses text, in blocks
 * of their own length, with room for messages of any size. What is refused leaves a message; what
 * is taken, and passes the element's check, can be started and used.
 */
#include "fuzz_box.h"

#include "elements.h"
#include "nat/nat.h"

#define LINES_MAX 600U

static const struct ftmb_option *parsing_option(const struct ftmb_element_class *element,
                                                uint32_t which) {
    uint32_t count = 0;
    const struct ftmb_option *option = element->options;
    for (; option->name != NULL; option++) {
        count += option->parse != NULL;
    }
    which = count == 0 ? 0 : which % count;
    for (option = element->options; option->name != NULL; option++) {
        if (option->parse != NULL && which-- == 0) {
            return option;
        }
    }
    return NULL;
}

/* One line for one option; whether it was taken. */
static bool parse_line(const struct ftmb_option *option, void *config, const uint8_t *line,
                       size_t length, size_t error_size) {
    char *text = malloc(length + 1);
    char *error = malloc(error_size);
    memcpy(text, line, length);
    text[length] = '\0';
    memset(error, 'x', error_size);
    int result = option->parse(config, text, error, error_size);
    MUST(result == 0 || result == -1);
    if (result != 0) {
        MUST(memchr(error, '\0', error_size) != NULL);
    }
    free(text);
    free(error);
    return result == 0;
}

/* Every external address is found by its index and the other way round. */
static void use_nat(struct nat_config *config, uint32_t workers) {
    config->inside = 0;
    config->outside = 1;
    config->port_first = 1024;
    config->port_last = 65535;
    char error[128];
    MUST(config->external_count <= NAT_EXTERNAL_MAX && config->static_count <= NAT_STATIC_MAX);
    if (nat_check(config, workers, error, sizeof(error)) != 0) {
        MUST(memchr(error, '\0', sizeof(error)) != NULL);
        return;
    }
    for (uint32_t index = 0; index < config->external_count; index++) {
        MUST(nat_external_index(config, nat_external_address(config, index)) == index);
    }
    for (uint32_t index = 0; index < config->static_count; index++) {
        const struct nat_static *fixed = &config->statics[index];
        MUST(nat_static_find(config, fixed->outside) == fixed);
        MUST(nat_external_index(config, nat_address(fixed->outside)) != NAT_NONE);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct fuzz_data data = {.at = bytes, .left = size};
    uint8_t workers = 1 + fuzz_take8(&data) % FTMB_WORKERS_MAX;
    const struct ftmb_element_class *element;
    for (uint32_t index = 0; (element = elements_at(index)) != NULL; index++) {
        struct fuzz_data lines = data;
        void *config = calloc(1, element->config_size);
        for (uint32_t count = 0; count < LINES_MAX && lines.left > 0; count++) {
            uint8_t which = fuzz_take8(&lines);
            const uint8_t *end = memchr(lines.at, '\n', lines.left);
            size_t length = end == NULL ? lines.left : (size_t)(end - lines.at);
            const uint8_t *line = fuzz_take(&lines, &length);
            fuzz_take8(&lines);
            const struct ftmb_option *option = parsing_option(element, which);
            if (option != NULL) {
                parse_line(option, config, line, length, 1 + (which >> 2) * 4U);
            }
        }
        if (strcmp(element->name, "nat") == 0) {
            use_nat(config, workers);
        }
        if (element->release_config != NULL) {
            element->release_config(config);
        }
        free(config);
    }
    return 0;
}
