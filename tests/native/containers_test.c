/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The containers of the arena against models of a few lines each, by random operations from a
 * seed: containers_test SEED. Exit status 0, or a message and 1. Now and then each container is
 * moved to another address, since it must not care.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena/free_list.h"
#include "arena/hash_table.h"
#include "arena/timer_wheel.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("line %d: %s\n", __LINE__, #condition);                                         \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static uint64_t generator;

static uint32_t draw(uint32_t below) {
    generator = generator * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(generator >> 33) % below;
}

static void *allocate(size_t size) {
    void *memory = aligned_alloc(64, (size + 63) / 64 * 64);
    CHECK(memory != NULL);
    memset(memory, 0xa5, size);
    return memory;
}

static void *moved(void *old, size_t size) {
    void *memory = allocate(size);
    memcpy(memory, old, size);
    memset(old, 0x5a, size);
    free(old);
    return memory;
}

/* ---- Hash table: keys are numbers, an entry's index is its key ---- */

#define KEYS 4096U

struct wanted {
    const bool *present;
    uint32_t key;
};

static bool equal(const void *key, uint32_t index) {
    const struct wanted *wanted = key;
    CHECK(index < KEYS && wanted->present[index]);
    return index == wanted->key;
}

/* `spread` of hashes: few make long probes, one makes the table full long before its end. */
static uint64_t hash_of(uint32_t key, uint32_t spread) {
    return hash_table_hash(key % spread, 7, 99);
}

static void test_hash_table(uint32_t spread, uint32_t capacity) {
    static bool present[KEYS];
    size_t size = hash_table_size(capacity);
    struct hash_table *table = allocate(size);
    uint32_t refused = 0;
    memset(present, 0, sizeof present);
    memset(table, 0, size);
    hash_table_init(table, capacity);
    for (uint32_t step = 0; step < 40000; ++step) {
        uint32_t key = draw(KEYS);
        uint64_t hash = hash_of(key, spread);
        struct wanted wanted = {present, key};
        uint32_t found = hash_table_find(table, hash, equal, &wanted);
        CHECK(found == (present[key] ? key : HASH_TABLE_NONE));
        if (present[key]) {
            CHECK(hash_table_remove(table, hash, key));
            present[key] = false;
        } else {
            CHECK(!hash_table_remove(table, hash, key));
            present[key] = hash_table_insert(table, hash, key);
            refused += !present[key];
        }
        if (draw(5000) == 0) {
            table = moved(table, size);
        }
    }
    CHECK(spread != 1 || refused > 0);
    for (uint32_t key = 0; key < KEYS; ++key) {
        CHECK(hash_table_remove(table, hash_of(key, spread), key) == present[key]);
        present[key] = false;
    }
    struct hash_table *empty = allocate(size);
    memset(empty, 0, size);
    hash_table_init(empty, capacity);
    CHECK(memcmp(table, empty, size) == 0); /* no trace is left of what was there */
    free(empty);
    free(table);
}

/* As many entries as it was made for go in, with hashes as they come. */
static void test_hash_table_fills(uint32_t capacity) {
    struct hash_table *table = allocate(hash_table_size(capacity));
    memset(table, 0, hash_table_size(capacity));
    hash_table_init(table, capacity);
    for (uint32_t i = 0; i < capacity; ++i) {
        CHECK(hash_table_insert(table, hash_table_hash(i, generator, 3), i));
    }
    CHECK(table->count == capacity);
    CHECK(hash_table_size(capacity) <= 64 + 64 * 32 + (size_t)capacity * 64 / 7 + 64);
    free(table);
}

/* ---- Free list ---- */

struct entry {
    uint64_t before;
    uint32_t link;
    uint32_t due;
    struct timer_wheel_link timer;
};

