/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/logger.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "host/cycles.h"
#include "log/shared_memory.h"

static void close_descriptor(int *descriptor) {
    if (*descriptor >= 0) {
        close(*descriptor);
    }
    *descriptor = -1;
}

/* Makes a log that only this process writes: *read_only is what the others get. */
static int create_log(struct ring *ring, const char *name, uint64_t size, int *read_only) {
    int descriptor;
    int error = ring_create(ring, name, size, &descriptor);
    if (error != 0) {
        return error;
    }
    *read_only = shared_memory_read_only(descriptor);
    error = *read_only < 0 ? *read_only : shared_memory_seal_writes(descriptor);
    close(descriptor);
    return error;
}

static int create_page(struct logger *logger) {
    size_t size = (sizeof(struct logger_page) + 4095) & ~(size_t)4095;
    int descriptor = shared_memory_create("ftmb-logger-page", size);
    if (descriptor < 0) {
        return descriptor;
    }
    logger->page = shared_memory_map(descriptor, size, true);
    logger->page_descriptor = shared_memory_read_only(descriptor);
    int error = logger->page == NULL ? -ENOMEM : shared_memory_seal_writes(descriptor);
    close(descriptor);
    if (error == 0) {
        logger->page->magic = PAGES_MAGIC;
        logger->page->version = PAGES_VERSION;
        logger->page->workers = logger->settings.workers;
    }
    return error;
}

static int create_logs(struct logger *logger, const struct pipeline *pipeline) {
    struct ring input[FTMB_WORKERS_MAX] = {0};
    struct ring access[FTMB_WORKERS_MAX] = {0};
    const struct logger_settings *settings = &logger->settings;
    int error = 0;
    for (uint32_t index = 0; index < settings->workers && error == 0; index++) {
        error = create_log(&input[index], "ftmb-input-log", settings->input_size,
                           &logger->input_descriptors[index]);
        if (error == 0) {
            error = create_log(&access[index], "ftmb-access-log", settings->access_size,
                               &logger->access_descriptors[index]);
        }
    }
    if (error == 0) {
        error = input_logger_init(&logger->input, settings->workers, input, pipeline);
    }
    if (error == 0) {
        const struct output_logger_settings output = {.workers = settings->workers,
                                                      .is_logged = settings->is_logged,
                                                      .release =
                                                          (enum release_mode)settings->release,
                                                      .pals = (enum pal_mode)settings->pals};
        error = output_logger_init(&logger->output, &output, access, &logger->input, logger->page);
    }
    return error;
}

struct logger *logger_create(const struct logger_settings *settings,
                             const struct pipeline *pipeline, int *error) {
    if (settings->workers == 0 || settings->workers > FTMB_WORKERS_MAX ||
        settings->output_size < 2 * OUTPUT_RECORD_SIZE_MAX) {
        *error = -EINVAL;
        return NULL;
    }
    struct logger *logger = aligned_alloc(64, (sizeof(*logger) + 63) & ~(size_t)63);
    if (logger == NULL) {
        *error = -ENOMEM;
        return NULL;
    }
    memset(logger, 0, sizeof(*logger));
    logger->settings = *settings;
    logger->page_descriptor = -1;
    logger->death_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    memset(logger->input_descriptors, -1, sizeof(logger->input_descriptors));
    memset(logger->access_descriptors, -1, sizeof(logger->access_descriptors));
    *error = create_page(logger);
    if (*error == 0) {
        *error = create_logs(logger, pipeline);
    }
    if (*error != 0) {
        logger_destroy(logger);
        return NULL;
    }
    return logger;
}

void logger_destroy(struct logger *logger) {
    if (logger == NULL) {
        return;
    }
    input_logger_release(&logger->input);
    output_logger_release(&logger->output);
    for (int peer = 0; peer < (int)PEERS_MAX; peer++) {
        logger_remove_peer(logger, peer);
    }
    for (uint32_t index = 0; index < FTMB_WORKERS_MAX; index++) {
        close_descriptor(&logger->input_descriptors[index]);
        close_descriptor(&logger->access_descriptors[index]);
    }
    close_descriptor(&logger->page_descriptor);
    close_descriptor(&logger->death_event);
    if (logger->page != NULL) {
        shared_memory_unmap(logger->page, (sizeof(struct logger_page) + 4095) & ~(size_t)4095);
    }
    free(logger);
}

int logger_add_port(struct logger *logger, struct port *port) {
    return input_logger_add_port(&logger->input, port);
}

