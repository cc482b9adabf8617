/* SPDX-License-Identifier: BSD-3-Clause */
#include "simulator/replica.h"

#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/snapshot.h"
#include "log/shared_memory.h"
#include "simulator/schedule.h"
#include "simulator/trace.h"

#define ARENA_PART_SIZE (512U << 10)
#define PAGE_SIZE 4096U

static size_t page_size(void) {
    return (sizeof(struct process_page) + PAGE_SIZE - 1) & ~(size_t)(PAGE_SIZE - 1);
}

/* NULL: the master is behind with writing snapshots for standbys that are gone again. */
static struct replica *free_place(void) {
    for (uint32_t index = 0; index < REPLICAS_MAX; index++) {
        struct replica *replica = &simulation.replicas[index];
        if (replica->epoch == 0) {
            return replica;
        }
        if (replica->is_dead && replica->peer < 0 && !replica->snapshot.is_running) {
            replica_destroy(replica);
            return replica;
        }
    }
    return NULL;
}

static void attach(struct replica *replica) {
    struct logger *logger = simulation.logger;
    const struct peer *peer = &logger->peers[replica->peer];
    for (uint32_t worker = 0; worker < simulation.settings.workers; worker++) {
        int error = process_attach_logs(replica->process, worker, logger->input_descriptors[worker],
                                        logger->access_descriptors[worker],
                                        peer->output_descriptors[worker]);
        simulation_expect(error == 0, "a replica cannot attach its logs");
    }
}

struct replica *replica_create(uint32_t epoch) {
    struct replica *replica = free_place();
    int error = 0;
    while (replica == NULL) {
        POINT(WAITING, 0, 0);
        replica = free_place();
    }
    *replica = (struct replica){.epoch = epoch, .snapshot = {.descriptor = -1}};
    replica->peer = logger_add_peer(simulation.logger, epoch);
    simulation_expect(replica->peer >= 0, "the logger process has no room for another replica");
    replica->page =
        pages_map_process(simulation.logger->peers[replica->peer].page_descriptor, &error);
    simulation_expect(error == 0, "a replica cannot map its page");
    const struct process_settings settings = {.epoch = epoch,
                                              .workers = simulation.settings.workers,
                                              .arena_part_size = ARENA_PART_SIZE,
                                              .configuration_digest = simulation.seed,
                                              .seed = simulation.seed,
                                              .is_logged = true,
                                              .pals = simulation.settings.pals};
    replica->process =
        process_create(&settings, &simulation.pipeline, simulation.page, replica->page, &error);
    simulation_expect(replica->process != NULL, "a replica cannot be created");
    attach(replica);
    memset(replica->last_access, -1, sizeof(replica->last_access));
    return replica;
}

static void run_worker(void *argument) {
    const struct worker *worker = argument;
    struct process *process = worker->process;
    uint32_t index = worker->context.worker;
    for (;;) {
        POINT(STEPPED, index, process_step(process, index));
    }
}

void replica_begin(struct replica *replica) {
    process_begin(replica->process);
    replica->has_begun = true;
    for (uint32_t worker = 0; worker < simulation.settings.workers; worker++) {
        replica->records_at_start[worker] = process_replayed(replica->process, worker);
        schedule_add(TASK_WORKER, replica, worker, run_worker, &replica->process->workers[worker]);
    }
}

/* Garbage where the output logger has not read yet, and perhaps a claim that it is records. */
static void tear_output(struct worker *worker) {
    struct ring *ring = &worker->output;
    if (ring->data == NULL) {
        return;
    }
    uint64_t written = ring_written(ring);
    uint64_t room = ring->size - (written - ring_consumed(ring));
    uint64_t count = chance(4) == 0 ? room : chance((uint32_t)room + 1) % 600;
    if (chance(3) != 0) { /* else what lies there from the round before stays, half written over */
        for (uint64_t offset = 0; offset < count; offset++) {
            *(uint8_t *)ring_at(ring, written + offset) = (uint8_t)random_next(&simulation.random);
        }
    }
    if (chance(2) == 0) {
        ring_publish(ring, written + (chance(4) == 0 ? random_next(&simulation.random)
                                                     : (uint64_t)chance((uint32_t)room) + 1));
    }
}

