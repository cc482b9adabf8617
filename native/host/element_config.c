/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/element_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS 1000000000ULL

static const struct ftmb_option *option_of(const struct ftmb_element_class *element,
                                           const char *name) {
    const struct ftmb_option *option = element->options;
    while (option->name != NULL && strcmp(option->name, name) != 0) {
        option++;
    }
    if (option->name == NULL) {
        fprintf(stderr, "the element %s has no option %s\n", element->name, name);
        abort();
    }
    return option;
}

static void store(const struct ftmb_option *option, void *config, uint64_t value) {
    uint8_t *place = (uint8_t *)config + option->offset;
    if (option->type == FTMB_OPTION_SECONDS) {
        value *= SECOND_NS;
        memcpy(place, &value, sizeof(value));
    } else if (option->type == FTMB_OPTION_UNSIGNED || option->type == FTMB_OPTION_CHOICE) {
        memcpy(place, &(uint32_t){(uint32_t)value}, sizeof(uint32_t));
    } else {
        *place = (uint8_t)value;
    }
}

/* The number that a default stands for, which is TOML: 300, true or "a choice". */
static uint64_t initial_value(const struct ftmb_option *option) {
    if (option->type == FTMB_OPTION_BOOLEAN) {
        return strcmp(option->initial, "true") == 0;
    }
    if (option->type != FTMB_OPTION_CHOICE) {
        return strtoull(option->initial, NULL, 10);
    }
    uint64_t index = 0;
    size_t length = strlen(option->initial) - 2; /* without the quotes */
    while (option->choices[index] != NULL &&
           (strlen(option->choices[index]) != length ||
            memcmp(option->choices[index], option->initial + 1, length) != 0)) {
        index++;
    }
    return index;
}

void element_config_init(const struct ftmb_element_class *element, void *config) {
    memset(config, 0, element->config_size);
    const struct ftmb_option *option = element->options;
    for (; option != NULL && option->name != NULL; option++) {
        if (option->initial != NULL && option->parse == NULL) {
            store(option, config, initial_value(option));
        }
    }
}

void element_config_set(const struct ftmb_element_class *element, void *config, const char *name,
                        uint64_t value) {
    store(option_of(element, name), config, value);
}

void element_config_set_text(const struct ftmb_element_class *element, void *config,
                             const char *name, const char *text) {
    char error[256];
    if (option_of(element, name)->parse(config, text, error, sizeof(error)) != 0) {
        fprintf(stderr, "%s of the element %s: %s\n", name, element->name, error);
        abort();
    }
}
