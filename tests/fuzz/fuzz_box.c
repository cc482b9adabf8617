/* SPDX-License-Identifier: BSD-3-Clause */
#include "fuzz_box.h"

#include "host/counts.h"

#define PART_SIZE (1U << 19) /* less than a huge page, which would have to be zeroed whole */
#define STEPS_MAX 4096U
#define CONFIG_SIZE_MAX 262144U

extern const struct ftmb_element_class forward_class, limiter_class, monitor_class;

/* Made once: two replicas' output logs and pages, and the loggers' own. */
static struct ring input_rings[FUZZ_WORKERS_MAX], access_rings[FUZZ_WORKERS_MAX];
static struct ring output_rings[2][FUZZ_WORKERS_MAX];
static struct process_page pages[2];
static struct logger_page logger_page;

uint8_t fuzz_take8(struct fuzz_data *data) {
    if (data->left == 0) {
        return 0;
    }
    data->left--;
    return *data->at++;
}

uint16_t fuzz_take16(struct fuzz_data *data) {
    uint16_t low = fuzz_take8(data);
    return (uint16_t)(low | fuzz_take8(data) << 8);
}

uint64_t fuzz_take64(struct fuzz_data *data) {
    uint64_t value = 0;
    for (uint32_t byte = 0; byte < 8; byte++) {
        value |= (uint64_t)fuzz_take8(data) << (8 * byte);
    }
    return value;
}

const uint8_t *fuzz_take(struct fuzz_data *data, size_t *length) {
    const uint8_t *taken = data->at;
    *length = *length < data->left ? *length : data->left;
    data->at += *length;
    data->left -= *length;
    return taken;
}

/* An empty ring: what was written into it before must not reach the next input. */
static struct ring fresh_ring(struct ring *ring, const char *name, uint64_t size) {
    if (ring->header == NULL) {
        int descriptor;
        MUST(ring_create(ring, name, size, &descriptor) == 0);
    }
    uint64_t written = ring_written(ring);
    memset(ring->data, 0, written < ring->size ? written : ring->size);
    ring_publish(ring, 0);
    ring_consume(ring, 0);
    ring_count_consumed(ring, 0);
    return *ring;
}

static uint32_t port_receive(struct port *base, uint64_t now_ns, struct frame *frames) {
    (void)now_ns;
    struct fuzz_port *port = (struct fuzz_port *)base;
    memcpy(frames, port->arriving, port->count * sizeof(*frames));
    return port->count;
}

static void port_receive_done(struct port *base) {
    struct fuzz_port *port = (struct fuzz_port *)base;
    for (uint32_t index = 0; index < port->count; index++) {
        free((void *)(uintptr_t)port->arriving[index].bytes);
    }
    port->count = 0;
}

static uint32_t port_send(struct port *base, const struct frame *frames, uint32_t count) {
    struct fuzz_port *port = (struct fuzz_port *)base;
    uint32_t taken = count > port->refuse ? count - port->refuse : 0;
    port->refuse = 0;
    for (uint32_t index = 0; index < taken; index++) {
        port->box->left++;
        port->box->sent(port->box, port->index, &frames[index]);
    }
    return taken;
}

static void port_flush(struct port *base) {
    (void)base;
}

static uint64_t port_missed(struct port *base) {
    (void)base;
    return 0;
}

static const struct port_class fuzz_port_class = {.receive = port_receive,
                                                  .receive_done = port_receive_done,
                                                  .send = port_send,
                                                  .flush = port_flush,
                                                  .missed = port_missed};

bool fuzz_box_arrive(struct fuzz_box *box, uint32_t port, const uint8_t *bytes, uint16_t length) {
    struct fuzz_port *target = &box->ports[port % FUZZ_PORTS];
    if (target->count == PORT_BURST_MAX || length > FTMB_FRAME_SIZE_MAX) {
        return false;
    }
    uint8_t *copy = malloc(length == 0 ? 1 : length);
    memcpy(copy, bytes, length);
    target->arriving[target->count++] = (struct frame){.bytes = copy, .length = length};
    box->arrived++;
    return true;
}

