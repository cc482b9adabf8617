/* SPDX-License-Identifier: BSD-3-Clause */
#include "simulator/probe.h"

#include <errno.h>
#include <string.h>

#define PAYLOAD_OFFSET 42U /* behind Ethernet, IPv4 and UDP */
#define ACCESSES_MAX 4U

/* Guarded by variable i: cells[i]. What is in it depends on everybody who ever touched it. */
struct probe_shared {
    uint64_t variables_offset; /* from this struct */
    uint64_t cells[PROBE_VARIABLES_MAX];
};

struct probe_state {
    uint64_t mixed;
    uint64_t ticks;
};

uint64_t probe_sent;

static const char *const probe_drops[] = {"chance", NULL};

static uint64_t mix(uint64_t state, uint64_t value) {
    state = (state ^ value) * 0x9fb21c651e98df25ULL;
    return state ^ (state >> 28);
}

static int probe_init_shared(struct ftmb_arena *arena, const void *configuration, uint32_t workers,
                             void **shared) {
    (void)workers;
    const struct probe_config *config = configuration;
    struct probe_shared *probe = ftmb_allocate_shared(arena, sizeof(*probe), 64);
    struct ftmb_shared *variables = ftmb_allocate_variables(arena, config->variables);
    if (probe == NULL || variables == NULL) {
        return -ENOMEM;
    }
    probe->variables_offset = (uint64_t)((uint8_t *)variables - (uint8_t *)probe);
    *shared = probe;
    return 0;
}

static int probe_init_worker(struct ftmb_arena *arena, const void *config, uint32_t worker,
                             uint32_t workers, void *shared, void **state) {
    (void)config;
    (void)workers;
    (void)shared;
    *state = ftmb_allocate_worker(arena, worker, sizeof(struct probe_state), 64);
    return *state == NULL ? -ENOMEM : 0;
}

/* Reads and writes one cell; what it read goes into what the packet will carry. */
static uint64_t touch(struct ftmb_context *context, uint32_t index, uint64_t value) {
    struct probe_shared *probe = context->shared;
    void *first = (uint8_t *)probe + probe->variables_offset;
    struct ftmb_shared *variable = ftmb_shared_at(first, index);
    ftmb_shared_acquire(context, variable);
    uint64_t before = probe->cells[index];
    probe->cells[index] = mix(before, value);
    ftmb_shared_release(context, variable);
    return mix(value, before);
}

static void process_one(struct ftmb_context *context, const struct probe_config *config,
                        struct ftmb_packet *packet) {
    struct probe_state *state = context->state;
    const uint8_t *wishes = packet->data + PAYLOAD_OFFSET;
    packet->port_out = packet->port_in == 0 ? 1 : 0;
    if (packet->length < PAYLOAD_OFFSET + 16) {
        return;
    }
    uint64_t value = mix(packet->time_ns ^ packet->hash, ftmb_random(context));
    uint32_t accesses = wishes[0] % (ACCESSES_MAX + 1);
    for (uint32_t access = 0; access < accesses; access++) {
        value = touch(context, wishes[1 + access] % config->variables, value);
    }
    state->mixed = mix(state->mixed, value);
    memcpy(packet->data + packet->length - sizeof(value), &state->mixed, sizeof(value));
    if (state->mixed % 32 == 0) {
        ftmb_drop(context, packet, 0);
    } else if (state->mixed % 16 == 1 && !packet->is_again) {
        packet->port_out = FTMB_PORT_AGAIN | packet->port_in;
    } else if (state->mixed % 16 == 2) {
        struct ftmb_packet *more = ftmb_emit(context, 64, packet->port_in);
        if (more != NULL) {
            memcpy(more->data + 16, &value, sizeof(value));
            probe_sent++;
        }
    }
}

static void probe_process(struct ftmb_context *context, struct ftmb_packet **packets,
                          uint32_t count) {
    for (uint32_t index = 0; index < count; index++) {
        process_one(context, context->config, packets[index]);
        probe_sent += packets[index]->port_out != FTMB_PORT_NONE;
    }
}

static void probe_tick(struct ftmb_context *context) {
    const struct probe_config *config = context->config;
    struct probe_state *state = context->state;
    state->ticks++;
    uint32_t index = (context->worker + (uint32_t)state->ticks) % config->variables;
    state->mixed = mix(state->mixed, touch(context, index, context->now_ns));
}

static const struct ftmb_command probe_commands[] = {
    {.name = "mix", .arguments = "WORD", .help = "goes into all that follows"},
    {.name = NULL},
};

static int probe_check_command(const void *config, const char *text, char *error,
                               size_t error_size) {
    (void)config;
    (void)text;
    (void)error;
    (void)error_size;
    return 0;
}

static void probe_command(struct ftmb_context *context, const char *text) {
    const struct probe_config *config = context->config;
    struct probe_state *state = context->state;
    for (const char *letter = text; *letter != 0; letter++) {
        state->mixed = mix(state->mixed, (uint64_t)*letter);
    }
    uint32_t index = (uint32_t)(state->mixed % config->variables);
    state->mixed = mix(state->mixed, touch(context, index, context->now_ns));
}

const struct ftmb_element_class probe_class = {
    .name = "probe",
    .help = "every packet's bytes depend on the order of all accesses to shared state",
    .state_version = 1,
    .config_size = sizeof(struct probe_config),
    .drop_reasons = probe_drops,
    .commands = probe_commands,
    .init_shared = probe_init_shared,
    .init_worker = probe_init_worker,
    .process = probe_process,
    .tick = probe_tick,
    .check_command = probe_check_command,
    .command = probe_command,
};
