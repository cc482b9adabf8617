/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/stepping.h"

#include "host/cycles.h"

uint64_t stepping_logger(struct logger *logger) {
    uint64_t cycles = 0;
    for (;;) {
        uint64_t start = cycles_now();
        if (logger_step(logger, monotonic_ns()) == 0) {
            return cycles;
        }
        cycles += cycles_now() - start;
    }
}

uint64_t stepping_process(struct process *process) {
    uint64_t steps = 0;
    for (bool is_busy = true; is_busy;) {
        is_busy = false;
        for (uint32_t worker = 0; worker < process->worker_count; worker++) {
            if (process_step(process, worker) == WORKER_BUSY) {
                is_busy = true;
                steps++;
            }
        }
    }
    return steps;
}
