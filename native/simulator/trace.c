/* SPDX-License-Identifier: BSD-3-Clause */
#include "simulator/trace.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

struct point_text {
    const char *name, *a, *b;
};

#define X(name, a, b) {#name, a, b},
static const struct point_text texts[] = {SIMULATION_POINTS(X)};
#undef X

const char *trace_name(const struct task *task) {
    static char name[48];
    if (task == NULL) {
        snprintf(name, sizeof(name), "the run");
    } else if (task->kind == TASK_WORKER) {
        snprintf(name, sizeof(name), "epoch %u worker %u", task->replica->epoch, task->worker);
    } else if (task->kind == TASK_SNAPSHOT) {
        snprintf(name, sizeof(name), "epoch %u snapshot", task->replica->epoch);
    } else {
        snprintf(name, sizeof(name), "%s", task->kind == TASK_LOGGERS ? "loggers" : "control");
    }
    return name;
}

void trace_step(const struct task *task, enum simulation_point point, uint64_t a, uint64_t b) {
    const struct point_text *text = &texts[point];
    printf("%7" PRIu64 " %11.6f ms  %-18s %-16s", simulation.steps, (double)simulation.now_ns / 1e6,
           trace_name(task), text->name);
    if (text->a[0] != '-') {
        printf(" %s %" PRIu64, text->a, a);
    }
    if (text->b[0] != '-') {
        printf(", %s %" PRIu64, text->b, b);
    }
    putchar('\n');
}

void trace_say(const char *format, ...) {
    if (!simulation.is_tracing) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    printf("%7" PRIu64 " ******** ", simulation.steps);
    vprintf(format, arguments);
    putchar('\n');
    va_end(arguments);
}