static int fill_peer(struct logger *logger, struct peer *peer) {
    size_t size = (sizeof(struct process_page) + 4095) & ~(size_t)4095;
    peer->page_descriptor = shared_memory_create("ftmb-process-page", size);
    if (peer->page_descriptor < 0) {
        return peer->page_descriptor;
    }
    peer->page = shared_memory_map(peer->page_descriptor, size, false);
    if (peer->page == NULL) {
        return -errno;
    }
    for (uint32_t index = 0; index < logger->settings.workers; index++) {
        int error = ring_create(&peer->outputs[index], "ftmb-output-log",
                                logger->settings.output_size, &peer->output_descriptors[index]);
        if (error != 0) {
            return error;
        }
    }
    return 0;
}

int logger_add_peer(struct logger *logger, uint32_t epoch) {
    for (int index = 0; index < (int)PEERS_MAX; index++) {
        struct peer *peer = &logger->peers[index];
        if (peer->is_used) {
            continue;
        }
        *peer = (struct peer){.epoch = epoch, .is_used = true, .page_descriptor = -1};
        memset(peer->output_descriptors, -1, sizeof(peer->output_descriptors));
        int error = fill_peer(logger, peer);
        if (error != 0) {
            logger_remove_peer(logger, index);
            return error;
        }
        return index;
    }
    return -ENOSPC;
}

void logger_remove_peer(struct logger *logger, int index) {
    struct peer *peer = &logger->peers[index];
    if (!peer->is_used) {
        return;
    }
    for (uint32_t worker = 0; worker < FTMB_WORKERS_MAX; worker++) {
        close_descriptor(&peer->output_descriptors[worker]);
        ring_detach(&peer->outputs[worker]);
    }
    if (peer->page != NULL) {
        shared_memory_unmap(peer->page, (sizeof(struct process_page) + 4095) & ~(size_t)4095);
    }
    close_descriptor(&peer->page_descriptor);
    *peer = (struct peer){0};
}

void logger_start_of(const struct logger *logger, uint32_t worker, uint64_t *record_number,
                     uint64_t *input_position) {
    const struct output_queue *queue = &logger->output.queues[worker];
    *record_number = queue->received;
    *input_position = queue->input_sequence == 0 ? 0
                                                 : input_queue_end_of(&logger->input.queues[worker],
                                                                      queue->input_sequence);
}

static void serve_request(struct logger *logger) {
    struct logger_request *request = &logger->request;
    /* L1: acquire; pairs with L2. */
    uint32_t kind = atomic_load_explicit(&request->kind, memory_order_acquire);
    if (__builtin_expect(kind == REQUEST_NONE, 1)) {
        return;
    }
    if (kind == REQUEST_CHANGE_MASTER) {
        logger->heir = (struct next_master){0};
        request->has_succeeded = output_logger_change_master(
            &logger->output, request->next.rings != NULL ? &request->next : NULL);
    } else if (kind == REQUEST_SET_STANDBY) {
        output_logger_set_standby(&logger->output, request->page);
    } else if (kind == REQUEST_WATCH) {
        logger->watched = request->page;
    } else if (kind == REQUEST_ARM) {
        logger->heir = request->next;
    } else if (kind == REQUEST_CHECKPOINT) {
        request->has_succeeded = output_logger_checkpoint(&logger->output, request->records);
    } else if (kind == REQUEST_COMMAND) {
        request->has_succeeded = input_logger_command(&logger->input, request->stage,
                                                      request->command, request->sequences);
    } else if (kind == REQUEST_DISCARD_INPUT) {
        output_logger_discard_input(&logger->output);
    } else {
        input_logger_open(&logger->input);
    }
    atomic_store_explicit(&request->kind, REQUEST_NONE, memory_order_release);
    idle_wake(&request->kind);
}

static bool can_follow(const struct next_master *heir) {
    return heir->rings != NULL && !pages_is_dead(heir->page) &&
           atomic_load_explicit(&heir->page->phase, memory_order_acquire) == PHASE_REPLAYING;
}

/* What was decided in advance: the fence, the cut and the next epoch. */
static void succeed(struct logger *logger) {
    const struct next_master heir = logger->heir;
    logger->heir = (struct next_master){0};
    logger->succession.detected_ns = monotonic_ns();
    logger->succession.epoch = heir.epoch;
    logger->succession.has_succeeded = output_logger_change_master(&logger->output, &heir);
    logger->succession.live_ns = monotonic_ns();
    if (logger->succession.has_succeeded) {
        logger->watched = heir.page;
    }
    atomic_store_explicit(&logger->has_succession, true, memory_order_release);
}

static void watch_master(struct logger *logger) {
    if (logger->watched != NULL && pages_is_dead(logger->watched)) {
        logger->watched = NULL;
        if (can_follow(&logger->heir)) {
            succeed(logger);
        }
        eventfd_write(logger->death_event, 1);
    }
}

uint64_t logger_step(struct logger *logger, uint64_t now_ns) {
    serve_request(logger);
    watch_master(logger);
    uint64_t moved = input_logger_poll(&logger->input, now_ns);
    moved += output_logger_poll(&logger->output);
    counter_add(&logger->page->heartbeat, 1);
    return moved;
}

