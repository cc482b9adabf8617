/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An element's configuration by the names of its options, for those who have no TOML: the
 * simulator and the fuzzers. They need not know the layout of a struct that the element shows to
 * nobody, nor the options that it gains later.
 *
 * Errors are mistakes of the caller's own source: they are told on stderr and abort.
 */
#ifndef FTMB_HOST_ELEMENT_CONFIG_H
#define FTMB_HOST_ELEMENT_CONFIG_H

#include <stdint.h>

#include "ftmb_element.h"

/* All bytes 0, then each option's default, where it has one. */
void element_config_init(const struct ftmb_element_class *element, void *config);

/* A number, a port's index, a choice's index, 0 or 1, or whole seconds. */
void element_config_set(const struct ftmb_element_class *element, void *config, const char *name,
                        uint64_t value);

/* One text of a TEXT or LIST option. */
void element_config_set_text(const struct ftmb_element_class *element, void *config,
                             const char *name, const char *text);

#endif
