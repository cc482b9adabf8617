/* SPDX-License-Identifier: BSD-3-Clause */
#include "simulator/commands.h"

#include "log/input_record.h"
#include "simulator/observe.h"
#include "simulator/traffic.h"

#define ROUNDS_PER_COMMAND 64U

static struct random random; /* numbers of its own: all else of a run is the same without it */

void commands_begin(void) {
    random = (struct random){.state = simulation.seed * 0x9fb21c651e98df25ULL + 11};
}

static uint32_t count_texts(const char *const *texts) {
    uint32_t count = 0;
    while (texts[count] != NULL) {
        count++;
    }
    return count;
}

static bool is_command(const struct observed_queue *queue, uint64_t sequence) {
    const struct input_record *record =
        (const struct input_record *)(queue->inputs + queue->input_ends[sequence - 1]);
    return sequence <= queue->input_count && record->kind == INPUT_COMMAND;
}

void commands_give(void) {
    const char *const *texts = simulation.settings.commands;
    if (texts == NULL || traffic_left() == 0 || !random_one_in(&random, ROUNDS_PER_COMMAND)) {
        return;
    }
    uint64_t sequences[FTMB_WORKERS_MAX];
    uint64_t before = observed.queues[0].commands;
    const char *text = texts[random_below(&random, count_texts(texts))];
    bool is_logged = logger_command(simulation.logger, 0, text, sequences);
    for (uint32_t worker = 0; worker < simulation.settings.workers; worker++) {
        const struct observed_queue *queue = &observed.queues[worker];
        simulation_expect(queue->commands == before + is_logged,
                          "a command is in one worker's log and not in another's");
        simulation_expect(!is_logged || is_command(queue, sequences[worker]),
                          "a command has another number than its log says");
    }
}
