/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How an element that is built outside the project's tree, as a shared object, shows itself.
 *
 * Such an object ends in FTMB_EXPORT_ELEMENT(class), once. Every process of a box loads it; its
 * calls of ftmb_drop() and the like are bound to the core that the process has. An object that
 * was built against headers of another layout is refused before anything of it is called.
 */
#ifndef FTMB_EXPORT_H
#define FTMB_EXPORT_H

#include "ftmb_element.h"

/* Raised when the meaning of the interface changes, though all sizes stay what they are. */
#define FTMB_ELEMENT_ABI 1U

/* Of the headers: the sizes of what passes between the two, so that no change goes unnoticed. */
#define FTMB_LAYOUT_AND(before, next) ((uint32_t)(before)*131U + (uint32_t)(next))
#define FTMB_ELEMENT_LAYOUT                                                                        \
    FTMB_LAYOUT_AND(                                                                               \
        FTMB_LAYOUT_AND(                                                                           \
            FTMB_LAYOUT_AND(                                                                       \
                FTMB_LAYOUT_AND(FTMB_LAYOUT_AND(FTMB_LAYOUT_AND(sizeof(struct ftmb_element_class), \
                                                                sizeof(struct ftmb_context)),      \
                                                sizeof(struct ftmb_packet)),                       \
                                sizeof(struct ftmb_option)),                                       \
                sizeof(struct ftmb_table)),                                                        \
            sizeof(struct ftmb_field)),                                                            \
        FTMB_BURST_MAX)

struct ftmb_element_export {
    uint32_t abi;    /* FTMB_ELEMENT_ABI */
    uint32_t layout; /* FTMB_ELEMENT_LAYOUT */
    const struct ftmb_element_class *element;
};

#define FTMB_EXPORT_ELEMENT(class)                                                                 \
    extern const struct ftmb_element_export ftmb_element_export;                                   \
    __attribute__((visibility("default")))                                                         \
    const struct ftmb_element_export ftmb_element_export = {FTMB_ELEMENT_ABI, FTMB_ELEMENT_LAYOUT, \
                                                            &(class)}

#endif