static void tear(struct replica *replica) {
    replica->is_torn = true;
    trace_say("epoch %u writes garbage", replica->epoch);
    for (uint32_t worker = 0; worker < simulation.settings.workers; worker++) {
        if (chance(2) == 0) {
            tear_output(&replica->process->workers[worker]);
        }
        if (chance(4) == 0) {
            uint64_t *words = (uint64_t *)&replica->page->workers[worker];
            words[chance(8)] = random_next(&simulation.random);
        }
    }
}

void replica_kill(struct replica *replica) {
    trace_say("epoch %u dies", replica->epoch);
    if (chance(2) == 0) {
        tear(replica);
    }
    /* As the kernel marks a robust mutex whose holder died. */
    *(_Atomic uint32_t *)&replica->page->life.__data.__lock = FUTEX_OWNER_DIED;
    replica->is_dead = true;
    for (uint32_t index = 0; index < REPLICAS_MAX; index++) {
        struct snapshot_job *job = &simulation.replicas[index].snapshot;
        if (job->is_running && job->master == replica) {
            job->is_running = false;
            job->has_failed = true;
        }
    }
    schedule_remove(replica);
}

void replica_forget_peer(struct replica *replica) {
    if (replica->peer >= 0) {
        logger_remove_peer(simulation.logger, replica->peer);
        replica->peer = -1;
    }
}

void replica_destroy(struct replica *replica) {
    process_destroy(replica->process);
    if (replica->page != NULL) {
        munmap(replica->page, page_size());
    }
    if (replica->snapshot.descriptor >= 0) {
        close(replica->snapshot.descriptor);
    }
    arena_destroy(&replica->snapshot.copy);
    *replica = (struct replica){0};
}

static void copy_arena(struct ftmb_arena *copy, const struct ftmb_arena *arena) {
    const struct arena_header *header = arena_header(arena);
    int error = arena_create(copy, 0, header->workers, header->part_size);
    simulation_expect(error == 0, "no memory for a snapshot");
    memcpy(copy->base, arena->base, sizeof(*header));
    for (uint32_t part = 0; part <= header->workers; part++) {
        uint64_t start = ARENA_HEADER_SIZE + part * header->part_size;
        memcpy(copy->base + start, arena->base + start, header->used[part]);
    }
}

static void run_snapshot(void *argument) {
    struct snapshot_job *job = argument;
    struct replica *master = job->master;
    while (master->is_snapshotting) {
        POINT(WAITING, 0, 0);
    }
    master->is_snapshotting = true;
    process_hold_workers(master->process);
    POINT(WAITING, 0, 0);
    copy_arena(&job->copy, &master->process->arena);
    process_release_workers(master->process);
    master->is_snapshotting = false;
    int error = snapshot_write(&job->copy, job->descriptor); /* from here on it is the child */
    simulation_expect(error == 0, "a snapshot cannot be written");
    for (uint32_t pages = chance(30); pages > 0 && !job->has_failed; pages--) {
        POINT(WAITING, 0, 0);
    }
    job->is_complete = !job->has_failed;
    job->is_running = false;
    schedule_remove_task(simulation.current);
    schedule_leave();
}

void replica_begin_snapshot(struct replica *master, struct replica *standby) {
    standby->snapshot = (struct snapshot_job){
        .master = master, .descriptor = memfd_create("snapshot", MFD_CLOEXEC), .is_running = true};
    simulation_expect(standby->snapshot.descriptor >= 0, "no memory for a snapshot");
    if (master->is_dead) { /* nobody reads the request any more */
        standby->snapshot.is_running = false;
        return;
    }
    schedule_add(TASK_SNAPSHOT, master, 0, run_snapshot, &standby->snapshot);
}

bool replica_kill_snapshot(struct replica *standby) {
    bool is_written = standby->snapshot.is_running && !standby->snapshot.master->is_snapshotting;
    standby->snapshot.has_failed = standby->snapshot.has_failed || is_written;
    return is_written;
}
