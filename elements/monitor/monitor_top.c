/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Top talkers: the Space-Saving sketch of Metwally, Agrawal and El Abbadi ("Efficient computation
 * of frequent and top-k elements in data streams", ICDT 2005), with bytes for weights.
 *
 * It holds as many addresses as it has entries. One that has none takes over the entry with the
 * least bytes, count and all, and remembers that count as `over`. So an entry's bytes are never too
 * few, and too many by `over` at most, which is at most all bytes divided by the entries; and who
 * had more than that has an entry. The entry with the least is on top of a binary heap: a packet
 * costs a look-up and, for who is not there, as many steps as the heap is deep.
 *
 * Sketches of several workers add up ("Mergeable summaries", Agarwal et al., PODS 2012): the sum's
 * error is at most the sum of theirs.
 */
#include "arena/hash_table.h"
#include "monitor.h"

static uint64_t aligned(uint64_t size) {
    return (size + 63) / 64 * 64;
}

uint64_t monitor_top_place(struct monitor_top *top, uint32_t capacity, uint64_t offset) {
    top->capacity = capacity;
    top->talkers = aligned(offset);
    top->heap = aligned(top->talkers + capacity * sizeof(struct monitor_talker));
    top->table = aligned(top->heap + capacity * sizeof(uint32_t));
    return top->table + hash_table_size(capacity);
}

void monitor_top_init(struct monitor_state *state, enum monitor_role role) {
    const struct monitor_top *top = &state->tops[role];
    hash_table_init(monitor_at(state, top->table), top->capacity);
}

struct talker_question {
    const struct monitor_talker *talkers;
    struct ip_address address;
};

static inline bool is_talker(const void *question_pointer, uint32_t index) {
    const struct talker_question *question = question_pointer;
    return ip_address_equal(question->talkers[index].address, question->address);
}

/* What the functions below work on. */
struct sketch {
    struct monitor_top *top;
    struct monitor_talker *talkers;
    uint32_t *heap;
    struct hash_table *table;
};

static void put(const struct sketch *sketch, uint32_t place, uint32_t talker) {
    sketch->heap[place] = talker;
    sketch->talkers[talker].place = place;
}

static uint64_t bytes_at(const struct sketch *sketch, uint32_t place) {
    return sketch->talkers[sketch->heap[place]].bytes;
}

/* A talker has more bytes than before. */
static void move_down(const struct sketch *sketch, uint32_t place) {
    uint32_t count = sketch->top->count;
    uint32_t talker = sketch->heap[place];
    uint64_t bytes = sketch->talkers[talker].bytes;
    for (uint32_t child; (child = 2 * place + 1) < count; place = child) {
        child += child + 1 < count && bytes_at(sketch, child + 1) < bytes_at(sketch, child);
        if (bytes_at(sketch, child) >= bytes) {
            break;
        }
        put(sketch, place, sketch->heap[child]);
    }
    put(sketch, place, talker);
}

static void move_up(const struct sketch *sketch, uint32_t place) {
    uint32_t talker = sketch->heap[place];
    uint64_t bytes = sketch->talkers[talker].bytes;
    for (; place > 0 && bytes_at(sketch, (place - 1) / 2) > bytes; place = (place - 1) / 2) {
        put(sketch, place, sketch->heap[(place - 1) / 2]);
    }
    put(sketch, place, talker);
}

static uint64_t hash_of(struct ip_address address, uint64_t seed) {
    return hash_table_hash(address.high, address.low, seed);
}

/* An entry for an address that has none: a free one, or that with the least bytes. The table has
 * room for all; should chosen hashes crowd it, an address may have two rows. */
static void take_in(const struct sketch *sketch, const struct monitor_entry *entry, uint64_t hash,
                    uint64_t seed) {
    struct monitor_top *top = sketch->top;
    bool is_full = top->count == top->capacity;
    uint32_t index = is_full ? sketch->heap[0] : top->count;
    struct monitor_talker *talker = &sketch->talkers[index];
    uint64_t over = 0;
    if (is_full) {
        hash_table_remove(sketch->table, hash_of(talker->address, seed), index);
        over = talker->bytes;
    }
    *talker = (struct monitor_talker){
        .address = entry->address, .bytes = over + entry->bytes, .over = over, .packets = 1};
    hash_table_insert(sketch->table, hash, index);
    if (is_full) {
        move_down(sketch, 0);
    } else {
        put(sketch, top->count, index);
        move_up(sketch, top->count++);
    }
}

void monitor_count_top(struct monitor_state *state, const struct monitor_burst *burst) {
    struct sketch sketches[MONITOR_ROLES];
    for (uint32_t role = 0; role < MONITOR_ROLES; role++) {
        struct monitor_top *top = &state->tops[role];
        sketches[role] = (struct sketch){.top = top,
                                         .talkers = monitor_at(state, top->talkers),
                                         .heap = monitor_at(state, top->heap),
                                         .table = monitor_at(state, top->table)};
    }
    for (uint32_t index = 0; index < burst->entry_count; index++) {
        const struct monitor_entry *entry = &burst->entries[index];
        const struct sketch *sketch = &sketches[entry->role];
        struct talker_question question = {sketch->talkers, entry->address};
        uint64_t hash = hash_of(entry->address, state->seed);
        uint32_t found = hash_table_find(sketch->table, hash, is_talker, &question);
        sketch->top->bytes += entry->bytes;
        if (found == HASH_TABLE_NONE) {
            take_in(sketch, entry, hash, state->seed);
        } else {
            sketch->talkers[found].bytes += entry->bytes;
            sketch->talkers[found].packets++;
            move_down(sketch, sketch->talkers[found].place);
        }
    }
}
