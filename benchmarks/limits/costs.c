/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a line from another core, a load and a copy cost, in cycles of the time stamp counter; JSON
 * on the standard output. `costs CORE CORE`: the threads' cores; of one core, what needs two is
 * left out. All loops are of fixed length; the whole takes a few seconds.
 *
 * A load is measured twice: each needing the one before (nothing overlaps: its latency), and all
 * independent of one another (what is left when the core may have many under way).
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "host/cycles.h"
#include "host/idle.h"

#define LINE 64U
#define HUGE_PAGE (2UL << 20)
#define KIBIBYTE 1024UL
#define BATCHES 12U /* the lower quartile of them counts */
#define HOP_BATCHES 400U
#define HOPS 250U          /* there and back, in a batch */
#define HANDED_LINES 1024U /* that one core writes and another reads: below what L2 holds */
#define HANDED_TIMES 16U   /* in a batch */
#define LOADS 200000U      /* in a batch */
#define COPIES 20000U      /* in a batch */
#define COPY_BYTES 1500U
#define COPY_STRIDE 1536U /* whole lines */
#define SPINS 4096U       /* before the other thread may need this core */

struct line {
    struct line *next;
    uint64_t value;
    uint8_t rest[LINE - sizeof(struct line *) - sizeof(uint64_t)];
};
_Static_assert(sizeof(struct line) == LINE, "one of them in each line");

static volatile uint64_t used; /* so that no load is left out */

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The lower one: what disturbs a batch only makes it longer. */
static double quartile(double *values, uint32_t count) {
    qsort(values, count, sizeof(*values), compare);
    return values[count / 4];
}

