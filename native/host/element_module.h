/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An element in a shared object of its own (ftmb_export.h).
 *
 * The core is loaded for itself alone, as Python loads its modules. Before the first object is,
 * the core's interface (interface.map: nothing else is visible in it) is made known to what is
 * loaded later, so that an object finds ftmb_drop() and its kin without being linked to a file.
 *
 * Threads: the one that sets a process up. What was loaded stays until the process ends.
 */
#ifndef FTMB_HOST_ELEMENT_MODULE_H
#define FTMB_HOST_ELEMENT_MODULE_H

#include <stddef.h>

#include "ftmb_element.h"

/* The element that the object at `path` exports; NULL with a message, in which `path` may stand.
 * All its symbols are bound, or it is not loaded. */
const struct ftmb_element_class *element_module_open(const char *path, char *error,
                                                     size_t error_size);

#endif
