/* SPDX-License-Identifier: BSD-3-Clause */
#include "simulator/fiber.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PAGE_SIZE 4096U
#define STACK_SIZE (32U * PAGE_SIZE)
#define SPARE_STACKS_MAX 256U

/* The address sanitizer is told which stack is stood on: it must know when something leaves a
 * function by longjmp(), as a replay that diverges does. */
#ifdef __SANITIZE_ADDRESS__
#include <pthread.h>
#include <sanitizer/common_interface_defs.h>

static void tell_leaving(const struct fiber *to) {
    void *bottom = to->stack;
    size_t size = STACK_SIZE;
    if (bottom == NULL) { /* the thread's own */
        pthread_attr_t attributes;
        pthread_getattr_np(pthread_self(), &attributes);
        pthread_attr_getstack(&attributes, &bottom, &size);
        pthread_attr_destroy(&attributes);
    }
    __sanitizer_start_switch_fiber(NULL, bottom, size);
}

static void tell_arrived(void) {
    __sanitizer_finish_switch_fiber(NULL, NULL, NULL);
}
#else
static void tell_leaving(const struct fiber *to) {
    (void)to;
}

static void tell_arrived(void) {}
#endif

static void *spare_stacks[SPARE_STACKS_MAX];
static uint32_t spare_count;

static void *take_stack(void) {
    if (spare_count > 0) {
        return spare_stacks[--spare_count];
    }
    uint8_t *memory = mmap(NULL, PAGE_SIZE + STACK_SIZE, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) {
        return NULL;
    }
    mprotect(memory, PAGE_SIZE, PROT_NONE);
    return memory + PAGE_SIZE;
}

/* makecontext passes ints: a pointer is two of them. */
static void begin(unsigned high, unsigned low) {
    struct fiber *fiber = (struct fiber *)(((uintptr_t)high << 32) | low);
    tell_arrived();
    fiber->body(fiber->argument);
    abort();
}

int fiber_create(struct fiber *fiber, void (*body)(void *argument), void *argument) {
    *fiber = (struct fiber){.body = body, .argument = argument, .stack = take_stack()};
    if (fiber->stack == NULL) {
        return -ENOMEM;
    }
    getcontext(&fiber->context);
    fiber->context.uc_stack.ss_sp = fiber->stack;
    fiber->context.uc_stack.ss_size = STACK_SIZE;
    fiber->context.uc_link = NULL;
    uintptr_t address = (uintptr_t)fiber;
    makecontext(&fiber->context, (void (*)(void))begin, 2, (unsigned)(address >> 32),
                (unsigned)address);
    return 0;
}

void fiber_destroy(struct fiber *fiber) {
    if (fiber->stack == NULL) {
        return;
    }
    if (spare_count < SPARE_STACKS_MAX) {
        spare_stacks[spare_count++] = fiber->stack;
    } else {
        munmap((uint8_t *)fiber->stack - PAGE_SIZE, PAGE_SIZE + STACK_SIZE);
    }
    fiber->stack = NULL;
}

void fiber_switch(struct fiber *from, struct fiber *to) {
    tell_leaving(to);
    swapcontext(&from->context, &to->context);
    tell_arrived();
}
