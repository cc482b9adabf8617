/* SPDX-License-Identifier: BSD-3-Clause */
#include "elements.h"

extern const struct ftmb_element_class firewall_class;
extern const struct ftmb_element_class forward_class;
extern const struct ftmb_element_class ids_class;
extern const struct ftmb_element_class limiter_class;
extern const struct ftmb_element_class load_balancer_class;
extern const struct ftmb_element_class monitor_class;
extern const struct ftmb_element_class nat_class;
extern const struct ftmb_element_class wan_optimizer_class;

/* One in each line, whatever their names are. */
/* clang-format off */
static const struct ftmb_element_class *const elements[] = {
    &firewall_class,
    &forward_class,
    &ids_class,
    &limiter_class,
    &load_balancer_class,
    &monitor_class,
    &nat_class,
    &wan_optimizer_class,
};
/* clang-format on */

const struct ftmb_element_class *elements_at(uint32_t index) {
    return index < sizeof(elements) / sizeof(elements[0]) ? elements[index] : NULL;
}