static void test_free_list(uint32_t capacity) {
    struct entry *entries = allocate(capacity * sizeof *entries);
    bool *given = calloc(capacity, 1);
    struct free_list list;
    uint32_t used = 0;
    free_list_init(&list, capacity, sizeof *entries, offsetof(struct entry, link));
    for (uint32_t step = 0; step < 20000; ++step) {
        uint32_t index = draw(capacity);
        if (draw(3) != 0) {
            index = free_list_take(&list, entries);
            CHECK((index == FREE_LIST_NONE) == (used == capacity));
            if (index == FREE_LIST_NONE) {
                continue;
            }
            CHECK(index < capacity && !given[index]);
            given[index] = true;
            memset(&entries[index], 0xff, sizeof *entries); /* it is the caller's */
            ++used;
        } else if (given[index]) {
            free_list_give(&list, entries, index);
            given[index] = false;
            --used;
        }
        CHECK(list.used == used);
    }
    free(given);
    free(entries);
}

/* ---- Timer wheel: against the due time that each entry keeps ---- */

#define TIMERS 500U
#define SLOTS 64U

struct model {
    struct entry *entries;
    bool armed[TIMERS];
    uint32_t fired;
};

static bool fire(void *context, uint32_t index, uint32_t now, uint32_t *due) {
    struct model *model = context;
    CHECK(index < TIMERS && model->armed[index]);
    ++model->fired;
    *due = model->entries[index].due;
    if ((int32_t)(*due - now) > 0) {
        return true; /* put off, or beyond the wheel's span */
    }
    model->armed[index] = false;
    return false;
}

static void change_a_timer(struct timer_wheel *wheel, struct model *model, uint32_t now) {
    uint32_t index = draw(TIMERS);
    struct entry *entry = &model->entries[index];
    if (!model->armed[index]) {
        entry->due = now + 1 + draw(draw(2) ? 10 : 10 * SLOTS);
        timer_wheel_add(wheel, model->entries, index, entry->due, now);
        model->armed[index] = true;
    } else if (draw(2)) {
        entry->due += draw(200); /* putting off tells the wheel nothing */
    } else {
        timer_wheel_remove(wheel, model->entries, index);
        model->armed[index] = false;
    }
}

static void test_timer_wheel(uint32_t now) {
    struct model model = {.entries = allocate(TIMERS * sizeof(struct entry))};
    struct timer_wheel *wheel = allocate(timer_wheel_size(SLOTS));
    timer_wheel_init(wheel, SLOTS, sizeof(struct entry), offsetof(struct entry, timer));
    for (uint32_t step = 0; step < 20000; ++step) {
        for (uint32_t count = draw(4); count > 0; --count) {
            change_a_timer(wheel, &model, now);
        }
        now += draw(100) == 0 ? draw(1000) : draw(3);
        uint32_t budget = draw(20) + 1;
        model.fired = 0;
        bool done = timer_wheel_advance(wheel, model.entries, now, budget, fire, &model);
        CHECK(model.fired <= budget);
        CHECK(done == !wheel->behind);
        uint32_t armed = 0;
        for (uint32_t index = 0; index < TIMERS; ++index) {
            armed += model.armed[index];
            /* At most two units late: an entry added for the very next unit. */
            CHECK(!done || !model.armed[index] || (int32_t)(now - model.entries[index].due) <= 1);
        }
        CHECK(armed == wheel->count);
        if (draw(1000) == 0) {
            wheel = moved(wheel, timer_wheel_size(SLOTS));
            model.entries = moved(model.entries, TIMERS * sizeof(struct entry));
        }
    }
    free(wheel);
    free(model.entries);
}

int main(int count, char **arguments) {
    generator = count > 1 ? strtoull(arguments[1], NULL, 10) : 1;
    test_hash_table(KEYS, KEYS);
    test_hash_table(40, KEYS);
    test_hash_table(1, KEYS);
    test_hash_table(KEYS, 16);
    test_hash_table_fills(1);
    test_hash_table_fills(1000);
    test_hash_table_fills(200000);
    test_free_list(1);
    test_free_list(100);
    test_timer_wheel(0);
    test_timer_wheel(0xfffff000U); /* time wraps */
    test_timer_wheel(0x7ffff000U);
    return 0;
}
