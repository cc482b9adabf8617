/* SPDX-License-Identifier: BSD-3-Clause */
/* All elements that are built in, for looking one up by the name that a configuration gives. */
#ifndef FTMB_ELEMENTS_H
#define FTMB_ELEMENTS_H

#include "ftmb_element.h"

/* The element at `index`, or NULL behind the last one. */
const struct ftmb_element_class *elements_at(uint32_t index);

#endif