static void pin_to(int core) {
    if (core >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((size_t)core, &set);
        pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
    }
}

void logger_expect_thread(struct logger *logger) {
    logger->has_thread = true;
}

void logger_run(struct logger *logger, int core) {
    pthread_setname_np(pthread_self(), "loggers");
    idle_prepare_thread((enum idle_strategy)logger->settings.idle, NICE_LOGGERS);
    pin_to(core);
    enum idle_strategy idle = (enum idle_strategy)logger->settings.idle;
    uint32_t idle_rounds = 0;
    uint64_t turn_end_ns = 0, least_end_ns = 0;
    while (!atomic_load_explicit(&logger->must_stop, memory_order_relaxed)) {
        uint64_t start = cycles_now();
        uint64_t now_ns = monotonic_ns();
        if (logger_step(logger, now_ns) > 0) {
            idle_rounds = 0;
            counter_add(&logger->busy_cycles, cycles_now() - start);
            idle_take_turn(idle, &turn_end_ns, now_ns, TURN_NS);
        } else if (idle == IDLE_YIELD) {
            idle_end_turn(&turn_end_ns, &least_end_ns, now_ns);
        } else {
            idle_rounds = idle_wait_on(idle, idle_rounds, &logger->request.kind, REQUEST_NONE);
        }
        counter_add(&logger->rounds, 1);
    }
    serve_request(logger);
}

void logger_stop(struct logger *logger) {
    atomic_store_explicit(&logger->must_stop, true, memory_order_relaxed);
}

/* L2: release; pairs with L1. Then waits until the packet thread has served it. */
static void hand_over(struct logger *logger, enum logger_request_kind kind) {
    atomic_store_explicit(&logger->request.kind, (uint32_t)kind, memory_order_release);
    idle_wake(&logger->request.kind);
    if (!logger->has_thread) {
        serve_request(logger);
    }
    while (atomic_load_explicit(&logger->request.kind, memory_order_acquire) != REQUEST_NONE) {
        idle_wait_for_answer(&logger->request.kind, (uint32_t)kind);
    }
}

/* NULL: nobody. */
static struct next_master next_master_of(const struct peer *peer) {
    if (peer == NULL) {
        return (struct next_master){0};
    }
    return (struct next_master){.epoch = peer->epoch, .rings = peer->outputs, .page = peer->page};
}

int logger_change_master(struct logger *logger, int index) {
    struct logger_request *request = &logger->request;
    const struct peer *peer = index >= 0 ? &logger->peers[index] : NULL;
    request->next = next_master_of(peer);
    hand_over(logger, REQUEST_CHANGE_MASTER);
    return request->has_succeeded ? 0 : -ETIMEDOUT;
}

int logger_set_standby(struct logger *logger, int index) {
    logger->request.page = index >= 0 ? logger->peers[index].page : NULL;
    hand_over(logger, REQUEST_SET_STANDBY);
    return 0;
}

void logger_watch(struct logger *logger, int index) {
    logger->request.page = index >= 0 ? logger->peers[index].page : NULL;
    hand_over(logger, REQUEST_WATCH);
}

void logger_arm(struct logger *logger, int index) {
    const struct peer *peer = index >= 0 ? &logger->peers[index] : NULL;
    logger->request.next = next_master_of(peer);
    hand_over(logger, REQUEST_ARM);
}

bool logger_take_succession(struct logger *logger, struct succession *succession) {
    if (!atomic_exchange_explicit(&logger->has_succession, false, memory_order_acquire)) {
        return false;
    }
    *succession = logger->succession;
    return true;
}

void logger_open_ports(struct logger *logger) {
    hand_over(logger, REQUEST_OPEN);
}

void logger_discard_input(struct logger *logger) {
    hand_over(logger, REQUEST_DISCARD_INPUT);
}

bool logger_checkpoint(struct logger *logger, const uint64_t *records) {
    memcpy(logger->request.records, records, logger->settings.workers * sizeof(*records));
    hand_over(logger, REQUEST_CHECKPOINT);
    return logger->request.has_succeeded;
}

bool logger_command(struct logger *logger, uint8_t stage, const char *text, uint64_t *sequences) {
    struct logger_request *request = &logger->request;
    request->stage = stage;
    request->command = text;
    hand_over(logger, REQUEST_COMMAND);
    memcpy(sequences, request->sequences, logger->settings.workers * sizeof(*sequences));
    return request->has_succeeded;
}

uint64_t logger_access_start(const struct logger *logger, uint32_t worker) {
    return logger->output.queues[worker].access_retained;
}

uint64_t logger_committed(const struct logger *logger, uint32_t worker) {
    return atomic_load_explicit(&logger->page->cut[worker], memory_order_acquire);
}

bool logger_master_is_rejected(const struct logger *logger) {
    return logger->output.is_rejecting;
}
