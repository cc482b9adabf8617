/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Slot s holds the timers due at a time that is s modulo the number of slots, and position < due
 * < position + slots holds for each when it is put in. A slot is finished, and the position moved
 * over it, only when it is empty, so work that the budget cut short is found again. What is put in
 * meanwhile is due after the slot at hand, so a slot does come to an end.
 */
#include "arena/timer_wheel.h"

#include <assert.h>
#include <string.h>

#define IN_SLOT 0x80000000U
#define SLOTS_PER_TIMER 64U /* passing an empty slot is that much cheaper than firing a timer */

static struct timer_wheel_link *link_of(const struct timer_wheel *wheel, void *entries,
                                        uint32_t index) {
    uint8_t *entry = (uint8_t *)entries + (size_t)index * wheel->stride;
    return (struct timer_wheel_link *)(void *)(entry + wheel->link);
}

size_t timer_wheel_size(uint32_t slot_count) {
    return sizeof(struct timer_wheel) + (size_t)slot_count * sizeof(uint32_t);
}

void timer_wheel_init(struct timer_wheel *wheel, uint32_t slot_count, uint32_t stride,
                      uint32_t link) {
    assert(slot_count >= 4 && slot_count < IN_SLOT && (slot_count & (slot_count - 1)) == 0);
    memset(wheel, 0, timer_wheel_size(slot_count));
    wheel->slot_count = slot_count;
    wheel->stride = stride;
    wheel->link = link;
}

/* The slot being worked off is position + 1, hence the earliest slot is the one after it. */
static void put(struct timer_wheel *wheel, void *entries, uint32_t index, uint32_t due,
                uint32_t earliest) {
    uint32_t latest = wheel->position + wheel->slot_count - 1;
    if ((int32_t)(due - earliest) < 0) {
        due = earliest;
    }
    if ((int32_t)(due - latest) > 0) {
        due = latest;
    }
    uint32_t slot = due & (wheel->slot_count - 1);
    struct timer_wheel_link *link = link_of(wheel, entries, index);
    link->previous = slot | IN_SLOT;
    link->next = wheel->heads[slot] - 1;
    if (link->next != TIMER_WHEEL_NONE) {
        link_of(wheel, entries, link->next)->previous = index;
    }
    wheel->heads[slot] = index + 1;
    ++wheel->count;
}

void timer_wheel_add(struct timer_wheel *wheel, void *entries, uint32_t index, uint32_t due,
                     uint32_t now) {
    assert(index < IN_SLOT);
    if (!wheel->started) {
        wheel->position = now;
        wheel->started = 1;
    }
    /* From a callback, while slot position + 1 is being emptied, it must not land there again. */
    put(wheel, entries, index, due, wheel->position + 2);
}

void timer_wheel_remove(struct timer_wheel *wheel, void *entries, uint32_t index) {
    struct timer_wheel_link *link = link_of(wheel, entries, index);
    if ((link->previous & IN_SLOT) != 0) {
        wheel->heads[link->previous & ~IN_SLOT] = link->next + 1;
    } else {
        link_of(wheel, entries, link->previous)->next = link->next;
    }
    if (link->next != TIMER_WHEEL_NONE) {
        link_of(wheel, entries, link->next)->previous = link->previous;
    }
    --wheel->count;
}

bool timer_wheel_advance(struct timer_wheel *wheel, void *entries, uint32_t now, uint32_t budget,
                         timer_wheel_fire *fire, void *context) {
    if (!wheel->started) {
        wheel->position = now;
        wheel->started = 1;
    }
    int32_t lag = (int32_t)(now - wheel->position);
    if (lag <= 0) {
        return true;
    }
    /* After a leap in time every slot is due, and once round is enough. */
    if ((uint32_t)lag > wheel->slot_count) {
        wheel->position = now - wheel->slot_count;
    }
    uint64_t work = (uint64_t)budget * SLOTS_PER_TIMER;
    wheel->behind = 0;
    while (wheel->position != now) {
        uint32_t slot = (wheel->position + 1) & (wheel->slot_count - 1);
        while (wheel->heads[slot] != 0) {
            if (work < SLOTS_PER_TIMER) {
                wheel->behind = 1;
                return false;
            }
            work -= SLOTS_PER_TIMER;
            uint32_t index = wheel->heads[slot] - 1;
            uint32_t due;
            timer_wheel_remove(wheel, entries, index);
            if (fire(context, index, now, &due)) {
                put(wheel, entries, index, due, wheel->position + 2);
            }
        }
        if (work == 0) {
            wheel->behind = 1;
            return false;
        }
        --work;
        ++wheel->position;
    }
    return true;
}