/* Multiples of a huge page, aligned to one, touched. Ends the program if there is no memory. */
static void *memory_of(size_t size, bool is_huge) {
    size_t whole = (size + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
    uint8_t *found =
        mmap(NULL, whole + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (found == MAP_FAILED) {
        perror("costs: no memory for the largest working set");
        exit(1);
    }
    uint8_t *start = (uint8_t *)(((uintptr_t)found + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
    munmap(start + whole, (size_t)(found + HUGE_PAGE - start));
    if (start > found) {
        munmap(found, (size_t)(start - found));
    }
    madvise(start, whole, is_huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    memset(start, 1, whole);
    return start;
}

static void memory_free(void *memory, size_t size) {
    munmap(memory, (size + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
}

static uint64_t random_below(uint64_t *state, uint64_t bound) {
    *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint64_t)(((unsigned __int128)(*state) * bound) >> 64);
}

/* One circle through all lines, in no order (Sattolo). */
static void shuffle(struct line *lines, uint64_t count) {
    uint64_t state = 1;
    for (uint64_t index = 0; index < count; index++) {
        lines[index].value = index;
    }
    for (uint64_t index = count - 1; index > 0; index--) {
        uint64_t other = random_below(&state, index);
        uint64_t value = lines[index].value;
        lines[index].value = lines[other].value;
        lines[other].value = value;
    }
    for (uint64_t index = 0; index < count; index++) {
        lines[index].next = &lines[lines[index].value];
    }
}

static const struct line *follow(const struct line *line, uint32_t steps) {
    for (uint32_t step = 0; step < steps; step++) {
        line = line->next;
    }
    used += line->value;
    return line;
}

static double chase(const struct line *lines) {
    double taken[BATCHES];
    const struct line *line = follow(lines, LOADS);
    for (uint32_t batch = 0; batch < BATCHES; batch++) {
        uint64_t start = cycles_now();
        line = follow(line, LOADS);
        taken[batch] = (double)(cycles_now() - start) / LOADS;
    }
    return quartile(taken, BATCHES);
}

static double load_independently(const struct line *lines, uint64_t count) {
    double taken[BATCHES];
    uint64_t state = 7, sum = 0;
    for (uint32_t batch = 0; batch < BATCHES; batch++) {
        uint64_t start = cycles_now();
        for (uint32_t load = 0; load < LOADS; load++) {
            sum += lines[random_below(&state, count)].value;
        }
        taken[batch] = (double)(cycles_now() - start) / LOADS;
    }
    used += sum;
    return quartile(taken, BATCHES);
}

static void print_loads(uint64_t kibibytes, bool is_huge, const char *separator) {
    size_t size = kibibytes * KIBIBYTE;
    struct line *lines = memory_of(size, is_huge);
    shuffle(lines, size / LINE);
    double dependent = chase(lines);
    double independent = load_independently(lines, size / LINE);
    memory_free(lines, size);
    printf("%s{\"kib\": %lu, \"huge_pages\": %s, \"dependent\": %.2f, \"independent\": %.2f}",
           separator, kibibytes, is_huge ? "true" : "false", dependent, independent);
}

static double copy_all(uint8_t *target, size_t target_size, const uint8_t *source,
                       size_t source_size) {
    double taken[BATCHES];
    size_t to = 0, from = 0;
    for (uint32_t batch = 0; batch < BATCHES; batch++) {
        uint64_t start = cycles_now();
        for (uint32_t copy = 0; copy < COPIES; copy++) {
            memcpy(target + to, source + from, COPY_BYTES);
            __asm__ volatile("" ::"r"(target) : "memory");
            to = to + 2 * COPY_STRIDE <= target_size ? to + COPY_STRIDE : 0;
            from = from + 2 * COPY_STRIDE <= source_size ? from + COPY_STRIDE : 0;
        }
        taken[batch] = (double)(cycles_now() - start) / COPIES;
    }
    return quartile(taken, BATCHES);
}

/* Into `target_kib` of memory that is written onwards, round and round. */
static double copy_into(uint64_t target_kib, const uint8_t *source, size_t source_size) {
    uint8_t *target = memory_of(target_kib * KIBIBYTE, true);
    copy_all(target, target_kib * KIBIBYTE, source, source_size);
    double cycles = copy_all(target, target_kib * KIBIBYTE, source, source_size);
    memory_free(target, target_kib * KIBIBYTE);
    return cycles;
}

/* To a few places that stay in L1, to a log that the L3 holds, and to one that it does not. */
static void print_copies(uint64_t kibibytes, const char *separator) {
    size_t size = kibibytes * KIBIBYTE;
    uint8_t *source = memory_of(size, true);
    printf("%s{\"kib\": %lu, \"to_l1\": %.1f, \"to_small_log\": %.1f, \"to_log\": %.1f}", separator,
           kibibytes, copy_into(8, source, size), copy_into(4096, source, size),
           copy_into(65536, source, size));
    memory_free(source, size);
}

/* What two threads share: the word by which they take turns, and the lines that are handed over. */
struct shared {
    _Alignas(LINE) _Atomic uint64_t turn;
    _Alignas(LINE) struct line lines[HANDED_LINES];
    int core;
};

static void pin_to(int core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)core, &set);
    pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

/* As those who spin for packets do: without the pause the core has begun reads of the line that it
 * must take back when the line comes, which costs more than the line. */
static void wait_for_turn(struct shared *shared, uint64_t turn) {
    for (uint32_t spins = 0; atomic_load_explicit(&shared->turn, memory_order_acquire) != turn;
         spins++) {
        idle_pause();
        if (spins % SPINS == SPINS - 1) {
            sched_yield();
        }
    }
}

static void give_turn(struct shared *shared, uint64_t turn) {
    atomic_store_explicit(&shared->turn, turn, memory_order_release);
}

#define HOPS_ALL ((uint64_t)HOPS * HOP_BATCHES)
#define HANDED_ALL ((uint64_t)HANDED_TIMES * BATCHES * 2) /* chased, then read in a row */

/* The other core's thread: answers each hop, then writes the lines whenever asked. */
static void *answer(void *argument) {
    struct shared *shared = argument;
    pin_to(shared->core);
    uint64_t turn = 1;
    for (uint64_t hop = 0; hop < HOPS_ALL; hop++, turn += 2) {
        wait_for_turn(shared, turn);
        give_turn(shared, turn + 1);
    }
    for (uint64_t times = 0; times < HANDED_ALL; times++, turn += 2) {
        wait_for_turn(shared, turn);
        for (uint32_t index = 0; index < HANDED_LINES; index++) {
            shared->lines[index].value += times;
        }
        give_turn(shared, turn + 1);
    }
    return NULL;
}

static double hop(struct shared *shared, uint64_t *turn) {
    double taken[HOP_BATCHES];
    for (uint32_t batch = 0; batch < HOP_BATCHES; batch++) {
        uint64_t start = cycles_now();
        for (uint32_t count = 0; count < HOPS; count++, *turn += 2) {
            give_turn(shared, *turn + 1);
            wait_for_turn(shared, *turn + 2);
        }
        taken[batch] = (double)(cycles_now() - start) / HOPS / 2;
    }
    return quartile(taken, HOP_BATCHES);
}

static uint64_t sum_of(const struct line *lines) {
    uint64_t sum = 0;
    for (uint32_t index = 0; index < HANDED_LINES; index++) {
        sum += lines[index].value;
    }
    return sum;
}

/* Of a line that the other core has just written: waited for one by one, or read in a row. */
static double handed(struct shared *shared, uint64_t *turn, bool is_chased) {
    double taken[BATCHES * HANDED_TIMES];
    for (uint32_t times = 0; times < BATCHES * HANDED_TIMES; times++, *turn += 2) {
        give_turn(shared, *turn + 1);
        wait_for_turn(shared, *turn + 2);
        uint64_t start = cycles_now();
        if (is_chased) {
            follow(shared->lines, HANDED_LINES);
        } else {
            used += sum_of(shared->lines);
        }
        taken[times] = (double)(cycles_now() - start) / HANDED_LINES;
    }
    return quartile(taken, BATCHES * HANDED_TIMES);
}

static void print_hops(int core, int other) {
    struct shared *shared = memory_of(sizeof(*shared), true);
    shuffle(shared->lines, HANDED_LINES);
    shared->core = other;
    atomic_store(&shared->turn, 0);
    pthread_t thread;
    if (pthread_create(&thread, NULL, answer, shared) != 0) {
        perror("costs: no second thread");
        exit(1);
    }
    pin_to(core);
    uint64_t turn = 0;
    double one_way = hop(shared, &turn);
    double chased = handed(shared, &turn, true);
    double in_a_row = handed(shared, &turn, false);
    pthread_join(thread, NULL);
    memory_free(shared, sizeof(*shared));
    printf("\"hop\": {\"one_way\": %.1f, \"line_waited_for\": %.1f, \"line_in_a_row\": %.1f},\n",
           one_way, chased, in_a_row);
}

/* Of the core's own clock in one of the counter's: a multiplication that needs the last takes 3. */
static double core_cycles(void) {
    double taken[BATCHES];
    uint64_t factor = used | 5,
             product = factor; /* read from memory, so that it is multiplied by */
    for (uint32_t batch = 0; batch < BATCHES; batch++) {
        uint64_t start = cycles_now();
        for (uint32_t step = 0; step < LOADS; step++) {
            product *= factor;
            __asm__ volatile("" : "+r"(product));
        }
        taken[batch] = (double)(cycles_now() - start) / LOADS / 3;
    }
    used += product;
    return 1 / quartile(taken, BATCHES);
}

static double cycles_per_us(void) {
    uint64_t start_ns = monotonic_ns(), start = cycles_now();
    while (monotonic_ns() - start_ns < 100000000ULL) {
    }
    return (double)(cycles_now() - start) * 1000 / (double)(monotonic_ns() - start_ns);
}

int main(int count, char **arguments) {
    static const uint64_t loads_kib[] = {32, 512, 1024, 4096, 16384, 262144};
    static const uint64_t copies_kib[] = {16, 512, 4096, 262144};
    if (count != 3) {
        fprintf(stderr, "usage: costs CORE OTHER_CORE\n");
        return 2;
    }
    int core = atoi(arguments[1]), other = atoi(arguments[2]);
    pin_to(core);
    printf("{\"cycles_per_us\": %.1f, \"core_cycles\": %.2f, \"copy_bytes\": %u,\n",
           cycles_per_us(), core_cycles(), COPY_BYTES);
    if (other != core) {
        print_hops(core, other);
    }
    printf("\"loads\": [");
    const char *separator = "";
    for (uint32_t index = 0; index < sizeof(loads_kib) / sizeof(*loads_kib); index++) {
        print_loads(loads_kib[index], true, separator);
        separator = ",\n ";
        print_loads(loads_kib[index], false, separator);
    }
    printf("],\n\"copies\": [");
    separator = "";
    for (uint32_t index = 0; index < sizeof(copies_kib) / sizeof(*copies_kib); index++) {
        print_copies(copies_kib[index], separator);
        separator = ",\n ";
    }
    printf("]}\n");
    return 0;
}