void fuzz_box_open_without_replicas(struct fuzz_box *box, struct pipeline *pipeline,
                                    uint32_t workers, fuzz_sent *sent) {
    memset(box, 0, sizeof(*box));
    memset(&logger_page, 0, sizeof(logger_page));
    logger_page.magic = PAGES_MAGIC;
    logger_page.version = PAGES_VERSION;
    logger_page.workers = workers;
    box->workers = workers;
    box->pipeline = pipeline;
    box->page = &logger_page;
    box->sent = sent;
    box->now_ns = 1000000000;
    struct ring inputs[FUZZ_WORKERS_MAX], accesses[FUZZ_WORKERS_MAX];
    for (uint32_t index = 0; index < workers; index++) {
        inputs[index] = fresh_ring(&input_rings[index], "fuzz-input", FUZZ_INPUT_SIZE);
        accesses[index] = fresh_ring(&access_rings[index], "fuzz-access", FUZZ_INPUT_SIZE);
    }
    MUST(input_logger_init(&box->input, workers, inputs, pipeline) == 0);
    const struct output_logger_settings settings = {.workers = workers, .is_logged = true};
    MUST(output_logger_init(&box->output, &settings, accesses, &box->input, box->page) == 0);
    for (uint32_t index = 0; index < FUZZ_PORTS; index++) {
        struct fuzz_port *port = &box->ports[index];
        port->base.class = &fuzz_port_class;
        port->box = box;
        port->index = index;
        MUST(input_logger_add_port(&box->input, &port->base) == 0);
    }
    box->input.is_open = true;
    box->master = (struct fuzz_replica){.page = &pages[0], .outputs = output_rings[0]};
    box->standby = (struct fuzz_replica){.page = &pages[1], .outputs = output_rings[1]};
    for (uint32_t index = 0; index < workers; index++) {
        fresh_ring(&box->master.outputs[index], "fuzz-output", FUZZ_OUTPUT_SIZE);
        fresh_ring(&box->standby.outputs[index], "fuzz-output", FUZZ_OUTPUT_SIZE);
    }
    memset(pages, 0, sizeof(pages));
}

void fuzz_replica_open(struct fuzz_box *box, struct fuzz_replica *replica, uint32_t place) {
    const struct process_settings settings = {.epoch = place,
                                              .workers = box->workers,
                                              .arena_part_size = PART_SIZE,
                                              .seed = 7,
                                              .is_logged = true};
    int error = 0;
    memset(replica->page, 0, sizeof(*replica->page));
    replica->process = process_create(&settings, box->pipeline, box->page, replica->page, &error);
    MUST(replica->process != NULL);
    for (uint32_t index = 0; index < box->workers; index++) {
        struct worker *worker = &replica->process->workers[index];
        worker->input = input_rings[index];
        worker->replay.access = access_rings[index];
        worker->output = fresh_ring(&replica->outputs[index], "fuzz-output", FUZZ_OUTPUT_SIZE);
    }
    box->epoch = place;
}

void fuzz_replica_close(struct fuzz_replica *replica) {
    if (replica->process == NULL) {
        return;
    }
    for (uint32_t index = 0; index < replica->process->worker_count; index++) {
        struct worker *worker = &replica->process->workers[index];
        worker->input = worker->output = worker->replay.access = (struct ring){0};
    }
    process_destroy(replica->process);
    pthread_mutex_unlock(&replica->page->life); /* the page is used again */
    replica->process = NULL;
}

/* Until each worker of the new master has replayed all there is and is live. */
static void go_live(struct fuzz_box *box) {
    for (uint32_t step = 0; step < 4 * FUZZ_WORKERS_MAX; step++) {
        process_step(box->master.process, step % box->workers);
    }
    MUST(phase_of_process(box->master.page) == PHASE_LIVE);
}

static void make_master(struct fuzz_box *box) {
    const struct next_master next = {.epoch = box->master.process->epoch,
                                     .rings = box->master.outputs,
                                     .page = box->master.page};
    MUST(output_logger_change_master(&box->output, &next));
}

void fuzz_box_open(struct fuzz_box *box, struct pipeline *pipeline, uint32_t workers,
                   fuzz_sent *sent) {
    fuzz_box_open_without_replicas(box, pipeline, workers, sent);
    fuzz_replica_open(box, &box->master, 1);
    fuzz_replica_open(box, &box->standby, 2);
    make_master(box);
    output_logger_set_standby(&box->output, box->standby.page);
    go_live(box);
}

/* One record of a worker of the master, if there is input for one; then the same of the standby.
 * The order of records is the master's, so a standby's worker never waits for another. */
static bool step_worker(struct fuzz_box *box, uint32_t worker) {
    struct process *master = box->master.process;
    uint64_t before = process_replayed(master, worker);
    process_step(master, worker);
    if (process_replayed(master, worker) == before) {
        return false;
    }
    output_logger_poll(&box->output);
    MUST(!box->output.is_rejecting);
    MUST(box->output.committed[worker] == before + 1);
    process_step(box->standby.process, worker);
    MUST(phase_of_process(box->standby.page) != PHASE_DIVERGED);
    MUST(process_replayed(box->standby.process, worker) == before + 1);
    return true;
}

void fuzz_box_round(struct fuzz_box *box) {
    box->now_ns += 1000;
    input_logger_poll(&box->input, box->now_ns);
    uint32_t idle = 0;
    for (uint32_t step = 0; idle < box->workers; step++) {
        MUST(step < STEPS_MAX);
        idle = step_worker(box, step % box->workers) ? 0 : idle + 1;
        if (idle == box->workers && output_logger_poll(&box->output) > 0) {
            idle = 0;
        }
        input_logger_poll(&box->input, box->now_ns); /* what was sent to come in again */
    }
}

