/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A timer wheel, for state in the arena: timers that fire at the same point of the log everywhere.
 *
 * Time is a 32-bit count of units that the caller chooses and hands in; it comes from input
 * records, and it may wrap. A timer is the index of an entry in the caller's array, which holds a
 * struct timer_wheel_link. A timer due beyond the wheel's span waits at its far end and is asked
 * again there, and so is one whose due time has been put off meanwhile: the wheel asks the entry,
 * by the callback, and puts it in again. Putting off a timer therefore costs nothing here.
 *
 * Each call of timer_wheel_advance() does a bounded amount of work and leaves the rest to the
 * next, so a timer may fire late, and never early. Position independent, one block of
 * timer_wheel_size() bytes. Threads: one.
 */
#ifndef FTMB_TIMER_WHEEL_H
#define FTMB_TIMER_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMER_WHEEL_NONE 0xffffffffU

struct timer_wheel_link {
    uint32_t next;     /* TIMER_WHEEL_NONE at the end of a slot's list */
    uint32_t previous; /* an entry, or a slot's number with the top bit set */
};

struct timer_wheel {
    uint32_t slot_count; /* a power of two: the wheel's span in units */
    uint32_t position;   /* timers due up to here have fired */
    uint32_t started;    /* position means something */
    uint32_t count;      /* timers in the wheel */
    uint32_t stride;     /* bytes of an entry */
    uint32_t link;       /* byte offset of the link in it */
    uint32_t behind;     /* the last advance left work over */
    uint32_t padding;
    uint32_t heads[]; /* first timer of each slot, plus one; 0: none */
};

size_t timer_wheel_size(uint32_t slot_count);
void timer_wheel_init(struct timer_wheel *wheel, uint32_t slot_count, uint32_t stride,
                      uint32_t link);

/* Puts a timer in, due at `due`; `now` sets the wheel's time when it is the first it hears. */
void timer_wheel_add(struct timer_wheel *wheel, void *entries, uint32_t index, uint32_t due,
                     uint32_t now);

/* Takes out a timer that is in. */
void timer_wheel_remove(struct timer_wheel *wheel, void *entries, uint32_t index);

/*
 * A timer that may be due was taken out of the wheel. True: put it in again, due at *due, which
 * is after now; false: the callback has done with it. It may add and remove other timers.
 */
typedef bool timer_wheel_fire(void *context, uint32_t index, uint32_t now, uint32_t *due);

/*
 * Fires what is due up to `now`, at most `budget` timers, and as many empty slots at 64 for one.
 * True when all of it is done.
 */
bool timer_wheel_advance(struct timer_wheel *wheel, void *entries, uint32_t now, uint32_t budget,
                         timer_wheel_fire *fire, void *context);

#endif