void fuzz_box_fail_over(struct fuzz_box *box) {
    struct fuzz_replica fenced = box->master;
    box->master = box->standby;
    box->standby = fenced;
    make_master(box);
    process_step(fenced.process, 0);
    MUST(phase_of_process(fenced.page) == PHASE_FENCED);
    go_live(box);
    fuzz_replica_close(&box->standby);
    fuzz_replica_open(box, &box->standby, box->epoch + 1);
    const struct ftmb_arena *from = &box->master.process->arena;
    memcpy(box->standby.process->arena.base, from->base, from->size);
    for (uint32_t index = 0; index < box->workers; index++) {
        process_set_access_start(box->standby.process, index,
                                 box->output.queues[index].access_retained);
    }
    output_logger_set_standby(&box->output, box->standby.page);
}

void fuzz_box_free(struct fuzz_box *box) {
    for (uint32_t index = 0; index < FUZZ_PORTS; index++) {
        port_receive_done(&box->ports[index].base);
    }
    for (uint32_t index = 0; index < box->workers; index++) {
        /* A mad master may have written anywhere in its log. */
        for (uint32_t replica = 0; replica < 2; replica++) {
            ring_publish(&output_rings[replica][index], FUZZ_OUTPUT_SIZE);
        }
        ring_publish(&box->input.queues[index].ring, box->input.queues[index].position);
        ring_publish(&access_rings[index], box->output.queues[index].access_position);
        box->input.queues[index].ring = (struct ring){0};
        box->output.queues[index].access = (struct ring){0};
    }
    input_logger_release(&box->input);
    output_logger_release(&box->output);
}

void fuzz_box_close(struct fuzz_box *box) {
    MUST(process_state_digest(box->master.process) == process_state_digest(box->standby.process));
    fuzz_replica_close(&box->master);
    fuzz_replica_close(&box->standby);
    fuzz_box_free(box);
}

static void add_between_ports(struct pipeline *pipeline, void *config,
                              const struct ftmb_element_class *element) {
    MUST(element->config_size <= CONFIG_SIZE_MAX);
    element_config_init(element, config);
    element_config_set(element, config, "first", 0);
    element_config_set(element, config, "second", 1);
    MUST(pipeline_add(pipeline, element, config) == 0);
}

void fuzz_add_forward(struct pipeline *pipeline) {
    static _Alignas(64) uint8_t config[CONFIG_SIZE_MAX];
    add_between_ports(pipeline, config, &forward_class);
}

void fuzz_add_monitor(struct pipeline *pipeline, bool is_stamping, bool counts_all) {
    static _Alignas(64) uint8_t config[CONFIG_SIZE_MAX];
    add_between_ports(pipeline, config, &monitor_class);
    element_config_set(&monitor_class, config, "hosts_max", 1024);
    element_config_set(&monitor_class, config, "stamp", is_stamping);
    if (counts_all) {
        element_config_set(&monitor_class, config, "destinations", 1);
        element_config_set(&monitor_class, config, "top", 16);
        element_config_set_text(&monitor_class, config, "prefixes", "10.0.0.0/8");
        element_config_set_text(&monitor_class, config, "prefixes", "2001:db8::/32");
    }
}

void fuzz_add_limiter(struct pipeline *pipeline) {
    static _Alignas(64) uint8_t config[CONFIG_SIZE_MAX];
    const struct ftmb_element_class *element = &limiter_class;
    char error[256];
    MUST(element->config_size <= CONFIG_SIZE_MAX);
    element_config_init(element, config);
    element_config_set(element, config, "inside", 0);
    element_config_set(element, config, "outside", 1);
    element_config_set(element, config, "hosts_max", 256);
    element_config_set_text(element, config, "total",
                            "upload 1M burst 9000 download 2M burst 7000");
    element_config_set_text(element, config, "host",
                            "upload 100k burst 5000 download 1k burst 5000");
    element_config_set_text(element, config, "prefixes", "10.0.0.0/8 upload 500k burst 6000");
    element_config_set_text(element, config, "prefixes", "2001:db8::/32 download 1M burst 6000");
    element_config_set_text(element, config, "classes", "first keeps 30% mark ef");
    element_config_set_text(element, config, "classes", "second mark le");
    element_config_set_text(element, config, "rules", "first tcp any -> any port 80,443");
    element_config_set_text(element, config, "rules", "first dscp ef icmp any -> any type 8");
    MUST(element->check(config, 1, error, sizeof(error)) == 0);
    MUST(pipeline_add(pipeline, element, config) == 0);
}

uint64_t fuzz_box_drops(const struct fuzz_box *box) {
    uint64_t count = 0;
    for (uint32_t worker = 0; worker < box->workers; worker++) {
        const struct worker_state *state =
            pipeline_worker_state(&box->master.process->arena, worker);
        for (uint32_t stage = 0; stage < FTMB_PIPELINE_MAX; stage++) {
            for (uint32_t reason = 0; reason < FTMB_DROP_REASONS_MAX; reason++) {
                count += state->drops[stage][reason];
            }
        }
    }
    return count;
}
